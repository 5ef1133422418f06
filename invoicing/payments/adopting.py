"""
A refund that somebody made at the gateway itself: the money is gone, and a person books it.

What we did not ask for is never booked by itself: whose it is, and why, only a person knows.
"""

from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.money import ZERO, format_money
from invoicing.payments.asked import locked_payment, locked_profile
from invoicing.payments.card_numbers import mask_card_numbers
from invoicing.payments.gateways.protocol import About, Answer, Forged, Outcome
from invoicing.payments.gateways.registry import gateway
from invoicing.payments.models import Payment, Refund
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.policy import PENDING_LOOK, fee_part
from invoicing.payments.receipts import write_refund_receipt
from invoicing.payments.refunds import RefundRefused, draw, refundable
from invoicing.sellers.queries import today_of
from invoicing.states import NotPossibleNow, move

State = WebhookEvent.State


@transaction.atomic
def book_refund_made_elsewhere(event: WebhookEvent, *, actor: Actor, now: datetime, reason: str) -> Refund:
    """
    Book the refund that a parked notice tells of, with its part of the card fee (FEE-3); the customer gets a receipt.

    The gateway's other notices of the payment that wait for a person are worked off again.

    :raises NotPermitted: unless the actor may refund payments
    :raises MoneyRefused: if it tells of no refund, or one of a payment we do not know or of more than is left of it
    :raises NotPossibleNow: if the notice does not wait for a person
    :raises NoSuchGateway: if its gateway is not set up any more
    """
    actor.require("invoicing.refund_payment")
    event = WebhookEvent.objects.select_for_update(no_key=True, of=("self",)).get(pk=event.pk)
    if event.state != State.PARKED:
        raise NotPossibleNow(event, "booked")
    if not reason.strip():
        raise RefundRefused("Say why the money was given back; the customer reads it.")
    payment, answer = _told_of(event)
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    amount, fee = _parts(payment, answer)
    settled = answer.outcome == Outcome.SUCCEEDED
    made = Refund.objects.create(
        payment=payment, account_id=payment.account_id, currency=payment.currency, amount=amount, fee=fee,
        state=Refund.State.SUCCEEDED if settled else Refund.State.PENDING, key=f"refund-{uuid4().hex}",
        gateway_reference=answer.reference, reason=mask_card_numbers(reason).strip()[:300], made_by=actor.name[:200],
        on=today_of(profile.seller, now=now), created_at=now, next_look_at=None if settled else now + PENDING_LOOK,
    )  # fmt: skip
    draw(made, now=now)
    _work_off_again(event, payment)
    _on_record(made, event, actor=actor, now=now)
    if settled:
        write_refund_receipt(made, profile, on=made.on, now=now)
    return made


def _told_of(event: WebhookEvent) -> tuple[Payment, Answer]:
    """:raises RefundRefused: unless it is a refund of a payment of ours"""
    try:
        notice = gateway(event.gateway).read_stored_notice(event.body)
    except Forged as error:
        raise RefundRefused("The stored notice cannot be read any more.") from error
    answer = notice.answer
    if notice.about != About.REFUND or answer is None or answer.outcome == Outcome.FAILED:
        raise RefundRefused("This notice tells of no refund that was paid out. Settle it otherwise.")
    payment = Payment.objects.filter(gateway=event.gateway, gateway_reference=notice.reference).first()
    if payment is None:
        raise RefundRefused(f"We know of no payment {notice.reference}: it is not one of ours that was refunded.")
    return payment, answer


def _parts(payment: Payment, answer: Answer) -> tuple[Decimal, Decimal]:
    """What went back of the amount, and of its fee; :raises RefundRefused: if it is more than is left of them"""
    known = Refund.objects.filter(payment=payment, gateway_reference=answer.reference).first()
    if known is not None:
        raise RefundRefused(f"It is booked already, as refund {known.pk} of payment {payment.pk}. Work it off again.")
    left = refundable(payment)
    whole = left.amount + left.fee
    if payment.state != Payment.State.SUCCEEDED or answer.currency != payment.currency or answer.amount > whole:
        raise RefundRefused(
            f"Payment {payment.pk} is {payment.get_state_display().lower()} with "
            f"{format_money(whole, payment.currency)} left of it, and the gateway gave back "
            f"{format_money(answer.amount, answer.currency)}. Ask the gateway how that can be."
        )
    fee = fee_part(fee_left=left.fee, amount=answer.amount, amount_left=whole, currency=payment.currency)
    if answer.amount - fee <= ZERO:
        raise RefundRefused("Nothing but the fee went back. Settle it at the gateway.")
    return answer.amount - fee, fee


def _work_off_again(event: WebhookEvent, payment: Payment) -> None:
    """Of one refund there are several notices: now each finds it."""
    others = WebhookEvent.objects.select_for_update(no_key=True, of=("self",))
    for one in others.filter(state=State.PARKED, gateway=event.gateway, payment=payment).order_by("pk"):
        move(one, State.RECEIVED)
        one.attempts, one.next_attempt_at, one.done_at = 0, None, None
        one.save(update_fields=["state", "attempts", "next_attempt_at", "done_at"])


def _on_record(made: Refund, event: WebhookEvent, *, actor: Actor, now: datetime) -> None:
    record_change(
        "payment.refund_elsewhere",
        subject=f"payment {made.payment_id}",
        actor=actor,
        now=now,
        account=made.account_id,
        why=made.reason,
        detail={
            "refund": made.pk, "amount": f"{made.amount:f}", "fee": f"{made.fee:f}", "currency": made.currency,
            "reference": made.gateway_reference, "notice": event.event_id,
        },
    )  # fmt: skip
