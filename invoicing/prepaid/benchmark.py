"""
Uses taken in batches, measured beside the same work as one plain transaction an event in SQL.

The same work: the use, its entry, two postings, the month's total and the balance, with all keys and triggers in place.
The plain form is handed what it has to write, rated; the batches look everything up and rate it themselves.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Any, NamedTuple

from django.db import connection, connections

from invoicing.prepaid.models import PrepaidBalance
from invoicing.prepaid.usage import ACCEPTED, take_uses
from invoicing.prepaid.usage_reading import Use

PRICE = Decimal("0.012")
BOOK = """
INSERT INTO invoicing_product (code, name, charge, unit, tax_category, licensed)
VALUES ('calls', 'Calls', 'PER_USE', 'minute', '', false);
INSERT INTO invoicing_plan (product_id, code, name) SELECT id, code, name FROM invoicing_product;
INSERT INTO invoicing_price (plan_id, currency, valid_from_on, unit_price, setup_fee, change_fee, deposit,
    minimum, increment, included)
SELECT id, 'USD', '2000-01-01', 0.012, 0, 0, 0, 0, 0, 0 FROM invoicing_plan;
INSERT INTO accounts_account (number, name, kind, address_line, city, county, state, postal_code, country, phone,
    signed_up_on, invoice_emails, purchase_order, created_at)
SELECT 'U' || lpad(n::text, 6, '0'), 'Customer ' || n, 'CUSTOMER', '', 'Denver', '', 'CO', '80202', 'US', '',
    '2026-01-01', '{}', '', now()
FROM generate_series(1, %(accounts)s) n;
INSERT INTO invoicing_billingprofile (account_id, seller_id, terms_id, currency, payment_method, opening_balance,
    revision)
SELECT a.id, s.id, t.id, 'USD', 'BALANCE', 0, 0
FROM accounts_account a, invoicing_seller s, invoicing_billingterms t WHERE s.is_default AND t.code = 'prepaid';
INSERT INTO invoicing_prepaidbalance (account_id, currency, balance, floor, awaiting)
SELECT id, 'USD', 1000000, 0, 0 FROM accounts_account;
ANALYZE
"""
# One event, as somebody would write it by hand: each statement for itself, in one transaction.
PLAIN = (
    "SELECT balance FROM invoicing_prepaidbalance WHERE account_id = %(account)s FOR NO KEY UPDATE",
    """INSERT INTO invoicing_usageevent (account_id, plan_id, price_id, key, at, month_on, quantity, rated, currency,
    amount, detail, received_at) VALUES (%(account)s, %(plan)s, %(price)s, %(key)s, %(at)s, %(month)s, %(quantity)s,
    %(quantity)s, 'USD', %(amount)s, '', %(at)s) ON CONFLICT (key) DO NOTHING RETURNING id""",
    """INSERT INTO invoicing_ledgerentry (account_id, source, kind, currency, "on", at) VALUES (%(account)s,
    'usage:' || currval(pg_get_serial_sequence('invoicing_usageevent', 'id')), 'USAGE', 'USD', %(day)s, %(at)s)""",
    """INSERT INTO invoicing_posting (entry_id, account_id, ledger_account, category, currency, amount)
    SELECT currval(pg_get_serial_sequence('invoicing_ledgerentry', 'id')), %(account)s, s.name, s.category, 'USD',
    s.amount FROM (VALUES ('PREPAID_BALANCE', '', %(amount)s::numeric), ('UNBILLED_USAGE', 'calls',
    -%(amount)s::numeric)) AS s (name, category, amount)""",
    """INSERT INTO invoicing_usagetotal AS t (account_id, plan_id, month_on, quantity, amount, invoiced_quantity,
    invoiced_amount) VALUES (%(account)s, %(plan)s, %(month)s, %(quantity)s, %(amount)s, 0, 0)
    ON CONFLICT (account_id, plan_id, month_on) DO UPDATE SET quantity = t.quantity + excluded.quantity,
    amount = t.amount + excluded.amount""",
    "UPDATE invoicing_prepaidbalance SET balance = balance - %(amount)s WHERE account_id = %(account)s",
)


class Case(NamedTuple):
    """What is measured: events of so many accounts, over so many connections; 0 a batch is the plain form."""

    accounts: int
    connections: int
    batch: int


def make_book(accounts: int) -> None:
    """So many prepaid accounts with a million on their balance, and a per-use price."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        for statement in BOOK.strip().split(";\n"):
            cursor.execute(statement, {"accounts": accounts})


