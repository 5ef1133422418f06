"""Gateways' notices and the card fee's table in the console."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from accounts.browsing import ConsoleAdmin
from invoicing.money import format_money
from invoicing.pages.acting import ActingAdmin
from invoicing.pages.acts import Act, ActForm, Asked, Facts, WhyForm
from invoicing.pages.cells import NOTHING, Table, moment, row_link
from invoicing.payments.fee_table import CardFeeRate
from invoicing.payments.gateways.registry import NoSuchGateway
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import MoneyRefused, book_refund_made_elsewhere, resolve_event, retry_event

State = WebhookEvent.State
BADGES = {
    State.RECEIVED.label: "info",
    State.DONE.label: "success",
    State.KEPT.label: "",
    State.PARKED.label: "danger",
}
DEBIT_WARNING = (
    "FEE-4: the narrowest row that holds on a day counts: state and funding, then state, then funding, then neither. "
    "To change a rate, end its row on the first day of the new one and add that: what was charged keeps its rate. "
    "Warning: card networks forbid a surcharge on debit and prepaid cards. Whether debit cards carry the fee at "
    "all is a switch of the billing terms (“fee on debit”); leave it on only if your acquirer agrees."
)


class ResolveForm(WhyForm):
    why = forms.CharField(label="What was done about it", max_length=300, help_text="It stands in the audit trail.")


def _resolve(asked: Asked) -> str:
    resolve_event(asked.row, actor=asked.actor, now=asked.now, why=asked.values["why"])
    return "The notice is settled."


def _retry(asked: Asked) -> str:
    retry_event(asked.row, actor=asked.actor, now=asked.now)
    return "It will be worked off again as soon as a worker gets to it."


class BookRefundForm(ActForm):
    reason = forms.CharField(label="Reason", max_length=300, help_text="It stands on the receipt.")


def _book_refund(asked: Asked) -> str:
    made = book_refund_made_elsewhere(asked.row, actor=asked.actor, now=asked.now, reason=asked.values["reason"])
    words = format_money(made.amount + made.fee, made.currency)
    return f"Refund {made.pk} of {words} of payment {made.payment_id} is booked."


def _waits(event: WebhookEvent) -> bool:
    return event.state == State.PARKED


@admin.register(WebhookEvent)
class WebhookEventAdmin(ActingAdmin):
    """What gateways told us; what nobody can make sense of waits here for a person."""

    list_display = ("name", "badge", "gateway", "made", "payment_name", "account_number", "amiss")
    list_display_links = None
    list_filter = (("state", ChoicesDropdownFilter), "gateway", ("received_at", RangeDateTimeFilter))
    list_select_related = ("payment__account",)
    search_fields = ("pk",)
    search_help_text = "A notice's id at the gateway, or a payment's number"
    ordering = ("-pk",)
    badges = BADGES
    acts = (
        Act(
            "resolve", "Settle…", "invoicing.resolve_event", _resolve, (MoneyRefused,),
            "You have put right what it is about, such as a refund at the gateway. Nothing is posted by this.",
            ResolveForm, "It is settled", offered=_waits,
        ),
        Act(
            "book-refund", "Book the refund…", "invoicing.refund_payment", _book_refund, (MoneyRefused, NoSuchGateway),
            "Somebody gave money of a payment back at the gateway itself. It is booked as a refund, with its part of "
            "the card fee, and the customer gets a receipt; nothing is asked of the gateway.",
            BookRefundForm, "Book the refund",
            offered=lambda event: _waits(event) and event.payment_id is not None and "refund" in event.type,
        ),
        Act(
            "retry", "Work off again…", "invoicing.resolve_event", _retry, (MoneyRefused,),
            "For when what was missing is there now.", button="Work off again",
            offered=lambda event: event.state in (State.PARKED, State.KEPT),
        ),
    )  # fmt: skip
    called = ("gateway notice", "gateway notices")
    queues = {("state__exact", "PARKED"): "Notices that nobody can make sense of"}
    when_empty = "No notice yet. Gateways send them to /webhooks/, signed; a forged one is refused and counted."
    when_nothing_found = "No notice matches. Among those that wait for a person that is good news."

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        return super().get_queryset(request).select_related("payment__account")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookEvent], search_term: str
    ) -> tuple[QuerySet[WebhookEvent], bool]:
        words = search_term.strip()
        if not words:
            return queryset, False
        of_payment = Q(payment_id=int(words)) if words.isascii() and words.isdecimal() and len(words) < 19 else Q()
        return queryset.filter(Q(event_id=words) | of_payment), False

    @display(description="Notice")
    def name(self, event: WebhookEvent) -> str:
        return row_link("webhookevent", event.pk, event.type)

    @display(description="State", label=BADGES)
    def badge(self, event: WebhookEvent) -> str:
        return event.get_state_display()

    @display(description="Made", ordering="made_at")
    def made(self, event: WebhookEvent) -> str:
        return moment(event.made_at)

    @display(description="Payment")
    def payment_name(self, event: WebhookEvent) -> str:
        return row_link("payment", event.payment_id, event.payment_id)

    @display(description="Account")
    def account_number(self, event: WebhookEvent) -> str:
        return event.payment.account.number if event.payment else NOTHING

    @display(description="What is amiss")
    def amiss(self, event: WebhookEvent) -> str:
        return event.error or NOTHING

    def facts(self, row: WebhookEvent) -> Facts:
        return [
            ("Type", row.type), ("Gateway", row.gateway), ("Gateway's id", row.event_id),
            ("Payment", row_link("payment", row.payment_id, row.payment_id)), ("Made", moment(row.made_at)),
            ("Received", moment(row.received_at)), ("Worked off", moment(row.done_at)), ("Attempts", row.attempts),
        ]  # fmt: skip

    def notes(self, row: WebhookEvent) -> list[tuple[str, str]]:
        return [("bad" if _waits(row) else "warn", row.error)] if row.error else []

    def tables(self, row: WebhookEvent) -> list[Table]:
        return [Table("As it came, with card numbers masked", ("Body",), [(_pretty(row.body),)], "It has no body.")]


def _pretty(body: str) -> str:
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        text = body
    return format_html('<pre class="bk-pre">{}</pre>', text)


@admin.register(CardFeeRate)
class CardFeeRateAdmin(ConsoleAdmin):
    """FEE-4: a dated table; what was charged keeps what it was charged with."""

    list_display = ("place", "of_funding", "rate", "cap", "clause", "legal_reference", "valid_from_on", "valid_to_on")
    list_display_links = ("place",)
    list_filter = (("funding", ChoicesDropdownFilter),)
    search_fields = ("state__iexact",)
    search_help_text = "A state's two letters"
    ordering = ("state", "funding", "-valid_from_on")
    fieldsets = (
        (None, {
            "fields": (
                ("state", "funding"), ("rate_percent", "cap"), ("valid_from_on", "valid_to_on"),
                ("clause", "legal_reference"),
            ),
            "description": DEBIT_WARNING,
        }),
    )  # fmt: skip

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        words = search_term.strip()
        return (queryset.filter(state=words.upper()) if words else queryset), False

    @display(description="State", ordering="state")
    def place(self, rate: CardFeeRate) -> str:
        return rate.state or "Every other state"

    @display(description="Funding", ordering="funding")
    def of_funding(self, rate: CardFeeRate) -> str:
        return rate.get_funding_display() if rate.funding else "Every other funding"

    @display(description="Rate", ordering="rate_percent")
    def rate(self, rate: CardFeeRate) -> str:
        return f"{rate.rate_percent.normalize():f} %"
