"""Prepaid balances, their top-ups and the agreements on them, in the console."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from invoicing.money import format_money
from invoicing.pages.acts import Facts
from invoicing.pages.cells import NOTHING, Table, account_link, date_words, day, moment, row_link
from invoicing.pages.money import amount_cell
from invoicing.pages.of_accounts import OfAccountsAdmin
from invoicing.prepaid.acts import BALANCE_ACCOUNT_ACTS, TOP_UP_ACTS
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from invoicing.prepaid.queries import stuck_top_ups

TOP_UP_BADGES = {
    TopUp.State.INTENDED.label: "info",
    TopUp.State.CHARGED.label: "warning",
    TopUp.State.CREDITED.label: "success",
    TopUp.State.FAILED.label: "danger",
    TopUp.State.REVERSED.label: "warning",
}
SHOWN = 50
NOT_CREDITED = "The money came and is not on the balance yet: the sweep credits it, and nothing charges again."


class LowFilter(admin.SimpleListFilter):
    """PRE-2, PRE-4: balances that call for something."""

    title = "balance"
    parameter_name = "low"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("threshold", "Below its top-up threshold"),
            ("awaiting", "Charges wait for credit"),
            ("debt", "Below 0"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PrepaidBalance]) -> QuerySet[PrepaidBalance]:
        conditions = {
            "threshold": Q(
                account__top_up_agreement__is_on=True, balance__lt=F("account__top_up_agreement__threshold")
            ),
            "awaiting": Q(awaiting__gt=0),
            "debt": Q(balance__lt=0),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(PrepaidBalance)
class PrepaidBalanceAdmin(OfAccountsAdmin):
    """The hot balance, which is the sum of its postings."""

    list_display = ("name", "account_name", "balance_shown", "floor_shown", "awaiting_shown", "automatic")
    list_display_links = None
    list_filter = (LowFilter,)
    list_select_related = ("account", "account__top_up_agreement")
    account_acts = BALANCE_ACCOUNT_ACTS
    place_on_account = 2
    when_empty = "No prepaid balance yet. One is opened with an account's first use, top-up or monthly charge (PRE-1)."

    def found_by(self, words: str) -> Q:
        return Q(pk__in=[])

    @display(description="Balance of")
    def name(self, row: PrepaidBalance) -> str:
        return row_link("prepaidbalance", row.pk, row.account.number)

    @display(description="Balance", ordering="balance")
    def balance_shown(self, row: PrepaidBalance) -> str:
        return amount_cell(row.balance, row.currency)

    @display(description="May fall to", ordering="floor")
    def floor_shown(self, row: PrepaidBalance) -> str:
        return amount_cell(row.floor, row.currency)

    @display(description="Waits for credit", ordering="awaiting")
    def awaiting_shown(self, row: PrepaidBalance) -> str:
        return amount_cell(row.awaiting, row.currency) if row.awaiting else NOTHING

    @display(description="Automatic top-up")
    def automatic(self, row: PrepaidBalance) -> str:
        agreement = getattr(row.account, "top_up_agreement", None)
        if agreement is None or not agreement.is_on:
            return "off"
        amount = format_money(agreement.amount, row.currency)
        return f"{amount} below {format_money(agreement.threshold, row.currency)}"

    def title_of(self, row: PrepaidBalance) -> str:
        return f"Prepaid balance of {row.account}"

    def facts(self, row: PrepaidBalance) -> Facts:
        return [
            ("Balance", format_money(row.balance, row.currency)), ("Account", account_link(row.account)),
            ("May fall to (PRE-4)", format_money(row.floor, row.currency)),
            ("Waits for credit", format_money(row.awaiting, row.currency)),
            ("Waits since", date_words(row.awaiting_since_on)), ("Automatic top-up", self.automatic(row)),
        ]  # fmt: skip

    def tables(self, row: PrepaidBalance) -> list[Table]:
        latest = TopUp.objects.filter(account_id=row.pk).order_by("-on", "-pk")[:SHOWN]
        rows = [
            (
                row_link("topup", one.pk, one.pk), day(one.on), "automatic" if one.automatic else "by hand",
                one.get_state_display(), one.why or NOTHING, format_money(one.amount, one.currency),
            )
            for one in latest
        ]  # fmt: skip
        heads = ("Top-up", "Day", "How", "State", "Why", "Amount")
        empty = "None yet. “Top up the balance…” is on the account's page."
        return [Table("Top-ups", heads, rows, empty, right=("Amount",))]


class StuckFilter(admin.SimpleListFilter):
    title = "waiting for a person"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("stuck", "Charged and not credited, or failed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TopUp]) -> QuerySet[TopUp]:
        return queryset.filter(pk__in=stuck_top_ups().values("pk")) if self.value() else queryset


@admin.register(TopUp)
class TopUpAdmin(OfAccountsAdmin):
    """PRE-2: intent, charge, credit, in that order."""

    list_display = ("name", "badge", "date", "account_name", "amount_shown", "how", "payment_name", "reason")
    list_display_links = None
    list_filter = (StuckFilter, ("state", ChoicesDropdownFilter), "automatic", ("on", RangeDateFilter))
    badges = TOP_UP_BADGES
    acts = TOP_UP_ACTS
    called = ("top-up", "top-ups")
    queues = {("queue", "stuck"): "Top-ups that are stuck"}
    when_empty = "No top-up yet. They are made by hand, or by themselves where a customer agreed to it."
    when_nothing_found = "No top-up matches. In the queue that is good news: none is stuck."

    @display(description="Top-up")
    def name(self, row: TopUp) -> str:
        return row_link("topup", row.pk, row.pk)

    @display(description="State", label=TOP_UP_BADGES)
    def badge(self, row: TopUp) -> str:
        return row.get_state_display()

    @display(description="Day", ordering="on")
    def date(self, row: TopUp) -> str:
        return day(row.on)

    @display(description="How", ordering="automatic")
    def how(self, row: TopUp) -> str:
        return "automatic" if row.automatic else "by hand"

    @display(description="Why")
    def reason(self, row: TopUp) -> str:
        return row.why or NOTHING

    @display(description="Payment")
    def payment_name(self, row: TopUp) -> str:
        return row_link("payment", row.payment_id, row.payment_id)

    def title_of(self, row: TopUp) -> str:
        return f"Top-up {row.pk} of {format_money(row.amount, row.currency)}"

    def notes(self, row: TopUp) -> list[tuple[str, str]]:
        if row.state == TopUp.State.CHARGED:
            return [
                (
                    "warn",
                    NOT_CREDITED,
                )
            ]
        return [("bad", row.why)] if row.state == TopUp.State.FAILED and row.why else []

    def facts(self, row: TopUp) -> Facts:
        return [
            ("Amount", format_money(row.amount, row.currency)), ("Account", account_link(row.account)),
            ("Payment", self.payment_name(row)), ("Day", date_words(row.on)),
            ("How", f"automatic, number {row.number} of its day" if row.automatic else "by hand"),
            ("Made by", row.made_by), ("Made", moment(row.made_at)), ("Credited", moment(row.credited_at)),
            ("Why", row.why or NOTHING),
        ]  # fmt: skip


@admin.register(TopUpAgreement)
class TopUpAgreementAdmin(OfAccountsAdmin):
    """AUTH-5: agreed to, changed and ended by the customer, in the portal."""

    list_display = ("name", "account_name", "state", "threshold_shown", "charged", "declines", "not_before")
    list_display_links = None
    list_filter = ("is_on",)
    list_select_related = ("account__billing_profile", "method")
    called = ("top-up agreement", "top-up agreements")
    when_empty = "No customer has agreed to automatic top-ups yet: they do so in the portal (PRE-2)."

    def found_by(self, words: str) -> Q:
        return Q(pk__in=[])

    @display(description="Agreement of")
    def name(self, row: TopUpAgreement) -> str:
        return row_link("topupagreement", row.pk, row.account.number)

    @display(description="State", ordering="is_on", label={"On": "success", "Ended": ""})
    def state(self, row: TopUpAgreement) -> str:
        return self.state_of(row)

    def state_of(self, row: TopUpAgreement) -> str:
        return "On" if row.is_on else "Ended"

    @display(description="Below", ordering="threshold")
    def threshold_shown(self, row: TopUpAgreement) -> str:
        return amount_cell(row.threshold, _currency(row))

    @display(description="Charges", ordering="amount")
    def charged(self, row: TopUpAgreement) -> str:
        return amount_cell(row.amount, _currency(row))

    @display(description="Not before")
    def not_before(self, row: TopUpAgreement) -> str:
        return moment(row.not_before_at)

    def title_of(self, row: TopUpAgreement) -> str:
        return f"Automatic top-up of {row.account}"

    def facts(self, row: TopUpAgreement) -> Facts:
        return [
            ("Charges", self.charged(row)), ("When the balance is below", self.threshold_shown(row)),
            ("Account", account_link(row.account)), ("By", str(row.method or "the default method")),
            ("Declines in a row", row.declines),
            ("Not before", moment(row.not_before_at)),
        ]  # fmt: skip


def _currency(row: TopUpAgreement) -> str:
    profile = getattr(row.account, "billing_profile", None)
    return profile.currency if profile else "USD"
