"""
Money given back: whole or in part, to the method it came from, with its part of the card fee (FEE-3).

Posted when it is recorded, so that the same money is not given twice or used meanwhile; reversed should it fail.
"""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import uuid4

from django.db import transaction
from django.db.models import Sum

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.money import ZERO, format_money
from invoicing.payments.asked import MoneyRefused, checked_amount, locked_payment, locked_profile
from invoicing.payments.calling import refund_at_gateway
from invoicing.payments.card_numbers import mask_card_numbers
from invoicing.payments.gateways.protocol import Answer, GatewayBusy, GatewayRefused, NoAnswer, Outcome
from invoicing.payments.models import Chargeback, Payment, Refund
from invoicing.payments.policy import CRASHED_AFTER, PENDING_LOOK, fee_part, look_after
from invoicing.payments.postings import MANUAL, allocate_rest, post_money, take_back_latest, taken_by
from invoicing.payments.queries import unallocated
from invoicing.payments.receipts import write_refund_receipt
from invoicing.payments.recording import NEVER_REACHED, AnswerDiffers, the_gateway
from invoicing.sellers.queries import today_of
from invoicing.states import move
from invoicing.subscriptions.models import BillingProfile

State = Refund.State


class RefundRefused(MoneyRefused):
    """Why money is not given back; nothing was."""


class Refundable(NamedTuple):
    """What of a payment may still be given back, and what of its fee goes with it."""

    amount: Decimal
    fee: Decimal


def refundable(payment: Payment) -> Refundable:
    """What was paid, less what was refunded or is being."""
    before = payment.refunds.exclude(state=State.FAILED).aggregate(
        amount=Sum("amount", default=ZERO), fee=Sum("fee", default=ZERO)
    )
    return Refundable(payment.amount - before["amount"], payment.fee - before["fee"])


def refund(
    payment: Payment,
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    amount: Decimal | None = None,
    reference: str = "",
) -> Refund:
    """
    Give back a payment, or an amount of it, to its method; its fee in full, pro rata for a part (FEE-3).

    What stands on no invoice goes first, then the latest invoice it paid, which is open again. What came by hand is
    given back by hand, with a `reference`.

    :raises RuntimeError: inside a transaction
    :raises NotPermitted: unless the actor may refund payments
    :raises MoneyRefused: for more than is left of it, a payment that is not there, or one with a chargeback
    """
    with transaction.atomic(durable=True):
        made = _recorded(
            payment, actor=actor, now=now, reason=mask_card_numbers(reason), amount=amount,
            reference=mask_card_numbers(reference),
        )  # fmt: skip
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


def _recorded(
    payment: Payment, *, actor: Actor, now: datetime, reason: str, amount: Decimal | None, reference: str
) -> Refund:
    actor.require("invoicing.refund_payment")
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    by_hand = payment.gateway == MANUAL
    left = refundable(payment)
    asked = left.amount if amount is None else amount
    _check(payment, left, asked, reason=reason, reference=reference)
    today = today_of(profile.seller, now=now)
    made = Refund.objects.create(
        payment=payment, account_id=payment.account_id, currency=payment.currency, amount=asked,
        fee=fee_part(fee_left=left.fee, amount=asked, amount_left=left.amount, currency=payment.currency),
        state=State.SUCCEEDED if by_hand else State.CREATED, key=f"refund-{uuid4().hex}",
        gateway_reference=(reference.strip() or None) if by_hand else None, reason=reason.strip()[:300],
        made_by=actor.name[:200], on=today, created_at=now, next_look_at=None if by_hand else now + CRASHED_AFTER,
    )  # fmt: skip
    _draw(made, now=now)
    record_change(
        "payment.refund",
        subject=f"payment {payment.pk}",
        actor=actor,
        now=now,
        account=payment.account_id,
        why=made.reason,
        detail={
            "refund": made.pk, "amount": f"{made.amount:f}", "fee": f"{made.fee:f}", "currency": made.currency,
            "reference": reference.strip(),
        },
    )  # fmt: skip
    if by_hand:
        write_refund_receipt(made, profile, on=today, now=now)
    return made


def _check(payment: Payment, left: Refundable, asked: Decimal, *, reason: str, reference: str) -> None:
    if not reason.strip():
        raise RefundRefused("Say why the money is given back; the customer reads it.")
    if payment.state != Payment.State.SUCCEEDED:
        raise RefundRefused(
            f"Payment {payment.pk} is {payment.get_state_display().lower()}: only money that is here is given back."
        )
    if payment.chargebacks.exclude(state=Chargeback.State.WON).exists():
        raise RefundRefused(f"The bank took payment {payment.pk} back already; a refund would pay it twice.")
    if left.amount <= ZERO:
        raise RefundRefused(f"Nothing is left of payment {payment.pk} to refund.")
    checked_amount(asked, payment.currency)
    if asked > left.amount:
        raise RefundRefused(
            f"{format_money(left.amount, payment.currency)} of payment {payment.pk} may be refunded, "
            f"and {format_money(asked, payment.currency)} was asked for."
        )
    if payment.gateway == MANUAL and not reference.strip():
        raise RefundRefused("The payment came by hand: give the reference of the check or wire that gives it back.")


