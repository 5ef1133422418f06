"""
Who pays for the uses of a batch, locked; and which of the uses are known already: a statement each.

Ids and keys go as one array: a placeholder for each of five hundred would cost more than looking them up.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from invoicing.bulk import array_of, array_of_texts
from invoicing.money import ZERO
from invoicing.prepaid.balances import floor_for, open_balances
from invoicing.prepaid.policy import needs_top_up
from invoicing.prepaid.usage_reading import Use

PAYERS = """
SELECT a.number, a.id, p.currency, s.time_zone, t.credit_limit, g.threshold, p.bill_from_on
FROM accounts_account a
JOIN invoicing_billingprofile p ON p.account_id = a.id
JOIN invoicing_billingterms t ON t.id = p.terms_id AND t.settlement = 'BALANCE'
JOIN invoicing_seller s ON s.id = p.seller_id
LEFT JOIN invoicing_topupagreement g ON g.account_id = a.id AND g.is_on
WHERE a.number = ANY(%s::text[])
ORDER BY a.id
"""
KNOWN_NUMBERS = "SELECT number FROM accounts_account WHERE number = ANY(%s::text[])"
LOCK = """
SELECT account_id, balance, awaiting FROM invoicing_prepaidbalance WHERE account_id = ANY(%s::bigint[])
ORDER BY account_id FOR NO KEY UPDATE
"""
KNOWN_USES = """
SELECT e.key, a.number, p.code, e.at, e.quantity, e.detail, e.amount, e.currency
FROM invoicing_usageevent e
JOIN accounts_account a ON a.id = e.account_id
JOIN invoicing_plan l ON l.id = e.plan_id
JOIN invoicing_product p ON p.id = l.product_id
WHERE e.key = ANY(%s::text[])
"""


@dataclass(slots=True)
class Payer:
    """
    A prepaid account and its balance, locked: as it was `before` the batch, and as it is with what is deducted.

    `time_zone` is the seller's; `threshold` is of its top-up agreement, None without one that is on; what was used
    before `bill_from_on` was billed elsewhere.
    """

    number: str
    account_id: int
    currency: str
    time_zone: str
    credit_limit: Decimal
    threshold: Decimal | None
    bill_from_on: date | None
    before: Decimal = ZERO
    balance: Decimal = ZERO
    floor: Decimal = ZERO
    awaiting: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        """PRE-4: what may still be deducted."""
        return max(self.balance - self.floor, ZERO)

    @property
    def is_low(self) -> bool:
        """PRE-2: whether it is to be topped up by itself."""
        return self.threshold is not None and needs_top_up(
            threshold=self.threshold, balance=self.balance, floor=self.floor, awaiting=self.awaiting
        )


class KnownUse(NamedTuple):
    """A use that was taken before, and what it cost."""

    use: Use
    amount: Decimal
    currency: str


def lock_payers(numbers: Collection[str]) -> dict[str, Payer]:
    """Those of the accounts that are prepaid, by number; their balances locked in account order, and opened first."""
    with connection.cursor() as cursor:
        cursor.execute(PAYERS, [array_of_texts(numbers)])
        payers = {row[1]: Payer(*row) for row in cursor.fetchall()}
        locked = _lock(payers)
        if missing := payers.keys() - locked.keys():
            open_balances(missing)
            locked = _lock(payers)
    for account_id, (balance, awaiting) in locked.items():
        payer = payers[account_id]
        payer.before = payer.balance = balance
        payer.awaiting = awaiting
        payer.floor = floor_for(payer.credit_limit, balance)
    return {payer.number: payer for payer in payers.values()}


def accounts_among(numbers: Collection[str]) -> set[str]:
    """Those of the numbers that an account has, prepaid or not."""
    if not numbers:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_NUMBERS, [array_of_texts(numbers)])
        return {number for (number,) in cursor.fetchall()}


def known_uses(keys: Collection[str]) -> dict[str, KnownUse]:
    """Those of the keys under which a use was taken."""
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_USES, [array_of_texts(keys)])
        return {
            key: KnownUse(Use(key, *content), amount, currency) for key, *content, amount, currency in cursor.fetchall()
        }


def _lock(account_ids: Collection[int]) -> dict[int, tuple[Decimal, Decimal]]:
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [array_of(account_ids)])
        return {account_id: (balance, awaiting) for account_id, balance, awaiting in cursor.fetchall()}
