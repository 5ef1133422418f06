"""What the page of one invoice shows: lines by client with their reasons, taxes, postings, mails, corrections."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Prefetch, QuerySet

from invoicing.documents.models import Delivery, Document
from invoicing.invoices.applied import applied_at_issue
from invoicing.invoices.explanations import Explained, explain, period_in_words
from invoicing.invoices.fee_note import KEY, fee_note
from invoicing.invoices.models import Invoice, InvoiceLine, LineTax
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.money import ZERO


class ShownLine(NamedTuple):
    """A line, its period and why it is there in words, and its taxes one by one."""

    line: InvoiceLine
    period: str
    why: str
    taxes: tuple[LineTax, ...]


@dataclass(frozen=True)
class Section:
    """The lines of one client of a partner, or of the account itself."""

    title: str
    lines: list[ShownLine]

    @property
    def subtotal(self) -> Decimal:
        return sum((shown.line.amount for shown in self.lines), ZERO)


def sections(invoice: Invoice) -> list[Section]:
    """BILL-2: the lines in order, a section a client. Two queries."""
    lines = invoice.lines.select_related("client").order_by("position")
    taxed = lines.prefetch_related(Prefetch("taxes", LineTax.objects.order_by("pk")))
    found: dict[int | None, Section] = {}
    for line in taxed:
        title = str(line.client) if line.client else ""
        found.setdefault(line.client_id, Section(title, [])).lines.append(_shown(line, invoice.currency))
    return list(found.values())


def _shown(line: InvoiceLine, currency: str) -> ShownLine:
    taxes = tuple(line.taxes.all())
    sentence = explain(
        Explained(
            line.kind, line.clause, currency, line.period_start, line.period_end, line.quantity_from, line.quantity,
            line.unit_price, line.amount, line.why, tuple((tax.name, tax.rate_percent, tax.amount) for tax in taxes),
        )
    )  # fmt: skip
    return ShownLine(line, period_in_words(line.period_start, line.period_end), _without_clause(sentence, line), taxes)


def _without_clause(sentence: str, line: InvoiceLine) -> str:
    """The clause stands beside the sentence as a badge."""
    reason = sentence.removeprefix(f"{line.clause}: ")
    return reason[:1].upper() + reason[1:]


class TaxSum(NamedTuple):
    """TAX-1: what one jurisdiction's rate comes to over the invoice."""

    name: str
    rate_percent: Decimal
    base: Decimal
    amount: Decimal


def tax_sums(of_sections: Sequence[Section]) -> list[TaxSum]:
    """The taxes of all lines by name and rate, as they stand on the paper."""
    sums: dict[tuple[str, Decimal], TaxSum] = {}
    for section in of_sections:
        for shown in section.lines:
            for tax in shown.taxes:
                key = (tax.name, tax.rate_percent)
                so_far = sums.get(key, TaxSum(*key, ZERO, ZERO))
                sums[key] = TaxSum(*key, so_far.base + tax.base, so_far.amount + tax.amount)
    return [sums[key] for key in sorted(sums)]


def postings_of(invoice: Invoice) -> QuerySet[Posting]:
    """What the issue of this invoice posted."""
    entry = LedgerEntry.objects.filter(source=f"invoice:{invoice.pk}")
    return Posting.objects.filter(entry__in=entry).select_related("entry").order_by("pk")


def document_of(invoice: Invoice) -> Document | None:
    return Document.objects.filter(kind=invoice.kind, subject_id=invoice.pk).first()


def deliveries_of(document: Document | None) -> list[Delivery]:
    """The mails of a document, the latest first."""
    return list(document.deliveries.order_by("-sequence", "address")) if document else []


# What is worst is what is shown of an invoice that went to several addresses.
_WORST_FIRST = ("PARKED", "UNCERTAIN", "PENDING", "SENDING", "SENT")


def mail_states(invoices: Sequence[Invoice]) -> dict[int, str]:
    """The mail state of each of these invoices, in one query: the worst of its last mails, if there are any."""
    mails = Delivery.objects.filter(document__subject_id__in=[invoice.pk for invoice in invoices])
    rows = mails.filter(document__kind__in=Invoice.Kind.values).order_by("sequence")
    latest: dict[tuple[int, str], str] = {}
    for subject_id, address, state in rows.values_list("document__subject_id", "address", "state"):
        latest[subject_id, address] = state
    found: dict[int, str] = {}
    for (subject_id, _), state in latest.items():
        found[subject_id] = min(state, found.get(subject_id, "SENT"), key=_WORST_FIRST.index)
    return found


def page_of(invoice: Invoice) -> dict[str, Any]:
    """Everything the page shows, in a constant number of queries."""
    of_invoice = sections(invoice)
    document = document_of(invoice)
    is_invoice = invoice.kind == Invoice.Kind.INVOICE
    applied = applied_at_issue([invoice.pk]).get(invoice.pk, ()) if is_invoice else ()
    due = invoice.total - sum((one.amount for one in applied), ZERO)
    return {
        "sections": of_invoice,
        "taxes": tax_sums(of_invoice),
        "postings": postings_of(invoice),
        "document": document,
        "deliveries": deliveries_of(document),
        "applied": applied,
        "due_at_issue": due,
        "fee_note": fee_note(invoice.buyer.get(KEY), due, invoice.currency) if is_invoice else "",
        "corrections": invoice.corrections.order_by("pk"),
    }
