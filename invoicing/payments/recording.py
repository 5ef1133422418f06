"""
What a gateway says of a payment, written down: by charging, the resolver and its notices alike, and once.

Each function takes the lock of the account's money and is a transaction of its own, or part of the caller's.
"""

from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from accounts.actors import Actor, ActorKind, Channel
from accounts.audit import record_change
from invoicing.money import format_money
from invoicing.payments.asked import as_amounts, locked_payment, locked_profile
from invoicing.payments.card_numbers import mask_card_numbers
from invoicing.payments.gateways.declines import NEEDS_THE_CUSTOMER
from invoicing.payments.gateways.protocol import Answer, Outcome
from invoicing.payments.methods import block_method
from invoicing.payments.models import Payment, PaymentTarget
from invoicing.payments.policy import PENDING_LOOK, look_after
from invoicing.payments.postings import allocate_rest, post_received
from invoicing.payments.receipts import write_decline, write_receipt
from invoicing.payments.settled import tell_settled
from invoicing.sellers.queries import today_of
from invoicing.states import move
from invoicing.subscriptions.models import BillingProfile

NEVER_REACHED = "never_reached"
NOT_NEEDED = "not_needed"
State = Payment.State


class AnswerDiffers(Exception):
    """The gateway speaks of another amount, currency or charge than ours: nothing is posted until a person looked."""


@transaction.atomic
def record_answer(payment: Payment, answer: Answer, *, now: datetime, on: date | None = None) -> Payment:
    """
    Write down what became of a payment. Said twice, late or out of order, it changes nothing twice.

    Paid: posted with its fee, put on its invoices as far as they are still open, and receipted; what is over stays
    the customer's credit. `on` is the day of the entries, unless told the seller's today.

    :raises AnswerDiffers: if amount, currency or reference are not those of the payment
    """
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    check_answer(payment, answer)
    day = on or today_of(profile.seller, now=now)
    if answer.outcome == Outcome.SUCCEEDED:
        succeed(payment, profile, reference=answer.reference, on=day, now=now)
    elif answer.outcome == Outcome.PENDING:
        _pend(payment, answer.reference, now=now)
    elif payment.state in Payment.OPEN:
        fail(payment, profile, answer, on=day, now=now)
    return payment


def check_answer(payment: Payment, answer: Answer) -> None:
    """:raises AnswerDiffers: unless the answer is about this very payment, in its amount and currency"""
    known = payment.gateway_reference
    if known and answer.reference and answer.reference != known:
        raise AnswerDiffers(f"The gateway calls payment {payment.pk} {known}, and now it speaks of {answer.reference}.")
    if answer.outcome == Outcome.FAILED:
        return
    asked = payment.amount + payment.fee
    if (answer.amount, answer.currency) != (asked, payment.currency):
        raise AnswerDiffers(
            f"Payment {payment.pk} was to take {format_money(asked, payment.currency)}, and the gateway speaks of "
            f"{format_money(answer.amount, answer.currency)}."
        )


def succeed(
    payment: Payment, profile: BillingProfile, *, reference: str, on: date, now: datetime, quietly: bool = False
) -> None:
    """
    The money came. A step: the payment is locked. `quietly` for one that is taken back in the same breath: no invoice
    is paid, nobody is told.
    """
    if payment.state in (State.SUCCEEDED, State.RETURNED):
        return
    move(payment, State.SUCCEEDED)
    payment.settled_at, payment.next_look_at = now, None
    payment.failure_code = payment.failure = ""
    payment.hard = False
    _save(payment, reference)
    post_received(payment, on=on, now=now)
    wanted = dict(payment.targets.values_list("invoice_id", "amount"))
    payment.targets.filter(is_open=True).update(is_open=False)
    paid: dict[int, Decimal] = {}
    if not quietly:
        paid = allocate_rest(payment, wanted, source=f"allocation:{payment.pk}", on=on, now=now)
        write_receipt(payment, profile, paid, on=on, now=now)
        tell_settled(payment, now=now)
    _record("payment.succeeded", payment, now=now, invoices=as_amounts(paid))


