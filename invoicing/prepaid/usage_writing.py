"""PRE-1: uses by COPY, their entries and postings from them, and the balances; each a statement a batch."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from invoicing.bulk import array_of, array_of_texts, copy_rows, take_ids
from invoicing.subscriptions.models import UsageEvent

EVENT = (
    "id", "account_id", "plan_id", "price_id", "key", "at", "month_on", "quantity", "rated", "currency", "amount",
    "detail", "received_at",
)  # fmt: skip
# What cost nothing has no entry.
POST = """
WITH used AS (
    SELECT u.id, u.account_id, u.currency, u.amount, v.posted_on, v.product
    FROM unnest(%s::bigint[], %s::date[], %s::text[]) AS v (id, posted_on, product)
    JOIN invoicing_usageevent u ON u.id = v.id
    WHERE u.amount <> 0
), entry AS (
    INSERT INTO invoicing_ledgerentry (account_id, source, kind, currency, "on", at)
    SELECT account_id, 'usage:' || id, 'USAGE', currency, posted_on, %s::timestamptz FROM used ORDER BY id
    RETURNING id, substr(source, 7)::bigint AS use_id
)
INSERT INTO invoicing_posting (entry_id, account_id, ledger_account, category, currency, amount)
SELECT e.id, u.account_id, s.ledger_account, s.category, u.currency, s.amount
FROM entry e JOIN used u ON u.id = e.use_id
CROSS JOIN LATERAL (
    VALUES ('PREPAID_BALANCE', '', u.amount), ('UNBILLED_USAGE', u.product, -u.amount)
) AS s (ledger_account, category, amount)
"""
DEDUCT = """
UPDATE invoicing_prepaidbalance b SET balance = b.balance - u.amount, floor = u.floor
FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[]) AS u (account_id, amount, floor)
WHERE b.account_id = u.account_id
"""


class RatedUse(NamedTuple):
    """A use that is taken: what is kept of it; `posted_on` is the day it is booked, in the seller's time zone."""

    account_id: int
    plan_id: int
    price_id: int
    key: str
    at: datetime
    month_on: date
    quantity: Decimal
    rated: Decimal
    currency: str
    amount: Decimal
    detail: str
    product: str
    posted_on: date


class Deducted(NamedTuple):
    """What is taken from a balance, and the floor that it keeps."""

    amount: Decimal
    floor: Decimal


def write_uses(uses: Sequence[RatedUse], *, now: datetime) -> None:
    """
    Write the uses in the order of their keys, so that two who send the same ones wait for each other in one order.

    The amounts of one account are deducted by `deduct`.
    """
    if not uses:
        return
    numbered = list(zip(take_ids(UsageEvent, len(uses)), uses, strict=True))
    numbered.sort(key=lambda pair: pair[1].key)
    copy_rows(UsageEvent, EVENT, [(use_id, *use[:11], now) for use_id, use in numbered])
    ids = [use_id for use_id, _ in numbered]
    days = [use.posted_on for _, use in numbered]
    products = [use.product for _, use in numbered]
    with connection.cursor() as cursor:
        cursor.execute(POST, [array_of(ids), array_of(days), array_of_texts(products), now])


def deduct(deducted: Mapping[int, Deducted]) -> None:
    """Take these amounts from the balances of these accounts, which the caller has locked."""
    if not deducted:
        return
    columns = zip(*((account_id, *values) for account_id, values in deducted.items()), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(DEDUCT, [array_of(column) for column in columns])
