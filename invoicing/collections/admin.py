"""Holds, suspensions and reminders in the console."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from invoicing.collections.acts import (
    HOLD_ACCOUNT_ACTS,
    HOLD_ACTS,
    REMIND,
    SUSPEND_DUE,
    SUSPENSION_ACCOUNT_ACTS,
    SUSPENSION_ACTS,
)
from invoicing.collections.models import Hold, PlatformNotice, Reminder, Suspension
from invoicing.collections.queries import suspensions_due
from invoicing.pages.acts import Facts
from invoicing.pages.cells import NOTHING, Table, account_link, date_words, day, moment, row_link
from invoicing.pages.money import amount_cell
from invoicing.pages.of_accounts import OfAccountsAdmin

HOLD_BADGES = {"In force": "warning", "Over": "", "Lifted": ""}
SUSPENSION_BADGES = {
    Suspension.State.WARNED.label: "warning",
    Suspension.State.ACTIVE.label: "danger",
    Suspension.State.LIFTED.label: "",
}


class InForceFilter(admin.SimpleListFilter):
    title = "in force"
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "In force")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Hold]) -> QuerySet[Hold]:
        if not self.value():
            return queryset
        today = timezone.localdate()
        return queryset.filter(Q(until_on=None) | Q(until_on__gte=today), lifted_at=None)


@admin.register(Hold)
class HoldAdmin(OfAccountsAdmin):
    """Disputes, promises to pay, exemptions: what keeps reminders, suspension and the agency from an account."""

    list_display = ("name", "badge", "account_name", "of_what", "until", "why", "placed_by")
    list_display_links = None
    list_filter = (InForceFilter, ("kind", ChoicesDropdownFilter))
    list_select_related = ("account", "invoice")
    badges = HOLD_BADGES
    acts = HOLD_ACTS
    account_acts = HOLD_ACCOUNT_ACTS
    when_empty = "No hold yet. One is placed on the page of the account it is for."

    @display(description="Hold")
    def name(self, hold: Hold) -> str:
        return row_link("hold", hold.pk, hold.get_kind_display())

    @display(description="State", label=HOLD_BADGES)
    def badge(self, hold: Hold) -> str:
        return self.state_of(hold)

    @display(description="Of")
    def of_what(self, hold: Hold) -> str:
        return row_link("invoice", hold.invoice_id, hold.invoice) if hold.invoice_id else "the whole account"

    @display(description="Until", ordering="until_on")
    def until(self, hold: Hold) -> str:
        return day(hold.until_on) if hold.until_on else "it is lifted"

    def state_of(self, row: Hold) -> str:
        if row.lifted_at:
            return "Lifted"
        return "Over" if row.until_on and row.until_on < timezone.localdate() else "In force"

    def title_of(self, row: Hold) -> str:
        return f"{row.get_kind_display()} of {row.account}"

    def facts(self, row: Hold) -> Facts:
        return [
            ("Until", date_words(row.until_on) if row.until_on else "it is lifted"),
            ("Account", account_link(row.account)), ("Of", self.of_what(row)), ("Why", row.why),
            ("Placed by", row.placed_by), ("Placed", moment(row.placed_at)), ("Lifted by", row.lifted_by or NOTHING),
            ("Lifted", moment(row.lifted_at)),
        ]  # fmt: skip


class DueFilter(admin.SimpleListFilter):
    """Warned of, and their day has come."""

    title = "due"
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Its day has come")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Suspension]) -> QuerySet[Suspension]:
        return suspensions_due(timezone.localdate(), queryset) if self.value() else queryset


@admin.register(Suspension)
class SuspensionAdmin(OfAccountsAdmin):
    """SUSP-1: who is warned of it, from whom service is withheld, and why."""

    list_display = ("name", "badge", "account_name", "reason_shown", "effective", "why", "made_by")
    list_display_links = None
    list_filter = (DueFilter, ("state", ChoicesDropdownFilter), ("reason", ChoicesDropdownFilter))
    queues = {("due", "1"): "Suspensions whose day has come"}
    badges = SUSPENSION_BADGES
    acts = SUSPENSION_ACTS
    account_acts = SUSPENSION_ACCOUNT_ACTS
    list_acts = (SUSPEND_DUE,)
    when_empty = "Nobody is suspended or was. A sweep does it by the terms' days; staff do it on an account's page."
    when_nothing_found = "No suspension matches. Among those in force that is good news."

    @display(description="Suspension")
    def name(self, row: Suspension) -> str:
        return row_link("suspension", row.pk, row.pk)

    @display(description="State", label=SUSPENSION_BADGES)
    def badge(self, row: Suspension) -> str:
        return row.get_state_display()

    @display(description="Reason", ordering="reason")
    def reason_shown(self, row: Suspension) -> str:
        return f"{row.get_reason_display()} ({row.clause})"

    @display(description="Takes effect", ordering="effective_on")
    def effective(self, row: Suspension) -> str:
        return day(row.effective_on)

    def title_of(self, row: Suspension) -> str:
        return f"Suspension of {row.account}"

    def facts(self, row: Suspension) -> Facts:
        return [
            ("Reason", self.reason_shown(row)), ("Account", account_link(row.account)), ("Why", row.why),
            ("Takes effect", date_words(row.effective_on)), ("Made by", row.made_by), ("Made", moment(row.made_at)),
            ("Suspended", moment(row.suspended_at)), ("Lifted", moment(row.lifted_at)),
            ("Lifted by", row.lifted_by or NOTHING), ("Lifted because", row.lifted_because or NOTHING),
        ]  # fmt: skip

    def tables(self, row: Suspension) -> list[Table]:
        told = PlatformNotice.objects.filter(account_id=row.account_id).order_by("-pk")[:20]
        rows = [
            (row_link("platformnotice", one.pk, one.get_event_display()), one.get_state_display(), moment(one.made_at),
             moment(one.told_at), one.error or NOTHING)
            for one in told
        ]  # fmt: skip
        heads = ("What", "State", "Made", "Told", "What went wrong")
        return [Table("What the platform was told of the account", heads, rows, "Nothing.")]


@admin.register(Reminder)
class ReminderAdmin(OfAccountsAdmin):
    """Each stage of an invoice, reached once."""

    list_display = ("name", "account_name", "invoice_name", "stage", "date", "open_then")
    list_display_links = None
    list_select_related = ("account", "invoice", "letter")
    list_acts = (REMIND,)
    when_empty = "Nobody was reminded yet. The terms say on which days; “Remind for a day…” does it by hand."

    @display(description="Letter")
    def name(self, row: Reminder) -> str:
        return row_link("letter", row.letter_id, row.letter.details.get("subject", row.letter))

    @display(description="Invoice")
    def invoice_name(self, row: Reminder) -> str:
        return row_link("invoice", row.invoice_id, row.invoice)

    @display(description="Stage", ordering="days")
    def stage(self, row: Reminder) -> str:
        if row.days == 0:
            return "on the day it was due"
        return f"{abs(row.days)} days {'before' if row.days < 0 else 'after'} it was due"

    @display(description="Day", ordering="on")
    def date(self, row: Reminder) -> str:
        return day(row.on)

    @display(description="Open then")
    def open_then(self, row: Reminder) -> str:
        return amount_cell(row.amount, row.invoice.currency)

    def facts(self, row: Reminder) -> Facts:
        return [
            ("Open then", self.open_then(row)), ("Account", account_link(row.account)),
            ("Invoice", self.invoice_name(row)), ("Stage", self.stage(row)), ("Day", date_words(row.on)),
            ("Letter", self.name(row)),
        ]  # fmt: skip
