"""What of an invoice is paid, and by what, for its page: payments stand above, and are asked by registration."""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from invoicing.invoices.models import Invoice
from invoicing.pages.cells import Table


class Paid(NamedTuple):
    """An issued invoice's standing as a word with its tone (success, warning, danger), and what paid it."""

    status: str
    tone: str
    table: Table


PaidBy = Callable[..., Paid | None]
_asked: list[PaidBy] = []


def register(paid_by: PaidBy) -> None:
    """Have it asked what paid an invoice. There is one who knows: a second takes its place."""
    _asked[:] = [paid_by]


def paid(invoice: Invoice, *, today: date) -> Paid | None:
    """None for a draft or a credit note, and where nobody knows."""
    return _asked[0](invoice, today=today) if _asked else None
