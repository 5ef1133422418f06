"""A bank's debit that comes back after it settled: what it paid is open again, and the code says what follows."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.utils.timezone import localdate

from accounts.audit import record_change
from invoicing.money import format_money
from invoicing.payments.asked import as_amounts, locked_payment, locked_profile
from invoicing.payments.models import Payment
from invoicing.payments.policy import Then, return_code, returned_late
from invoicing.payments.postings import post_money, take_back_latest
from invoicing.payments.receipts import write_return
from invoicing.payments.recording import AnswerDiffers, block_method_of, succeed, the_gateway
from invoicing.payments.settled import tell_settled
from invoicing.sellers.queries import today_of
from invoicing.states import move


@transaction.atomic
def record_return(
    payment: Payment,
    *,
    code: str,
    now: datetime,
    amount: Decimal | None = None,
    currency: str = "",
    reference: str = "",
) -> Payment:
    """
    A bank took a debit back: its invoices are open again by reversing entries, and so is its fee.

    A return says that it had settled, should nobody have told us. After 60 days it is recorded just the same, and
    flagged. R01 and R09 are tried again, twice at most; any other code blocks the bank account. Twice is once.

    :raises AnswerDiffers: if it is of another amount, currency or charge
    """
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    if payment.state == Payment.State.RETURNED:
        return payment
    _check(payment, amount, currency, reference)
    today = today_of(profile.seller, now=now)
    succeed(payment, profile, reference=reference, on=today, now=now, quietly=True)
    taken = _taken_back(payment, today=today, now=now)
    late = _ended(payment, code, today=today, now=now)
    _told(payment, code, taken, late=late, now=now)
    write_return(payment, profile, code, on=today, now=now)
    tell_settled(payment, now=now)
    return payment


def _taken_back(payment: Payment, *, today: date, now: datetime) -> dict[int, Decimal]:
    """Off every invoice, and out of the house with its fee; what each invoice lost."""
    taken = take_back_latest(payment, None, source=f"return-taken:{payment.pk}", on=today, now=now)
    post_money(
        payment, -payment.amount, -payment.fee, source=f"return:{payment.pk}", kind="RETURN", on=today, now=now
    )  # fmt: skip
    return taken


def _ended(payment: Payment, code: str, *, today: date, now: datetime) -> bool:
    """The payment is over, and its method blocked unless the code lets it be tried again; whether it came too late."""
    reason = return_code(code)
    settled_on = localdate(payment.settled_at or now)
    late = returned_late(settled_on=settled_on, returned_on=today)
    move(payment, Payment.State.RETURNED)
    payment.failure_code, payment.hard = code[:60], reason.then != Then.RETRY
    payment.failure = f"Returned by the bank: {reason.words}.{_too_late(settled_on, today) if late else ''}"[:300]
    payment.save(update_fields=["state", "failure_code", "failure", "hard"])
    if payment.hard:
        block_method_of(payment, f"{code}: {reason.words}", now=now)
    return late


def _told(payment: Payment, code: str, taken: Mapping[int, Decimal], *, late: bool, now: datetime) -> None:
    record_change(
        "payment.returned",
        subject=f"payment {payment.pk}",
        actor=the_gateway(payment.gateway),
        now=now,
        account=payment.account_id,
        detail={"code": code, "then": return_code(code).then, "late": late, "invoices": as_amounts(taken)},
    )


def _too_late(settled_on: date, today: date) -> str:
    days = (today - settled_on).days
    return f" It came {days} days after it settled, and banks have 60: have our bank contest it."


def _check(payment: Payment, amount: Decimal | None, currency: str, reference: str) -> None:
    known = payment.gateway_reference
    if known and reference and reference != known:
        raise AnswerDiffers(f"The gateway calls payment {payment.pk} {known}, and the return speaks of {reference}.")
    whole = payment.amount + payment.fee
    if amount is not None and (amount, currency) != (whole, payment.currency):
        raise AnswerDiffers(
            f"Payment {payment.pk} took {format_money(whole, payment.currency)}, and "
            f"{format_money(amount, currency)} came back: a debit is returned as a whole."
        )
