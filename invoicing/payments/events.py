"""
Working off what gateways told us: each notice in a transaction of its own, by any number of workers, and once.

What we cannot place is parked for a person with a sentence, and never dropped.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import structlog
from django.db import transaction
from django.db.models import Q

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.money import format_money
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.chargebacks import Disputed, record_chargeback
from invoicing.payments.gateways.protocol import About, Forged, NoAnswer, Notice, Outcome
from invoicing.payments.gateways.registry import gateway
from invoicing.payments.methods import MethodRefused, keep_announced_method
from invoicing.payments.models import Payment, Refund
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.policy import look_after
from invoicing.payments.recording import AnswerDiffers, record_answer, the_gateway
from invoicing.payments.refund_answers import record_refund_answer
from invoicing.payments.returns import record_return
from invoicing.states import NotPossibleNow, move

log = structlog.get_logger(__name__)
State = WebhookEvent.State
MOST_ATTEMPTS = 8


class NotYet(Exception):
    """A notice about a charge that may be one of ours whose name at the gateway we do not know yet."""


class Worked(NamedTuple):
    """What became of a notice, and why it waits for a person or is only kept."""

    state: str
    why: str = ""
    payment: Payment | None = None


def work_off_events(*, now: datetime, limit: int = 200) -> Counter[str]:
    """
    Work off the notices whose time has come, oldest first; how many ended in which state, and `FAILED` for those that
    could not be worked off and are tried again.
    """
    due = Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now)
    ids = WebhookEvent.objects.filter(due, state=State.RECEIVED).order_by("pk").values_list("pk", flat=True)[:limit]
    return Counter(filter(None, [_tried(pk, now=now) for pk in list(ids)]))


def _tried(pk: int, *, now: datetime) -> str:
    try:
        said = _kept_method(pk, now=now)
        return _work_off(pk, said, now=now)
    except (NotYet, NoAnswer) as error:
        _put_off(pk, error, now=now)
        return "FAILED"
    except Exception as error:
        log.exception("a notice could not be worked off; it is tried again", notice=pk)
        _put_off(pk, error, now=now)
        return "FAILED"


def _kept_method(pk: int, *, now: datetime) -> Worked | None:
    """
    A payment method that the notice tells of is asked for at the gateway, outside of any transaction; None for others.

    :raises NoAnswer: if the gateway does not answer
    """
    event = WebhookEvent.objects.get(pk=pk)
    notice = _read(event)
    if notice is None or notice.about != About.METHOD:
        return None
    try:
        method = keep_announced_method(
            notice, gateway_name=event.gateway, actor=the_gateway(event.gateway), now=now
        )  # fmt: skip
    except MethodRefused as error:
        return Worked(State.PARKED, str(error))
    return Worked(State.DONE if method else State.KEPT)


def _read(event: WebhookEvent) -> Notice | None:
    """What the stored notice says; its signature was checked when it came. None where it cannot be read."""
    try:
        return gateway(event.gateway).read_stored_notice(event.body)
    except Forged:
        return None


@transaction.atomic
def _work_off(pk: int, said: Worked | None, *, now: datetime) -> str:
    """The state that it ended in; empty where another worker has it."""
    rows = WebhookEvent.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    event = rows.filter(pk=pk, state=State.RECEIVED).first()
    if event is None:
        return ""
    ended = said or _outcome(event, now=now)
    move(event, State(ended.state))
    event.error, event.payment, event.done_at = ended.why, ended.payment, now
    event.attempts += 1
    event.save(update_fields=["state", "error", "payment", "done_at", "attempts"])
    return str(event.state)


@transaction.atomic
def _put_off(pk: int, error: Exception, *, now: datetime) -> None:
    event = WebhookEvent.objects.select_for_update(no_key=True).get(pk=pk)
    if event.state != State.RECEIVED:
        return
    event.attempts += 1
    event.error = f"{type(error).__name__}: {error}"
    event.next_attempt_at = now + look_after(event.attempts - 1)
    if event.attempts >= MOST_ATTEMPTS:
        move(event, State.PARKED)
    event.save(update_fields=["state", "attempts", "error", "next_attempt_at"])


def _outcome(event: WebhookEvent, *, now: datetime) -> Worked:
    notice = _read(event)
    if notice is None:
        return Worked(State.PARKED, "The stored notice cannot be read any more.")
    payment = _payment_of(event, notice)
    read = _READERS.get(_about(notice, payment))
    if read is None:
        return Worked(State.KEPT)
    if payment is None and notice.about in (About.RETURN, About.CHARGEBACK) and _may_be_ours(event):
        raise NotYet(f"We know of no payment {notice.reference} yet; one without an answer may be it.")
    try:
        # A savepoint, so that what is refused half-way leaves nothing.
        with transaction.atomic():
            return read(notice, payment, now)._replace(payment=payment)
    except (AnswerDiffers, MoneyRefused, NotPossibleNow) as error:
        return Worked(State.PARKED, str(error), payment)


def _about(notice: Notice, payment: Payment | None) -> About:
    """What a bank took back is a return of a debit and a chargeback of a card, whatever reason it gives."""
    if payment is None or notice.about not in (About.RETURN, About.CHARGEBACK):
        return notice.about
    return About.RETURN if payment.kind == Payment.Kind.ACH else About.CHARGEBACK


def _payment_of(event: WebhookEvent, notice: Notice) -> Payment | None:
    """By our key, else by the gateway's name for it; only payments of this very gateway."""
    own = Payment.objects.filter(gateway=event.gateway)
    by_key = own.filter(key=notice.key).first() if notice.key and notice.about == About.PAYMENT else None
    return by_key or (own.filter(gateway_reference=notice.reference).first() if notice.reference else None)


