"""
Orders follow what happens elsewhere: authorization, invoice, payment, return. What stands in the books decides.

Each step may be taken twice, late or by several at once; the row's lock and its TRANSITIONS make it one.
"""

import logging
from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from accounts.actors import Actor, schedule
from accounts.audit import record_change
from invoicing.collections.models import PlatformNotice
from invoicing.collections.platform import NoticeDraft, record_notices
from invoicing.invoices.charges import Unbillable
from invoicing.orders.models import Order
from invoicing.orders.queries import (
    charges_without_order,
    invoice_of_seat,
    left_of,
    to_invoice,
    with_reopened_invoice,
    with_settled_invoice,
)
from invoicing.payments.models import Chargeback, Payment
from invoicing.runs.at_once import NotAtOnce, invoice_at_once
from invoicing.states import move
from invoicing.subscriptions.models import OneOffCharge

logger = logging.getLogger(__name__)
State = Order.State
CREDITED = "Its invoice was credited before anything was paid."


def follow_orders(*, now: datetime) -> int:
    """
    Make orders of what was asked for, invoice what is authorized, and note what is paid; returns how many moved.

    One order's trouble is logged with its id and leaves the others alone.
    """
    moved = len([order_of(charge, now=now) for charge in charges_without_order()])
    for order in to_invoice():
        try:
            moved += invoice_order(order, now=now)
        except (NotAtOnce, Unbillable) as error:
            logger.info("order %s is not invoiced yet: %s", order.pk, error)
        except Exception:
            logger.exception("order %s could not be invoiced", order.pk)
    return moved + note_payments(now=now)


@transaction.atomic
def order_of(charge: OneOffCharge, *, now: datetime) -> Order:
    """The order of a professional service; made if there is none."""
    state = State.AUTHORIZED if charge.authorized_at else State.REQUESTED
    order, _ = Order.objects.get_or_create(
        one_off=charge,
        defaults={
            "account_id": charge.account_id,
            "kind": Order.Kind.SERVICE,
            "state": state,
            "description": charge.description or charge.plan.name,
            "asked_by": charge.requested_by,
            "asked_at": now,
        },
    )
    return order


@transaction.atomic
def invoice_order(order: Order, *, now: datetime) -> bool:
    """
    SVC-1, SEAT-2: invoice what was authorized; whether the order moved on.

    :raises NotAtOnce: if it cannot be invoiced now, with the reason
    """
    order = locked_order(order)
    if order.state not in (State.REQUESTED, State.AUTHORIZED):
        return False
    if order.kind == Order.Kind.SEAT:
        invoice = invoice_of_seat(order)
    elif order.one_off is None or order.one_off.authorized_at is None:
        # Withdrawn: the charge's row is gone, and the order with it.
        return order.one_off is None and set_state(order, State.CANCELLED, actor=schedule(), now=now, cancelled_at=now)
    else:
        invoice = invoice_at_once(order.one_off, now=now)
    if invoice is None:
        return False
    if order.state == State.REQUESTED:
        set_state(order, State.AUTHORIZED, actor=schedule(), now=now)
    return set_state(order, State.INVOICED, actor=schedule(), now=now, invoice=invoice)


def note_payments(*, now: datetime, invoice_ids: Collection[int] | None = None) -> int:
    """
    Orders whose invoice is settled may start, and the platform is told; those whose invoice is open again may not.

    For these invoices, or all. Returns how many orders moved.
    """
    moved = 0
    for order in with_settled_invoice(invoice_ids):
        moved += _may_start(order, now=now)
    for order in with_reopened_invoice(invoice_ids):
        moved += _may_not_start(order, now=now)
    return moved


def follow_payment(payment: Payment, *, now: datetime) -> None:
    """A payment settled or came back: what it paid for may start, or may not any more. In its transaction."""
    _follow(payment, now=now)


def follow_chargeback(chargeback: Chargeback, *, now: datetime) -> None:
    """A bank took a payment back, or gave it again."""
    _follow(chargeback.payment, now=now)


def _follow(payment: Payment, *, now: datetime) -> None:
    orders = Order.objects.filter(account_id__in=_accounts_of(payment), state__in=[State.INVOICED, State.PAID])
    if invoices := [invoice for invoice in orders.values_list("invoice_id", flat=True) if invoice]:
        note_payments(now=now, invoice_ids=invoices)


def _accounts_of(payment: Payment) -> list[int]:
    """The payer, and the clients that it pays for."""
    clients = payment.account.clients.values_list("pk", flat=True)
    return [payment.account_id, *clients]


@transaction.atomic
def _may_start(order: Order, *, now: datetime) -> bool:
    order = locked_order(order)
    if order.state != State.INVOICED or not with_settled_invoice([order.invoice_id or 0]).exists():
        return False
    if not _is_wanted(order):
        return set_state(order, State.CANCELLED, actor=schedule(), now=now, why=CREDITED, cancelled_at=now)
    moved = set_state(order, State.PAID, actor=schedule(), now=now, paid_at=now)
    payload = {
        "order": order.pk,
        "account": order.account.number,
        "what": order.description,
        "subscription": order.subscription.reference if order.subscription else "",
        "clause": "SVC-1" if order.kind == Order.Kind.SERVICE else "SEAT-2",
    }
    # Paid, returned and paid again is told again.
    key = f"start:{order.pk}:{now.timestamp():.0f}"
    record_notices([NoticeDraft(order.account_id, PlatformNotice.Event.START, key, payload)], now=now)
    return moved


def _is_wanted(order: Order) -> bool:
    """
    Whether an order whose invoice is settled is to begin.

    Reading: a service whose lines were credited in full was not paid but taken back, and likewise a seat that is not
    held any more; a seat that is held was given for nothing.
    """
    if order.subscription is not None and order.subscription.ended_on is None:
        return True
    return bool(left_of(order))


@transaction.atomic
def _may_not_start(order: Order, *, now: datetime) -> bool:
    order = locked_order(order)
    if order.state != State.PAID or not with_reopened_invoice([order.invoice_id or 0]).exists():
        return False
    return set_state(order, State.INVOICED, actor=schedule(), now=now, paid_at=None)


def locked_order(order: Order) -> Order:
    rows = Order.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("account", "one_off__account", "subscription", "invoice").get(pk=order.pk)


def set_state(order: Order, state: State, *, actor: Actor, now: datetime, why: str = "", **values: object) -> bool:
    """Move a locked order, with its audit entry."""
    was = order.get_state_display()
    if not move(order, state):
        return False
    for name, value in values.items():
        setattr(order, name, value)
    order.save(update_fields=["state", *values])
    record_change(
        f"order.{state.lower()}",
        subject=f"order {order.pk}",
        actor=actor,
        now=now,
        account=order.account_id,
        why=why or _CLAUSES[Order.Kind(order.kind)],
        detail={"before": was, "after": order.get_state_display(), "invoice": order.invoice_id},
    )
    return True


_CLAUSES = {
    Order.Kind.SERVICE: "SVC-1: invoiced when authorized, and work starts only when it is paid.",
    Order.Kind.SEAT: "SEAT-2: the seat starts when its set-up fee and first month are paid.",
}
