"""`manage.py bench`: how fast the month start is, beside COPY of the same rows."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from invoicing.runs.benchmark import bill, floor, invoiced, make_book, undo_run


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
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            self._measure(accounts)
        finally:
            connection.creation.destroy_test_db(usual, verbosity=0)

    def _version(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            return str(cursor.fetchone()[0])

    def _measure(self, accounts: int) -> None:
        make_book(accounts)
        two = bill(workers=2)
        self._check(accounts)
        undo_run()
        one = bill(workers=1)
        self._check(accounts)
        again = bill(workers=1)
        seconds = floor()
        for name, measured in (("one worker", one), ("two workers", two)):
            self.stdout.write(
                f"run, {name}: {measured.seconds:.2f} s, {accounts / measured.seconds:,.0f} invoices a second, "
                f"{measured.statements / accounts:.4f} statements an invoice, peak memory {measured.peak_mib:.0f} MiB"
            )
        self.stdout.write(
            f"second run of the day: {again.seconds:.2f} s, {again.seconds / one.seconds:.1%} of the first"
        )
        self.stdout.write(f"floor, COPY of the same rows: {seconds:.2f} s, {accounts / seconds:,.0f} invoices a second")
        self.stdout.write(f"with two workers the ratio is {seconds / two.seconds:.2f}")
        self.stdout.write(f"ratio: {seconds / one.seconds:.2f}")

    def _check(self, accounts: int) -> None:
        if (found := invoiced()) != accounts:
            raise CommandError(f"{found} of {accounts} accounts were invoiced; the figures would mean nothing.")
