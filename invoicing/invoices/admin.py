"""Invoices and credit notes in the console: the lists, and where the pages of one are found."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from accounts.finding import accounts_beginning_with
from invoicing.catalog.models import BillingTerms
from invoicing.documents.models import Delivery
from invoicing.invoices.models import CreditNote, Invoice, OpenInvoice
from invoicing.invoices.pages import InvoicePages
from invoicing.invoices.paid import paid
from invoicing.invoices.showing import mail_states, page_of
from invoicing.pages.money import amount_cell
from invoicing.pages.readonly import PagedAdmin

STATUS_BADGES = {Invoice.Status.DRAFT.label: "info", Invoice.Status.ISSUED.label: "success"}
MAIL_BADGES = {
    Delivery.State.PENDING.label: "info",
    Delivery.State.SENDING.label: "info",
    Delivery.State.SENT.label: "success",
    Delivery.State.PARKED.label: "danger",
    Delivery.State.UNCERTAIN.label: "warning",
}
ACCOUNTS_SEARCHED = 500


class TermsFilter(admin.SimpleListFilter):
    """The terms under which an invoice was made, as they are called today."""

    title = "terms"
    parameter_name = "terms_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(BillingTerms.objects.order_by("name").values_list("code", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        return queryset.filter(terms_code=self.value()) if self.value() else queryset


class MoneyDocumentAdmin(InvoicePages, PagedAdmin):
    """What invoices and credit notes have in common."""

    list_display = ("name", "badge", "date", "account_link", "terms", "amount", "still_open", "mail")
    list_display_links = ("name",)
    list_filter: Sequence[Any] = (("status", ChoicesDropdownFilter), TermsFilter, ("issued_on", RangeDateFilter))
    list_select_related = ("account",)
    search_fields = ("number",)
    search_help_text = "Beginning of an invoice number, account number or name"
    ordering = ("-pk",)

    def get_urls(self) -> list[URLPattern]:
        return [*self.page_urls(), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Invoice], search_term: str
    ) -> tuple[QuerySet[Invoice], bool]:
        """Accounts first, by their own indexes, so that the table of invoices is never read through."""
        words = search_term.strip()
        if not words:
            return queryset, False
        accounts = list(accounts_beginning_with(words).values_list("pk", flat=True)[:ACCOUNTS_SEARCHED])
        numbered = Q(number__startswith=words) | Q(number__startswith=words.upper())
        return queryset.filter(numbered | Q(account_id__in=accounts)), False

    def complete(self, rows: Sequence[Invoice]) -> None:
        states = mail_states(rows)
        unsettled = {
            one.invoice_id: one.amount + one.placed
            for one in OpenInvoice.objects.filter(invoice__in=[invoice.pk for invoice in rows])
        }
        for invoice in rows:
            invoice.open_amount = unsettled.get(invoice.pk)  # type: ignore[attr-defined]
            invoice.mail_state = states.get(invoice.pk, "")  # type: ignore[attr-defined]

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        invoice = self.shown(request, object_id)
        return self.page(
            request,
            "admin/invoicing/invoice/page.html",
            title=_title(invoice),
            invoice=invoice,
            object=invoice,
            urls=self.names,
            paid=paid(invoice, today=timezone.localdate()),
            **page_of(invoice),
        )

    @display(description="Number", ordering="number")
    def name(self, invoice: Invoice) -> str:
        return invoice.number or f"Draft {invoice.pk}"

    @display(description="Status", label=STATUS_BADGES)
    def badge(self, invoice: Invoice) -> str:
        return invoice.get_status_display()

    @display(description="Date", ordering="issued_on")
    def date(self, invoice: Invoice) -> str:
        return format_html('<span class="bk-number">{}</span>', f"{invoice.issued_on:%Y-%m-%d}")

    @display(description="Account")
    def account_link(self, invoice: Invoice) -> str:
        address = reverse("admin:accounts_account_change", args=[invoice.account_id])
        return format_html(
            '<span><a class="bk-link" href="{}">{}</a> {}</span>', address, invoice.account.number, invoice.account.name
        )

    @display(description="Terms")
    def terms(self, invoice: Invoice) -> str:
        return invoice.terms_code

    @display(description="Total", ordering="total")
    def amount(self, invoice: Invoice) -> str:
        return amount_cell(invoice.total, invoice.currency)

    @display(description="Open")
    def still_open(self, invoice: Any) -> str:
        return amount_cell(invoice.open_amount, invoice.currency) if invoice.open_amount else ""

    @display(description="Mail", label=MAIL_BADGES)
    def mail(self, invoice: Any) -> str:
        return Delivery.State(invoice.mail_state).label if invoice.mail_state else ""


def _title(invoice: Invoice) -> str:
    return (
        f"{invoice.get_kind_display()} {invoice.number}"
        if invoice.number
        else f"Draft {invoice.get_kind_display().lower()}"
    )


@admin.register(Invoice)
class InvoiceAdmin(MoneyDocumentAdmin):
    list_filter = (("kind", ChoicesDropdownFilter), *MoneyDocumentAdmin.list_filter)
    when_empty = "No invoice yet. Start a run: its drafts are listed here, and become invoices when the run is issued."


@admin.register(CreditNote)
class CreditNoteAdmin(MoneyDocumentAdmin):
    when_empty = "No credit note yet. An issued invoice is corrected by “Credit…” on its page, never by a change."
