"""From the rows of issued invoices to what is printed and mailed. Nothing that can change after issue is read."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import quote

from django.db.models import F, Value
from django.db.models.functions import Concat

from invoicing.documents.composers import MailText
from invoicing.invoices.applied import BALANCE, applied_at_issue
from invoicing.invoices.document import Applied, DocumentLine, InvoiceDocument, Party, Section, TaxRow
from invoicing.invoices.drawing import render
from invoicing.invoices.explanations import period_in_words
from invoicing.invoices.fee_note import KEY, fee_note
from invoicing.invoices.mailing import mail_text
from invoicing.invoices.models import Invoice, InvoiceLine, LineTax
from invoicing.money import ZERO, exponent
from invoicing.sellers.models import Letterhead

FOLDERS = {"INVOICE": "invoices", "CREDIT_NOTE": "credit-notes"}
# A clause, and what pricing noted in `why`, in words that fit below a line.
_REASONS = {
    "late": "added after the month had begun",
    "bridge": "between two billing days",
    "agreed": "at the agreed price",
    "deemed": "deemed inactive",
}


class InvoiceComposer:
    """Invoices and credit notes; registered for both kinds."""

    draw = staticmethod(render)

    def pdf_inputs(self, subject_ids: Sequence[int]) -> Mapping[int, InvoiceDocument]:
        """The issued ones among them as plain values, in five queries."""
        issued = Invoice.objects.filter(pk__in=subject_ids, status=Invoice.Status.ISSUED)
        invoices = issued.annotate(corrects_number=F("corrects__number")).order_by("pk")
        found = list(invoices)
        letterheads = Letterhead.objects.in_bulk({invoice.letterhead_id for invoice in found})
        lines = _lines_by_invoice([invoice.pk for invoice in found])
        applied = applied_at_issue([invoice.pk for invoice in found if invoice.kind == Invoice.Kind.INVOICE])
        return {
            invoice.pk: composed(
                invoice, letterheads[invoice.letterhead_id], lines.get(invoice.pk, []), applied.get(invoice.pk, ())
            )
            for invoice in found
        }

    def path(self, document: InvoiceDocument) -> str:
        """Such as `invoices/2026-12/INV-000123.pdf`; what a file name cannot hold is written as in an address."""
        return f"{FOLDERS[document.kind]}/{document.issued_on:%Y-%m}/{quote(document.number, safe='')}.pdf"

    def mail(self, document: InvoiceDocument) -> MailText:
        return mail_text(document)


class _Line(NamedTuple):
    """One stored line, with its taxes as (name, rate, base, amount)."""

    id: int
    invoice_id: int
    client_id: int | None
    client_title: str | None
    description: str
    period_start: date | None
    period_end: date | None
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    clause: str
    why: dict[str, Any]
    taxes: list[tuple[str, Decimal, Decimal, Decimal]]


def _lines_by_invoice(invoice_ids: Sequence[int]) -> dict[int, list[_Line]]:
    taxes: dict[int, list[tuple[str, Decimal, Decimal, Decimal]]] = {}
    of_lines = LineTax.objects.filter(line__invoice_id__in=invoice_ids).order_by("pk")
    for line_id, name, rate, base, amount in of_lines.values_list("line_id", "name", "rate_percent", "base", "amount"):
        taxes.setdefault(line_id, []).append((name, rate, base, amount))
    rows = (
        InvoiceLine.objects.filter(invoice_id__in=invoice_ids)
        .annotate(client_title=Concat(F("client__number"), Value(" "), F("client__name")))
        .order_by("invoice_id", "position")
        .values_list(*_Line._fields[:-1])
    )
    found: dict[int, list[_Line]] = {}
    for row in rows:
        line = _Line._make((*row, taxes.get(row[0], [])))
        found.setdefault(line.invoice_id, []).append(line)
    return found


def composed(
    invoice: Invoice, letterhead: Letterhead, lines: Sequence[_Line], applied: tuple[Applied, ...] = ()
) -> InvoiceDocument:
    """What stands on the paper; a credit note's amounts, which are stored negative, stand there positive."""
    sign = -1 if invoice.kind == Invoice.Kind.CREDIT_NOTE else 1
    printed, buyer = letterhead.details, invoice.buyer
    amount_due = max(invoice.total - sum((one.amount for one in applied), ZERO), ZERO)
    note = fee_note(buyer.get(KEY), amount_due, invoice.currency) if sign == 1 else ""
    return InvoiceDocument(
        kind="INVOICE" if sign == 1 else "CREDIT_NOTE",
        number=invoice.number or "",
        issued_on=invoice.issued_on,
        due_on=invoice.due_on if sign == 1 else None,
        period_text=period_in_words(invoice.period_start, invoice.period_end),
        currency=invoice.currency,
        exponent=exponent(invoice.currency),
        seller=_party(printed, printed["address_lines"]),
        seller_logo=bytes(letterhead.logo) if letterhead.logo else None,
        account_number=buyer["account_number"],
        buyer=_party(buyer, buyer["lines"]),
        purchase_order=buyer.get("purchase_order", ""),
        sections=_sections(invoice, lines, sign),
        subtotal=sign * invoice.subtotal,
        taxes=_tax_rows(lines, sign),
        total=sign * invoice.total,
        amount_due=amount_due,
        payment_instructions=printed["payment_instructions"] if amount_due or not applied else "",
        corrects_number=getattr(invoice, "corrects_number", None) or "",
        reason=invoice.reason,
        page_size=printed["page_size"],
        notes=(note,) if note else (),
        applied=applied,
        remark_when_paid=BALANCE if any(one.label == BALANCE for one in applied) else "",
    )


