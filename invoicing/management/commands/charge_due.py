"""`manage.py charge_due --on DATE`: charge what was invoiced to the accounts that chose it (SEAT-5)."""

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import command_line
from accounts.models import Account
from invoicing.money import format_money
from invoicing.payments.sweeping import Sweep, charge_due


class Command(BaseCommand):
    help = "Charge what was invoiced by a day and is open, to the default methods of the accounts that chose it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--on", type=date.fromisoformat, required=True, metavar="DATE", help="such as 2026-12-01")
        parser.add_argument("--account", metavar="NUMBER", help="This account only.")
        parser.add_argument("--dry-run", action="store_true", help="Charge nothing, and print what would be charged.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        sweep = charge_due(
            on=options["on"],
            now=timezone.now(),
            actor=command_line(),
            account_id=_account_id(options["account"]),
            dry_run=options["dry_run"],
        )
        if options["as_json"]:
            self.stdout.write(json.dumps(sweep.as_json()))
        else:
            self._tell(sweep)

    def _tell(self, sweep: Sweep) -> None:
        for currency, states in sorted(sweep.totals().items()):
            for state, (count, amount, fee) in sorted(states.items()):
                self.stdout.write(
                    f"{count} {state.lower().replace('_', ' ')}: {format_money(amount, currency)}, "
                    f"card fees {format_money(fee, currency)}."
                )
        for what, rows in (("left out", sweep.skipped), ("failed", sweep.failed)):
            for account, why in rows:
                self.stdout.write(f"{what}: {account}: {why}")
        if not (sweep.charged or sweep.skipped or sweep.failed):
            self.stdout.write(f"Nothing is due on {sweep.on}.")


def _account_id(number: str | None) -> int | None:
    if number is None:
        return None
    try:
        return Account.objects.get(number=number).pk
    except Account.DoesNotExist as error:
        raise CommandError(f"There is no account with the number {number!r}.") from error