def fail(payment: Payment, profile: BillingProfile, answer: Answer, *, on: date, now: datetime) -> None:
    """The money did not come, and no fee (FEE-3). A step: the payment is locked and open."""
    move(payment, State.FAILED)
    payment.failure_code, payment.failure, payment.hard = (
        answer.code[:60],
        mask_card_numbers(answer.message)[:300],
        answer.hard,
    )
    payment.next_look_at = None
    _save(payment, answer.reference)
    payment.targets.filter(is_open=True).update(is_open=False)
    if payment.hard:
        block_method_of(payment, answer.message or answer.code, now=now)
    if payment.hard or payment.failure_code == NEEDS_THE_CUSTOMER:
        write_decline(payment, profile, on=on, now=now)
    _record("payment.failed", payment, now=now, code=payment.failure_code, hard=payment.hard)
    tell_settled(payment, now=now)


def block_method_of(payment: Payment, because: str, *, now: datetime) -> None:
    """The bank refused it for good: it is charged no more, and the customer is asked for another."""
    if payment.method is not None:
        block_method(payment.method, because=because, actor=the_gateway(payment.gateway), now=now)


def _pend(payment: Payment, reference: str, *, now: datetime) -> None:
    """Under way. What we gave up ourselves is open again; what the gateway itself called failed is not: it is late."""
    given_up = payment.state in (State.FAILED, State.CANCELLED) and not payment.gateway_reference
    if payment.state not in (State.CREATED, State.UNKNOWN) and not given_up:
        return
    move(payment, State.PENDING)
    payment.next_look_at, payment.looks = now + PENDING_LOOK, 0
    payment.failure_code = payment.failure = ""
    _save(payment, reference)
    if given_up:
        _open_targets(payment)
    _record("payment.pending", payment, now=now)


def _open_targets(payment: Payment) -> None:
    """An invoice that another attempt is open for by now keeps that one: the unique index says so."""
    taken = PaymentTarget.objects.filter(is_open=True).values("invoice_id")
    payment.targets.exclude(invoice_id__in=taken).update(is_open=True)


@transaction.atomic
def record_no_answer(payment: Payment, why: str, *, now: datetime) -> Payment:
    """
    Whether the gateway took it is not known: it stays open, and the gateway is asked again later (P4).

    What was settled meanwhile by a notice stays so.
    """
    locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    if payment.state in Payment.OPEN:
        if payment.state == State.CREATED:
            move(payment, State.UNKNOWN)
        payment.failure = mask_card_numbers(why)[:300]
        pending = payment.state == State.PENDING
        payment.next_look_at = now + look_after(payment.looks, pending=pending)
        _save(payment, "")
        _record("payment.no_answer", payment, now=now, why=payment.failure)
    return payment


@transaction.atomic
def record_never_sent(payment: Payment, *, needed: bool, now: datetime) -> Payment:
    """
    The gateway knows nothing of it, and its key is not used again: nothing was charged.

    Reading: one that we cannot be sure was ever sent, and that nobody needs any more, is cancelled; any other failed.
    """
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    if payment.state not in (State.CREATED, State.UNKNOWN):
        return payment
    if needed or payment.state == State.UNKNOWN:
        code = NEVER_REACHED if needed else NOT_NEEDED
        words = "It never reached the gateway, which knows nothing of it; nothing was charged."
        answer = Answer(Outcome.FAILED, "", payment.amount, payment.currency, code, words)
        fail(payment, profile, answer, on=today_of(profile.seller, now=now), now=now)
        return payment
    move(payment, State.CANCELLED)
    payment.failure_code, payment.failure = NOT_NEEDED, "Nothing was due any more; it was not sent."
    payment.next_look_at = None
    _save(payment, "")
    payment.targets.filter(is_open=True).update(is_open=False)
    _record("payment.cancelled", payment, now=now)
    tell_settled(payment, now=now)
    return payment


def _save(payment: Payment, reference: str) -> None:
    payment.gateway_reference = payment.gateway_reference or reference or None
    payment.save(
        update_fields=[
            "state", "gateway_reference", "failure_code", "failure", "hard", "settled_at", "next_look_at", "looks",
        ]
    )  # fmt: skip


def the_gateway(name: str) -> Actor:
    """Who is on record for what a gateway tells us."""
    return Actor(ActorKind.SYSTEM, f"gateway {name}", Channel.API)


def _record(action: str, payment: Payment, *, now: datetime, **detail: object) -> None:
    record_change(
        action,
        subject=f"payment {payment.pk}",
        actor=the_gateway(payment.gateway),
        now=now,
        account=payment.account_id,
        detail={"amount": f"{payment.amount:f}", "fee": f"{payment.fee:f}", "currency": payment.currency, **detail},
    )
