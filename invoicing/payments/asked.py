"""What every change of money has in common: the lock, and the values it is given."""

from collections.abc import Collection, Mapping
from decimal import Decimal

from accounts.actors import Actor, ActorKind
from invoicing.money import ZERO, exponent, format_money, minor_unit
from invoicing.payments.models import Payment
from invoicing.payments.queries import Owing, owing_of
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import BillingProfile


class MoneyRefused(Exception):
    """Why money is not taken, booked, allocated or given back, in sentences; nothing was changed."""


def locked_profile(account_id: int) -> BillingProfile:
    """
    The lock of the account's money, until the transaction ends.

    :raises MoneyRefused: for an account that is not billed itself
    """
    try:
        return lock_billing(account_id)
    except BillingProfile.DoesNotExist as error:
        raise MoneyRefused(
            "This account is not billed itself, so it pays nothing itself. Take the partner that is billed for it."
        ) from error


def locked_payment(payment_id: int) -> Payment:
    """The payment as it is now; the lock of its account is held already."""
    rows = Payment.objects.select_for_update(no_key=True, of=("self",)).select_related("method", "account")
    return rows.get(pk=payment_id)


def checked_amount(amount: Decimal, currency: str) -> Decimal:
    """:raises MoneyRefused: if it is not positive, or finer than the currency can be paid"""
    if not amount.is_finite() or amount <= ZERO:
        raise MoneyRefused(f"{amount} is no amount of money to take. Give one greater than zero.")
    if amount % minor_unit(currency):
        raise MoneyRefused(f"{amount} is finer than {currency} can be paid. Give at most {exponent(currency)} places.")
    return amount


def wanted_of(account_id: int, invoices: Mapping[int, Decimal | None], *, currency: str) -> dict[int, Decimal]:
    """
    What is to be paid of each of these invoices, None being all that is open, oldest due first.

    :raises MoneyRefused: if one is settled, another account's or of another currency, or more is asked for than is open
    """
    owing = {one.invoice_id: one for one in owing_of(account_id, invoice_ids=list(invoices))}
    faults = [_fault(pk, owing.get(pk), amount, currency) for pk, amount in invoices.items()]
    if any(faults):
        raise MoneyRefused(" ".join(fault for fault in faults if fault))
    return {pk: invoices[pk] or one.open for pk, one in owing.items()}


def _fault(invoice_id: int, owing: Owing | None, amount: Decimal | None, currency: str) -> str:
    if owing is None:
        return f"Nothing is open of invoice {invoice_id} for this account. Choose an invoice of its own that is open."
    if owing.currency != currency:
        return f"Invoice {owing.number} is in {owing.currency}, and the payment in {currency}: they do not meet."
    if amount is not None and not ZERO < amount <= owing.open:
        return (
            f"Invoice {owing.number} has {format_money(owing.open, currency)} open, "
            f"and {format_money(amount, currency)} was to be paid of it."
        )
    return ""


def as_amounts(amounts: Mapping[int, Decimal]) -> dict[str, str]:
    """Amounts by invoice, in a form that is kept."""
    return {str(pk): f"{amount.normalize():f}" for pk, amount in amounts.items()}


def chosen(invoices: Mapping[int, Decimal | None] | Collection[int]) -> dict[int, Decimal | None]:
    """Invoices with what is to be paid of each; without amounts, all that is open."""
    return dict(invoices) if isinstance(invoices, Mapping) else dict.fromkeys(invoices)


def may_take_money(actor: Actor) -> None:
    """
    Staff need the permission; a contact was asked about by the door, which knows the account and the clause.

    :raises NotPermitted: for staff without `invoicing.take_payment`, and for somebody we do not know
    """
    if actor.kind != ActorKind.CONTACT:
        actor.require("invoicing.take_payment")
