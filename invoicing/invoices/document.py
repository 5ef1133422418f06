"""
What stands on a printed invoice or credit note, as plain values.

Whoever knows the rows fills an `InvoiceDocument`; `drawing` makes the PDF of it. Amounts are at the currency's
exponent, rates up to six places, and a credit note carries the amounts credited as positive values.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from invoicing.documents.drawing.page import PageSize, Party

Kind = Literal["INVOICE", "CREDIT_NOTE"]


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One line of the table; `detail` (the period and why) stands small and grey below the description."""

    description: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal
    detail: str = ""
    tax_mark: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under one title: a client of a partner, a site, a kind of charge. No title, no band."""

    title: str
    lines: tuple[DocumentLine, ...]
    subtotal: Decimal | None


@dataclass(frozen=True, slots=True)
class TaxRow:
    """What one tax at one rate comes to; 8.875 stands for 8.875 %."""

    name: str
    rate_percent: Decimal
    base: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Applied:
    """What was paid of the invoice as it was issued, from credit, a deposit or the prepaid balance."""

    label: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """A whole invoice or credit note. `exponent` is the number of decimal places of the currency."""

    kind: Kind
    number: str
    issued_on: date
    due_on: date | None
    period_text: str
    currency: str
    exponent: int
    seller: Party
    seller_logo: bytes | None
    account_number: str
    buyer: Party
    purchase_order: str
    sections: tuple[Section, ...]
    subtotal: Decimal
    taxes: tuple[TaxRow, ...]
    total: Decimal
    amount_due: Decimal
    payment_instructions: str
    corrects_number: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    applied: tuple[Applied, ...] = ()
    remark_when_paid: str = ""
    page_size: PageSize = "LETTER"
    language: str = "en"


def faults(document: InvoiceDocument) -> list[str]:
    """
    Why this document must not reach a customer: what does not add up, and amounts that could not be printed exactly.

    `amount_due` is checked against `total` only where it is said what was applied.
    """
    found = [
        f"{name} {amount} has more than {document.exponent} decimal places"
        for name, amount in _printed_amounts(document)
        if amount != round(amount, document.exponent)
    ]
    if document.kind == "CREDIT_NOTE" and document.total < 0:
        found.append(f"a credit note prints what is credited as a positive amount, not {document.total}")
    for section in document.sections:
        lines = sum((line.amount for line in section.lines), Decimal(0))
        if section.subtotal is not None and lines != section.subtotal:
            found.append(f"the lines of {section.title!r} sum to {lines}, not to {section.subtotal}")
    lines = sum((line.amount for section in document.sections for line in section.lines), Decimal(0))
    if lines != document.subtotal:
        found.append(f"the lines sum to {lines}, not to the subtotal {document.subtotal}")
    tax = sum((row.amount for row in document.taxes), Decimal(0))
    if document.subtotal + tax != document.total:
        found.append(f"subtotal {document.subtotal} and tax {tax} do not make the total {document.total}")
    applied = sum((one.amount for one in document.applied), Decimal(0))
    if document.applied and document.total - applied != document.amount_due:
        found.append(f"total {document.total} less {applied} applied is not the amount due {document.amount_due}")
    return found


def _printed_amounts(document: InvoiceDocument) -> list[tuple[str, Decimal]]:
    """Every amount that is printed at the currency's exponent, with what it is called."""
    amounts = [("subtotal", document.subtotal), ("total", document.total), ("amount due", document.amount_due)]
    for section in document.sections:
        amounts += [("line amount", line.amount) for line in section.lines]
    amounts += [("applied amount", one.amount) for one in document.applied]
    for row in document.taxes:
        amounts += [("taxable amount", row.base), ("tax", row.amount)]
    return amounts
