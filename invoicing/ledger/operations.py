"""Posting to the books from Python; the run posts the same rows by set-based SQL of its own."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from invoicing.ledger.models import LedgerEntry, Posting


class Side(NamedTuple):
    """One side of an entry to be posted: a debit is positive, a credit negative."""

    ledger_account: str
    amount: Decimal
    category: str = ""
    invoice_id: int | None = None
    payment_id: int | None = None


class Unbalanced(Exception):
    """The sides of an entry do not sum to zero."""


@transaction.atomic
def post(
    *, account_id: int, source: str, kind: str, currency: str, on: date, now: datetime, sides: Sequence[Side]
) -> LedgerEntry:
    """
    Post one entry. A `source` that was posted before is a no-op and gives the entry that stands.

    :raises Unbalanced: if the sides do not sum to zero
    """
    if difference := sum(side.amount for side in sides):
        raise Unbalanced(
            f"The postings of {source} differ by {difference} {currency}; an entry's postings sum to zero."
        )
    entry, posted = LedgerEntry.objects.get_or_create(
        source=source, defaults={"account_id": account_id, "kind": kind, "currency": currency, "on": on, "at": now}
    )
    if posted:
        Posting.objects.bulk_create(
            [
                Posting(
                    entry=entry,
                    account_id=account_id,
                    ledger_account=side.ledger_account,
                    category=side.category,
                    invoice_id=side.invoice_id,
                    payment_id=side.payment_id,
                    currency=currency,
                    amount=side.amount,
                )
                for side in sides
            ]
        )
    return entry