def _party(details: Mapping[str, Any], address_lines: Sequence[str]) -> Party:
    return Party(
        details["name"],
        tuple(address_lines),
        tuple(details.get("tax_ids", ())),
        details.get("email", ""),
        details.get("phone", ""),
    )


def _sections(invoice: Invoice, lines: Sequence[_Line], sign: int) -> tuple[Section, ...]:
    """
    BILL-2: a section a client, in the order of their first lines; otherwise one, without a title.

    The clients' names as they were at issue stand in `buyer["clients"]`, by id; where one does not, today's is taken.
    """
    has_taxed_and_untaxed = len({bool(line.taxes) for line in lines}) > 1
    titles = invoice.buyer.get("clients", {})
    by_client: dict[int | None, list[_Line]] = {}
    for line in lines:
        by_client.setdefault(line.client_id, []).append(line)
    sections = []
    for client_id, of_client in by_client.items():
        title = ""
        if client_id is not None:
            title = titles.get(str(client_id)) or of_client[0].client_title or ""
        elif len(by_client) > 1:
            title = invoice.buyer["name"]
        printed = tuple(_printed_line(line, sign, marked=has_taxed_and_untaxed) for line in of_client)
        subtotal = sum((line.amount for line in printed), ZERO) if title else None
        sections.append(Section(title, printed, subtotal))
    return tuple(sections)


def _printed_line(line: _Line, sign: int, *, marked: bool) -> DocumentLine:
    """Where the sign turns, quantity × price must turn with the amount: the negative one of them, else the price."""
    quantity, unit_price = line.quantity, sign * line.unit_price
    if sign == -1 and quantity < 0:
        quantity, unit_price = -quantity, line.unit_price
    return DocumentLine(
        line.description,
        quantity,
        unit_price,
        sign * line.amount,
        detail=_detail(line),
        tax_mark="T" if marked and line.taxes else "",
    )


def _detail(line: _Line) -> str:
    """The period in words, what was out of the ordinary, and the clause."""
    reasons = [words for key, words in _REASONS.items() if line.why.get(key)]
    parts = [period_in_words(line.period_start, line.period_end), *reasons, line.clause]
    return " · ".join(part for part in parts if part)


def _tax_rows(lines: Sequence[_Line], sign: int) -> tuple[TaxRow, ...]:
    """TAX-1: what each tax comes to: the lines' bases and rounded amounts, summed by name and rate."""
    sums: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = {}
    for line in lines:
        for name, rate, base, amount in line.taxes:
            base_so_far, amount_so_far = sums.get((name, rate), (ZERO, ZERO))
            sums[name, rate] = base_so_far + base, amount_so_far + amount
    return tuple(
        TaxRow(name, rate, sign * base, sign * amount)
        for (name, rate), (base, amount) in sorted(sums.items(), key=itemgetter(0))
    )
