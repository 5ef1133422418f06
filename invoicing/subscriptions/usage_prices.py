"""PRE-1: by which plan and price a use is rated, read for a whole batch in a handful of queries."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from accounts.refusals import Refusal
from invoicing.bulk import array_of, array_of_texts
from invoicing.catalog.models import Product
from invoicing.subscriptions.rating import Rate, Tier

CATALOG = """
SELECT r.code, r.charge, l.id, p.id, p.currency, p.valid_from_on, p.unit_price, p.minimum, p.increment, p.included,
    (SELECT array_agg(above ORDER BY above) FROM invoicing_pricetier t WHERE t.price_id = p.id),
    (SELECT array_agg(unit_price ORDER BY above) FROM invoicing_pricetier t WHERE t.price_id = p.id)
FROM invoicing_product r
LEFT JOIN invoicing_plan l ON l.product_id = r.id
LEFT JOIN invoicing_price p ON p.plan_id = l.id
WHERE r.code = ANY(%s::text[])
ORDER BY l.id, p.valid_from_on
"""
HELD = """
SELECT account_id, started_on, ended_on, plan_id, unit_price FROM invoicing_subscription
WHERE account_id = ANY(%s::bigint[]) AND plan_id = ANY(%s::bigint[])
ORDER BY started_on, id
"""


class Priced(NamedTuple):
    """A plan, the version of its price that is valid on a day, and its rate; an agreed price wins over it."""

    plan_id: int
    price_id: int
    rate: Rate


class _Held(NamedTuple):
    """A per-use plan that an account holds by subscription, from a day until the day it no longer does."""

    started_on: date
    ended_on: date | None
    plan_id: int
    unit_price: Decimal | None


class _Version(NamedTuple):
    valid_from_on: date
    price_id: int
    rate: Rate


class UsagePrices:
    """The per-use prices that a batch needs."""

    def __init__(self, account_ids: Collection[int], product_codes: Collection[str]) -> None:
        """Two queries, however many accounts and products."""
        self._charges: dict[str, str] = {}
        self._plans: dict[str, list[int]] = defaultdict(list)
        self._held: dict[tuple[int, str], list[_Held]] = defaultdict(list)
        self._versions: dict[tuple[int, str], list[_Version]] = defaultdict(list)
        self._found: dict[tuple[int, str, str, date], Priced | Refusal] = {}
        self._read_catalog(product_codes)
        self._read_subscriptions(account_ids)

    def find(self, account_id: int, product: str, currency: str, on: date) -> Priced | Refusal:
        """
        By the plan that the account holds of this product on the day, the one begun last; else by the product's only
        plan. An agreed price takes the place of the unit price and of its tiers.
        """
        key = (account_id, product, currency, on)
        if (found := self._found.get(key)) is None:
            found = self._found[key] = self._find(*key)
        return found

    def _find(self, account_id: int, product: str, currency: str, on: date) -> Priced | Refusal:
        if self._charges.get(product) != Product.Charge.PER_USE:
            return _no_such_product(product, known=product in self._charges)
        held = [
            row
            for row in self._held.get((account_id, product), ())
            if row.started_on <= on and (row.ended_on is None or on < row.ended_on)
        ]
        plans = self._plans[product]
        if not held and len(plans) != 1:
            return _no_single_plan(product, len(plans))
        plan_id = held[-1].plan_id if held else plans[0]
        version = self._version(plan_id, currency, on)
        if version is None:
            return _no_price(product, currency, on)
        if held and held[-1].unit_price is not None:
            listed = version.rate
            agreed = Rate(held[-1].unit_price, listed.minimum, listed.increment, listed.included)
            return Priced(plan_id, version.price_id, agreed)
        return Priced(plan_id, version.price_id, version.rate)

    def _version(self, plan_id: int, currency: str, on: date) -> _Version | None:
        """The version valid on the day: the last that began on it or before."""
        versions = self._versions.get((plan_id, currency), [])
        place = bisect_right(versions, on, key=lambda version: version.valid_from_on)
        return versions[place - 1] if place else None

    def _read_catalog(self, product_codes: Collection[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(CATALOG, [array_of_texts(product_codes)])
            for code, charge, plan_id, price_id, currency, valid_from_on, *amounts, aboves, unit_prices in cursor:
                self._charges[code] = charge
                if plan_id is not None and plan_id not in self._plans[code]:
                    self._plans[code].append(plan_id)
                if price_id is not None:
                    unit_price, minimum, increment, included = amounts
                    tiers = tuple(map(Tier, aboves or (), unit_prices or ()))
                    rate = Rate(unit_price, minimum, increment, included, tiers)
                    self._versions[plan_id, currency].append(_Version(valid_from_on, price_id, rate))

    def _read_subscriptions(self, account_ids: Collection[int]) -> None:
        products = {plan_id: code for code, plan_ids in self._plans.items() for plan_id in plan_ids}
        with connection.cursor() as cursor:
            cursor.execute(HELD, [array_of(account_ids), array_of(products)])
            for account_id, *held in cursor.fetchall():
                row = _Held(*held)
                self._held[account_id, products[row.plan_id]].append(row)


def _no_such_product(product: str, *, known: bool) -> Refusal:
    if known:
        sentence = f"The product {product} is not charged per use."
    else:
        sentence = f"There is no product with the code {product}."
    return Refusal("PRE-1", sentence, "Send the code of a per-use product, as it stands in the console under Products.")


def _no_single_plan(product: str, count: int) -> Refusal:
    if not count:
        return Refusal("PRE-1", f"The product {product} has no plan.", "Give it a plan with a price, then send again.")
    return Refusal(
        "PRE-1",
        f"The product {product} has {count} plans, and the account holds none of them on that day.",
        "Subscribe the account to one of them, then send the use again.",
    )


def _no_price(product: str, currency: str, on: date) -> Refusal:
    return Refusal(
        "PRE-1",
        f"The product {product} has no price in {currency} on {on:%-d %B %Y}.",
        "Enter a price that is valid on that day, then send the use again.",
    )
