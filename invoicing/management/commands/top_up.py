"""`manage.py top_up --on DATE`: the automatic top-ups, by hand."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.actors import command_line
from invoicing.prepaid.queries import accounts_to_top_up, charged_top_ups
from invoicing.prepaid.topping_up import top_up_due


class Command(BaseCommand):
    help = "Credit top-ups that were charged and not credited, then top up every balance whose agreement calls for it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--on", type=date.fromisoformat, metavar="DATE", help="The day they count for; each seller's today."
        )
        parser.add_argument("--dry-run", action="store_true", help="Charge nothing, and print how many would be.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the result as JSON.")

    def handle(self, *args: Any, on: date | None, dry_run: bool, as_json: bool, **options: Any) -> None:
        if dry_run:
            found = {"credited": len(charged_top_ups()), "made": len(accounts_to_top_up()), "errors": 0}
        else:
            found = asdict(top_up_due(actor=command_line(), now=timezone.now(), on=on))
        if as_json:
            self.stdout.write(json.dumps({"dry_run": dry_run, **found}))
            return
        would = "would be looked at" if dry_run else "topped up"
        self.stdout.write(
            f"{found['credited']} charged before and credited now; {found['made']} low balances {would}; "
            f"{found['errors']} errors."
        )
