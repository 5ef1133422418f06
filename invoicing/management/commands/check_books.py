"""`manage.py check_books`: recompute the books and print each difference."""

import sys
from argparse import ArgumentParser
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand

from invoicing.runs.books import CHECKS, differences_in_books


class Command(BaseCommand):
    help = "Recompute invoices, numbers, postings and balances. Exit code 1, and a line for each difference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--verbose", action="store_true", help="Say also what is checked.")

    def handle(self, *args: Any, **options: Any) -> None:
        began = perf_counter()
        if options["verbose"]:
            for check in CHECKS:
                self.stdout.write(f"checking that {check.promise}")
        found = 0
        for sentence in differences_in_books():
            found += 1
            self.stdout.write(sentence)
        if found:
            self.stderr.write(f"{found} differences.")
            sys.exit(1)
        self.stdout.write(f"The books are in order: {len(CHECKS)} promises checked in {perf_counter() - began:.1f} s.")
