"""SEAT-1: a deposit is the customer's money. What is held of it, and giving the rest back."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from invoicing.invoices.models import OpenInvoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side, post
from invoicing.money import ZERO, format_money
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing


class DepositRefused(Exception):
    """Why a deposit is not given back, in a sentence."""


def deposit_held(account_id: int) -> dict[str, Decimal]:
    """What is held of the account's deposit, by currency; nothing where it is used up."""
    rows = (
        Posting.objects.filter(account_id=account_id, ledger_account=LedgerAccount.DEPOSIT_HELD)
        .order_by()
        .values_list("currency")
        .annotate(total=Sum("amount"))
    )
    return {currency: -total for currency, total in rows if total}


@transaction.atomic
def release_deposit(*, account: Account, actor: Actor, now: datetime, reason: str) -> LedgerEntry:
    """
    SEAT-1: what is left of a paid deposit becomes the customer's credit, through the payments that brought it.

    From there it is refunded like any other money.

    :raises NotPermitted: unless the actor may refund payments
    :raises DepositRefused: if nothing is held, or its invoice is not paid or was written off
    """
    actor.require("invoicing.refund_payment")
    profile = lock_billing(account.pk)
    invoice_id, currency, rest = _releasable(account)
    sides = [Side(LedgerAccount.DEPOSIT_HELD, rest, invoice_id=invoice_id)]
    sides += [
        Side(LedgerAccount.CUSTOMER_CREDIT, -amount, payment_id=payment_id)
        for payment_id, amount in _shares(invoice_id, rest)
    ]
    # A deposit is taken once an account, and released once for each time that something of it was held.
    released = LedgerEntry.objects.filter(account=account, kind=LedgerEntry.Kind.DEPOSIT).count()
    entry = post(
        account_id=account.pk,
        source=f"deposit-released:{account.pk}:{released + 1}",
        kind=LedgerEntry.Kind.DEPOSIT,
        currency=currency,
        on=today_of(profile.seller, now=now),
        now=now,
        sides=sides,
    )
    record_change(
        "deposit.release",
        subject=f"deposit of account {account.number}",
        actor=actor,
        now=now,
        account=account,
        why=reason,
        detail={"amount": format_money(rest, currency)},
    )
    return entry


def _releasable(account: Account) -> tuple[int | None, str, Decimal]:
    """The invoice that took the deposit, its currency, and what is left; :raises DepositRefused: if nothing may go"""
    lots = (
        Posting.objects.filter(account=account, ledger_account=LedgerAccount.DEPOSIT_HELD)
        .order_by()
        .values_list("invoice_id", "currency")
        .annotate(total=Sum("amount"))
    )
    held = [(invoice_id, currency, -total) for invoice_id, currency, total in lots if total < 0]
    if not held:
        raise DepositRefused(f"Account {account.number} holds no deposit, so there is nothing to give back (SEAT-1).")
    if OpenInvoice.objects.filter(invoice_id=held[0][0]).exists():
        raise DepositRefused(
            f"The invoice that took the deposit of account {account.number} is not paid, so the deposit is not there "
            "to be given back. Credit the invoice's deposit line instead (BILL-6)."
        )
    invoice_id, currency, rest = held[0]
    there = rest - _written_off(invoice_id)
    if there <= ZERO:
        raise DepositRefused(
            f"The invoice that took the deposit of account {account.number} was written off, so nothing of the deposit "
            "is there to be given back."
        )
    return invoice_id, currency, there


def _written_off(invoice_id: int | None) -> Decimal:
    """What of an invoice was given up as lost, less what was recovered of it."""
    lost = Posting.objects.filter(invoice_id=invoice_id, ledger_account=LedgerAccount.BAD_DEBT)
    return max(lost.aggregate(total=Sum("amount", default=ZERO))["total"], ZERO)


def _shares(invoice_id: int | None, rest: Decimal) -> list[tuple[int | None, Decimal]]:
    """The rest of a deposit by the payments that paid its invoice, latest first; what came otherwise, by none."""
    paid = (
        Posting.objects.filter(invoice_id=invoice_id, ledger_account=LedgerAccount.RECEIVABLE, payment_id__isnull=False)
        .values_list("payment_id")
        .annotate(total=Sum("amount"))
        .order_by("-payment_id")
    )
    shares: list[tuple[int | None, Decimal]] = []
    for payment_id, total in paid:
        if rest > ZERO and total < 0:
            shares.append((payment_id, min(rest, -total)))
            rest -= shares[-1][1]
    return [*shares, (None, rest)] if rest else shares
