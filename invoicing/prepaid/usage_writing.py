"""PRE-1: uses, their entries and postings by COPY, and the balances with them; each a statement a batch."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from invoicing.bulk import array_of, copy_rows, take_ids
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.subscriptions.models import UsageEvent

EVENT = (
    "id", "account_id", "plan_id", "price_id", "key", "at", "month_on", "quantity", "rated", "currency", "amount",
    "detail", "received_at",
)  # fmt: skip
ENTRY = ("id", "account_id", "source", "kind", "currency", "on", "at")
POSTING = ("entry_id", "account_id", "ledger_account", "category", "currency", "amount")

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

    What cost nothing has no entry in the ledger. The amounts of one account are deducted by `deduct`.
    """
    if not uses:
        return
    numbered = list(zip(take_ids(UsageEvent, len(uses)), uses, strict=True))
    numbered.sort(key=lambda pair: pair[1].key)
    copy_rows(UsageEvent, EVENT, [(event_id, *use[:11], now) for event_id, use in numbered])
    costing = [(event_id, use) for event_id, use in numbered if use.amount]
    entries = list(zip(take_ids(LedgerEntry, len(costing)), costing, strict=True))
    kind = LedgerEntry.Kind.USAGE.value
    copy_rows(
        LedgerEntry,
        ENTRY,
        [
            (entry_id, use.account_id, f"usage:{event_id}", kind, use.currency, use.posted_on, now)
            for entry_id, (event_id, use) in entries
        ],
    )
    copy_rows(Posting, POSTING, [side for entry_id, (_, use) in entries for side in _sides(entry_id, use)])


def deduct(deducted: Mapping[int, Deducted]) -> None:
    """Take these amounts from the balances of these accounts, which the caller has locked."""
    if not deducted:
        return
    columns = zip(*((account_id, *values) for account_id, values in deducted.items()), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(DEDUCT, [array_of(column) for column in columns])


def _sides(entry_id: int, use: RatedUse) -> tuple[tuple[object, ...], ...]:
    balance, unbilled = LedgerAccount.PREPAID_BALANCE.value, LedgerAccount.UNBILLED_USAGE.value
    return (
        (entry_id, use.account_id, balance, "", use.currency, use.amount),
        (entry_id, use.account_id, unbilled, use.product, use.currency, -use.amount),
    )
