"""What accounts owe and what is held of theirs: sums of postings, never a stored figure."""

from collections import defaultdict
from collections.abc import Collection
from decimal import Decimal

from django.db.models import Sum

from invoicing.ledger.models import LedgerAccount, Posting

# Sides of the same coin: an open invoice, and credit that will meet it.
OWED = (LedgerAccount.RECEIVABLE, LedgerAccount.CUSTOMER_CREDIT)


def owed_by(account_ids: Collection[int]) -> dict[int, dict[str, Decimal]]:
    """What each account owes (positive) or is owed, by currency; nothing where it comes to zero. One query."""
    rows = (
        Posting.objects.filter(account_id__in=account_ids, ledger_account__in=OWED)
        .order_by()
        .values_list("account_id", "currency")
        .annotate(total=Sum("amount"))
    )
    owed: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for account_id, currency, total in rows:
        if total:
            owed[account_id][currency] = total
    return dict(owed)


def balances_of(account_id: int) -> list[tuple[str, str, Decimal]]:
    """The account's balance by ledger account and currency, where it is not zero, of what is owed or held."""
    held = (*OWED, LedgerAccount.DEPOSIT_HELD, LedgerAccount.PREPAID_BALANCE, LedgerAccount.COLLECTIONS)
    rows = (
        Posting.objects.filter(account_id=account_id, ledger_account__in=held)
        .order_by("ledger_account", "currency")
        .values_list("ledger_account", "currency")
        .annotate(total=Sum("amount"))
    )
    return [(ledger_account, currency, total) for ledger_account, currency, total in rows if total]
