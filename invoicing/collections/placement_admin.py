"""COLL-1 in the console: proposals and placements, and the batches with their files."""

import mimetypes
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import TruncDate
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from invoicing.collections.acts import HAND_OFF
from invoicing.collections.batch_files import ROWS_AT_ONCE, update_path
from invoicing.collections.models import Placement, PlacementBatch, PlacementRecord
from invoicing.collections.operations import approve_placements, write_batches
from invoicing.collections.placement_acts import (
    PLACEMENT_ACTS,
    PLACEMENT_LIST_ACTS,
    REFUSALS,
    WRITE_OFF_ACCOUNT_ACTS,
)
from invoicing.collections.sweeping import Swept
from invoicing.money import format_money
from invoicing.pages.acting import ActingAdmin
from invoicing.pages.acts import Facts
from invoicing.pages.cells import NOTHING, Table, account_link, date_words, day, link, moment, row_link
from invoicing.pages.money import totals_in_words
from invoicing.pages.of_accounts import OfAccountsAdmin
from invoicing.pages.requests import actor_of, attempt
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of

UPDATES_SHOWN = 31
BADGES = {
    Placement.State.PROPOSED.label: "warning",
    Placement.State.PLACED.label: "info",
    Placement.State.CLOSED.label: "success",
    Placement.State.RECALLED.label: "",
    Placement.State.DECLINED.label: "",
}


