"""SVC-1, SEAT-2: what is taken back before it starts is credited, and what was paid goes back where it came from."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.actors import Actor, ActorKind, schedule
from accounts.authority import Action
from accounts.decisions import asking
from invoicing.collections.queries import under_way
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.ledger.models import Posting
from invoicing.orders.following import locked_order, set_state
from invoicing.orders.models import Order
from invoicing.orders.queries import left_of, profile_of
from invoicing.orders.refused import OrderRefused, refusal_to, words_of
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.models import Payment
from invoicing.payments.postings import MANUAL
from invoicing.payments.queries import unallocated
from invoicing.payments.refunds import refund
from invoicing.periods import DAY
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.operations import end_subscription, withdraw_charge

MAY_WORK = "invoicing.work_order"
MAY_REFUND = "invoicing.refund_payment"
State = Order.State


def cancel_order(*, order: Order, actor: Actor, now: datetime, reason: str) -> Order:
    """
    SVC-1: take an order back before it starts: what is invoiced is credited, what was paid goes back to its method.

    Not inside a transaction: a gateway may be asked. What came by check or wire is given back by hand: until then it
    is the customer's credit, and stands in the queue of unallocated money.

    :raises NotPermitted: for staff who may not work orders, or not refund
    :raises Refused: for a contact who may not authorize charges (AUTH-6), and for staff who would so take back a
        request that is not theirs, or a seat (AUTH-7)
    :raises OrderRefused: once it has started, and while a payment for it is under way
    :raises MoneyRefused: if it is cancelled and a payment could not be given back, which is the customer's credit then
    """
    _check_may_cancel(order, actor=actor, now=now)
    if order.one_off and order.state in (State.REQUESTED, State.AUTHORIZED) and order.one_off.billed_on is None:
        withdraw_charge(order.one_off, actor=actor, now=now, why=reason)
    if order.subscription and order.subscription.ended_on is None and order.state in Order.BEFORE_THE_START:
        today = today_of(profile_of(order.account).seller, now=now)
        end_subscription(order.subscription, today + DAY, actor=actor, now=now, why=reason)
    give_back(credit_and_cancel(order, actor=actor, now=now, reason=reason), now=now, reason=reason)
    order.refresh_from_db()
    return order


def _check_may_cancel(order: Order, *, actor: Actor, now: datetime) -> None:
    """Who may, and whether it can be cancelled at all, before anything of it is withdrawn or ended."""
    if actor.kind == ActorKind.CONTACT:
        # As with the charge itself: what still waits for its authorization is taken back by whoever may ask for it.
        action = Action.REQUEST_CHARGE if order.state == State.REQUESTED else Action.AUTHORIZE_CHARGE
        with asking(action, order.account, actor=actor, now=now):
            _check_cancellable(locked_order(order))
        return
    actor.require(MAY_WORK)
    with transaction.atomic():
        _check_cancellable(locked_order(order))


def _check_cancellable(order: Order) -> None:
    """:raises OrderRefused: unless the locked order is before its start, and nothing is being paid for it"""
    if order.state == State.CANCELLED:
        raise OrderRefused(refusal_to(order, "It is cancelled already."))
    if order.state not in Order.BEFORE_THE_START:
        raise OrderRefused(refusal_to(order, f"It is {words_of(order)}, and what has started is not cancelled."))
    if order.invoice_id is not None and under_way([order.invoice_id]):
        raise OrderRefused(
            refusal_to(order, "A payment for it is under way; cancel it once that has come, or has failed.")
        )


@transaction.atomic
def credit_and_cancel(order: Order, *, actor: Actor, now: datetime, reason: str) -> list[tuple[Payment, Decimal]]:
    """
    Credit the order's lines and cancel it; the payments that so became free, and how much of each is to go back.

    :raises OrderRefused: unless it is before its start, and nothing is being paid for it
    """
    lock_billing(order.account.parent_id or order.account_id)
    order = locked_order(order)
    _check_cancellable(order)
    freed: list[tuple[Payment, Decimal]] = []
    if order.invoice is not None:
        stood = Posting.objects.filter(invoice_id=order.invoice_id, payment_id__isnull=False).values("payment_id")
        payments = list(Payment.objects.filter(pk__in=stood, state=Payment.State.SUCCEEDED).order_by("pk"))
        before = {payment.pk: unallocated(payment.pk) for payment in payments}
        if lines := left_of(order):
            credit_invoice(invoice=order.invoice, actor=schedule(), now=now, reason=reason, amounts=lines)
        changed = [(payment, unallocated(payment.pk) - before[payment.pk]) for payment in payments]
        freed = [(payment, amount) for payment, amount in changed if amount > 0 and payment.gateway != MANUAL]
    if freed and actor.kind != ActorKind.CONTACT:
        actor.require(MAY_REFUND)
    set_state(order, State.CANCELLED, actor=actor, now=now, why=reason, cancelled_at=now)
    return freed


def give_back(freed: list[tuple[Payment, Decimal]], *, now: datetime, reason: str) -> None:
    """
    Each by itself: one that cannot be given back does not keep the others. Not inside a transaction.

    :raises MoneyRefused: if one could not be given back, which is the customer's credit then
    """
    refused: list[MoneyRefused] = []
    why = f"SVC-1: cancelled before the start. {reason}"
    for payment, amount in freed:
        try:
            refund(payment, actor=schedule(), now=now, reason=why, amount=amount)
        except MoneyRefused as error:
            refused.append(error)
    if refused:
        raise MoneyRefused(
            f"The order is cancelled, and {len(refused)} of {len(freed)} payments could not be given back; it is the "
            f"customer's credit, in the queue of unallocated money. {refused[0]}"
        )
