"""Prepaid balances, changed under their lock in the transaction that posts why."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from invoicing.catalog.models import BillingTerms
from invoicing.ledger.models import LedgerAccount, LedgerEntry
from invoicing.ledger.operations import Side, post
from invoicing.money import ZERO
from invoicing.prepaid.models import PrepaidBalance
from invoicing.subscriptions.models import BillingProfile


def available(balance: PrepaidBalance) -> Decimal:
    """PRE-4: what may still be deducted before the floor, in the balance's currency; never negative."""
    return max(balance.balance - balance.floor, ZERO)


def floor_for(credit_limit: Decimal, balance: Decimal) -> Decimal:
    """
    PRE-4: zero less the credit limit; or the balance itself, where a payment that was returned has taken it lower.

    Nothing can be deducted from a balance at its floor, so it stays there until credit lifts both.
    """
    return min(-credit_limit, balance)


def open_balances(account_ids: Collection[int]) -> None:
    """An empty balance for each prepaid account that has none; accounts under other terms get none."""
    profiles = BillingProfile.objects.filter(
        account_id__in=list(account_ids),
        terms__settlement=BillingTerms.Settlement.BALANCE,
        account__prepaid_balance=None,
    )
    PrepaidBalance.objects.bulk_create(
        [
            PrepaidBalance(account_id=account_id, currency=currency, floor=-limit)
            for account_id, currency, limit in profiles.order_by("account_id").values_list(
                "account_id", "currency", "terms__credit_limit"
            )
        ],
        ignore_conflicts=True,
    )


def lock_balances(account_ids: Iterable[int]) -> dict[int, PrepaidBalance]:
    """
    The balances of prepaid accounts, opened where there is none, locked in account order until the transaction ends.

    A weaker lock than FOR UPDATE, which the foreign keys' own locks would deadlock with.
    """
    wanted = set(account_ids)
    locked = _locked(wanted)
    if missing := wanted - locked.keys():
        open_balances(missing)
        locked = _locked(wanted)
    return locked


def lock_balance(account_id: int) -> PrepaidBalance:
    """:raises PrepaidBalance.DoesNotExist: unless the account is a prepaid one"""
    locked = lock_balances([account_id])
    if account_id not in locked:
        raise PrepaidBalance.DoesNotExist(f"Account {account_id} has no prepaid balance: its terms have none.")
    return locked[account_id]


def post_credit(
    balance: PrepaidBalance,
    amount: Decimal,
    *,
    source: str,
    kind: str,
    against: Sequence[Side],
    on: date,
    now: datetime,
) -> bool:
    """
    Credit a locked balance and post it against the other sides; whether it was not posted before.

    A negative amount takes credit back, whatever the floor: it goes down with the balance, and up again with credit.
    """
    if LedgerEntry.objects.filter(source=source).exists():
        return False
    limit = BillingProfile.objects.values_list("terms__credit_limit", flat=True).get(account_id=balance.account_id)
    _move(balance, amount, floor_for(limit, balance.balance + amount), source, kind, against, on, now)
    return True


def _move(
    balance: PrepaidBalance,
    by: Decimal,
    floor: Decimal,
    source: str,
    kind: str,
    against: Sequence[Side],
    on: date,
    now: datetime,
) -> None:
    post(
        account_id=balance.account_id,
        source=source,
        kind=kind,
        currency=balance.currency,
        on=on,
        now=now,
        sides=[Side(LedgerAccount.PREPAID_BALANCE, -by), *against],
    )
    balance.balance += by
    balance.floor = floor
    balance.save(update_fields=["balance", "floor"])


def _locked(account_ids: Collection[int]) -> dict[int, PrepaidBalance]:
    rows = PrepaidBalance.objects.select_for_update(no_key=True).filter(account_id__in=list(account_ids))
    return {balance.account_id: balance for balance in rows.order_by("account_id")}
