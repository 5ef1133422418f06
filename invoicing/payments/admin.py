"""Payments in the console: the lists and queues, and the page of each row with what may be done to it."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from invoicing.money import format_money
from invoicing.pages.acts import Facts
from invoicing.pages.cells import NOTHING, Table, account_link, date_words, day, links, moment, row_link, yes
from invoicing.pages.money import amount_cell
from invoicing.pages.of_accounts import OfAccountsAdmin
from invoicing.payments import queues, showing
from invoicing.payments.account_acts import ACCOUNT_ACTS
from invoicing.payments.acts import PAYMENT_ACTS
from invoicing.payments.models import Chargeback, Payment, PaymentMethod, PaymentTarget

PAYMENT_BADGES = {
    Payment.State.CREATED.label: "warning",
    Payment.State.UNKNOWN.label: "warning",
    Payment.State.PENDING.label: "info",
    Payment.State.SUCCEEDED.label: "success",
    Payment.State.FAILED.label: "danger",
    Payment.State.CANCELLED.label: "",
    Payment.State.RETURNED.label: "danger",
}
METHOD_BADGES = {
    PaymentMethod.State.ACTIVE.label: "success",
    PaymentMethod.State.BLOCKED.label: "danger",
    PaymentMethod.State.REMOVED.label: "",
}
CHARGEBACK_BADGES = {
    Chargeback.State.OPEN.label: "danger",
    Chargeback.State.WON.label: "success",
    Chargeback.State.LOST.label: "",
}
INVOICES_SHOWN = 2


class QueueFilter(admin.SimpleListFilter):
    """The heaps of work among payments."""

    title = "waiting for a person"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("failed", "Failed or without an answer"), ("returned", "Returned"), ("unallocated", "Not all used"),
            ("refund", "Refund failed"),
        ]  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        heaps = {
            "failed": queues.to_look_at, "returned": queues.returned, "unallocated": queues.with_rest,
            "refund": queues.refund_failed,
        }  # fmt: skip
        heap = heaps.get(self.value() or "")
        return queryset.filter(pk__in=heap().values("pk")) if heap else queryset


@admin.register(Payment)
class PaymentAdmin(OfAccountsAdmin):
    """Attempts and money that came by hand; each changes by an act that calls an operation."""

    list_display = (
        "name", "badge", "date", "account_name", "charged", "rest", "invoices", "what_went_wrong"
    )  # fmt: skip
    list_display_links = None
    list_filter = (
        QueueFilter, ("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter), "gateway", "automatic",
        ("on", RangeDateFilter),
    )  # fmt: skip
    list_select_related = ("account", "method")
    search_help_text = "A payment's number or reference, or the beginning of an account number or name"
    badges = PAYMENT_BADGES
    acts = PAYMENT_ACTS
    account_acts = ACCOUNT_ACTS
    place_on_account = 1
    queues = {
        ("queue", "failed"): "Failed payments, or without an answer",
        ("queue", "returned"): "Payments that the bank returned",
        ("queue", "unallocated"): "Payments of which something stands on no invoice",
    }
    when_empty = "No payment yet. Book a check or wire on an account's page, or charge what is due there."
    when_nothing_found = "No payment matches. In a queue that is good news: nothing waits for a person."

    def found_by(self, words: str) -> Q:
        return super().found_by(words) | Q(reference=words) | Q(gateway_reference=words)

    def complete(self, rows: Sequence[Payment]) -> None:
        ids = [payment.pk for payment in rows]
        rests = queues.rests_of(ids)
        targets: dict[int, list[PaymentTarget]] = {}
        for target in PaymentTarget.objects.filter(payment__in=ids).select_related("invoice").order_by("pk"):
            targets.setdefault(target.payment_id, []).append(target)
        for payment in rows:
            payment.rest_left = rests.get(payment.pk)  # type: ignore[attr-defined]
            payment.meant_for = targets.get(payment.pk, [])  # type: ignore[attr-defined]

    @display(description="Payment", ordering="pk")
    def name(self, payment: Payment) -> str:
        return row_link("payment", payment.pk, payment.pk)

    @display(description="State", label=PAYMENT_BADGES)
    def badge(self, payment: Payment) -> str:
        return payment.get_state_display()

    @display(description="Day", ordering="on")
    def date(self, payment: Payment) -> str:
        return day(payment.on)

    @display(description="Amount", ordering="amount")
    def charged(self, payment: Payment) -> str:
        amount = amount_cell(payment.amount, payment.currency)
        if not payment.fee:
            return amount
        fee = format_money(payment.fee, payment.currency)
        return format_html('<span>{}<br><span class="bk-help bk-number">and {} fee</span></span>', amount, fee)

    @display(description="Not used")
    def rest(self, payment: Any) -> str:
        return amount_cell(payment.rest_left, payment.currency) if payment.rest_left else NOTHING

    @display(description="Invoices")
    def invoices(self, payment: Any) -> str:
        shown = [row_link("invoice", one.invoice_id, one.invoice) for one in payment.meant_for[:INVOICES_SHOWN]]
        more = len(payment.meant_for) - INVOICES_SHOWN
        return links([*shown, f"{more} more"] if more > 0 else shown)

    @display(description="What went wrong")
    def what_went_wrong(self, payment: Payment) -> str:
        return payment.failure or NOTHING

    def title_of(self, row: Payment) -> str:
        return f"Payment {row.pk} of {format_money(row.amount, row.currency)}"

    def facts(self, row: Payment) -> Facts:
        return showing.facts_of(row)

    def notes(self, row: Payment) -> list[tuple[str, str]]:
        return showing.notes_of(row)

    def tables(self, row: Payment) -> list[Table]:
        return showing.tables_of(row)


@admin.register(PaymentMethod)
class PaymentMethodAdmin(OfAccountsAdmin):
    """AUTH-5: a method is added, chosen and removed by the customer, in the portal."""

    list_display = ("name", "badge", "account_name", "funding_shown", "default", "expires", "gateway")
    list_display_links = None
    list_filter = (
        ("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter), ("funding", ChoicesDropdownFilter),
        ("expires_on", RangeDateFilter),
    )  # fmt: skip
    badges = METHOD_BADGES
    when_empty = "No payment method yet. Customers add them in the portal, on the gateway's own page (AUTH-5)."

    @display(description="Method")
    def name(self, method: PaymentMethod) -> str:
        return row_link("paymentmethod", method.pk, method)

    @display(description="State", label=METHOD_BADGES)
    def badge(self, method: PaymentMethod) -> str:
        return method.get_state_display()

    @display(description="Funding", ordering="funding")
    def funding_shown(self, method: PaymentMethod) -> str:
        """A bank account has none; of a card it may be unknown."""
        return method.get_funding_display() if method.kind == PaymentMethod.Kind.CARD else NOTHING

    @display(description="Default", ordering="is_default")
    def default(self, method: PaymentMethod) -> str:
        return yes(method.is_default, "Default")

    @display(description="Expires", ordering="expires_on")
    def expires(self, method: PaymentMethod) -> str:
        return day(method.expires_on)

    def facts(self, row: PaymentMethod) -> Facts:
        return [
            ("Method", str(row)), ("Account", account_link(row.account)), ("Kind", row.get_kind_display()),
            ("Funding", self.funding_shown(row)), ("Expires", date_words(row.expires_on)),
            ("Default", yes(row.is_default, otherwise="No")), ("Gateway", row.gateway), ("Added", moment(row.added_at)),
            ("Why it was refused", row.blocked_because or NOTHING),
            ("Forgotten by the gateway", moment(row.forgotten_at)),
        ]  # fmt: skip

    def notes(self, row: PaymentMethod) -> list[tuple[str, str]]:
        if row.state != PaymentMethod.State.REMOVED or row.forgotten_at:
            return []
        return [(
            "warn",
            "It was removed here and is charged no more. Its gateway has yet to forget it, and is asked once an hour.",
        )]  # fmt: skip

    def tables(self, row: PaymentMethod) -> list[Table]:
        latest = row.payments.order_by("-pk")[:50]
        rows = [
            (
                row_link("payment", one.pk, one.pk), day(one.on), one.get_state_display(), one.failure or NOTHING,
                format_money(one.amount, one.currency),
            )
            for one in latest
        ]  # fmt: skip
        heads = ("Payment", "Day", "State", "What went wrong", "Amount")
        return [Table("Payments by it", heads, rows, "It was not charged yet.", right=("Amount",))]


@admin.register(Chargeback)
class ChargebackAdmin(OfAccountsAdmin):
    """Answered at the gateway; what becomes of them comes back as a notice."""

    list_display = ("name", "badge", "account_name", "amount_shown", "why", "opened", "answer_by", "payment_name")
    list_display_links = None
    list_filter = (("state", ChoicesDropdownFilter),)
    list_select_related = ("account", "payment")
    badges = CHARGEBACK_BADGES
    queues = {("state__exact", "OPEN"): "Chargebacks to answer"}
    when_empty = "No chargeback: no cardholder's bank has taken a payment back."
    when_nothing_found = "No chargeback matches. Among the open ones that is good news."

    @display(description="Chargeback")
    def name(self, row: Chargeback) -> str:
        return row_link("chargeback", row.pk, row.gateway_reference)

    @display(description="State", label=CHARGEBACK_BADGES)
    def badge(self, row: Chargeback) -> str:
        return row.get_state_display()

    @display(description="Reason", ordering="reason")
    def why(self, row: Chargeback) -> str:
        """As the card's network calls it."""
        return row.reason.replace("_", " ").capitalize() or NOTHING

    @display(description="Opened", ordering="opened_at")
    def opened(self, row: Chargeback) -> str:
        return moment(row.opened_at)

    @display(description="Answer by", ordering="answer_by_at")
    def answer_by(self, row: Chargeback) -> str:
        return moment(row.answer_by_at)

    @display(description="Payment")
    def payment_name(self, row: Chargeback) -> str:
        return row_link("payment", row.payment_id, row.payment_id)

    def facts(self, row: Chargeback) -> Facts:
        return [
            ("Amount", format_money(row.amount, row.currency)), ("Account", account_link(row.account)),
            ("Payment", row_link("payment", row.payment_id, row.payment_id)), ("Reason", self.why(row)),
            ("Opened", moment(row.opened_at)), ("Answer by", moment(row.answer_by_at)),
            ("Closed", moment(row.closed_at)), ("Gateway's name for it", row.gateway_reference),
        ]  # fmt: skip

    def notes(self, row: Chargeback) -> list[tuple[str, str]]:
        if row.state != Chargeback.State.OPEN:
            return []
        if row.answer_by_at and row.answer_by_at < timezone.now():
            return [("bad", "The day to answer it by has passed. What became of it comes as a notice of the gateway.")]
        return [("warn", "Answer it at the gateway, with what shows that the charge was authorized.")]
