"""
Who wants to hear of a credit note: the rooms above register it here, when the site starts.

Each is called in the transaction that issues the note, under the lock of the account's money, after what was overpaid
has become the customer's credit.
"""

from datetime import datetime
from typing import Protocol

from invoicing.invoices.models import Invoice


class CreditNoteListener(Protocol):
    """Called once with each credit note that corrects an invoice."""

    def __call__(self, note: Invoice, *, now: datetime) -> None: ...


_listeners: list[CreditNoteListener] = []


def when_credited(listener: CreditNoteListener) -> None:
    """Have this called with each credit note. The same again changes nothing."""
    if listener not in _listeners:
        _listeners.append(listener)


def tell_credited(note: Invoice, *, now: datetime) -> None:
    for listener in _listeners:
        listener(note, now=now)
