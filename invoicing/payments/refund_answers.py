"""
What a gateway says of a refund, written down: by asking, the resolver and its notices alike, and once.

A refund that fails, be it days after the gateway called it paid, is booked back, and waits for a person.
"""

from datetime import datetime

from django.db import transaction

from accounts.audit import record_change
from invoicing.money import format_money
from invoicing.payments.asked import locked_profile
from invoicing.payments.card_numbers import mask_card_numbers
from invoicing.payments.gateways.protocol import Answer, Outcome
from invoicing.payments.models import Refund
from invoicing.payments.policy import PENDING_LOOK, look_after
from invoicing.payments.postings import allocate_rest, post_money, taken_by
from invoicing.payments.receipts import write_refund_failure, write_refund_receipt
from invoicing.payments.recording import NEVER_REACHED, AnswerDiffers, the_gateway
from invoicing.sellers.queries import today_of
from invoicing.states import move
from invoicing.subscriptions.models import BillingProfile

State = Refund.State


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
    """
    The money is here still: posted back, and on the invoices that it was taken off, as far as they are open.

    A customer who has its receipt already is told that it did not arrive.
    """
    was_told = made.state == State.SUCCEEDED
    move(made, State.FAILED)
    made.failure, made.next_look_at = mask_card_numbers(answer.message or answer.code)[:300], None
    _save(made, answer.reference)
    today = today_of(profile.seller, now=now)
    payment = made.payment
    post_money(payment, made.amount, made.fee, source=f"refund-failed:{made.pk}", kind="REFUND", on=today, now=now)
    taken = taken_by(f"refund-taken:{made.pk}")
    allocate_rest(payment, taken, source=f"refund-restored:{made.pk}", on=today, now=now)
    _record(made, now=now)
    if was_told:
        write_refund_failure(made, profile, on=today, now=now)


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
