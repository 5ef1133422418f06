"""Prepaid accounts, per-use prices and uses as the tests need them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import connection, transaction

from accounts.models import Account
from invoicing.catalog.models import Plan, PriceTier
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side
from invoicing.prepaid.balances import lock_balance, open_balances, post_credit
from invoicing.prepaid.models import PrepaidBalance, TopUpAgreement
from invoicing.prepaid.usage import Taken, take_uses
from invoicing.prepaid.usage_reading import Use
from tests.invoicing.factories import customer, plan

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_sources = count(1)
_keys = count(1)


def prepaid(balance: str = "0", *, profile: Mapping[str, Any] | None = None, **values: Any) -> Account:
    """A customer under `prepaid` in USD with so much on the balance, posted."""
    account = customer("prepaid", profile=profile, **values)
    if Decimal(balance):
        give(account, balance)
    return account


def give(account: Account, amount: str) -> None:
    """Credit of unknown origin, posted with the balance."""
    with transaction.atomic():
        post_credit(
            lock_balance(account.pk),
            Decimal(amount),
            source=f"test-credit:{next(_sources)}",
            kind=LedgerEntry.Kind.TOP_UP,
            against=[Side(LedgerAccount.GATEWAY_CLEARING, Decimal(amount))],
            on=NOW.date(),
            now=NOW,
        )


def per_use(
    code: str = "calls", price: str = "0.10", *, tiers: Mapping[str, str] | None = None, **amounts: Any
) -> Plan:
    """A per-use product with one plan; `amounts` are `minimum`, `increment` and `included`."""
    made = plan(code, price, charge="PER_USE", **amounts)
    for above, unit_price in (tiers or {}).items():
        PriceTier.objects.create(price=made.prices.get(), above=Decimal(above), unit_price=Decimal(unit_price))
    return made


def use(account: Account, quantity: str = "1", *, key: str = "", at: datetime = NOW, **values: Any) -> Use:
    """One use of `calls`, with a key of its own unless told."""
    given = {"product": "calls"} | values
    return Use(key=key or f"k-{next(_keys):06d}", account=account.number, at=at, quantity=Decimal(quantity), **given)


def take(*uses: Use, now: datetime = NOW) -> Taken:
    return take_uses(uses, now=now)


def balance_of(account: Account) -> Decimal:
    return PrepaidBalance.objects.get(account=account).balance


def posted_balance(account: Account) -> Decimal:
    """What the account's postings say of its prepaid balance."""
    rows = Posting.objects.filter(account=account, ledger_account=LedgerAccount.PREPAID_BALANCE)
    return -sum(rows.values_list("amount", flat=True), Decimal(0))


def agreement(account: Account, threshold: str = "10", amount: str = "50", **values: Any) -> TopUpAgreement:
    """Top up by 50 below 10, unless told otherwise."""
    open_balances([account.pk])
    given = {"threshold": Decimal(threshold), "amount": Decimal(amount)} | values
    return TopUpAgreement.objects.create(account=account, **given)


@contextmanager
def unwritable_balances() -> Iterator[None]:
    """For as long as it lasts, no balance can be changed: the database refuses it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_balance() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'The balance cannot be written.'; END $$;"
            " CREATE TRIGGER unwritable BEFORE UPDATE ON invoicing_prepaidbalance"
            " FOR EACH ROW EXECUTE FUNCTION refuse_balance()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse_balance() CASCADE")