def _draw(made: Refund, *, now: datetime) -> None:
    """
    Take the money where it is: off no invoice first, then off the latest.

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
    post_money(payment, -made.amount, -made.fee, source=f"refund:{made.pk}", kind="REFUND", on=made.on, now=now)


def record_refund_or_doubt(made: Refund, answer: Answer, *, now: datetime) -> Refund:
    """Record an answer; one that differs from what was asked leaves the refund open, with the sentence, for staff."""
    try:
        return record_refund_answer(made, answer, now=now)
    except AnswerDiffers as error:
        return record_no_refund_answer(made, str(error), now=now)


@transaction.atomic
def record_refund_answer(made: Refund, answer: Answer, *, now: datetime) -> Refund:
    """
    Write down what became of a refund. Said twice, late or out of order, it changes nothing twice.

    :raises AnswerDiffers: if it is about another amount, currency or refund, or one that we gave up was paid out
    """
    profile, made = _locked(made)
    _check_answer(made, answer)
    if answer.outcome == Outcome.FAILED:
        if made.state != State.FAILED:
            _fail(made, profile, answer, now=now)
    elif made.state in Refund.OPEN:
        succeeded = answer.outcome == Outcome.SUCCEEDED
        if move(made, State.SUCCEEDED if succeeded else State.PENDING):
            made.next_look_at = None if succeeded else now + PENDING_LOOK
            made.failure = ""
            _save(made, answer.reference)
            _record(made, now=now)
            if succeeded:
                write_refund_receipt(made, profile, on=today_of(profile.seller, now=now), now=now)
    return made


def _check_answer(made: Refund, answer: Answer) -> None:
    known = made.gateway_reference
    if known and answer.reference and answer.reference != known:
        raise AnswerDiffers(f"The gateway calls refund {made.pk} {known}, and now it speaks of {answer.reference}.")
    if answer.outcome == Outcome.FAILED:
        return
    whole = made.amount + made.fee
    if (answer.amount, answer.currency) != (whole, made.currency):
        raise AnswerDiffers(
            f"Refund {made.pk} was to give back {format_money(whole, made.currency)}, and the gateway speaks of "
            f"{format_money(answer.amount, answer.currency)}."
        )
    if made.state == State.FAILED and not known:
        raise AnswerDiffers(
            f"Refund {made.pk} was given up and its money booked back, and now the gateway says that it was paid out."
        )


def _fail(made: Refund, profile: BillingProfile, answer: Answer, *, now: datetime) -> None:
    """The money is here still: posted back, and on the invoices that it was taken off, as far as they are open."""
    move(made, State.FAILED)
    made.failure, made.next_look_at = mask_card_numbers(answer.message or answer.code)[:300], None
    _save(made, answer.reference)
    today = today_of(profile.seller, now=now)
    payment = made.payment
    post_money(payment, made.amount, made.fee, source=f"refund-failed:{made.pk}", kind="REFUND", on=today, now=now)
    taken = taken_by(f"refund-taken:{made.pk}")
    allocate_rest(payment, taken, source=f"refund-restored:{made.pk}", on=today, now=now)
    _record(made, now=now)


@transaction.atomic
def record_no_refund_answer(made: Refund, why: str, *, now: datetime) -> Refund:
    """Whether the gateway gave it back is not known: it stays open, and the gateway is asked again later."""
    _, made = _locked(made)
    if made.state in Refund.OPEN:
        if made.state == State.CREATED:
            move(made, State.UNKNOWN)
        made.failure = mask_card_numbers(why)[:300]
        made.next_look_at = now + look_after(made.looks, pending=made.state == State.PENDING)
        _save(made, "")
    return made


@transaction.atomic
def record_refund_never_sent(made: Refund, *, now: datetime) -> Refund:
    """The gateway knows nothing of it after 24 hours: nothing was given back, and its money is here."""
    profile, made = _locked(made)
    if made.state in (State.CREATED, State.UNKNOWN):
        words = "It never reached the gateway, which knows nothing of it; nothing was given back."
        answer = Answer(Outcome.FAILED, "", made.amount, made.currency, NEVER_REACHED, words)
        _fail(made, profile, answer, now=now)
    return made


def _locked(made: Refund) -> tuple[BillingProfile, Refund]:
    profile = locked_profile(made.account_id)
    rows = Refund.objects.select_for_update(no_key=True, of=("self",)).select_related("payment__method")
    return profile, rows.get(pk=made.pk)


def _save(made: Refund, reference: str) -> None:
    made.gateway_reference = made.gateway_reference or reference or None
    made.save(update_fields=["state", "gateway_reference", "failure", "next_look_at", "looks"])


def _record(made: Refund, *, now: datetime) -> None:
    record_change(
        f"refund.{made.state.lower()}",
        subject=f"refund {made.pk} of payment {made.payment_id}",
        actor=the_gateway(made.payment.gateway),
        now=now,
        account=made.account_id,
        detail={"amount": f"{made.amount:f}", "fee": f"{made.fee:f}", "currency": made.currency},
    )
