"""What was ordered and is paid at once, in the console: what may start, what waits for its payment (SVC-1, SEAT-2)."""

from django import forms
from django.contrib import admin
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.decisions import Refused
from invoicing.orders.models import Order
from invoicing.orders.operations import OrderRefused, cancel_order, finish_order, start_order
from invoicing.pages.acts import Act, Asked, Facts, WhyForm
from invoicing.pages.cells import account_link, moment, row_link
from invoicing.pages.of_accounts import OfAccountsAdmin
from invoicing.payments.asked import MoneyRefused

State = Order.State
BADGES = {
    State.REQUESTED.label: "warning",
    State.AUTHORIZED.label: "info",
    State.INVOICED.label: "warning",
    State.PAID.label: "success",
    State.STARTED.label: "info",
    State.DONE.label: "success",
    State.CANCELLED.label: "",
}
BEFORE_THE_START = (State.REQUESTED, State.AUTHORIZED, State.INVOICED, State.PAID)
REFUSALS = (OrderRefused, Refused, MoneyRefused)
WORK = "invoicing.work_order"


class CancelForm(WhyForm):
    why = forms.CharField(label="Reason", max_length=300, help_text="It stands on the credit note.")


def _start(asked: Asked) -> str:
    start_order(order=asked.row, actor=asked.actor, now=asked.now)
    return "The work has started."


def _finish(asked: Asked) -> str:
    finish_order(order=asked.row, actor=asked.actor, now=asked.now)
    return "The work is done."


def _cancel(asked: Asked) -> str:
    cancel_order(order=asked.row, actor=asked.actor, now=asked.now, reason=asked.values["why"])
    return "The order is cancelled; what was invoiced is credited, and what was paid goes back."


@admin.register(Order)
class OrderAdmin(OfAccountsAdmin):
    """Nothing starts before it is paid."""

    list_display = ("name", "badge", "account_name", "what", "invoice_name", "asked", "who")
    list_display_links = None
    list_filter = (("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    list_select_related = ("account", "invoice")
    badges = BADGES
    acts = (
        Act(
            "start", "Start…", WORK, _start, REFUSALS, "SVC-1: it is paid, so the work may start.",
            button="The work starts", offered=lambda order: order.state == State.PAID,
        ),
        Act(
            "finish", "Finish…", WORK, _finish, REFUSALS, "What was ordered is done.", button="It is done",
            offered=lambda order: order.state == State.STARTED,
        ),
        Act(
            "cancel", "Cancel…", WORK, _cancel, REFUSALS,
            "Before the start only: its invoice is credited, and what was paid goes back to its method.", CancelForm,
            "Cancel the order", danger=True, offered=lambda order: order.state in BEFORE_THE_START,
        ),
    )  # fmt: skip
    when_empty = "No order yet. One-off work that is asked for on an account's page, and seats, become orders."

    @display(description="Order")
    def name(self, order: Order) -> str:
        return row_link("order", order.pk, order.pk)

    @display(description="State", label=BADGES)
    def badge(self, order: Order) -> str:
        return order.get_state_display()

    @display(description="What")
    def what(self, order: Order) -> str:
        return format_html(
            "<span>{}<br><span class='bk-help'>{}</span></span>", order.description, order.get_kind_display()
        )

    @display(description="Asked by")
    def who(self, order: Order) -> str:
        """The name; the address is on the order's page."""
        return order.asked_by.partition(" <")[0]

    @display(description="Invoice")
    def invoice_name(self, order: Order) -> str:
        return row_link("invoice", order.invoice_id, order.invoice)

    @display(description="Asked", ordering="asked_at")
    def asked(self, order: Order) -> str:
        return moment(order.asked_at)

    def title_of(self, row: Order) -> str:
        return f"Order {row.pk} of {row.account}"

    def facts(self, row: Order) -> Facts:
        return [
            ("What", row.description), ("Account", account_link(row.account)), ("Kind", row.get_kind_display()),
            ("Invoice", self.invoice_name(row)), ("Asked by", row.asked_by), ("Asked", moment(row.asked_at)),
            ("Paid", moment(row.paid_at)), ("Started", moment(row.started_at)), ("Done", moment(row.done_at)),
            ("Cancelled", moment(row.cancelled_at)),
        ]  # fmt: skip
