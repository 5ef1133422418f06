"""Invoice documents in the states that the tests of the drawing ask for. Figures are literal or summed from lines."""

from datetime import date
from decimal import Decimal
from typing import Any

from invoicing.invoices.document import DocumentLine, InvoiceDocument, Party, Section, TaxRow

SELLER = Party(
    name="Northwind Telecom LLC",
    address_lines=("200 Madison Avenue, Floor 9", "New York, NY 10016"),
    tax_ids=("EIN 12-3456789",),
    email="billing@northwind.example",
    phone="+1 212 555 0100",
)
BUYER = Party(
    name="Harbor & Lane Architects, P.C.",
    address_lines=("48 Wall Street, Suite 1100", "New York, NY 10005"),
    tax_ids=("EIN 98-7654321",),
)


def line(description: str = "Hosted PBX seat", amount: str = "37.90", **changes: Any) -> DocumentLine:
    """One line: two seats at 18.95 unless told otherwise."""
    values: dict[str, Any] = {"quantity": Decimal(2), "unit_price": Decimal("18.95"), "detail": "", "tax_mark": ""}
    return DocumentLine(description=description, amount=Decimal(amount), **values | changes)


def section(title: str, *lines: DocumentLine) -> Section:
    """Lines under a title, with their sum as the subtotal."""
    return Section(title, lines, sum((one.amount for one in lines), Decimal(0)))


def invoice(*sections: Section, tax: str = "0", **changes: Any) -> InvoiceDocument:
    """An invoice over the sections; `tax` in percent of the whole, rounded to the exponent."""
    sections = sections or (section("", line()),)
    exponent = changes.get("exponent", 2)
    subtotal = sum((one.amount for part in sections for one in part.lines), Decimal(0))
    tax_amount = round(subtotal * Decimal(tax) / 100, exponent)
    taxes = (TaxRow("New York sales tax", Decimal(tax), subtotal, tax_amount),) if tax != "0" else ()
    values: dict[str, Any] = {
        "kind": "INVOICE",
        "number": "INV-2026-000042",
        "issued_on": date(2026, 3, 1),
        "due_on": date(2026, 3, 31),
        "period_text": "1 to 31 March 2026",
        "currency": "USD",
        "exponent": 2,
        "seller": SELLER,
        "seller_logo": None,
        "account_number": "A-100042",
        "buyer": BUYER,
        "purchase_order": "PO 4500017731",
        "sections": sections,
        "subtotal": subtotal,
        "taxes": taxes,
        "total": subtotal + tax_amount,
        "amount_due": subtotal + tax_amount,
        "payment_instructions": "First Harbor Bank\nRouting 021000021\nAccount 000123456789",
    }
    return InvoiceDocument(**values | changes)


def credit_note(*sections: Section, **changes: Any) -> InvoiceDocument:
    """A credit note over invoice INV-2026-000042."""
    values = {
        "kind": "CREDIT_NOTE",
        "number": "CN-2026-000007",
        "due_on": None,
        "corrects_number": "INV-2026-000042",
        "reason": "Two seats were ended on 1 March and billed for the month.",
        "payment_instructions": "",
    }
    return invoice(*sections, **values | changes)


def partner_invoice(clients: int = 60, lines: int = 4) -> InvoiceDocument:
    """What a partner is billed: a section for each client."""
    return invoice(
        *(
            section(
                f"Client {number:02d}",
                *(
                    line(f"Seat {at} of client {number}", f"{number}.{at:02d}", detail="March 2026")
                    for at in range(1, lines + 1)
                ),
            )
            for number in range(1, clients + 1)
        ),
        tax="8.875",
    )


def long_invoice(lines: int = 500) -> InvoiceDocument:
    """One section that goes on over many pages."""
    return invoice(
        section("Usage", *(line(f"Call {number:03d}", f"{number}.10") for number in range(1, lines + 1))), tax="20"
    )
