"""`manage.py bench_usage`: uses taken a second, beside one plain transaction an event in SQL."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from invoicing.prepaid.benchmark import Case, events_a_second, in_order, make_book, vacuum

ACCOUNTS = (1, 1000)
CONNECTIONS = (1, 4)
BATCHES = (0, 1, 50, 500)
# Slow forms are measured over fewer events, so that the whole takes about a minute or two.
SHARE = {0: 4, 1: 10, 50: 1, 500: 1}
TARGET = 8


class Command(BaseCommand):
    help = "Take N uses in a database of its own: one account and a thousand, 1 and 4 connections, several batches."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--events", type=int, default=20_000, metavar="N", help="of the largest batches")

    def handle(self, *args: Any, **options: Any) -> None:
        connection.settings_dict["TEST"]["NAME"] = "bench_usage"
        usual = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            make_book(max(ACCOUNTS))
            self._head(options["events"])
            paces = {case: self._measure(case, options["events"]) for case in _cases()}
            if not in_order():
                raise CommandError("The balances are not the sums of their postings; the figures mean nothing.")
        finally:
            connection.creation.destroy_test_db(usual, verbosity=0)
        self._tell(paces)

    def _measure(self, case: Case, events: int) -> float:
        vacuum()
        name = f"{case.accounts}-{case.connections}-{case.batch}"
        pace = events_a_second(case, max(events // SHARE[case.batch], 500), name=name, now=timezone.now())
        form = f"batches of {case.batch}" if case.batch else "plain SQL, a transaction an event"
        self.stdout.write(
            f"{case.accounts:>5} accounts, {case.connections} connections, {form:<34}{pace:>9,.0f} events a second"
        )
        return pace

    def _head(self, events: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            version = cursor.fetchone()[0]
        self.stdout.write(
            f"{events:,} events, {os.cpu_count()} cores, PostgreSQL {version}; a use, its entry, two postings, the "
            "month's total and the balance each"
        )

    def _tell(self, paces: dict[Case, float]) -> None:
        self.stdout.write("Ratio to the plain form:")
        for accounts in ACCOUNTS:
            for connections in CONNECTIONS:
                plain = paces[Case(accounts, connections, 0)]
                ratios = ", ".join(
                    f"{paces[Case(accounts, connections, batch)] / plain:.1f} in batches of {batch}"
                    for batch in BATCHES[1:]
                )
                self.stdout.write(f"{accounts:>5} accounts, {connections} connections: {ratios}")
        ratio = paces[Case(1000, 1, 500)] / paces[Case(1000, 1, 0)]
        self.stdout.write(f"ratio: {ratio:.1f} (batches of 500 over 1,000 accounts, one connection; at least {TARGET})")


def _cases() -> list[Case]:
    return [Case(accounts, links, batch) for accounts in ACCOUNTS for links in CONNECTIONS for batch in BATCHES]
