"""`manage.py bench`: how fast the month start is, beside COPY of the same rows."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from invoicing.runs.benchmark import Measured, bill, floor, invoiced, make_book


class Command(BaseCommand):
    help = "Bill N accounts with three subscriptions each in a database of its own, and COPY the same rows (the floor)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts", type=int, default=20_000, metavar="N")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = options["accounts"]
        connection.settings_dict["TEST"]["NAME"] = "bench_billing"
        usual = connection.settings_dict["NAME"]
        self.stdout.write(
            f"{accounts} accounts, {os.cpu_count()} cores, PostgreSQL {self._version()}; a database of its own"
        )
        two, _ = self._in_a_new_database(usual, accounts, workers=2)
        one, rest = self._in_a_new_database(usual, accounts, workers=1)
        self._tell(accounts, one, two, *rest)

    def _in_a_new_database(self, usual: str, accounts: int, *, workers: int) -> tuple[Measured, tuple[Measured, float]]:
        """The run, then a second one of the same day and the floor of the rows that were written."""
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            make_book(accounts)
            first = bill(workers=workers)
            if (found := invoiced()) != accounts:
                raise CommandError(f"{found} of {accounts} accounts were invoiced; the figures would mean nothing.")
            return first, (bill(workers=workers), floor())
        finally:
            connection.creation.destroy_test_db(usual, verbosity=0)

    def _version(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            return str(cursor.fetchone()[0])

    def _tell(self, accounts: int, one: Measured, two: Measured, again: Measured, seconds: float) -> None:
        for name, measured in (("one worker", one), ("two workers", two)):
            self.stdout.write(
                f"run, {name}: {measured.seconds:.2f} s, {accounts / measured.seconds:,.0f} invoices a second, "
                f"{measured.statements / accounts:.4f} statements an invoice, peak memory {measured.peak_mib:.0f} MiB"
            )
        self.stdout.write(
            f"second run of the day: {again.seconds:.2f} s, {again.seconds / one.seconds:.1%} of the first"
        )
        self.stdout.write(f"floor, COPY of the same rows: {seconds:.2f} s, {accounts / seconds:,.0f} invoices a second")
        self.stdout.write(f"floor ÷ run with one worker: {seconds / one.seconds:.2f}; with two, as the site runs:")
        self.stdout.write(f"ratio: {seconds / two.seconds:.2f}")
