"""What is bought and paid at once; one function a change. Each asks the authority as the rooms below do."""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.actors import Actor, ActorKind, schedule
from accounts.authority import Action
from accounts.decisions import asking
from accounts.models import Account
from accounts.refusals import Refusal
from invoicing.catalog.models import Plan
from invoicing.invoices.credit_notes import credit_invoice, creditable_lines
from invoicing.invoices.pricing import Unbillable
from invoicing.orders.following import follow_orders, invoice_order, locked_order, note_payments, order_of, set_state
from invoicing.orders.models import Order
from invoicing.payments.charging import charge
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.postings import MANUAL
from invoicing.payments.queries import unallocated
from invoicing.payments.refunds import refund
from invoicing.periods import DAY
from invoicing.runs.at_once import NotAtOnce
from invoicing.runs.operations import run_billing
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import BillingProfile
from invoicing.subscriptions.operations import (
    authorize_charge,
    end_subscription,
    request_charge,
    start_subscription,
    withdraw_charge,
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
_BEFORE_THE_START = (State.REQUESTED, State.AUTHORIZED, State.INVOICED, State.PAID)


class OrderRefused(Exception):
    """What stands in the way of an order, with its clause."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(f"{refusal.clause}: {refusal.sentence} {refusal.way_out}".strip())


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
    today = today_of(_profile(account).seller, now=now)
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
        raise OrderRefused(_refusal(order, f"It is {_words(order)}, and waits for no authorization."))
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
    profile = _profile(account)
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
        raise OrderRefused(_refusal(order, "It waits for no payment."))
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
        raise OrderRefused(
            _refusal(order, "It is not paid, and nothing starts before it is." if waits else f"It is {_words(order)}.")
        )
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
        raise OrderRefused(_refusal(order, f"It is {_words(order)}; only what was begun is done."))
    set_state(order, State.DONE, actor=actor, now=now, done_at=now)
    return order


def cancel_order(*, order: Order, actor: Actor, now: datetime, reason: str) -> Order:
    """
    SVC-1: take an order back before it starts: what is invoiced is credited, what was paid goes back to its method.

    Not inside a transaction: a gateway may be asked. What came by check or wire is given back by hand: until then it
    is the customer's credit, and stands in the queue of unallocated money.

    :raises NotPermitted: for staff who may not work orders, or not refund
    :raises Refused: for a contact who may not authorize charges (AUTH-6), and for staff who would so take back a
        request that is not theirs, or a seat (AUTH-7)
    :raises OrderRefused: once it has started
    """
    if actor.kind == ActorKind.CONTACT:
        # As with the charge itself: what still waits for its authorization is taken back by whoever may ask for it.
        action = Action.REQUEST_CHARGE if order.state == State.REQUESTED else Action.AUTHORIZE_CHARGE
        with asking(action, order.account, actor=actor, now=now):
            # What may still be refused below is on record once it is done, and not before.
            _check_before_the_start(locked_order(order))
    else:
        actor.require(MAY_WORK)
    if order.one_off and order.state in (State.REQUESTED, State.AUTHORIZED) and order.one_off.billed_on is None:
        withdraw_charge(order.one_off, actor=actor, now=now, why=reason)
    if order.subscription and order.subscription.ended_on is None and order.state in _BEFORE_THE_START:
        today = today_of(_profile(order.account).seller, now=now)
        end_subscription(order.subscription, today + DAY, actor=actor, now=now, why=reason)
    payments = _cancelled(order, actor=actor, now=now, reason=reason)
    for payment, amount in payments:
        if payment.gateway != MANUAL:
            refund(
                payment, actor=schedule(), now=now, reason=f"SVC-1: cancelled before the start. {reason}", amount=amount
            )
    order.refresh_from_db()
    return order


@transaction.atomic
def _cancelled(order: Order, *, actor: Actor, now: datetime, reason: str) -> list[tuple[Payment, Decimal]]:
    """Credit the invoice and cancel; the payments that so became free, and how much of each is to go back."""
    lock_billing(order.account.parent_id or order.account_id)
    order = locked_order(order)
    _check_before_the_start(order)
    freed: list[tuple[Payment, Decimal]] = []
    if order.invoice is not None:
        lines = _lines_of(order)
        payer = Payment.objects.filter(account_id=order.invoice.account_id, state=Payment.State.SUCCEEDED)
        before = {payment.pk: unallocated(payment.pk) for payment in payer}
        if lines:
            credit_invoice(invoice=order.invoice, actor=schedule(), now=now, reason=reason, amounts=lines)
        freed = [(payment, unallocated(payment.pk) - before[payment.pk]) for payment in payer]
    set_state(order, State.CANCELLED, actor=actor, now=now, why=reason, cancelled_at=now)
    return [(payment, amount) for payment, amount in freed if amount > 0]


def _check_before_the_start(order: Order) -> None:
    """:raises OrderRefused: once it has started, and for one that was cancelled"""
    if order.state == State.CANCELLED:
        raise OrderRefused(_refusal(order, "It is cancelled already."))
    if order.state not in _BEFORE_THE_START:
        raise OrderRefused(_refusal(order, f"It is {_words(order)}, and what has started is not cancelled."))


def _lines_of(order: Order) -> dict[int, Decimal]:
    """What is left to credit of the order's own lines on its invoice, before tax."""
    assert order.invoice is not None
    return {
        one.line.pk: one.rest
        for one in creditable_lines(order.invoice)
        if one.rest
        and (
            (order.one_off_id and one.line.one_off_id == order.one_off_id)
            or (order.subscription_id and one.line.subscription_id == order.subscription_id)
        )
    }


def _profile(account: Account) -> BillingProfile:
    return BillingProfile.objects.select_related("seller", "account").get(account_id=account.parent_id or account.pk)


def _words(order: Order) -> str:
    return order.get_state_display().lower()


def _refusal(order: Order, sentence: str) -> Refusal:
    clause = "SVC-1" if order.kind == Order.Kind.SERVICE else "SEAT-2"
    return Refusal(clause, sentence, "See its invoice and payments.")
