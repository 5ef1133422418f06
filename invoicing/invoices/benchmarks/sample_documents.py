"""Invoices of a given length, the same on every run."""

from datetime import date
from decimal import Decimal

from invoicing.invoices.document import DocumentLine, InvoiceDocument, Party, Section, TaxRow

CENT = Decimal("0.01")
SERVICES = (
    ("Hosted PBX seat, Business", "1 to 31 March 2026 · BILL-1", "18.95"),
    ("Direct inward dialling number, New York metropolitan area", "1 to 31 March 2026 · 30 of 31 days", "1.25"),
    ("Outbound minutes, United States and Canada", "February 2026 · measured usage", "0.0042"),
    ("Fiber internet access 1 Gbit/s symmetric, 200 Madison Avenue, with a service level of four hours", "", "389"),
)
SELLER = Party(
    name="Northwind Telecom LLC",
    address_lines=("200 Madison Avenue, Floor 9", "New York, NY 10016", "United States"),
    tax_ids=("EIN 12-3456789", "FCC 499 Filer ID 812345"),
    email="billing@northwind.example",
    phone="+1 212 555 0100",
)
BUYER = Party(
    name="Harbor & Lane Architects, P.C.",
    address_lines=("Accounts payable", "48 Wall Street, Suite 1100", "New York, NY 10005"),
    tax_ids=("EIN 98-7654321",),
)


def sample_line(index: int) -> DocumentLine:
    """The index-th line: services in turn, quantities from 1 to 240."""
    description, detail, price = SERVICES[index % len(SERVICES)]
    quantity = Decimal(index * 37 % 240 + 1)
    amount = (quantity * Decimal(price)).quantize(CENT)
    return DocumentLine(description, quantity, Decimal(price), amount, detail, "A")


def sample_document(lines: int, *, index: int = 1) -> InvoiceDocument:
    """An invoice of so many lines, in sections of 25; `index` makes its number and buyer differ from the next."""
    made = [sample_line(index + at) for at in range(lines)]
    parts = [tuple(made[at : at + 25]) for at in range(0, lines, 25)]
    sections = tuple(
        Section(f"Site {number}" if len(parts) > 1 else "", part, sum((line.amount for line in part), Decimal(0)))
        for number, part in enumerate(parts, start=1)
    )
    subtotal = sum((line.amount for line in made), Decimal(0))
    taxes = tuple(
        TaxRow(name, Decimal(percent), subtotal, (subtotal * Decimal(percent) / 100).quantize(CENT))
        for name, percent in (("New York State sales tax", "4"), ("New York City sales tax", "4.5"))
    )
    total = subtotal + sum((tax.amount for tax in taxes), Decimal(0))
    return InvoiceDocument(
        kind="INVOICE",
        number=f"INV-2026-{index:06d}",
        issued_on=date(2026, 3, 1),
        due_on=date(2026, 3, 31),
        period_text="1 to 31 March 2026",
        currency="USD",
        exponent=2,
        seller=SELLER,
        seller_logo=None,
        account_number=f"A-{100000 + index}",
        buyer=BUYER,
        purchase_order="PO 4500017731",
        sections=sections,
        subtotal=subtotal,
        taxes=taxes,
        total=total,
        amount_due=total,
        payment_instructions="First Harbor Bank, routing 021000021\nAccount 000123456789\nPlease quote the number.",
    )
