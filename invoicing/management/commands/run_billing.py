"""`manage.py run_billing --on DATE`: the month start, by hand."""

import json
import sys
from argparse import ArgumentParser
from datetime import date
from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import command_line
from accounts.models import Account
from invoicing.money import format_money
from invoicing.runs.operations import dry_run, run_billing
from invoicing.runs.queries import Figures, figures, merged
from invoicing.sellers.models import Seller


def day(text: str) -> date:
    """A date as the command line gives it: 2026-12-01."""
    return date.fromisoformat(text)


class Command(BaseCommand):
    help = "Bill every account whose billing date has come: propose, review within the bounds, issue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--on", type=day, required=True, metavar="DATE", help="The billing date, such as 2026-12-01."
        )
        parser.add_argument("--dry-run", action="store_true", help="Write nothing, and print what would be billed.")
        parser.add_argument(
            "--approve", action="store_true", help="Issue also what the bounds or the terms would hold."
        )
        parser.add_argument(
            "--account", metavar="NUMBER", help="Bill this account only; the figures are this account's."
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        account = _account(options["account"]) if options["account"] else None
        began = perf_counter()
        parts = [
            self._bill(seller, account, options)
            for seller in Seller.objects.order_by("pk")
            if account is None or _billed_by(account, seller)
        ]
        whole = merged(parts)
        if options["as_json"]:
            self.stdout.write(json.dumps(whole.as_json()))
            return
        self._tell(whole, perf_counter() - began)
        for part in parts:
            for reason in part.hold_reasons:
                self.stdout.write(f"held: {reason}")
        if whole.state == "REVIEW":
            self.stdout.write("The run waits for review in the console; --approve issues it from here.")

    def _bill(self, seller: Seller, account: Account | None, options: dict[str, Any]) -> Figures:
        if options["dry_run"]:
            return dry_run(seller=seller, on=options["on"], account=account)
        run = run_billing(
            seller=seller,
            on=options["on"],
            actor=command_line(),
            now=timezone.now(),
            account=account,
            approve=options["approve"],
            progress=None if options["as_json"] else self._progress,
        )
        return figures(run, account_id=account.pk if account else None)

    def _progress(self, stage: str, count: int) -> None:
        if count and sys.stderr.isatty():
            self.stderr.write(f"  {stage} {count}")

    def _tell(self, whole: Figures, seconds: float) -> None:
        total = (
            ", ".join(format_money(amount, currency) for currency, amount in sorted(whole.total.items())) or "nothing"
        )
        self.stdout.write(
            f"Run of {whole.on}: {whole.state.lower().replace('_', ' ')}. "
            f"{whole.accounts} accounts: {whole.invoiced} invoiced, {whole.proposed} proposed, "
            f"{whole.nothing_due} with nothing due, {whole.parked} parked. Total {total}. {seconds:.1f} s."
        )
        if whole.first_number:
            self.stdout.write(f"Numbers {whole.first_number} to {whole.last_number}.")


def _account(number: str) -> Account:
    try:
        account = Account.objects.get(number=number)
    except Account.DoesNotExist as error:
        raise CommandError(f"There is no account with the number {number!r}.") from error
    if account.parent is not None:
        raise CommandError(
            f"Account {number} is a client of {account.parent.number}, which is invoiced for it: bill that account."
        )
    return account


def _billed_by(account: Account, seller: Seller) -> bool:
    return seller.billing_profiles.filter(account=account).exists()
