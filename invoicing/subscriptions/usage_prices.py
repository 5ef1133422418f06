"""PRE-1: by which plan and price a use is rated, read for a whole batch in a handful of queries."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from accounts.refusals import Refusal
from invoicing.catalog.models import Plan, Price, PriceTier, Product
from invoicing.subscriptions.models import Subscription
from invoicing.subscriptions.rating import Rate, Tier


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
        """Four queries, however many accounts and products."""
        self._charges: dict[str, str] = {}
        self._plans: dict[str, list[int]] = defaultdict(list)
        self._held: dict[tuple[int, str], list[_Held]] = defaultdict(list)
        self._versions: dict[tuple[int, str], list[_Version]] = defaultdict(list)
        self._found: dict[tuple[int, str, str, date], Priced | Refusal] = {}
        plan_products = self._read_plans(product_codes)
        self._read_subscriptions(account_ids, plan_products)
        self._read_prices(list(plan_products))

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

    def _read_plans(self, product_codes: Collection[str]) -> dict[int, str]:
        """The product of each per-use plan."""
        rows = Product.objects.filter(code__in=list(product_codes)).values_list("code", "charge", "plans__id")
        products = {}
        for code, charge, plan_id in rows.order_by("plans__id"):
            self._charges[code] = charge
            if plan_id is not None and charge == Product.Charge.PER_USE:
                self._plans[code].append(plan_id)
                products[plan_id] = code
        return products

    def _read_subscriptions(self, account_ids: Collection[int], plan_products: dict[int, str]) -> None:
        rows = Subscription.objects.filter(account_id__in=list(account_ids), plan_id__in=list(plan_products))
        for account_id, *held in rows.order_by("started_on", "pk").values_list(
            "account_id", "started_on", "ended_on", "plan_id", "unit_price"
        ):
            row = _Held(*held)
            self._held[account_id, plan_products[row.plan_id]].append(row)

    def _read_prices(self, plan_ids: list[int]) -> None:
        tiers: dict[int, list[Tier]] = defaultdict(list)
        for price_id, *tier in PriceTier.objects.filter(price__plan_id__in=plan_ids).values_list(
            "price_id", "above", "unit_price"
        ):
            tiers[price_id].append(Tier(*tier))
        for price in Price.objects.filter(plan_id__in=plan_ids).order_by("valid_from_on"):
            rate = Rate(
                price.unit_price, price.minimum, price.increment, price.included, tuple(sorted(tiers[price.pk]))
            )
            self._versions[price.plan_id, price.currency].append(_Version(price.valid_from_on, price.pk, rate))


def plan_codes(plan_ids: Collection[int]) -> dict[int, str]:
    """The product code of each plan."""
    return dict(Plan.objects.filter(pk__in=list(plan_ids)).values_list("pk", "product__code"))


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
