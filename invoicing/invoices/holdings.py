"""What pricing is given: plain values, read once for many accounts."""

from bisect import bisect_right
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from invoicing.money import ZERO
from invoicing.periods import BillingCalendar


class PriceVersion(NamedTuple):
    """A plan's amounts in one currency, valid from a day until the next version's day."""

    id: int
    valid_from_on: date
    unit_price: Decimal
    inactive_price: Decimal | None = None
    setup_fee: Decimal = ZERO
    change_fee: Decimal = ZERO
    deposit: Decimal = ZERO


class PlanSold(NamedTuple):
    """A plan with its product's facts and its price versions by currency, each list in order of days."""

    id: int
    code: str
    name: str
    product_code: str
    tax_category: str
    licensed: bool
    prices: dict[str, tuple[PriceVersion, ...]]

    def price_on(self, day: date, currency: str) -> PriceVersion | None:
        """The version valid on a day."""
        versions = self.prices.get(currency, ())
        found = bisect_right(versions, day, key=lambda version: version.valid_from_on)
        return versions[found - 1] if found else None


class QuantityHeld(NamedTuple):
    from_on: date
    quantity: Decimal


class PlanLeft(NamedTuple):
    """On `on` the holding moved from `from_plan` to `to_plan`."""

    on: date
    from_plan: PlanSold
    to_plan: PlanSold


class SeatInactive(NamedTuple):
    period_start_on: date
    deemed: bool


class Holding(NamedTuple):
    """One subscription over time, held from `started_on` until `ended_on`, the first day it is no longer held."""

    id: int
    reference: str
    label: str
    client_id: int | None
    plan: PlanSold
    unit_price: Decimal | None
    started_on: date
    ended_on: date | None
    quantity: Decimal
    later_quantities: tuple[QuantityHeld, ...] = ()
    plans_left: tuple[PlanLeft, ...] = ()
    inactive: tuple[SeatInactive, ...] = ()

    def plan_on(self, day: date) -> PlanSold:
        """The plan held on a day."""
        for left in self.plans_left:
            if day < left.on:
                return left.from_plan
        return self.plan

    def highest_quantity(self, start: date, end: date) -> Decimal:
        """BILL-3: the highest quantity held on any day from `start` until `end`; zero where it was not held."""
        start = max(start, self.started_on)
        if self.ended_on is not None and self.ended_on < end:
            end = self.ended_on
        if start >= end:
            return ZERO
        if not self.later_quantities:
            return self.quantity
        at_start, highest = self.quantity, ZERO
        for later in self.later_quantities:
            if later.from_on <= start:
                at_start = later.quantity
            elif later.from_on < end:
                highest = max(highest, later.quantity)
        return max(at_start, highest)


class OneOff(NamedTuple):
    id: int
    client_id: int | None
    plan: PlanSold
    description: str
    quantity: Decimal
    unit_price: Decimal | None
    on: date


class Used(NamedTuple):
    """PRE-1: what was used of a plan in a month that has ended, deducted as it happened and on no invoice yet."""

    total_id: int
    plan: PlanSold
    month_on: date
    quantity: Decimal
    amount: Decimal


class Terms(NamedTuple):
    """The settings of the billing terms that pricing looks at, as their models name them."""

    id: int
    code: str
    clause: str
    arrears: bool
    anniversary: bool
    from_balance: bool
    late_start: str
    bridge: str
    payment_due_days: int


class BilledKey(NamedTuple):
    """What has been billed: the period key without its quantity."""

    subscription_id: int
    kind: str
    period_start: date


class Billable(NamedTuple):
    """
    One account, with all that decides what is due.

    `billed` maps each key to the quantity billed under it so far; `look_from_on` is the first day that
    may hold something unbilled, or None to look at everything.
    """

    account_id: int
    terms: Terms
    currency: str
    calendar: BillingCalendar
    bill_from_on: date | None
    look_from_on: date | None
    holdings: tuple[Holding, ...]
    one_offs: tuple[OneOff, ...] = ()
    billed: dict[BilledKey, Decimal] = {}
    deposit_taken: bool = False
    used: tuple[Used, ...] = ()
