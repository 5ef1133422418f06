"""Issued invoices and credit notes as the tests of documents need them: literal figures, the same rows each time."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count

from accounts.models import Account
from invoicing.documents.models import Delivery, Document
from invoicing.documents.operations import request_documents
from invoicing.documents.rendering import render_pending
from invoicing.invoices.models import Invoice, InvoiceLine, LineTax
from invoicing.sellers.letterheads import current_letterhead
from invoicing.sellers.models import Seller
from invoicing.tax.models import TaxRate

NOW = datetime(2026, 12, 1, 7, 0, tzinfo=UTC)
_numbers = count(1)


def make_seller(**values) -> Seller:
    """The one seller, unless it is there."""
    given = {
        "name": "Northwind Telecom LLC",
        "address_line": "200 Madison Avenue, Floor 9",
        "city": "New York",
        "state": "NY",
        "postal_code": "10016",
        "email": "billing@northwind.example",
        "phone": "+1 212 555 0100",
        "tax_ids": ["EIN 12-3456789"],
        "payment_instructions": "First Harbor Bank\nRouting 021000021\nAccount 000123456789",
    }
    return Seller.objects.get_or_create(name=given["name"], defaults=given | values)[0]


def make_account(**values) -> Account:
    """A customer whose invoices go to one address."""
    number = f"D-{next(_numbers):05d}"
    given = {
        "number": number,
        "name": f"Customer {number}",
        "signed_up_on": date(2026, 1, 15),
        "invoice_emails": [f"ap@{number.lower()}.example"],
    }
    return Account.objects.create(**(given | values))


def make_client(partner: Account, name: str) -> Account:
    return make_account(kind="CLIENT", parent=partner, name=name, invoice_emails=[])


def line(unit_price: str, quantity: int = 1, **values) -> dict:
    """The values of one line for December."""
    return {
        "kind": "RECURRING",
        "description": "Hosted PBX seat",
        "quantity": Decimal(quantity),
        "unit_price": Decimal(unit_price),
        "amount": quantity * Decimal(unit_price),
        "clause": "BILL-2",
        "period_start": date(2026, 12, 1),
        "period_end": date(2027, 1, 1),
        "taxes": [],
    } | values


def make_invoice(account: Account | None = None, lines: list[dict] | None = None, **values) -> Invoice:
    """An issued invoice over the lines: inserted as a draft, filled, then issued, as the database wants it."""
    account = account or make_account()
    lines = lines or [line("37.90")]
    subtotal = sum((one["amount"] for one in lines), Decimal(0))
    tax = sum((amount for one in lines for _, amount in one["taxes"]), Decimal(0))
    sequence = next(_numbers)
    prefix = "CN-" if subtotal < 0 else "INV-"
    given = {
        "account": account,
        "seller": make_seller(),
        "kind": "CREDIT_NOTE" if subtotal < 0 else "INVOICE",
        "issued_on": date(2026, 12, 1),
        "due_on": date(2026, 12, 31),
        "currency": "USD",
        "terms_code": "hosted-partner",
        "subtotal": subtotal,
        "tax_total": tax,
        "total": subtotal + tax,
        "period_start": date(2026, 12, 1),
        "period_end": date(2027, 1, 1),
        "buyer": {
            "name": account.name,
            "lines": ["48 Wall Street", "New York, NY 10005"],
            "account_number": account.number,
            "purchase_order": "PO 4500017731",
        },
    } | values
    invoice = Invoice.objects.create(**given)
    _add_lines(invoice, lines)
    Invoice.objects.filter(pk=invoice.pk).update(
        status="ISSUED",
        number=f"{prefix}{sequence:06d}",
        sequence=sequence,
        issued_at=NOW,
        letterhead=current_letterhead(invoice.seller),
    )
    invoice.refresh_from_db()
    return invoice


def _add_lines(invoice: Invoice, lines: list[dict]) -> None:
    for position, values in enumerate(lines, start=1):
        values = dict(values)
        taxes = values.pop("taxes")
        row = InvoiceLine.objects.create(invoice=invoice, account=invoice.account, position=position, **values)
        for rate, amount in taxes:
            LineTax.objects.create(
                account=invoice.account, line=row, rate=rate, name=rate.name, rate_percent=rate.rate_percent,
                base=row.amount, amount=amount,
            )  # fmt: skip


def make_rate(name: str, percent: str) -> TaxRate:
    given = {"country": "US", "state": "NY", "rate_percent": Decimal(percent), "valid_from_on": date(2020, 1, 1)}
    return TaxRate.objects.get_or_create(name=name, defaults=given)[0]


def requested(invoice: Invoice) -> Document:
    """The invoice's document, to be drawn."""
    request_documents(invoice.kind, [invoice.pk], [invoice.account_id])
    return Document.objects.get(kind=invoice.kind, subject_id=invoice.pk)


def deliveries_of(document: Document) -> list[Delivery]:
    return list(Delivery.objects.filter(document=document).order_by("sequence", "address"))


def drawn(invoice: Invoice) -> Document:
    """The invoice's document, drawn; its mails are due."""
    requested(invoice)
    render_pending(limit=100, now=NOW)
    return Document.objects.get(kind=invoice.kind, subject_id=invoice.pk)


def due_mails(*names: str) -> list[Delivery]:
    """An invoice each, drawn, to be mailed to these names at addresses of their own."""
    found = []
    for name in names:
        document = drawn(make_invoice(make_account(invoice_emails=[f"{name}@customer.example"])))
        found += deliveries_of(document)
    return found
