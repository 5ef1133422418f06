"""The mail that brings an invoice or a credit note."""

from typing import Any

from django.template.loader import render_to_string

from invoicing.documents.composers import MailText
from invoicing.documents.drawing.figures import day
from invoicing.documents.headers import one_line, sender
from invoicing.invoices.document import InvoiceDocument
from invoicing.money import format_money

_TITLES = {"INVOICE": "Invoice", "CREDIT_NOTE": "Credit note"}


def mail_text(document: InvoiceDocument) -> MailText:
    """Who invoices, what, how much, until when and how to pay it; all of it again in the PDF."""
    told = _told(document)
    template = f"invoicing/mail/{document.kind.lower()}"
    return MailText(
        subject=one_line(f"{told['title']} {document.number} from {document.seller.name}: {told['amount']}"),
        text=render_to_string(f"{template}.txt", told),
        html=render_to_string(f"{template}.html", told),
        sender=sender(document.seller.name, document.seller.email),
    )


def _told(document: InvoiceDocument) -> dict[str, Any]:
    """What the templates show: text and nothing else, so that no placeholder leads anywhere."""
    is_credit_note = document.kind == "CREDIT_NOTE"
    return {
        "title": _TITLES[document.kind],
        "number": document.number,
        "seller": document.seller.name,
        "seller_phone": document.seller.phone,
        "buyer": document.buyer.name,
        "account_number": document.account_number,
        "period": document.period_text,
        "issued_on": day(document.issued_on),
        "due_on": day(document.due_on) if document.due_on else "",
        "amount": format_money(document.total if is_credit_note else document.amount_due, document.currency),
        "applied": [(one.label, format_money(one.amount, document.currency)) for one in document.applied],
        "total": format_money(document.total, document.currency),
        "is_paid": not is_credit_note and document.amount_due <= 0,
        "notes": document.notes,
        "how_to_pay": [line for line in document.payment_instructions.splitlines() if line.strip()],
        "corrects": document.corrects_number,
        "reason": document.reason,
    }
