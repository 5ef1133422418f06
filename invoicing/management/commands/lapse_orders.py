"""`manage.py lapse_orders --on DATE`: cancel and credit the orders that nobody paid in time, by hand."""

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from invoicing.orders.lapsing import lapse_orders


class Command(BaseCommand):
    help = "Cancel and credit the orders that were not paid within the days that their terms give (SVC-1, SEAT-2)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--on", type=date.fromisoformat, required=True, metavar="DATE", help="The day, such as 2026-12-01."
        )
        parser.add_argument("--dry-run", action="store_true", help="Cancel nothing, and print what would lapse.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        on, dry_run = options["on"], options["dry_run"]
        done = lapse_orders(on=on, now=timezone.now(), dry_run=dry_run)
        if options["as_json"]:
            self.stdout.write(json.dumps({"on": on.isoformat(), "dry_run": dry_run, **done.as_json()}))
        else:
            self.stdout.write(f"{on}: {done}{' (dry run: nothing was changed)' if dry_run else ''}")
