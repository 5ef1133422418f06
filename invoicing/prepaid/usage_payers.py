"""Who pays for the uses of a batch, and which of them are known already; a query each."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import NamedTuple

from django.db.models import F, Q

from accounts.models import Account
from invoicing.catalog.models import BillingTerms
from invoicing.money import ZERO
from invoicing.prepaid.models import PrepaidBalance, TopUpAgreement
from invoicing.prepaid.policy import needs_top_up
from invoicing.prepaid.usage_reading import Use
from invoicing.subscriptions.models import UsageEvent


class Payer(NamedTuple):
    """An account as far as its uses are concerned; `time_zone` is its seller's, `credit_limit` its terms'."""

    account_id: int
    number: str
    currency: str
    is_prepaid: bool
    time_zone: str
    credit_limit: Decimal


class KnownUse(NamedTuple):
    """A use that was taken before, and what it cost."""

    use: Use
    amount: Decimal
    currency: str


def payers_of(numbers: Collection[str]) -> dict[str, Payer]:
    """The accounts with these numbers; one that is not billed itself, such as a partner's client, is not prepaid."""
    rows = Account.objects.filter(number__in=list(numbers)).order_by("pk").values_list(
        "pk", "number", "billing_profile__currency", "billing_profile__terms__settlement",
        "billing_profile__seller__time_zone", "billing_profile__terms__credit_limit",
    )  # fmt: skip
    balance = BillingTerms.Settlement.BALANCE
    return {
        number: Payer(pk, number, currency or "", settlement == balance, time_zone or "UTC", limit or ZERO)
        for pk, number, currency, settlement, time_zone, limit in rows
    }


def known_uses(keys: Collection[str]) -> dict[str, KnownUse]:
    """Those of the keys under which a use was taken."""
    rows = UsageEvent.objects.filter(key__in=list(keys)).values_list(
        "key", "account__number", "plan__product__code", "at", "quantity", "detail", "amount", "currency"
    )
    return {key: KnownUse(Use(key, *content), amount, currency) for key, *content, amount, currency in rows}


def low_balances(balances: Mapping[int, PrepaidBalance]) -> tuple[int, ...]:
    """PRE-2: the accounts that agreed to be topped up and whose balance, as it is now, calls for it."""
    agreements = TopUpAgreement.objects.filter(account_id__in=list(balances), is_on=True)
    return tuple(
        account_id
        for account_id, threshold in agreements.order_by("pk").values_list("account_id", "threshold")
        if needs_top_up(
            threshold=threshold,
            balance=balances[account_id].balance,
            floor=balances[account_id].floor,
            awaiting=balances[account_id].awaiting,
        )
    )


def agreements_that_call() -> list[int]:
    """PRE-2: every account that agreed to be topped up and whose kept balance calls for it, whenever it may be."""
    short = Q(account__prepaid_balance__balance__lt=F("threshold")) | Q(
        account__prepaid_balance__awaiting__gt=F("account__prepaid_balance__balance")
        - F("account__prepaid_balance__floor")
    )
    awaited = Q(account__prepaid_balance__awaiting__gt=0)
    low = Q(account__prepaid_balance__balance__lt=F("threshold"))
    return list(
        TopUpAgreement.objects.filter(Q(is_on=True) & (low | (awaited & short)))
        .order_by("account_id")
        .values_list("account_id", flat=True)
    )
