"""Which invoices a payment's money pays: put there, taken back, and credit that came from no payment."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from invoicing.invoices.models import Invoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry
from invoicing.ledger.operations import Side, post
from invoicing.money import ZERO, format_money
from invoicing.payments.asked import (
    MoneyRefused,
    as_amounts,
    checked_amount,
    chosen,
    locked_payment,
    locked_profile,
    wanted_of,
)
from invoicing.payments.models import Payment
from invoicing.payments.policy import spread
from invoicing.payments.postings import allocate_rest, next_source, take_back_from
from invoicing.payments.queries import credit_without_payment, owing_of, standing_of, unallocated
from invoicing.sellers.queries import today_of

PERMISSION = "invoicing.allocate_payment"


class AllocationRefused(MoneyRefused):
    """Why money is not put on an invoice or taken off it; nothing was changed."""


@transaction.atomic
def allocate(
    payment: Payment,
    *,
    actor: Actor,
    now: datetime,
    invoices: Mapping[int, Decimal | None] | Collection[int] | None = None,
    why: str = "",
) -> dict[int, Decimal]:
    """
    Pay open invoices of the account with what of the payment is on none: these, or oldest due first.

    Returns what each got.

    :raises NotPermitted: unless the actor may allocate payments
    :raises MoneyRefused: if nothing is left of it, or more is asked for than is left or open
    """
    actor.require(PERMISSION)
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    rest = unallocated(payment.pk)
    if rest <= ZERO:
        raise AllocationRefused(f"Nothing is left of payment {payment.pk} to allocate. Take back what it paid first.")
    if invoices is None:
        owing = [(one.invoice_id, one.open) for one in owing_of(payment.account_id, currency=payment.currency)]
        wanted = spread(rest, owing)
    else:
        wanted = wanted_of(payment.account_id, chosen(invoices), currency=payment.currency)
        if isinstance(invoices, Mapping) and sum(wanted.values(), ZERO) > rest:
            raise AllocationRefused(
                f"{format_money(rest, payment.currency)} is left of payment {payment.pk}, and more was to be allocated."
            )
    if not wanted:
        raise AllocationRefused(f"The account owes nothing in {payment.currency}: there is nothing to pay.")
    got = allocate_rest(
        payment, wanted, source=next_source(payment, "allocation"), on=today_of(profile.seller, now=now), now=now
    )
    _record("payment.allocate", payment, got, actor=actor, now=now, why=why)
    return got


@transaction.atomic
def take_back(
    payment: Payment, invoice: Invoice, amount: Decimal | None = None, *, actor: Actor, now: datetime, why: str
) -> Decimal:
    """
    Take a payment's money off an invoice again, the whole of it or an amount; it becomes the customer's credit.

    The invoice is open again by so much. Returns how much.

    :raises NotPermitted: unless the actor may allocate payments
    :raises MoneyRefused: if less of the payment stands on the invoice
    """
    actor.require(PERMISSION)
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    if not why.strip():
        raise AllocationRefused("Say why the money is taken off the invoice.")
    there = {one.invoice_id: one.amount for one in standing_of(payment.pk)}.get(invoice.pk, ZERO)
    wanted = there if amount is None else checked_amount(amount, payment.currency)
    if not ZERO < wanted <= there:
        raise AllocationRefused(
            f"{format_money(there, payment.currency)} of payment {payment.pk} stands on invoice {invoice.number}; "
            f"more than that cannot be taken back."
        )
    taken = take_back_from(
        payment, {invoice.pk: wanted}, source=next_source(payment, "taken-back"),
        on=today_of(profile.seller, now=now), now=now,
    )  # fmt: skip
    _record("payment.take_back", payment, taken, actor=actor, now=now, why=why)
    return taken[invoice.pk]


@transaction.atomic
def apply_credit(
    account: Account, *, actor: Actor, now: datetime, currency: str, invoices: Collection[int] | None = None
) -> dict[int, Decimal]:
    """
    Pay open invoices with credit that came from no payment (credit notes, opening balances), oldest due first.

    Issued invoices use it by themselves; this is for credit that came later. Returns what each got.

    :raises NotPermitted: unless the actor may allocate payments
    :raises MoneyRefused: if there is no such credit, or nothing to pay with it
    """
    actor.require(PERMISSION)
    profile = locked_profile(account.pk)
    credit = credit_without_payment(account.pk, currency)
    if credit <= ZERO:
        raise AllocationRefused(f"The account has no credit in {currency} but what came from its payments.")
    owing = [one for one in owing_of(account.pk, currency=currency, invoice_ids=invoices) if one.open > one.placed]
    got = spread(credit, [(one.invoice_id, one.open - one.placed) for one in owing])
    if not got:
        raise AllocationRefused(f"There is no open invoice in {currency} to pay with it.")
    sides = [Side(LedgerAccount.CUSTOMER_CREDIT, share, invoice_id=pk) for pk, share in got.items()]
    sides += [Side(LedgerAccount.RECEIVABLE, -share, invoice_id=pk) for pk, share in got.items()]
    before = LedgerEntry.objects.filter(account=account, kind=LedgerEntry.Kind.APPLICATION).count()
    post(
        account_id=account.pk, source=f"credit-applied:{account.pk}:{before + 1}", kind=LedgerEntry.Kind.APPLICATION,
        currency=currency, on=today_of(profile.seller, now=now), now=now, sides=sides,
    )  # fmt: skip
    record_change(
        "credit.apply", subject=f"credit of account {account.number}", actor=actor, now=now, account=account,
        detail={"currency": currency, "invoices": as_amounts(got)},
    )  # fmt: skip
    return got


def _record(
    action: str, payment: Payment, amounts: Mapping[int, Decimal], *, actor: Actor, now: datetime, why: str
) -> None:
    record_change(
        action, subject=f"payment {payment.pk}", actor=actor, now=now, account=payment.account_id, why=why,
        detail={"currency": payment.currency, "invoices": as_amounts(amounts)},
    )  # fmt: skip
