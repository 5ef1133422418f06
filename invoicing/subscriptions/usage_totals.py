"""What accounts used in a calendar month; whoever writes it holds the lock of the account's balance."""

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from invoicing.bulk import array_of


class MonthKey(NamedTuple):
    """An account's use of a plan in the calendar month that begins on `month_on`."""

    account_id: int
    plan_id: int
    month_on: date


class Used(NamedTuple):
    """Rated units and their amount, at six places."""

    quantity: Decimal
    amount: Decimal


READ = """
SELECT account_id, plan_id, month_on, quantity FROM invoicing_usagetotal
WHERE account_id = ANY(%s::bigint[]) AND month_on = ANY(%s::date[])
"""
ADD = """
INSERT INTO invoicing_usagetotal AS t
    (account_id, plan_id, month_on, quantity, amount, invoiced_quantity, invoiced_amount)
SELECT account_id, plan_id, month_on, quantity, amount, 0, 0
FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::numeric[], %s::numeric[])
    AS u (account_id, plan_id, month_on, quantity, amount)
ORDER BY 1, 2, 3
ON CONFLICT (account_id, plan_id, month_on) DO UPDATE
SET quantity = t.quantity + excluded.quantity, amount = t.amount + excluded.amount
"""


def units_used(account_ids: Collection[int], month_ons: Collection[date]) -> dict[MonthKey, Decimal]:
    """The rated units of these accounts in these months, by plan. One query."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [array_of(account_ids), array_of(month_ons)])
        return {MonthKey(*key): quantity for *key, quantity in cursor.fetchall()}


def add_to_totals(used: Mapping[MonthKey, Used]) -> None:
    """Add uses to their months' totals, in one statement, in the order of accounts."""
    if not used:
        return
    columns = [array_of(column) for column in zip(*((*key, *amounts) for key, amounts in used.items()), strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(ADD, columns)
