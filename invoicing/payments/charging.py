"""
Charging a stored method: recorded, committed, then the gateway, then its answer.

What the gateway did when the process dies in between is found out by the resolver; never by charging again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.money import ZERO
from invoicing.payments.asked import MoneyRefused, as_amounts, checked_amount, chosen, locked_profile, may_take_money
from invoicing.payments.calling import charge_at_gateway
from invoicing.payments.fees import fee_of_method
from invoicing.payments.gateways.protocol import Answer, GatewayBusy, GatewayRefused, NoAnswer, Outcome
from invoicing.payments.models import Payment, PaymentMethod, PaymentTarget
from invoicing.payments.policy import CRASHED_AFTER, spread
from invoicing.payments.queries import Owing, being_paid, owing_of
from invoicing.payments.recording import AnswerDiffers, record_answer, record_no_answer
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

Invoices = Mapping[int, Decimal | None] | Collection[int] | None


class NothingDue(MoneyRefused):
    """Nothing is due any more of what was to be paid; nothing was charged."""


class AlreadyUnderWay(MoneyRefused):
    """An attempt for the same invoices is open: the gateway may still take that money."""


class ChargeRefused(MoneyRefused):
    """Why a method is not charged; nothing was."""


def charge(
    account_id: int,
    method: PaymentMethod,
    *,
    actor: Actor,
    now: datetime,
    invoices: Invoices = None,
    amount: Decimal | None = None,
    purpose: str = Payment.Purpose.INVOICES,
    automatic: bool = False,
    attempt: int = 1,
    on: date | None = None,
) -> Payment:
    """
    Charge a method of the account, with its card fee, for what is due: these invoices, or oldest due first.

    See `record_attempt` and `send`, which it calls one after the other. The payment says what became of it; without
    an answer it is UNKNOWN, and the resolver goes on.

    :raises RuntimeError: inside a transaction
    :raises NotPermitted: for staff who may not take payments
    :raises MoneyRefused: if nothing is due any more, an attempt is open, or the method cannot be charged
    """
    with transaction.atomic(durable=True):
        payment = record_attempt(
            account_id, method, actor=actor, now=now, invoices=invoices, amount=amount, purpose=purpose,
            automatic=automatic, attempt=attempt, on=on,
        )  # fmt: skip
    return send(payment, now=now)


@transaction.atomic
def record_attempt(
    account_id: int,
    method: PaymentMethod,
    *,
    actor: Actor,
    now: datetime,
    invoices: Invoices = None,
    amount: Decimal | None = None,
    purpose: str = Payment.Purpose.INVOICES,
    automatic: bool = False,
    attempt: int = 1,
    on: date | None = None,
) -> Payment:
    """
    Record an attempt with its idempotency key, under the lock of the account's money; nothing is sent yet.

    What is due is looked at again: no more is taken than is open, and nothing for an invoice that another attempt is
    open for. A top-up is for `amount` and no invoice. `on` is the day it is made, unless told the seller's today.

    :raises MoneyRefused: as `charge` does
    """
    may_take_money(actor)
    profile = locked_profile(account_id)
    method = _chargeable(account_id, method)
    targets: dict[int, Decimal] = {}
    if purpose == Payment.Purpose.TOP_UP:
        currency = profile.currency
        whole = checked_amount(amount or ZERO, currency)
    else:
        currency, targets = _due(profile, invoices, amount)
        whole = sum(targets.values(), ZERO)
    day = on or today_of(profile.seller, now=now)
    fee = fee_of_method(profile, method, whole, currency=currency, on=day)
    payment = Payment.objects.create(
        account_id=account_id, method=method, kind=method.kind, gateway=method.gateway, purpose=purpose,
        currency=currency, amount=whole, fee=fee.amount, fee_why=fee.why(), key=f"payment-{uuid4().hex}",
        attempt=attempt, automatic=automatic, made_by=actor.name[:200], on=day, created_at=now,
        next_look_at=now + CRASHED_AFTER,
    )  # fmt: skip
    _open_targets(payment, targets)
    _on_record(payment, targets, actor=actor, now=now)
    return payment


def send(payment: Payment, *, now: datetime) -> Payment:
    """
    Send a recorded attempt to its gateway, and record the answer. Outside of any transaction.

    :raises RuntimeError: inside a transaction
    """
    payment = Payment.objects.select_related("method", "account").get(pk=payment.pk)
    try:
        answer = charge_at_gateway(payment)
    except (NoAnswer, GatewayBusy) as error:
        return record_no_answer(payment, str(error), now=now)
    except GatewayRefused as error:
        answer = Answer(Outcome.FAILED, "", payment.amount, payment.currency, "refused", str(error))
    return record_or_doubt(payment, answer, now=now, on=payment.on)


def record_or_doubt(payment: Payment, answer: Answer, *, now: datetime, on: date | None = None) -> Payment:
    """Record an answer; one that differs from what was asked leaves the payment open, with the sentence, for staff."""
    try:
        return record_answer(payment, answer, now=now, on=on)
    except AnswerDiffers as error:
        return record_no_answer(payment, str(error), now=now)


def _on_record(payment: Payment, targets: Mapping[int, Decimal], *, actor: Actor, now: datetime) -> None:
    record_change(
        "payment.charge",
        subject=f"payment {payment.pk}",
        actor=actor,
        now=now,
        account=payment.account_id,
        detail={
            "method": str(payment.method), "amount": f"{payment.amount:f}", "fee": f"{payment.fee:f}",
            "currency": payment.currency, "invoices": as_amounts(targets), "attempt": payment.attempt,
            "automatic": payment.automatic, "purpose": payment.purpose,
        },
    )  # fmt: skip


def _chargeable(account_id: int, method: PaymentMethod) -> PaymentMethod:
    """:raises ChargeRefused: unless it is a method of the account that may be charged"""
    own = PaymentMethod.objects.filter(pk=method.pk, account_id=account_id).first()
    if own is None:
        raise ChargeRefused("This account has no such payment method. Choose one of its own.")
    if own.state != PaymentMethod.State.ACTIVE:
        because = f" ({own.blocked_because})" if own.blocked_because else ""
        raise ChargeRefused(f"{own} is {own.get_state_display().lower()}{because}. Choose another payment method.")
    return own


def _due(profile: BillingProfile, invoices: Invoices, amount: Decimal | None) -> tuple[str, dict[int, Decimal]]:
    """The currency, and what is taken for each invoice: never more than is open of it."""
    wanted = None if invoices is None else chosen(invoices)
    currency = profile.currency if wanted is None else ""
    owing = owing_of(profile.account_id, currency=currency, invoice_ids=None if wanted is None else list(wanted))
    if not owing:
        raise NothingDue("Nothing is due any more of what was to be paid, so nothing was charged.")
    currency = _one_currency(owing)
    under_way = being_paid([one.invoice_id for one in owing])
    free = [one for one in owing if one.invoice_id not in under_way]
    if not free:
        raise AlreadyUnderWay(
            "Another payment for this is under way, and the gateway may still take it. Have that one looked at first."
        )
    shares = [(one.invoice_id, min((wanted or {}).get(one.invoice_id) or one.open, one.open)) for one in free]
    if amount is not None:
        return currency, spread(checked_amount(amount, currency), shares)
    for _, share in shares:
        checked_amount(share, currency)
    return currency, dict(shares)


def _one_currency(owing: Sequence[Owing]) -> str:
    currencies = sorted({one.currency for one in owing})
    if len(currencies) > 1:
        raise ChargeRefused(f"The invoices are in {' and '.join(currencies)}. Charge those of one currency at a time.")
    return currencies[0]


def _open_targets(payment: Payment, targets: Mapping[int, Decimal]) -> None:
    """:raises AlreadyUnderWay: by the unique index, should another attempt be open in spite of all locks"""
    rows = [PaymentTarget(payment=payment, invoice_id=pk, amount=share, is_open=True) for pk, share in targets.items()]
    try:
        with transaction.atomic():
            PaymentTarget.objects.bulk_create(rows)
    except IntegrityError as error:
        raise AlreadyUnderWay("Another payment for one of these invoices is under way.") from error