@admin.register(Placement)
class PlacementAdmin(OfAccountsAdmin):
    """What is proposed, and what is with the agency."""

    list_display = (
        "name",
        "badge",
        "account_name",
        "amount_shown",
        "since",
        "batch_name",
        "why_closed",
    )
    list_display_links = None
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("account", "batch")
    badges = BADGES
    acts = PLACEMENT_ACTS
    list_acts = (HAND_OFF, *PLACEMENT_LIST_ACTS)
    account_acts = WRITE_OFF_ACCOUNT_ACTS
    actions = ("approve_selected",)
    queues = {("state__exact", "PROPOSED"): "Hand-overs to approve"}
    when_empty = "Nothing is proposed. The daily job proposes what is unpaid long enough after its due date (COLL-1)."
    when_nothing_found = "No placement matches. Among the proposals that is good news."

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("invoicing.approve_placement")

    @admin.action(description="Hand over the selected proposals", permissions=["approve"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet[Placement]) -> None:
        chosen, now = list(queryset.values_list("pk", flat=True)), timezone.now()

        def approve() -> str:
            done = Swept()
            for seller in Seller.objects.filter(billing_profiles__account__placements__in=chosen).distinct():
                done.add(
                    approve_placements(
                        on=today_of(seller, now=now), now=now, actor=actor_of(request), placements=chosen, seller=seller
                    )
                )
            write_batches(now=now, most_rows=ROWS_AT_ONCE)
            return f"Done: {done}."

        attempt(request, approve, *REFUSALS)

    @display(description="Placement")
    def name(self, row: Placement) -> str:
        return row_link("placement", row.pk, row.pk)

    @display(description="State", label=BADGES)
    def badge(self, row: Placement) -> str:
        return row.get_state_display()

    @display(description="Since", ordering="proposed_on")
    def since(self, row: Placement) -> str:
        """With the agency; before that, proposed."""
        return day(row.placed_on or row.proposed_on)

    @display(description="Batch")
    def batch_name(self, row: Placement) -> str:
        return row_link("placementbatch", row.batch_id, f"{row.batch.on} #{row.batch.pk}" if row.batch else "")

    @display(description="Closed")
    def why_closed(self, row: Placement) -> str:
        return row.closed_because or NOTHING

    def title_of(self, row: Placement) -> str:
        return f"Hand-over of {row.account}"

    def facts(self, row: Placement) -> Facts:
        return [
            ("Amount", format_money(row.amount, row.currency)), ("Account", account_link(row.account)),
            ("Proposed", date_words(row.proposed_on)), ("Placed", date_words(row.placed_on)),
            ("Batch", self.batch_name(row)), ("Closed", moment(row.closed_at)), ("Why", row.closed_because or NOTHING),
        ]  # fmt: skip

    def tables(self, row: Placement) -> list[Table]:
        invoices = row.invoices.select_related("invoice").order_by("invoice__due_on", "pk")[:200]
        records = row.records.order_by("-pk")[:200]
        return [
            Table(
                "Invoices", ("Invoice", "Due", "Amount"),
                [
                    (row_link("invoice", one.invoice_id, one.invoice), day(one.invoice.due_on),
                     format_money(one.amount, row.currency))
                    for one in invoices
                ],
                "None.", right=("Amount",),
            ),
            Table(
                "Since then", ("Day", "What", "Note", "By", "Commission", "Amount"),
                [
                    (day(one.on), one.get_kind_display(), one.note or NOTHING, one.made_by,
                     format_money(one.commission, row.currency) if one.commission else NOTHING,
                     format_money(one.amount, row.currency))
                    for one in records
                ],
                "Nothing was paid, credited, recalled or remitted.", right=("Amount", "Commission"),
            ),
        ]  # fmt: skip


@admin.register(PlacementBatch)
class PlacementBatchAdmin(ActingAdmin):
    """Each hand-over, and the files that the agency gets."""

    list_display = ("name", "date", "rows", "total", "approved_by", "written")
    list_display_links = None
    list_select_related = ("seller",)
    search_fields = ("pk",)
    ordering = ("-pk",)
    called = ("agency batch", "agency batches")
    when_empty = "Nothing was handed over yet."

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_GET(self.file_view))
        name = "invoicing_placementbatch_file"
        return [path("<int:row_id>/files/<path:file_name>", view, name=name), *super().get_urls()]

    def file_view(self, request: HttpRequest, row_id: int, file_name: str) -> HttpResponseBase:
        """One of the batch's own files, or an update since, by a name that its lists hold and no other."""
        batch = self.shown(request, row_id)
        path = {**paths_of(batch), **updates_since(batch)}.get(file_name)
        if path is None:
            raise Http404("There is no such page.")
        content_type = mimetypes.guess_type(file_name)[0] or "application/octet-stream"
        content = path.open("rb")
        return FileResponse(
            content, as_attachment=True, filename=Path(file_name).name, content_type=content_type,
            headers={"X-Content-Type-Options": "nosniff"},
        )  # fmt: skip

    @display(description="Batch", ordering="pk")
    def name(self, batch: PlacementBatch) -> str:
        return row_link("placementbatch", batch.pk, batch)

    @display(description="Day", ordering="on")
    def date(self, batch: PlacementBatch) -> str:
        return day(batch.on)

    @display(description="Total")
    def total(self, batch: PlacementBatch) -> str:
        return totals_in_words(amounts_of(batch))

    @display(description="File written")
    def written(self, batch: PlacementBatch) -> str:
        return moment(batch.written_at)

    def facts(self, row: PlacementBatch) -> Facts:
        return [
            ("Total", self.total(row)), ("Rows", row.rows), ("Day", date_words(row.on)), ("Seller", row.seller.name),
            ("Approved by", row.approved_by), ("Approved", moment(row.approved_at)),
            ("Written", moment(row.written_at)), ("SHA-256 of the CSV", row.sha256 or NOTHING),
        ]  # fmt: skip

    def tables(self, row: PlacementBatch) -> list[Table]:
        address = "admin:invoicing_placementbatch_file"
        files, updates = (
            [(link(reverse(address, args=[row.pk, name]), name),) for name in found]
            for found in (paths_of(row), updates_since(row))
        )
        placed = row.placements.select_related("account").order_by("pk")[:200]
        rows = [
            (row_link("placement", one.pk, one.pk), account_link(one.account), one.get_state_display(),
             format_money(one.amount, one.currency))
            for one in placed
        ]  # fmt: skip
        return [
            Table("Files for the agency", ("File",), files, "They are written as soon as a worker gets to it."),
            Table(
                "What it is to be told since",
                ("File of a day, over all of the seller's batches",),
                updates,
                "Nothing was paid, credited or recalled since.",
            ),
            Table("Placements", ("Placement", "Account", "State", "Amount"), rows, "None.", right=("Amount",)),
        ]


def amounts_of(batch: PlacementBatch) -> dict[str, Any]:
    return {currency: Decimal(amount) for currency, amount in batch.totals.items()}


def folder_of(batch: PlacementBatch) -> Path:
    return Path(settings.DOCUMENTS_ROOT / batch.path).parent


def paths_of(batch: PlacementBatch) -> dict[str, Path]:
    """The files in the batch's folder by their names, its own first."""
    if not batch.path:
        return {}
    folder = folder_of(batch)
    found = {str(one.relative_to(folder)): one for one in folder.rglob("*") if one.is_file()}
    return dict(sorted(found.items(), key=lambda named: ("/" in named[0], named[0])))


def updates_since(batch: PlacementBatch) -> dict[str, Path]:
    """The latest files of what came, was recalled and was written off since the batch's day, the newest first."""
    records = PlacementRecord.objects.filter(placement__batch__seller=batch.seller_id, at__gte=batch.approved_at)
    days = records.annotate(day=TruncDate("at", tzinfo=ZoneInfo(batch.seller.time_zone))).order_by("-day")
    paths = [
        settings.DOCUMENTS_ROOT / update_path(day, batch.seller_id)
        for day in days.values_list("day", flat=True).distinct()[:UPDATES_SHOWN]
    ]
    return {path.name: path for path in paths if path.is_file()}
