"""Giving back what a customer topped up and did not use, to the method it came from."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.money import ZERO, format_money
from invoicing.payments.asked import MoneyRefused, checked_amount
from invoicing.payments.models import Refund
from invoicing.payments.queries import unallocated
from invoicing.payments.refunds import record_refund, send_refund
from invoicing.prepaid.balances import lock_balance
from invoicing.prepaid.crediting import move_credit, square
from invoicing.prepaid.models import TopUp
from invoicing.subscriptions.locking import lock_billing


def refund_top_up(made: TopUp, *, actor: Actor, now: datetime, reason: str, amount: Decimal | None = None) -> Refund:
    """
    Refund a top-up, whole or in part, as far as the balance has it; the card fee's part goes with it (FEE-3).

    The money leaves the balance in the transaction that records the refund, before the gateway is asked; where the
    gateway does not give it back, at once or days later, it goes back to the balance. Not inside a transaction.

    :raises NotPermitted: unless the actor may refund payments
    :raises MoneyRefused: if the top-up is not credited, or the balance no longer has so much
    """
    actor.require("invoicing.refund_payment")
    if made.payment is None:
        raise MoneyRefused(f"The {made} was never charged, so nothing of it is given back.")
    wanted = made.amount if amount is None else amount
    with transaction.atomic(durable=True):
        _take_off(made, wanted, actor=actor, now=now, reason=reason)
        given = record_refund(made.payment, actor=actor, now=now, reason=reason, amount=wanted)
    given = send_refund(given, now=now)
    if given.state == Refund.State.FAILED:
        put_back(made.pk, now=now)
    return given


def _take_off(made: TopUp, amount: Decimal, *, actor: Actor, now: datetime, reason: str) -> None:
    lock_billing(made.account_id)
    made = TopUp.objects.select_for_update(no_key=True).get(pk=made.pk)
    checked_amount(amount, made.currency)
    if made.state != TopUp.State.CREDITED:
        raise MoneyRefused(f"The {made} is {made.get_state_display().lower()}: only what is on the balance goes back.")
    balance = lock_balance(made.account_id)
    if amount > balance.balance:
        raise MoneyRefused(
            f"The balance is {format_money(balance.balance, made.currency)}, and "
            f"{format_money(amount, made.currency)} was asked for: what is used up is not given back."
        )
    move_credit(made, -amount, now=now)
    record_change(
        "top_up.refund", subject=str(made), actor=actor, now=now, account=made.account_id, why=reason,
        detail={"amount": f"{amount:f}", "currency": made.currency},
    )  # fmt: skip


@transaction.atomic
def put_back(top_up_id: int, *, now: datetime) -> bool:
    """To the balance what a refund that failed left with the payment; whether there was anything. Safe to run twice."""
    account_id = TopUp.objects.values_list("account_id", flat=True).get(pk=top_up_id)
    lock_billing(account_id)
    made = TopUp.objects.select_for_update(no_key=True).get(pk=top_up_id)
    if made.state != TopUp.State.CREDITED or unallocated(made.payment_id or 0) <= ZERO:
        return False
    square(made, now=now)
    return True
