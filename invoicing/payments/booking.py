"""Money that came by hand: checks, wires and cash, with a reference and who booked it."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from invoicing.money import format_money
from invoicing.payments.asked import MoneyRefused, as_amounts, checked_amount, chosen, locked_profile, wanted_of
from invoicing.payments.card_numbers import mask_card_numbers
from invoicing.payments.models import Payment, PaymentTarget
from invoicing.payments.policy import spread
from invoicing.payments.postings import MANUAL, allocate_rest, post_received
from invoicing.payments.queries import being_paid, owing_of
from invoicing.payments.receipts import write_receipt
from invoicing.payments.settled import tell_settled
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

BY_HAND = (Payment.Kind.CHECK, Payment.Kind.WIRE, Payment.Kind.CASH)


class BookingRefused(MoneyRefused):
    """Why a payment is not booked; nothing was changed."""


@transaction.atomic
def book_payment(
    account: Account,
    *,
    kind: str,
    amount: Decimal,
    currency: str,
    reference: str,
    received_on: date,
    actor: Actor,
    now: datetime,
    invoices: Mapping[int, Decimal | None] | Collection[int] | None = None,
    despite_open: bool = False,
) -> Payment:
    """
    Book a check, wire or cash payment, and pay open invoices with it: these, or oldest due first.

    What is over stays as the customer's credit. `despite_open` books it although the gateway may still take the money
    for the same invoices; what comes twice then is credit.

    :raises NotPermitted: unless the actor may book payments
    :raises MoneyRefused: if it was booked before, if an attempt for these invoices is open, or a value does not fit
    """
    actor.require("invoicing.book_payment")
    profile = locked_profile(account.pk)
    reference = mask_card_numbers(" ".join(reference.split()))
    _check(profile, kind, amount, currency, reference, received_on, now)
    wanted = _to_pay(account.pk, invoices, amount, currency, despite_open=despite_open)
    payment = Payment.objects.create(
        account=account, kind=kind, gateway=MANUAL, currency=currency, amount=amount,
        state=Payment.State.SUCCEEDED, key=f"{MANUAL}-{uuid4().hex}", reference=reference, made_by=actor.name[:200],
        on=received_on, created_at=now, settled_at=now,
    )  # fmt: skip
    PaymentTarget.objects.bulk_create(
        PaymentTarget(payment=payment, invoice_id=pk, amount=share) for pk, share in wanted.items()
    )
    post_received(payment, on=received_on, now=now)
    paid = allocate_rest(payment, wanted, source=f"allocation:{payment.pk}", on=received_on, now=now)
    _on_record(payment, paid, actor=actor, now=now, despite_open=despite_open)
    write_receipt(payment, profile, paid, on=received_on, now=now)
    tell_settled(payment, now=now)
    return payment


def _to_pay(
    account_id: int,
    invoices: Mapping[int, Decimal | None] | Collection[int] | None,
    amount: Decimal,
    currency: str,
    *,
    despite_open: bool,
) -> dict[int, Decimal]:
    """What each invoice gets of the amount, oldest due first."""
    if invoices is None:
        owing = {one.invoice_id: one.open for one in owing_of(account_id, currency=currency)}
    else:
        owing = wanted_of(account_id, chosen(invoices), currency=currency)
    wanted = spread(amount, owing.items())
    if not despite_open:
        _check_none_open(wanted)
    return wanted


def _on_record(
    payment: Payment, paid: Mapping[int, Decimal], *, actor: Actor, now: datetime, despite_open: bool
) -> None:
    record_change(
        "payment.book",
        subject=f"payment {payment.pk}",
        actor=actor,
        now=now,
        account=payment.account_id,
        detail={
            "kind": payment.kind, "amount": f"{payment.amount:f}", "currency": payment.currency,
            "reference": payment.reference, "received_on": payment.on.isoformat(), "invoices": as_amounts(paid),
            "despite_open": despite_open,
        },
    )  # fmt: skip


def _check(
    profile: BillingProfile,
    kind: str,
    amount: Decimal,
    currency: str,
    reference: str,
    received_on: date,
    now: datetime,
) -> None:
    if kind not in BY_HAND:
        raise BookingRefused(f"{kind} does not come by hand. Book a check, a wire or cash.")
    checked_amount(amount, currency)
    if not reference:
        raise BookingRefused("Give the check's number, the wire's reference or the cash receipt's number.")
    if len(reference) > 80:
        raise BookingRefused("The reference is longer than 80 characters. Give its distinctive part.")
    if received_on > today_of(profile.seller, now=now):
        raise BookingRefused(f"{received_on:%-d %B %Y} is yet to come. Give the day on which the money came.")
    if currency != profile.currency and not owing_of(profile.account_id, currency=currency):
        raise BookingRefused(
            f"The account is billed in {profile.currency} and owes nothing in {currency}. "
            f"Book what came in {profile.currency}."
        )
    before = Payment.objects.filter(
        account_id=profile.account_id, gateway=MANUAL, reference__iexact=reference, amount=amount, currency=currency
    ).first()
    if before is not None:
        raise BookingRefused(
            f"{format_money(amount, currency)} with the reference {reference} was booked on "
            f"{before.created_at:%-d %B %Y} by {before.made_by} (payment {before.pk}). If it came again, "
            "give the reference something that tells the two apart."
        )


def _check_none_open(wanted: Collection[int]) -> None:
    open_attempts = being_paid(wanted)
    if open_attempts:
        payment = next(iter(open_attempts.values()))
        raise BookingRefused(
            f"Payment {payment.pk} for the same invoices is {payment.get_state_display().lower()}: the gateway may "
            "still take that money. Have it looked at first, or book this one in spite of it."
        )
