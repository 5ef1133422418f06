"""What may be done on the page of an invoice: read its PDF, mail it again, credit it."""

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.refusals import BadValue
from invoicing.documents.operations import resend
from invoicing.documents.reading import DocumentChanged, NotDrawnYet, read_document
from invoicing.invoices.credit_notes import CreditRefused, credit_invoice, creditable_lines, planned_credit
from invoicing.invoices.models import Invoice
from invoicing.invoices.showing import document_of
from invoicing.money import ZERO
from invoicing.pages.requests import actor_of, attempt

if TYPE_CHECKING:
    from invoicing.pages.readonly import PagedAdmin

    Base = PagedAdmin
else:
    Base = object


LARGEST_DIGITS = 15


class InvoicePages(Base):
    """Mixed into the admins of invoices and of credit notes."""

    @property
    def names(self) -> dict[str, str]:
        """The URL names of this list's pages."""
        stem = f"admin:invoicing_{self.opts.model_name}"
        return {name: f"{stem}_{name}" for name in ("pdf", "send", "credit", "change", "changelist")}

    def page_urls(self) -> list[URLPattern]:
        pages: list[tuple[str, Any, str]] = [
            ("<int:invoice_id>/pdf/", require_GET(self.pdf_view), "pdf"),
            ("<int:invoice_id>/send/", require_POST(self.send_view), "send"),
            ("<int:invoice_id>/credit/", self.credit_view, "credit"),
        ]
        wrap = self.admin_site.admin_view
        return [path(route, wrap(view), name=f"invoicing_{self.opts.model_name}_{name}") for route, view, name in pages]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("account", "seller", "corrects", "run_item__run")

    def pdf_view(self, request: HttpRequest, invoice_id: int) -> HttpResponse:
        """The PDF as it was sent; `?download=1` saves it instead of showing it."""
        invoice = self.shown(request, invoice_id)
        document = document_of(invoice)
        if document is None:
            raise Http404("There is no such page.")
        try:
            content = read_document(document)
        except (NotDrawnYet, DocumentChanged) as error:
            return self.page(
                request,
                "admin/invoicing/invoice/no_pdf.html",
                title="No PDF",
                invoice=invoice,
                object=invoice,
                error=str(error),
                urls=self.names,
            )
        response = HttpResponse(content, content_type="application/pdf")
        disposition = "attachment" if request.GET.get("download") else "inline"
        response["Content-Disposition"] = f'{disposition}; filename="{_file_name(invoice)}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def send_view(self, request: HttpRequest, invoice_id: int) -> HttpResponse:
        """Mail the invoice again, to the addresses that were ticked and those that were typed in."""
        invoice = self.shown(request, invoice_id)
        document = document_of(invoice)
        if document is None:
            raise Http404("There is no such page.")
        typed = request.POST.get("other", "").replace(";", ",").split(",")
        addresses = [*request.POST.getlist("address"), *(address.strip() for address in typed if address.strip())]

        def send() -> str:
            why = request.POST.get("why", "").strip()
            sent = resend(document=document, addresses=addresses, actor=actor_of(request), now=timezone.now(), why=why)
            return f"It will be sent again to {', '.join(delivery.address for delivery in sent)}."

        attempt(request, send, BadValue)
        return HttpResponseRedirect(reverse(self.names["change"], args=[invoice.pk]))

    def credit_view(self, request: HttpRequest, invoice_id: int) -> HttpResponse:
        """GET: the form. POST `preview`: what the credit note would hold. POST `issue`: the credit note."""
        invoice = self.shown(request, invoice_id)
        if not request.user.has_perm("invoicing.issue_credit_note"):
            raise PermissionDenied
        asked, faults = read_amounts(request.POST)
        reason = request.POST.get("reason", "").strip()
        planned = None
        if request.method == "POST" and not faults:
            if "issue" in request.POST and self._issue(request, invoice, reason, asked):
                return HttpResponseRedirect(reverse(self.names["change"], args=[invoice.pk]))
            try:
                planned = planned_credit(invoice, asked)
            except CreditRefused as refusal:
                faults = refusal.sentences
            if not reason:
                faults = [*faults, "Give the reason that the customer is to read."]
        return self.page(
            request, "admin/invoicing/invoice/credit.html", title=f"Credit {invoice}", invoice=invoice,
            object=invoice, urls=self.names,
            lines=_form_lines(invoice, request.POST), reason=reason, faults=faults, planned=None if faults else planned,
            is_part=request.POST.get("extent") == "part",
            planned_net=sum((one.amount for one in planned or ()), ZERO),
            planned_tax=sum((one.tax_amount for one in planned or ()), ZERO),
            planned_total=sum((one.amount + one.tax_amount for one in planned or ()), ZERO),
        )  # fmt: skip

    def _issue(self, request: HttpRequest, invoice: Invoice, reason: str, amounts: dict[int, Decimal] | None) -> bool:
        def issue() -> str:
            note = credit_invoice(
                invoice=invoice, actor=actor_of(request), now=timezone.now(), reason=reason, amounts=amounts
            )
            return f"Credit note {note.number} is issued and will be mailed like the invoice."

        return attempt(request, issue, CreditRefused)


def read_amounts(typed: QueryDict) -> tuple[dict[int, Decimal] | None, list[str]]:
    """The amounts by line id, or None for the whole; and a sentence for each that is no amount."""
    if typed.get("extent") != "part":
        return None, []
    amounts, faults = {}, []
    for name, value in typed.items():
        line_id, text = name.removeprefix("amount_"), str(value).strip()
        if not name.startswith("amount_") or not line_id.isdecimal() or not text:
            continue
        amount = read_amount(text)
        if amount is None:
            faults.append(f"“{text}” is not an amount; write it like 12.50.")
        else:
            amounts[int(line_id)] = amount
    return amounts, faults


def read_amount(text: str) -> Decimal | None:
    """A number as it is typed, thousands apart or not; None for what no column of money could hold."""
    try:
        amount = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount.adjusted() < LARGEST_DIGITS else None


def _form_lines(invoice: Invoice, typed: QueryDict) -> list[dict[str, Any]]:
    """The invoice's lines with what is left of each and what was typed beside it."""
    return [
        {"line": one.line, "rest": one.rest, "typed": typed.get(f"amount_{one.line.pk}", "")}
        for one in creditable_lines(invoice)
    ]


def _file_name(invoice: Invoice) -> str:
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in str(invoice))
    return f"{safe}.pdf"
