"""What the commands of this room have in common: their options, and how they tell what was done."""

import json
import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from invoicing.collections.sweeping import Swept


def day(text: str) -> date:
    """A date as the command line gives it: 2026-12-01."""
    return date.fromisoformat(text)


class SweepCommand(BaseCommand):
    """`--on DATE [--dry-run] [--json]`; exit code 1 where an account was left out."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--on", type=day, required=True, metavar="DATE", help="The day, such as 2026-12-01.")
        parser.add_argument("--dry-run", action="store_true", help="Write nothing, and print what would be done.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the figures as JSON.")

    def tell(self, swept: Swept, options: dict[str, Any]) -> None:
        if options["as_json"]:
            self.stdout.write(json.dumps({"on": options["on"].isoformat(), **swept.as_json()}))
        else:
            self.stdout.write(f"{options['on']}{' (dry run)' if options['dry_run'] else ''}: {swept}.")
            for sentence in swept.failed:
                self.stderr.write(sentence)
        if swept.failed:
            sys.exit(1)
