"""The customers' pages of orders: what was asked for and where it stands, asking, authorizing, cancelling (SVC-1)."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.authority import Action, refusals
from accounts.once import NotAgain, new_ticket, use_ticket
from accounts.portal import A_PAGE, ASKED_BY_THE_OPERATION, Visit, latest_of, of_contact
from accounts.refusals import BadValue
from invoicing.catalog.models import BillingTerms, Plan, Price, Product
from invoicing.invoices.credit_notes import CreditRefused
from invoicing.orders.models import Order
from invoicing.orders.operations import OrderRefused, authorize_order, cancel_order, order_service
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.card_numbers import mask_card_numbers
from invoicing.payments.portal import page
from invoicing.payments.queries import being_paid
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import OneOffCharge
from invoicing.subscriptions.operations import authorize_charge
from invoicing.subscriptions.queries import price_on, profile_billed

State = Order.State
WORDS = {
    State.REQUESTED: "It waits for an authorization by the Primary or the Primary Billing Contact (AUTH-6).",
    State.AUTHORIZED: "It is authorized, and is invoiced next.",
    State.INVOICED: "It is invoiced and due at once; nothing starts before it is paid.",
    State.PAID: "It is paid, and may start.",
    State.STARTED: "It has started.",
    State.DONE: "It is done.",
    State.CANCELLED: "It was cancelled before the start.",
}


class Service(NamedTuple):
    """A professional service on sale, and its price today; a client's partner knows the price."""

    plan: Plan
    price: Price | None
    currency: str


@require_safe
@of_contact(Action.VIEW_BILLING)
def orders(visit: Visit) -> HttpResponse:
    """AUTH-4: services and seats, the latest first."""
    rows, older = latest_of(visit, Order.objects.filter(account=visit.account))
    return page(
        visit, "portal/orders.html", orders=rows, older=older, waiting=_without_order(visit),
        has_services=bool(_services(visit)),
    )  # fmt: skip


def _without_order(visit: Visit) -> QuerySet[OneOffCharge]:
    """AUTH-6: other one-off work that was asked for by mail or phone and waits; it goes on the next invoice."""
    waits = OneOffCharge.objects.filter(account=visit.account, authorized_at=None, billed_on=None, order=None)
    return waits.filter(~Q(plan__product__invoiced_at_once=True)).select_related("plan").order_by("-pk")[:A_PAGE]


