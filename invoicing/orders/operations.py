"""What is bought and paid at once; one function a change. Each asks the authority as the rooms below do."""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.actors import Actor, schedule
from accounts.models import Account
from invoicing.catalog.models import Plan
from invoicing.invoices.pricing import Unbillable
from invoicing.orders.cancelling import cancel_order
from invoicing.orders.following import follow_orders, invoice_order, locked_order, note_payments, order_of, set_state
from invoicing.orders.models import Order
from invoicing.orders.queries import profile_of
from invoicing.orders.refused import OrderRefused, refusal_to, words_of
from invoicing.payments.charging import charge
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.runs.at_once import NotAtOnce
from invoicing.runs.operations import run_billing
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.operations import (
    authorize_charge,
    request_charge,
    start_subscription,
)

__all__ = [
    "OrderRefused",
    "authorize_order",
    "buy_seat",
    "cancel_order",
    "finish_order",
    "follow_orders",
    "invoice_order",
    "note_payments",
    "order_service",
    "pay_order",
    "start_order",
]

MAY_WORK = "invoicing.work_order"
State = Order.State


def order_service(
    account: Account,
    plan: Plan,
    description: str,
    *,
    actor: Actor,
    now: datetime,
    quantity: Decimal = Decimal(1),
    unit_price: Decimal | None = None,
) -> Order:
    """
    SVC-1: ask for a professional service. Authorized by whoever may (AUTH-6), it is invoiced now and due at once.

    :raises Refused: unless the Primary or a Billing Contact asks
    :raises BadValue: at the first value that cannot be stored
    """
    today = today_of(profile_of(account).seller, now=now)
    asked = request_charge(account, plan, description, quantity, unit_price, today, actor=actor, now=now)
    order = order_of(asked, now=now)
    return _invoiced_if_it_can_be(order, now=now) if order.state == State.AUTHORIZED else order


def authorize_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """
    AUTH-6, SVC-1: authorize a service that somebody else asked for; it is invoiced now and due at once.

    Authorized before, it stays as it is. Not inside a transaction.

    :raises Refused: unless the Primary or the Primary Billing Contact asks
    :raises OrderRefused: if it waits for no authorization
    """
    if order.one_off is None or order.state not in (State.REQUESTED, State.AUTHORIZED):
        raise OrderRefused(refusal_to(order, f"It is {words_of(order)}, and waits for no authorization."))
    authorize_charge(order.one_off, actor=actor, now=now)
    return _invoiced_if_it_can_be(order, now=now)


def _invoiced_if_it_can_be(order: Order, *, now: datetime) -> Order:
    """What cannot be invoiced now stays authorized, with the reason in the log of the sweep that tries again."""
    with suppress(NotAtOnce, Unbillable):
        invoice_order(order, now=now)
    order.refresh_from_db()
    return order


def buy_seat(
    account: Account,
    plan: Plan,
    *,
    actor: Actor,
    now: datetime,
    quantity: Decimal = Decimal(1),
    reference: str = "",
    label: str = "",
    pay_with: PaymentMethod | None = None,
) -> Order:
    """
    SEAT-2: buy a seat: it is invoiced at once with its set-up fee and first month, and starts when that is paid.

    With `pay_with` it is charged now. The same reference again is the same order.

    :raises Refused: unless the Administrator asks in the control panel (AUTH-7), or for what is not licensed the
        Primary or Primary Billing Contact
    :raises MoneyRefused: if the method cannot be charged; the order then waits for payment
    """
    profile = profile_of(account)
    today = today_of(profile.seller, now=now)
    seat = start_subscription(account, plan, quantity, today, actor=actor, now=now, reference=reference, label=label)
    with transaction.atomic():
        lock_billing(profile.account_id)
        order, _ = Order.objects.get_or_create(
            subscription=seat,
            defaults={
                "account": account,
                "kind": Order.Kind.SEAT,
                "state": State.AUTHORIZED,
                "description": f"{plan.name} {label}".strip()[:300],
                "asked_by": actor.name[:200],
                "asked_at": now,
            },
        )
    run_billing(seller=profile.seller, on=today, actor=schedule(), now=now, account=profile.account)
    invoice_order(order, now=now)
    note_payments(now=now)
    order.refresh_from_db()
    if pay_with is not None and order.state == State.INVOICED:
        pay_order(order, pay_with, actor=actor, now=now)
        order.refresh_from_db()
    return order


def pay_order(order: Order, method: PaymentMethod, *, actor: Actor, now: datetime) -> Payment:
    """
    Charge a method for an order's invoice. Not inside a transaction.

    :raises OrderRefused: if it waits for no payment
    :raises MoneyRefused: if nothing is due any more, or the method cannot be charged
    """
    if order.state != State.INVOICED or order.invoice is None:
        raise OrderRefused(refusal_to(order, "It waits for no payment."))
    return charge(order.invoice.account_id, method, actor=actor, now=now, invoices=[order.invoice.pk])


@transaction.atomic
def start_order(*, order: Order, actor: Actor, now: datetime) -> Order:
    """
    SVC-1, SEAT-2: begin what was ordered.

    :raises NotPermitted: unless the actor may work orders
    :raises OrderRefused: before it is paid, and if it was begun or cancelled
    """
    actor.require(MAY_WORK)
    order = locked_order(order)
    if order.state != State.PAID:
        waits = order.state in (State.REQUESTED, State.AUTHORIZED, State.INVOICED)
        sentence = "It is not paid, and nothing starts before it is." if waits else f"It is {words_of(order)}."
        raise OrderRefused(refusal_to(order, sentence))
    set_state(order, State.STARTED, actor=actor, now=now, started_at=now)
    return order


@transaction.atomic
def finish_order(*, order: Order, actor: Actor, now: datetime) -> Order:
    """
    What was ordered is done.

    :raises NotPermitted: unless the actor may work orders
    :raises OrderRefused: unless it was begun
    """
    actor.require(MAY_WORK)
    order = locked_order(order)
    if order.state != State.STARTED:
        raise OrderRefused(refusal_to(order, f"It is {words_of(order)}; only what was begun is done."))
    set_state(order, State.DONE, actor=actor, now=now, done_at=now)
    return order