def events_a_second(case: Case, events: int, *, name: str, now: datetime) -> float:
    """The pace at which so many events are taken; each connection has its share of them."""
    numbers = [f"U{n:06d}" for n in range(1, case.accounts + 1)]
    uses = [
        Use(f"{name}-{n}", numbers[n * 7919 % case.accounts], "calls", now - timedelta(minutes=1), Decimal(1 + n % 9))
        for n in range(events)
    ]
    work = _in_batches(case.batch, now) if case.batch else _plainly(now)
    before = _total()
    seconds = _timed(work, [uses[n :: case.connections] for n in range(case.connections)])
    expected = sum((use.quantity * PRICE for use in uses), Decimal(0))
    if before - _total() != expected:
        raise RuntimeError(f"{case}: the balances fell by {before - _total()}, not by {expected}.")
    return events / seconds


def in_order() -> bool:
    """Whether each balance is what it began with less its postings."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM invoicing_prepaidbalance b WHERE balance <> 1000000 - coalesce((SELECT sum(amount)"
            " FROM invoicing_posting p WHERE p.account_id = b.account_id AND p.ledger_account = 'PREPAID_BALANCE'), 0)"
        )
        return bool(cursor.fetchone()[0] == 0)


Work = Callable[[Sequence[Use]], None]


def _in_batches(size: int, now: datetime) -> Work:
    def work(uses: Sequence[Use]) -> None:
        for first in range(0, len(uses), size):
            taken = take_uses(uses[first : first + size], now=now)
            if any(answer.outcome != ACCEPTED for answer in taken.answers):
                raise RuntimeError("A use was not accepted; the figures would mean nothing.")

    return work


def _plainly(now: datetime) -> Work:
    with connection.cursor() as cursor:
        cursor.execute("SELECT plan_id, id FROM invoicing_price")
        plan, price = cursor.fetchone()
        cursor.execute("SELECT number, id FROM accounts_account")
        ids = dict(cursor.fetchall())
    day = now.date()

    def work(uses: Sequence[Use]) -> None:
        connection.ensure_connection()
        raw: Any = connection.connection
        for use in uses:
            values = {
                "account": ids[use.account], "plan": plan, "price": price, "key": use.key, "at": use.at, "day": day,
                "month": day.replace(day=1), "quantity": use.quantity, "amount": use.quantity * PRICE,
            }  # fmt: skip
            with raw.transaction(), raw.cursor() as cursor:
                for statement in PLAIN:
                    cursor.execute(statement, values, prepare=True)

    return work


def _timed(work: Work, shares: Sequence[Sequence[Use]]) -> float:
    """Seconds until all shares are done, each on a connection of its own that stands beforehand."""
    ready, failed = threading.Barrier(len(shares) + 1), []

    def one(share: Sequence[Use]) -> None:
        try:
            connection.ensure_connection()
            ready.wait(60)
            work(share)
        except Exception as error:
            failed.append(error)
            raise
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    ready.wait(60)
    began = perf_counter()
    for thread in threads:
        thread.join()
    if failed:
        raise RuntimeError("A connection did not finish.") from failed[0]
    return perf_counter() - began


def _total() -> Decimal:
    return sum(PrepaidBalance.objects.values_list("balance", flat=True), Decimal(0))


def vacuum() -> None:
    """As the server does by itself over an hour, so that no case pays for the one before it."""
    tables = ("usageevent", "ledgerentry", "posting", "usagetotal", "prepaidbalance")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"VACUUM ANALYZE invoicing_{table}")
