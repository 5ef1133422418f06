"""`manage.py warn_low_balances --on DATE`: the warnings of short balances, by hand."""

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from invoicing.money import format_money
from invoicing.prepaid.warnings import Shortfall, warn_low_balances


class Command(BaseCommand):
    help = (
        "PRE-3: warn the prepaid accounts whose balance does not cover the coming monthly charges; each once a month."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--on", type=date.fromisoformat, metavar="DATE", help="The day it is; without it each seller's today."
        )
        parser.add_argument("--dry-run", action="store_true", help="Write nothing, and print who would be warned.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the result as JSON.")

    def handle(self, *args: Any, on: date | None, dry_run: bool, as_json: bool, **options: Any) -> None:
        found = warn_low_balances(now=timezone.now(), on=on, dry_run=dry_run)
        if as_json:
            self.stdout.write(json.dumps({"dry_run": dry_run, "warned": [_as_printed(short) for short in found]}))
            return
        for short in found:
            self.stdout.write(
                f"{short.profile.account.number}: {format_money(short.missing, short.currency)} missing for the "
                f"charges of {short.on}, {format_money(short.charges, short.currency)}."
            )
        self.stdout.write(f"{len(found)} accounts {'would be ' if dry_run else ''}warned.")


def _as_printed(short: Shortfall) -> dict[str, Any]:
    return {
        "account": short.profile.account.number,
        "on": short.on.isoformat(),
        "currency": short.currency,
        "charges": f"{short.charges:f}",
        "available": f"{short.available:f}",
        "missing": f"{short.missing:f}",
        "parts": [{"description": words, "amount": f"{amount:f}"} for words, amount in short.parts],
    }
