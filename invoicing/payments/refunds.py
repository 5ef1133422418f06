"""
Money given back: whole or in part, to the method it came from, with its part of the card fee (FEE-3).

Posted when it is recorded, so that the same money is not given twice or used meanwhile; reversed should it fail.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import uuid4

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.money import ZERO, format_money
from invoicing.payments.asked import MoneyRefused, checked_amount, locked_payment, locked_profile
from invoicing.payments.booking import BY_HAND
from invoicing.payments.calling import refund_at_gateway
from invoicing.payments.card_numbers import mask_card_numbers
from invoicing.payments.gateways.protocol import Answer, GatewayBusy, GatewayRefused, NoAnswer, Outcome
from invoicing.payments.models import Chargeback, Payment, Refund
from invoicing.payments.policy import CRASHED_AFTER, fee_part
from invoicing.payments.postings import MANUAL, post_money, take_back_latest
from invoicing.payments.queries import gone_back, unallocated
from invoicing.payments.receipts import write_refund_receipt
from invoicing.payments.refund_answers import record_no_refund_answer, record_refund_or_doubt
from invoicing.sellers.queries import today_of

State = Refund.State


class RefundRefused(MoneyRefused):
    """Why money is not given back; nothing was."""


class Refundable(NamedTuple):
    """What of a payment may still be given back, and what of its fee goes with it."""

    amount: Decimal
    fee: Decimal


def refundable(payment: Payment) -> Refundable:
    """What was paid, less what was refunded or is being, and less what its bank took back."""
    gone, fee = gone_back(payment.pk)
    return Refundable(max(payment.amount - gone, ZERO), max(payment.fee - fee, ZERO))


def refund(
    payment: Payment,
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    amount: Decimal | None = None,
    reference: str = "",
    by_hand: str = "",
) -> Refund:
    """
    Give back a payment, or an amount of it, to its method; its fee in full, pro rata for a part (FEE-3).

    What stands on no invoice goes first, then the latest invoice it paid, which is open again. What came by hand is
    given back by hand, with a `reference`; so is, as CHECK, WIRE or CASH, what the gateway could not give back.

    :raises RuntimeError: inside a transaction
    :raises NotPermitted: unless the actor may refund payments
    :raises MoneyRefused: for more than is left of it, a payment that is not there, or one that its bank took back
    """
    with transaction.atomic(durable=True):
        made = record_refund(
            payment, actor=actor, now=now, reason=reason, amount=amount, reference=reference, by_hand=by_hand
        )
    return made if made.state == State.SUCCEEDED else send_refund(made, now=now)


def send_refund(made: Refund, *, now: datetime) -> Refund:
    """Send a recorded refund to its gateway, and record the answer. Outside of any transaction."""
    made = Refund.objects.select_related("payment__method", "payment__account").get(pk=made.pk)
    try:
        answer = refund_at_gateway(made)
    except (NoAnswer, GatewayBusy) as error:
        return record_no_refund_answer(made, str(error), now=now)
    except GatewayRefused as error:
        answer = Answer(Outcome.FAILED, "", made.amount + made.fee, made.currency, "refused", str(error))
    return record_refund_or_doubt(made, answer, now=now)


@transaction.atomic
def record_refund(
    payment: Payment,
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    amount: Decimal | None = None,
    reference: str = "",
    by_hand: str = "",
) -> Refund:
    """Take the money where it is and record that it goes back; nothing is sent yet. Raises as `refund` does."""
    actor.require("invoicing.refund_payment")
    reason, reference = mask_card_numbers(reason), mask_card_numbers(reference)
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    if by_hand:
        _check_by_hand(payment, by_hand)
    is_sent = payment.gateway != MANUAL and not by_hand
    left = refundable(payment)
    asked = left.amount if amount is None else amount
    _check(payment, left, asked, reason=reason)
    if not is_sent and not reference.strip():
        raise RefundRefused("It is given back by hand: give the reference of the check or wire that does.")
    today = today_of(profile.seller, now=now)
    made = Refund.objects.create(
        payment=payment, account_id=payment.account_id, currency=payment.currency, amount=asked,
        fee=fee_part(fee_left=left.fee, amount=asked, amount_left=left.amount, currency=payment.currency),
        state=State.CREATED if is_sent else State.SUCCEEDED, key=f"refund-{uuid4().hex}",
        gateway_reference=None if is_sent else reference.strip() or None, reason=reason.strip()[:300],
        made_by=actor.name[:200], on=today, created_at=now, next_look_at=now + CRASHED_AFTER if is_sent else None,
    )  # fmt: skip
    draw(made, now=now, out_of=f"{MANUAL.upper()}:{by_hand}" if by_hand else "")
    _on_record(made, actor=actor, now=now, reference=reference.strip(), by_hand=by_hand)
    if not is_sent:
        write_refund_receipt(made, profile, on=today, now=now)
    return made


def _on_record(made: Refund, *, actor: Actor, now: datetime, reference: str, by_hand: str) -> None:
    record_change(
        "payment.refund",
        subject=f"payment {made.payment_id}",
        actor=actor,
        now=now,
        account=made.account_id,
        why=made.reason,
        detail={
            "refund": made.pk, "amount": f"{made.amount:f}", "fee": f"{made.fee:f}", "currency": made.currency,
            "reference": reference, "by_hand": by_hand,
        },
    )  # fmt: skip


def _check_by_hand(payment: Payment, by_hand: str) -> None:
    """:raises RefundRefused: unless the gateway could not give it back"""
    if by_hand not in BY_HAND:
        raise RefundRefused(f"{by_hand} is no way to give money back by hand. Choose a check, a wire or cash.")
    latest = payment.refunds.order_by("-pk").first()
    if payment.gateway != MANUAL and (latest is None or latest.state != State.FAILED):
        raise RefundRefused(
            f"Payment {payment.pk} is refunded to the method it came from. By hand it is only when that has failed."
        )


def _check(payment: Payment, left: Refundable, asked: Decimal, *, reason: str) -> None:
    if not reason.strip():
        raise RefundRefused("Say why the money is given back; the customer reads it.")
    if payment.state != Payment.State.SUCCEEDED:
        raise RefundRefused(
            f"Payment {payment.pk} is {payment.get_state_display().lower()}: only money that is here is given back."
        )
    if left.amount <= ZERO and payment.chargebacks.exclude(state=Chargeback.State.WON).exists():
        raise RefundRefused(f"The bank took payment {payment.pk} back already; a refund would pay it twice.")
    if left.amount <= ZERO:
        raise RefundRefused(f"Nothing is left of payment {payment.pk} to refund.")
    checked_amount(asked, payment.currency)
    if asked > left.amount:
        raise RefundRefused(
            f"{format_money(left.amount, payment.currency)} of payment {payment.pk} may be refunded, "
            f"and {format_money(asked, payment.currency)} was asked for."
        )


def draw(made: Refund, *, now: datetime, out_of: str = "") -> None:
    """
    Take the money where it is: off no invoice first, then off the latest. A step: the payment is locked.

    `out_of` says under what the cash goes out, unless under what it came in.

    :raises RefundRefused: if some of it has become something else, such as a prepaid balance or a deposit
    """
    payment = made.payment
    missing = made.amount - unallocated(payment.pk)
    if missing > ZERO:
        taken = take_back_latest(payment, missing, source=f"refund-taken:{made.pk}", on=made.on, now=now)
        missing -= sum(taken.values(), ZERO)
    if missing > ZERO:
        raise RefundRefused(
            f"{format_money(missing, made.currency)} of payment {payment.pk} is no credit any more: it went to a "
            "prepaid balance or a deposit. Take it from there first."
        )
    post_money(
        payment, -made.amount, -made.fee, source=f"refund:{made.pk}", kind="REFUND", on=made.on, now=now,
        category=out_of,
    )  # fmt: skip
