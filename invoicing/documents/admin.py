"""Documents and mails in the console: what failed, why, and the way to try again."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.actors import NotPermitted
from accounts.finding import accounts_beginning_with
from invoicing.documents.models import Delivery, Document
from invoicing.documents.operations import NotForRetry, retry_delivery, retry_document
from invoicing.pages.readonly import PagedAdmin
from invoicing.pages.requests import actor_of

FAILED = {Delivery: ("PARKED", "UNCERTAIN"), Document: ("PARKED",)}
BADGES = {
    Document.State.PENDING.label: "info",
    Document.State.RENDERED.label: "success",
    Document.State.PARKED.label: "danger",
    Delivery.State.PENDING.label: "info",
    Delivery.State.SENDING.label: "info",
    Delivery.State.SENT.label: "success",
    Delivery.State.UNCERTAIN.label: "warning",
}
ACCOUNTS_SEARCHED = 500
SUBJECT_PAGES = {"INVOICE": "admin:invoicing_invoice_change", "CREDIT_NOTE": "admin:invoicing_creditnote_change"}


class FailedFilter(admin.SimpleListFilter):
    """Those that wait for a person."""

    title = "waiting for a person"
    parameter_name = "failed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Failed only")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state__in=FAILED[queryset.model]) if self.value() else queryset


class WorkAdmin(PagedAdmin):
    """What the lists of documents and of mails have in common."""

    list_display_links = None
    list_filter = (FailedFilter, ("state", ChoicesDropdownFilter))
    ordering = ("-pk",)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("invoicing.resend_invoice")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        words = search_term.strip()
        if not words:
            return queryset, False
        accounts = list(accounts_beginning_with(words).values_list("pk", flat=True)[:ACCOUNTS_SEARCHED])
        return queryset.filter(Q(account_id__in=accounts) | self.found_by(words)), False

    def found_by(self, words: str) -> Q:
        """What is found besides by the words that accounts are searched by."""
        return Q(pk__in=[])

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.shown(request, object_id)
        document = row.document if isinstance(row, Delivery) else row
        context = {
            "row": row,
            "document": document,
            "subject_address": subject_address(document),
            "failed": FAILED[self.model],
        }
        return self.page(request, "admin/invoicing/delivery/page.html", title=self.page_title, **context)

    page_title = "Document"

    @display(description="State", ordering="state", label=BADGES)
    def badge(self, row: Any) -> str:
        return row.get_state_display()

    @display(description="Account")
    def account_name(self, row: Any) -> str:
        address = reverse("admin:accounts_account_change", args=[row.account_id])
        return format_html(
            '<span><a class="bk-link" href="{}">{}</a> {}</span>', address, row.account.number, row.account.name
        )

    @display(description="What went wrong")
    def what_went_wrong(self, row: Any) -> str:
        return row.error or "–"


@admin.register(Delivery)
class DeliveryAdmin(WorkAdmin):
    """Mails: a failed one waits here with its reason; an uncertain one may have arrived."""

    list_display = ("address_link", "account_name", "subject", "badge", "attempts", "what_went_wrong")
    list_select_related = ("account", "document")
    search_fields = ("address__istartswith",)
    search_help_text = "Beginning of an address, account number or name"
    actions = ("send_after_all",)
    page_title = "Delivery"
    when_empty = "No mail yet. Each issued invoice is mailed to the invoice addresses of its account."
    when_nothing_found = "No mail matches. With “Failed only” that is good news: nothing waits for a person."

    def found_by(self, words: str) -> Q:
        return Q(address__startswith=words.lower())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).select_related("document", "account")

    @admin.action(description="Send after all", permissions=["resend"])
    def send_after_all(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        actor, now = actor_of(request), timezone.now()
        each_by_itself(
            request, queryset, lambda row: retry_delivery(delivery=row, actor=actor, now=now), "will be sent"
        )

    @display(description="To", ordering="address")
    def address_link(self, row: Delivery) -> str:
        address = reverse("admin:invoicing_delivery_change", args=[row.pk])
        return format_html('<a class="bk-link" href="{}">{}</a>', address, row.address)

    @display(description="Document")
    def subject(self, row: Delivery) -> str:
        return subject_link(row.document)


@admin.register(Document)
class DocumentAdmin(WorkAdmin):
    """PDFs: drawn from stored rows after issue; one that cannot be drawn waits here with its reason."""

    list_display = ("subject", "account_name", "badge", "attempts", "what_went_wrong")
    list_select_related = ("account",)
    search_fields = ("pk",)
    search_help_text = "Beginning of an account number or name"
    actions = ("draw_after_all",)
    when_empty = "No document yet. Each issued invoice and credit note gets a PDF."
    when_nothing_found = "No document matches. With “Failed only” that is good news: nothing waits for a person."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).select_related("account")

    @admin.action(description="Draw after all", permissions=["resend"])
    def draw_after_all(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        actor, now = actor_of(request), timezone.now()
        each_by_itself(
            request, queryset, lambda row: retry_document(document=row, actor=actor, now=now), "will be drawn"
        )

    @display(description="Document")
    def subject(self, row: Document) -> str:
        return subject_link(row)


def each_by_itself(request: HttpRequest, rows: Iterable[Any], do: Callable[[Any], object], done: str) -> None:
    """Do it to each; one that is refused is told in its own words, and does not keep the others."""
    count = 0
    for row in rows:
        try:
            do(row)
        except (NotPermitted, NotForRetry) as refusal:
            messages.error(request, str(refusal))
        else:
            count += 1
    if count:
        messages.success(request, f"{count} {done} as soon as a worker gets to it.")


def subject_address(document: Document) -> str:
    """Whatever is no invoice or credit note is a letter."""
    return reverse(SUBJECT_PAGES.get(document.kind, "admin:invoicing_letter_change"), args=[document.subject_id])


def subject_link(document: Document) -> str:
    return format_html('<a class="bk-link" href="{}">{}</a>', subject_address(document), document.get_kind_display())