@require_safe
@of_contact(Action.VIEW_BILLING)
def order(visit: Visit, order_id: int) -> HttpResponse:
    """One order: its state in words, its own invoice, and what this contact may do with it."""
    row = _own(visit, order_id)
    invoice = row.invoice if row.invoice and row.invoice.account_id == visit.account.pk else None
    may_authorize = not refusals(visit.actor, Action.AUTHORIZE_CHARGE)
    waits, under_way = row.state == State.REQUESTED, bool(row.invoice and being_paid([row.invoice.pk]))
    return page(
        visit, "portal/order.html", order=row, words=_words(visit, row), invoice=invoice,
        through=visit.account.parent if row.invoice and invoice is None else None,
        under_way=under_way, may_pay=bool(invoice and row.state == State.INVOICED),
        may_authorize=waits and may_authorize, must_not_authorize=waits and not may_authorize,
        may_cancel=row.state in Order.BEFORE_THE_START and (waits or may_authorize) and not under_way,
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@of_contact(Action.REQUEST_CHARGE)
def ask(visit: Visit) -> HttpResponse:
    """SVC-1: ask for a service. Whoever may authorize it does so by asking, and it is invoiced at once (AUTH-6)."""
    services, typed = _services(visit), visit.request.POST
    fault = ""
    if visit.request.method == "POST":
        chosen = next((one for one in services if str(one.plan.pk) == typed.get("plan")), None)
        quantity = _quantity(typed.get("quantity", ""))
        try:
            if chosen is None or quantity is None:
                raise BadValue("plan", "Choose a service, and how many of it, such as 1.")
            use_ticket(typed.get("ticket", ""), account_id=visit.account.pk, now=timezone.now())
            made = order_service(
                visit.account, chosen.plan, mask_card_numbers(typed.get("description", "")), actor=visit.actor,
                now=timezone.now(), quantity=quantity,
            )  # fmt: skip
        except BadValue as bad:
            fault = bad.sentence
        except NotAgain as again:
            messages.warning(visit.request, str(again))
            return redirect("my_orders", account_id=visit.account.pk)
        else:
            messages.success(visit.request, f"Your order is on record. {_words(visit, made)}")
            return redirect("my_order", account_id=visit.account.pk, order_id=made.pk)
    return page(
        visit, "portal/ask.html", services=services, fault=fault, typed=typed, ticket=new_ticket(visit.account.pk),
        authorizes=not refusals(visit.actor, Action.AUTHORIZE_CHARGE),
    )  # fmt: skip


@require_POST
@of_contact(ASKED_BY_THE_OPERATION)
def authorize(visit: Visit, order_id: int) -> HttpResponse:
    """AUTH-6: the Primary or the Primary Billing Contact lets it be invoiced."""
    row = _own(visit, order_id)
    try:
        row = authorize_order(row, actor=visit.actor, now=timezone.now())
    except (OrderRefused, BadValue) as refused:
        messages.error(visit.request, str(refused))
    else:
        messages.success(visit.request, f"You authorized it. {_words(visit, row)}")
    return redirect("my_order", account_id=visit.account.pk, order_id=order_id)


@require_POST
@of_contact(ASKED_BY_THE_OPERATION)
def cancel(visit: Visit, order_id: int) -> HttpResponse:
    """SVC-1: before the start; what was invoiced is credited, and what was paid goes back."""
    row = _own(visit, order_id)
    typed = mask_card_numbers(visit.request.POST.get("reason", ""))
    reason = " ".join(typed.split())[:300] or "Cancelled by the customer."
    try:
        cancel_order(order=row, actor=visit.actor, now=timezone.now(), reason=reason)
    except (OrderRefused, BadValue, MoneyRefused, CreditRefused) as refused:
        messages.error(visit.request, str(refused))
    else:
        messages.success(
            visit.request, "The order is cancelled. What was invoiced is credited; what was paid goes back."
        )
    return redirect("my_order", account_id=visit.account.pk, order_id=order_id)


@require_POST
@of_contact(ASKED_BY_THE_OPERATION)
def authorize_work(visit: Visit, charge_id: int) -> HttpResponse:
    """AUTH-6: other one-off work that was asked for, which then goes on the next invoice."""
    waiting = get_object_or_404(OneOffCharge.objects.select_related("account"), account=visit.account, pk=charge_id)
    try:
        authorize_charge(waiting, actor=visit.actor, now=timezone.now())
    except BadValue as bad:
        messages.error(visit.request, bad.sentence)
    else:
        messages.success(visit.request, "You authorized it; it goes on the next invoice.")
    return redirect("my_orders", account_id=visit.account.pk)


def _words(visit: Visit, row: Order) -> str:
    profile = profile_billed(visit.account)
    if row.state == State.AUTHORIZED and profile and profile.terms.settlement == BillingTerms.Settlement.BALANCE:
        return "It is authorized, and is paid from the prepaid balance once that covers it (PRE-4)."
    return WORDS[State(row.state)]


def _own(visit: Visit, order_id: int) -> Order:
    """:raises Http404: for another account's, in the same words as for none"""
    rows = Order.objects.filter(account=visit.account).select_related("account", "invoice", "one_off", "subscription")
    return get_object_or_404(rows, pk=order_id)


def _services(visit: Visit) -> list[Service]:
    """What may be asked for here: the services that have a price in the account's currency today."""
    profile = profile_billed(visit.account)
    if profile is None:
        return []
    today: date = today_of(profile.seller, now=timezone.now())
    plans = Plan.objects.filter(product__invoiced_at_once=True, product__charge=Product.Charge.ONE_OFF)
    found = [(one, price_on(one, today, currency=profile.currency)) for one in plans.select_related("product")]
    is_payer = profile.account_id == visit.account.pk
    return [Service(one, price if is_payer else None, profile.currency) for one, price in found if price]


def _quantity(text: str) -> Decimal | None:
    try:
        quantity = Decimal(text.strip() or "1")
    except InvalidOperation:
        return None
    return quantity if quantity.is_finite() and 0 < quantity < 10**6 else None
