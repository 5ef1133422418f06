"""What the provider's platform is told, and where it listens, in the console."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from invoicing.collections.acts import ENDPOINT_ACTS, ENDPOINT_LIST_ACTS, NOTICE_ACTS
from invoicing.collections.models import PlatformEndpoint, PlatformNotice
from invoicing.collections.platform import masked
from invoicing.collections.queries import untold
from invoicing.pages.acting import ActingAdmin
from invoicing.pages.acts import Facts
from invoicing.pages.cells import NOTHING, Table, account_link, moment, row_link
from invoicing.pages.of_accounts import OfAccountsAdmin

BY_HAND = "To be done by hand"
NOTICE_BADGES = {
    BY_HAND: "warning",
    PlatformNotice.State.PENDING.label: "info",
    PlatformNotice.State.TOLD.label: "success",
    PlatformNotice.State.PARKED.label: "danger",
}
# What of a notice's body is said in words beside what the row knows itself.
SAID = {"clause": "Clause", "why": "Why", "what": "What for", "subscription": "Subscription", "order": "Order"}


class UntoldFilter(admin.SimpleListFilter):
    """Parked, or told to nobody because no endpoint was on."""

    title = "waiting for a person"
    parameter_name = "untold"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Not told")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PlatformNotice]) -> QuerySet[PlatformNotice]:
        return untold(queryset) if self.value() else queryset


@admin.register(PlatformNotice)
class PlatformNoticeAdmin(OfAccountsAdmin):
    """What the provider's platform is told: to suspend, restore or start a service."""

    list_display = ("name", "badge", "account_name", "endpoint", "made", "told", "amiss")
    list_display_links = None
    list_filter = (UntoldFilter, ("state", ChoicesDropdownFilter), ("event", ChoicesDropdownFilter))
    list_select_related = ("account", "endpoint")
    badges = NOTICE_BADGES
    acts = NOTICE_ACTS
    queues = {("untold", "1"): "What the platform was not told"}
    when_empty = "The platform was told nothing yet."
    when_nothing_found = "No notice matches. Among the parked ones that is good news."

    @display(description="What")
    def name(self, row: PlatformNotice) -> str:
        return row_link("platformnotice", row.pk, row.get_event_display())

    @display(description="State", label=NOTICE_BADGES)
    def badge(self, row: PlatformNotice) -> str:
        return self.state_of(row)

    def state_of(self, row: PlatformNotice) -> str:
        """Where no endpoint is on, nobody but a person tells the platform."""
        by_hand = row.state == PlatformNotice.State.PENDING and row.endpoint_id is None
        return BY_HAND if by_hand else row.get_state_display()

    @display(description="What went wrong")
    def amiss(self, row: PlatformNotice) -> str:
        return row.error or NOTHING

    @display(description="Made", ordering="made_at")
    def made(self, row: PlatformNotice) -> str:
        return moment(row.made_at)

    @display(description="Told", ordering="told_at")
    def told(self, row: PlatformNotice) -> str:
        return moment(row.told_at)

    def title_of(self, row: PlatformNotice) -> str:
        return f"{row.get_event_display()}: {row.account.number}"

    def notes(self, row: PlatformNotice) -> list[tuple[str, str]]:
        if row.endpoint_id is None:
            return [("warn", "No endpoint was on: somebody does on the platform what it says, then “Done by hand…”.")]
        return [("bad", row.error)] if row.error else []

    def tables(self, row: PlatformNotice) -> list[Table]:
        body = json.dumps(row.payload, indent=2, ensure_ascii=False, sort_keys=True)
        text = format_html('<pre class="bk-pre">{}</pre>', body)
        return [Table("As the platform is told", ("Body",), [(text,)], "It has no body.")]

    def facts(self, row: PlatformNotice) -> Facts:
        said = {name: value for name, value in row.payload.items() if name in SAID and value not in (None, "")}
        return [
            ("What", row.get_event_display()), ("Account", account_link(row.account)),
            ("Endpoint", str(row.endpoint or "none")), ("Attempts", row.attempts), ("Told", moment(row.told_at)),
            ("Made", moment(row.made_at)), ("Next attempt", moment(row.next_attempt_at)),
            *((SAID[name], str(value)) for name, value in said.items()),
        ]  # fmt: skip


@admin.register(PlatformEndpoint)
class PlatformEndpointAdmin(ActingAdmin):
    """Where the platform listens."""

    list_display = ("label", "url", "state", "secret_hint")
    list_display_links = None
    search_fields = ("name__istartswith",)
    ordering = ("name",)
    acts = ENDPOINT_ACTS
    list_acts = ENDPOINT_LIST_ACTS
    when_empty = "No endpoint yet: what the platform should be told waits in the list of notices for a person."

    @display(description="Endpoint", ordering="name")
    def label(self, row: PlatformEndpoint) -> str:
        return row_link("platformendpoint", row.pk, row.name)

    @display(description="State", ordering="is_on", label={"Told": "success", "Off": ""})
    def state(self, row: PlatformEndpoint) -> str:
        return self.state_of(row)

    def state_of(self, row: PlatformEndpoint) -> str:
        return "Told" if row.is_on else "Off"

    @display(description="Secret")
    def secret_hint(self, row: PlatformEndpoint) -> str:
        return masked(row)

    def facts(self, row: PlatformEndpoint) -> Facts:
        return [("Address", row.url), ("Secret", masked(row))]
