"""The month start measured against its floor: COPY of the very same rows into the same tables, emptied."""

import multiprocessing
import resource
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple
from unittest.mock import patch

import psycopg
from django.db import connection, connections
from django.utils import timezone

from accounts.actors import command_line
from invoicing.runs.models import RunItem
from invoicing.runs.operations import run_billing
from invoicing.sellers.models import Seller

ON = date(2026, 12, 1)
# In the order of their references. What is open of an invoice is written by a trigger on its postings, here too. What
# the run also updates, one profile an account, is no part of the floor.
WRITTEN = (
    "invoicing_invoice",
    "invoicing_invoiceline",
    "invoicing_linetax",
    "invoicing_ledgerentry",
    "invoicing_posting",
    "invoicing_document",
    "invoicing_delivery",
    "invoicing_runitem",
)

BOOK = """
INSERT INTO invoicing_product (code, name, charge, unit, tax_category, licensed)
SELECT 'bench-' || n, 'Service ' || n, 'RECURRING', '', '', false FROM generate_series(1, 3) n;
INSERT INTO invoicing_plan (product_id, code, name)
SELECT id, code, name FROM invoicing_product WHERE code LIKE 'bench-%%';
INSERT INTO invoicing_price (plan_id, currency, valid_from_on, unit_price, setup_fee, change_fee, deposit)
SELECT id, 'USD', '2000-01-01', 9.95 + id, 0, 0, 0 FROM invoicing_plan WHERE code LIKE 'bench-%%';
INSERT INTO accounts_account (number, name, kind, address_line, city, county, state, postal_code, country, phone,
    signed_up_on, invoice_emails, purchase_order, created_at)
SELECT 'B' || lpad(n::text, 8, '0'), 'Customer ' || n, 'CUSTOMER', n || ' Main Street',
    'Denver', '', 'CO', '80202', 'US', '',
    '2026-01-01', ARRAY['billing' || n || '@example.net'], '', now()
FROM generate_series(1, %(accounts)s) n;
INSERT INTO invoicing_billingprofile (account_id, seller_id, terms_id, currency, payment_method, bill_from_on,
    opening_balance, next_billing_on, revision)
SELECT a.id, s.id, t.id, 'USD', 'ACH', '2026-11-01', 0, '2026-12-01', 0
FROM accounts_account a, invoicing_seller s, invoicing_billingterms t WHERE s.is_default AND t.code = 'hosted-direct';
INSERT INTO invoicing_subscription (account_id, reference, label, plan_id, quantity, started_on)
SELECT a.id, a.number || '/' || p.code, 'site ' || a.id, p.id, 1 + a.id %% 5, '2026-03-15'
FROM accounts_account a CROSS JOIN invoicing_plan p;
ANALYZE
"""


class Measured(NamedTuple):
    """One timed run: seconds, statements sent, and the peak memory of the largest worker in MiB."""

    seconds: float
    statements: int
    peak_mib: float


def make_book(accounts: int) -> None:
    """So many accounts with three subscriptions each, in one go."""
    with connection.cursor() as cursor:
        # Only the owner may, and the planner would know nothing of the book.
        cursor.execute("RESET ROLE")
        for statement in BOOK.strip().split(";\n"):
            cursor.execute(statement, {"accounts": accounts})


def bill(workers: int, on: date = ON) -> Measured:
    """Bill everybody with so many threads, in a process of its own whose memory is then known."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    results: Any = context.Queue()
    began = perf_counter()
    process = context.Process(target=_bill_in_child, args=(results, workers, on))
    process.start()
    statements, peak = results.get()
    process.join()
    return Measured(perf_counter() - began, statements, peak)


def _bill_in_child(results: Any, workers: int, on: date) -> None:
    counts = {"execute": 0, "copy": 0}

    def counting(name: str) -> Callable[..., Any]:
        plain = getattr(psycopg.Cursor, name)

        def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return plain(self, *args, **kwargs)

        return counted

    with (
        patch.object(psycopg.Cursor, "execute", counting("execute")),
        patch.object(psycopg.Cursor, "copy", counting("copy")),
    ):
        seller = Seller.objects.get(is_default=True)
        run_billing(seller=seller, on=on, actor=command_line(), now=timezone.now(), approve=True, workers=workers)
    results.put((sum(counts.values()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def floor() -> float:
    """Seconds that COPY takes for the run's rows, into the same tables emptied, keys and triggers in place."""
    with tempfile.TemporaryDirectory() as directory, connection.cursor() as cursor:
        for table in WRITTEN:
            with (
                (Path(directory) / table).open("wb") as file,
                cursor.copy(f"COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT") as copy,
            ):
                for data in copy:
                    file.write(data)
        cursor.execute(
            "RESET ROLE; SET billing.tables_may_be_emptied = 'yes';"
            f" TRUNCATE invoicing_openinvoice, {', '.join(WRITTEN)} CASCADE"
        )
        # Rows copied back are issued already, which the guards on the lines would refuse. Foreign keys stay.
        cursor.execute(
            "ALTER TABLE invoicing_invoiceline DISABLE TRIGGER USER; ALTER TABLE invoicing_linetax DISABLE TRIGGER USER"
        )
        began = perf_counter()
        for table in WRITTEN:
            with (Path(directory) / table).open("rb") as file, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                while data := file.read(1 << 18):
                    copy.write(data)
        seconds = perf_counter() - began
        cursor.execute(
            "ALTER TABLE invoicing_invoiceline ENABLE TRIGGER USER; ALTER TABLE invoicing_linetax ENABLE TRIGGER USER"
        )
    return seconds


def invoiced() -> int:
    return RunItem.objects.filter(outcome=RunItem.Outcome.INVOICED).count()
