"""`manage.py warn_of_expiring_cards --on DATE`: tell customers whose cards end soon, by hand."""

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from invoicing.payments.expiring import warn_of_expiring_cards


class Command(BaseCommand):
    help = "Write to customers whose cards end this month or the next, or before their next charge; each once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--on", type=date.fromisoformat, required=True, metavar="DATE", help="The day, such as 2026-12-01."
        )
        parser.add_argument("--dry-run", action="store_true", help="Write nothing, and print what would be written.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        on, dry_run = options["on"], options["dry_run"]
        warned = warn_of_expiring_cards(on=on, now=timezone.now(), dry_run=dry_run)
        if options["as_json"]:
            self.stdout.write(json.dumps({"on": on.isoformat(), "dry_run": dry_run, **warned.as_json()}))
        else:
            self.stdout.write(f"{on}: {warned}{' (dry run: nothing was written)' if dry_run else ''}")
