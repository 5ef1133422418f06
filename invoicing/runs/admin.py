"""Runs and parked accounts in the console: the lists, and where the pages of a run are found."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import action, display

from invoicing.pages.money import amount_cell, totals_in_words
from invoicing.pages.readonly import PagedAdmin
from invoicing.pages.requests import actor_of, attempt
from invoicing.runs.models import Run, RunItem
from invoicing.runs.operations import RunRefused
from invoicing.runs.pages import RunPages
from invoicing.runs.retrying import retry_items
from invoicing.runs.reviewing import figures_of
from invoicing.runs.starting import StartPages

STATE_BADGES = {
    Run.State.PROPOSING.label: "info",
    Run.State.REVIEW.label: "warning",
    Run.State.ISSUING.label: "info",
    Run.State.DONE.label: "success",
    Run.State.DISCARDED.label: "",
}


@admin.register(Run)
class RunAdmin(StartPages, RunPages, PagedAdmin):
    """The runs, the latest first. What may be done to one stands on its page."""

    list_display = ("day", "seller_name", "badge", "accounts", "invoiced", "nothing_due", "parked", "total")
    list_filter = ("state", ("on", RangeDateFilter))
    list_select_related = ("seller",)
    list_per_page = 25
    ordering = ("-on", "-pk")
    actions_list = ("start_a_run",)
    when_empty = (
        "No run yet. The schedule opens one when the first account's billing date has come; "
        "“Start a run” does the same by hand, and shows beforehand what it would come to."
    )

    @action(description="Start a run", url_path="start", icon="play_arrow", permissions=["start_run"])
    def start_a_run(self, request: HttpRequest) -> HttpResponse:
        return self.start_view(request)

    def has_start_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("invoicing.start_run")

    def get_urls(self) -> list[URLPattern]:
        return [*self.run_urls(), *super().get_urls()]

    def complete(self, rows: Sequence[Run]) -> None:
        found = figures_of(rows)
        for run in rows:
            run.found = found[run.pk]  # type: ignore[attr-defined]

    @display(description="Date", ordering="on")
    def day(self, run: Run) -> str:
        return f"{run.on:%Y-%m-%d}"

    @display(description="Seller", ordering="seller__name")
    def seller_name(self, run: Run) -> str:
        return run.seller.name

    @display(description="State", ordering="state", label=STATE_BADGES)
    def badge(self, run: Run) -> str:
        return run.get_state_display()

    @display(description="Accounts")
    def accounts(self, run: Any) -> int:
        return run.found.accounts

    @display(description="Invoiced")
    def invoiced(self, run: Any) -> str:
        return (
            f"{run.found.invoiced} (+ {run.found.proposed} proposed)" if run.found.proposed else str(run.found.invoiced)
        )

    @display(description="Nothing due")
    def nothing_due(self, run: Any) -> int:
        return run.found.nothing_due

    @display(description="Parked")
    def parked(self, run: Any) -> int:
        return run.found.parked

    @display(description="Total")
    def total(self, run: Any) -> str:
        return totals_in_words(run.found.total)


@admin.register(RunItem)
class ParkedAdmin(PagedAdmin):
    """The accounts that could not be billed, across all runs, until somebody mends what is wrong and tries again."""

    list_display = ("account_link", "reason", "run_link", "amount")
    list_display_links = None
    list_filter = (("run__on", RangeDateFilter),)
    list_select_related = ("account", "run", "run__seller")
    search_fields = ("account__number__startswith", "account__name__istartswith")
    search_help_text = "Account number or name"
    ordering = ("-run__on", "account__number")
    actions = ("retry_selected",)
    called = ("parked account", "parked accounts")
    when_empty = "No account is parked: every account that was due is invoiced, proposed, or has nothing due."

    def get_queryset(self, request: HttpRequest) -> QuerySet[RunItem]:
        parked = super().get_queryset(request).filter(outcome=RunItem.Outcome.PARKED, superseded_by=None)
        return parked.exclude(run__state=Run.State.DISCARDED)

    def has_retry_parked_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("invoicing.retry_parked")

    @admin.action(description="Try to bill again", permissions=["retry_parked"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[RunItem]) -> None:
        attempt(request, lambda: retry_items(queryset, actor=actor_of(request), now=timezone.now()), RunRefused)

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        item = self.shown(request, object_id)
        return self.page(request, "admin/invoicing/run/parked_account.html", title=str(item.account), item=item)

    @display(description="Account", ordering="account__number")
    def account_link(self, item: RunItem) -> str:
        address = reverse("admin:invoicing_runitem_change", args=[item.pk])
        return format_html(
            '<span><a class="bk-link" href="{}">{}</a><br>{}</span>', address, item.account.number, item.account.name
        )

    @display(description="Run", ordering="run__on")
    def run_link(self, item: RunItem) -> str:
        address = reverse("admin:invoicing_run_change", args=[item.run_id])
        return format_html('<a class="bk-link bk-number" href="{}">{}</a>', address, f"{item.run.on:%Y-%m-%d}")

    @display(description="Draft")
    def amount(self, item: RunItem) -> str:
        return amount_cell(item.total, item.currency) if item.invoice_id else "–"
