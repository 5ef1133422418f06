"""
Attempts that are open: the gateway is asked what became of them, on a schedule and when somebody looks (P4).

Found, the answer is recorded. Not found, the same key is sent again while the gateway remembers it and the money is
still due; after 24 hours it is given up. Nothing is ever sent under a new key while an old one is open.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import NamedTuple, TypeVar

import structlog
from django.db import transaction
from django.db.models import F

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.payments.asked import MoneyRefused, locked_payment, locked_profile
from invoicing.payments.calling import charge_at_gateway, find_at_gateway, find_refund_at_gateway, refund_at_gateway
from invoicing.payments.charging import record_or_doubt
from invoicing.payments.excluding import excluded
from invoicing.payments.gateways.protocol import GatewayRefused, NoAnswer
from invoicing.payments.models import Payment, PaymentMethod, Refund
from invoicing.payments.policy import Silence, look_after, on_silence
from invoicing.payments.postings import MANUAL
from invoicing.payments.queries import owing_of
from invoicing.payments.recording import record_never_sent, record_no_answer
from invoicing.payments.refund_answers import record_no_refund_answer, record_refund_never_sent, record_refund_or_doubt
from invoicing.sellers.queries import today_of

log = structlog.get_logger(__name__)
Row = TypeVar("Row", Payment, Refund)
SILENCE = "The gateway knows nothing of it yet."


class Resolved(NamedTuple):
    """How many open attempts were looked at, how many have ended by that, and how many could not be."""

    looked: int
    ended: int
    errors: int


def resolve_open(*, now: datetime, limit: int = 200) -> Resolved:
    """Ask about the payments and refunds whose time has come. One that fails keeps no other from being looked at."""
    payments = [(row, _resolve_payment) for row in _claimed(Payment, now=now, limit=limit)]
    refunds = [(row, _resolve_refund) for row in _claimed(Refund, now=now, limit=limit)]
    done = [_tried(row, resolve, now=now) for row, resolve in payments]
    done += [_tried(row, resolve, now=now) for row, resolve in refunds]
    return Resolved(len(done), done.count(True), done.count(None))


def look_now(payment: Payment, *, actor: Actor, now: datetime) -> Payment:
    """
    Ask the gateway about a payment because somebody looks.

    :raises NotPermitted: unless the actor may take payments
    :raises MoneyRefused: for one that came by hand
    """
    actor.require("invoicing.take_payment")
    if payment.gateway == MANUAL:
        raise MoneyRefused(f"Payment {payment.pk} came by hand: there is no gateway to ask about it.")
    record_change(
        "payment.look", subject=f"payment {payment.pk}", actor=actor, now=now, account=payment.account_id
    )  # fmt: skip
    return _resolve_payment(Payment.objects.select_related("method", "account").get(pk=payment.pk), now=now)


@transaction.atomic
def give_up(payment: Payment, *, actor: Actor, now: datetime, why: str) -> Payment:
    """
    A person has found out that an attempt without an answer took nothing, and says so.

    Should the gateway speak of it as paid after all, that is recorded all the same.

    :raises NotPermitted: unless the actor may settle what waits for a person
    :raises MoneyRefused: without a reason, or for one that the gateway has answered
    """
    actor.require("invoicing.resolve_event")
    locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    if not why.strip():
        raise MoneyRefused("Say how you know that nothing was taken.")
    if payment.state not in (Payment.State.CREATED, Payment.State.UNKNOWN):
        raise MoneyRefused(
            f"Payment {payment.pk} is {payment.get_state_display().lower()}: the gateway has answered, and its answer "
            "stands."
        )
    record_change(
        "payment.give_up", subject=f"payment {payment.pk}", actor=actor, now=now, account=payment.account_id,
        why=why.strip(),
    )  # fmt: skip
    return record_never_sent(payment, needed=True, now=now)


def _claimed(model: type[Row], *, now: datetime, limit: int) -> list[Row]:
    """Rows whose time has come, put off already, so that no other worker asks about them and a crash only delays."""
    with transaction.atomic():
        due = model.objects.filter(state__in=model.OPEN, next_look_at__lte=now).order_by("next_look_at", "pk")
        rows = list(due.select_for_update(skip_locked=True, no_key=True, of=("self",))[:limit])
        for row in rows:
            wait = look_after(row.looks, pending=row.state == "PENDING")
            model.objects.filter(pk=row.pk).update(looks=F("looks") + 1, next_look_at=now + wait)
    related = ("method", "account") if model is Payment else ("payment__method", "payment__account")
    return list(model.objects.filter(pk__in=[row.pk for row in rows]).select_related(*related).order_by("pk"))


def _tried(row: Row, resolve: Callable[..., Row], *, now: datetime) -> bool | None:
    """Whether it has ended; None where it could not be recorded, which is tried again later and logged."""
    try:
        return resolve(row, now=now).state not in type(row).OPEN
    except Exception:
        log.exception("what became of it could not be recorded; it stays open and is asked about again", row=str(row))
        return None


def _resolve_payment(payment: Payment, *, now: datetime) -> Payment:
    try:
        answer = find_at_gateway(payment)
    except NoAnswer as error:
        return record_no_answer(payment, str(error), now=now)
    if answer is not None:
        return record_or_doubt(payment, answer, now=now)
    if payment.state not in (Payment.State.CREATED, Payment.State.UNKNOWN):
        return record_no_answer(payment, SILENCE, now=now)
    wanted = _still_wanted(payment, today=today_of(payment.account.billing_profile.seller, now=now))
    what = on_silence(created_at=payment.created_at, now=now, wanted=wanted)
    if what == Silence.NEVER_SENT:
        return record_never_sent(payment, needed=wanted, now=now)
    if what == Silence.WAIT:
        return record_no_answer(payment, SILENCE, now=now)
    try:
        answer = charge_at_gateway(payment)
    except (NoAnswer, GatewayRefused) as error:
        # Refused now says nothing of the first time: only silence over 24 hours does.
        return record_no_answer(payment, str(error), now=now)
    return record_or_doubt(payment, answer, now=now)


def _still_wanted(payment: Payment, *, today: date) -> bool:
    """
    Whether all that it was meant for is still open, its method may still be charged, and, where the schedule made it,
    nothing has come up that the schedule stops for (a dispute, a hold).
    """
    if payment.method is None or payment.method.state != PaymentMethod.State.ACTIVE:
        return False
    wanted = dict(payment.targets.values_list("invoice_id", "amount"))
    if payment.automatic and excluded(list(wanted), on=today):
        return False
    owed = {one.invoice_id: one.open for one in owing_of(payment.account_id, invoice_ids=list(wanted))}
    return all(owed.get(pk, 0) >= amount for pk, amount in wanted.items())


def _resolve_refund(refund: Refund, *, now: datetime) -> Refund:
    try:
        answer = find_refund_at_gateway(refund)
        if answer is None:
            # What was promised back is wanted until it is there.
            what = on_silence(created_at=refund.created_at, now=now, wanted=refund.state != Refund.State.PENDING)
            if what == Silence.NEVER_SENT and refund.state != Refund.State.PENDING:
                return record_refund_never_sent(refund, now=now)
            if what != Silence.SEND_AGAIN:
                return record_no_refund_answer(refund, SILENCE, now=now)
            answer = refund_at_gateway(refund)
    except (NoAnswer, GatewayRefused) as error:
        return record_no_refund_answer(refund, str(error), now=now)
    return record_refund_or_doubt(refund, answer, now=now)