def _may_be_ours(event: WebhookEvent) -> bool:
    nameless = Payment.objects.filter(gateway=event.gateway, gateway_reference__isnull=True)
    return nameless.filter(state__in=Payment.OPEN).exists()


def _of_payment(notice: Notice, payment: Payment | None, now: datetime) -> Worked:
    answer = notice.answer
    if answer is None:
        return Worked(State.PARKED, "The notice says nothing about what became of the payment.")
    if payment is not None:
        record_answer(payment, answer, now=now)
        return Worked(State.DONE)
    if answer.outcome == Outcome.SUCCEEDED:
        return Worked(
            State.PARKED,
            f"The gateway took {format_money(answer.amount, answer.currency)} ({answer.reference}), and we know of no "
            "such payment. Find out whose it is, and book it or give it back.",
        )
    return Worked(State.KEPT, "No payment of ours; nothing was taken.")


def _of_refund(notice: Notice, payment: Payment | None, now: datetime) -> Worked:
    answer = notice.answer
    if answer is None:
        return Worked(State.PARKED, "The notice says nothing about what became of the refund.")
    refund = _refund_of(notice)
    if refund is not None:
        record_refund_answer(refund, answer, now=now)
        return Worked(State.DONE)
    if answer.outcome == Outcome.FAILED:
        return Worked(State.KEPT, "No refund of ours; nothing was given back.")
    return Worked(
        State.PARKED,
        f"The gateway gave back {format_money(answer.amount, answer.currency)} ({answer.reference}), and we recorded "
        "no such refund. Find out who did, and book it.",
    )


def _refund_of(notice: Notice) -> Refund | None:
    refunds = Refund.objects.select_related("payment")
    by_key = refunds.filter(key=notice.key).first() if notice.key else None
    reference = notice.answer.reference if notice.answer else ""
    return by_key or (refunds.filter(gateway_reference=reference).first() if reference else None)


def _of_return(notice: Notice, payment: Payment | None, now: datetime) -> Worked:
    if payment is None:
        return _unknown(notice, "returned")
    if notice.dispute_state == "WON":
        return Worked(State.PARKED, f"The return of payment {payment.pk} was taken back by the bank. Book it.")
    record_return(
        payment, code=notice.code, amount=notice.amount, currency=notice.currency, reference=notice.reference, now=now
    )
    return Worked(State.DONE)


def _of_chargeback(notice: Notice, payment: Payment | None, now: datetime) -> Worked:
    if payment is None:
        return _unknown(notice, "charged back")
    if notice.amount is None or not notice.dispute_reference:
        return Worked(State.PARKED, "The notice of a chargeback names no amount or no reference.")
    said = Disputed(
        notice.dispute_reference, notice.dispute_state, notice.amount, notice.currency, notice.made_at, notice.reason,
        notice.answer_by_at,
    )  # fmt: skip
    record_chargeback(payment, said, now=now)
    return Worked(State.DONE)


def _unknown(notice: Notice, what: str) -> Worked:
    amount = format_money(notice.amount, notice.currency) if notice.amount is not None else "An amount"
    return Worked(State.PARKED, f"{amount} was {what} ({notice.reference}), and we know of no such payment.")


def _unreadable(notice: Notice, payment: Payment | None, now: datetime) -> Worked:
    return Worked(State.PARKED, f"The notice is not as we know such a one: {notice.reason}")


_READERS: Mapping[About, Callable[[Notice, Payment | None, datetime], Worked]] = {
    About.PAYMENT: _of_payment,
    About.REFUND: _of_refund,
    About.RETURN: _of_return,
    About.CHARGEBACK: _of_chargeback,
    About.UNREADABLE: _unreadable,
}


@transaction.atomic
def resolve_event(event: WebhookEvent, *, actor: Actor, now: datetime, why: str) -> WebhookEvent:
    """
    A person has settled what a parked notice was about.

    :raises NotPermitted: unless the actor may settle notices
    :raises MoneyRefused: without a reason
    :raises NotPossibleNow: if it does not wait for a person
    """
    actor.require("invoicing.resolve_event")
    if not why.strip():
        raise MoneyRefused("Say what was done about the notice.")
    event = WebhookEvent.objects.select_for_update(no_key=True).get(pk=event.pk)
    if event.state != State.PARKED:
        raise NotPossibleNow(event, "worked off")
    move(event, State.DONE)
    event.done_at = now
    event.save(update_fields=["state", "done_at"])
    _record("event.resolve", event, actor=actor, now=now, why=why.strip())
    return event


@transaction.atomic
def retry_event(event: WebhookEvent, *, actor: Actor, now: datetime) -> WebhookEvent:
    """
    Have a parked or kept notice worked off again, after what it is about was put right.

    :raises NotPermitted: unless the actor may settle notices
    :raises NotPossibleNow: if it is worked off
    """
    actor.require("invoicing.resolve_event")
    event = WebhookEvent.objects.select_for_update(no_key=True).get(pk=event.pk)
    if move(event, State.RECEIVED):
        event.attempts, event.next_attempt_at, event.done_at = 0, None, None
        event.save(update_fields=["state", "attempts", "next_attempt_at", "done_at"])
        _record("event.retry", event, actor=actor, now=now)
    return event


def _record(action: str, event: WebhookEvent, *, actor: Actor, now: datetime, why: str = "") -> None:
    record_change(
        action,
        subject=f"notice {event}"[:200],
        actor=actor,
        now=now,
        account=event.payment.account_id if event.payment else None,
        why=why,
        detail={"gateway": event.gateway, "error": event.error},
    )
