"""What an account owes on a day, under every one of the billing terms. Pure: no clock, no database, no settings."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from invoicing.invoices.charges import (
    CHANGE,
    DEPOSIT,
    ONE_OFF,
    REBATE,
    RECURRING,
    SETUP,
    USAGE,
    Charge,
    Unbillable,
    description,
)
from invoicing.invoices.holdings import Billable, BilledKey, Holding, OneOff, PlanSold, PriceVersion
from invoicing.invoices.single_charges import one_off_charge, used_charges
from invoicing.money import ZERO, round_money
from invoicing.periods import DAY, Period, bridge_is_free

_ORDER = {USAGE: 0, RECURRING: 1, SETUP: 2, CHANGE: 3, DEPOSIT: 4, ONE_OFF: 5, REBATE: 6}


def charges_due(account: Billable, *, on: date) -> list[Charge]:
    """
    Everything that is due on a billing date and was not billed before: oldest period first, clients together.

    :raises Unbillable: with every reason, such as a plan that has no price in the account's currency
    """
    pricing = _Pricing(account, on)
    # The first subscription takes the deposit, in whatever order they were read.
    for holding in sorted(account.holdings, key=lambda holding: (holding.started_on, holding.id)):
        pricing.add_holding(holding)
    for one_off in account.one_offs:
        pricing.add_one_off(one_off)
    if pricing.reasons:
        raise Unbillable(sorted(set(pricing.reasons)))
    charges = pricing.charges + used_charges(account.used, terms=account.terms, currency=account.currency)
    if len(charges) > 1:
        charges.sort(
            key=lambda charge: (
                charge.client_id or 0,
                charge.period.start if charge.period else date.max,
                _ORDER[charge.kind],
                charge.subscription_id or charge.one_off_id or 0,
                charge.quantity_from,
            )
        )
    return charges


class _Pricing:
    """One account's charges as they are found, and what stands in the way."""

    def __init__(self, account: Billable, on: date) -> None:
        self.account = account
        self.terms = account.terms
        self.currency = account.currency
        self.on = on
        self.charges: list[Charge] = []
        self.reasons: list[str] = []
        self.unpriced: set[tuple[int, int]] = set()
        self.deposit_taken = account.deposit_taken

    def _deposit_taken_elsewhere(self) -> bool:
        """Who held a plan with a deposit before `bill_from_on` paid it to whoever billed then."""
        begin = self.account.bill_from_on
        if begin is None:
            return False
        for holding in self.account.holdings:
            if holding.started_on < begin:
                begun = [(holding.started_on, holding.plan_on(holding.started_on))]
                begun += [(left.on, left.to_plan) for left in holding.plans_left if left.on < begin]
                prices = [plan.price_on(day, self.currency) for day, plan in begun]
                if any(price and price.deposit for price in prices):
                    return True
        return False

    def add_holding(self, holding: Holding) -> None:
        for period in self._periods_to_look_at(holding):
            self._add_period(holding, period)
        for left in holding.plans_left:
            still_held = holding.ended_on is None or left.on < holding.ended_on
            if left.on <= self.on and still_held and self._is_ours(left.on) and self._may_be_open(left.on):
                self._add_change_fees(holding, left.on, left.from_plan, left.to_plan)
        # Two days named of one period are one rebate.
        inactive = {self.account.calendar.period_of(seat.period_start_on): seat.deemed for seat in holding.inactive}
        for period, deemed in inactive.items():
            self._add_rebate(holding, period, deemed=deemed)

    def _is_ours(self, day: date) -> bool:
        begin = self.account.bill_from_on
        return begin is None or day >= begin

    def _may_be_open(self, day: date) -> bool:
        look_from_on = self.account.look_from_on
        return look_from_on is None or day >= look_from_on

    def _periods_to_look_at(self, holding: Holding) -> Iterator[Period]:
        first = holding.started_on
        for bound in (self.account.bill_from_on, self.account.look_from_on):
            if bound is not None and bound > first:
                first = bound
        # In arrears the period that `on` begins is not yet due.
        last = self.on - DAY if self.terms.arrears else self.on
        if holding.ended_on is not None and holding.ended_on <= last:
            last = holding.ended_on - DAY
        for period in self.account.calendar.periods(first, last):
            if self._is_ours(period.start):
                yield period

    def _window(self, period: Period) -> date | None:
        """Until when the period's quantity counts as of `on`; None while nothing of it is due."""
        if self.terms.arrears:
            return period.end if self.on >= period.end else None
        if self.terms.late_start == "AT_ONCE":
            return min(self.on + DAY, period.end)
        if self.terms.late_start == "NEXT_INVOICE" and self.on >= period.end:
            return period.end
        return period.start + DAY

    def _add_period(self, holding: Holding, period: Period) -> None:
        until = self._window(period)
        if until is None:
            return
        held = holding.highest_quantity(period.start, until)
        billed = self.account.billed.get(BilledKey(holding.id, RECURRING, period.start), ZERO)
        first_month = holding.started_on >= period.start
        free = self._is_free(period)
        if held <= billed or (free and not first_month):
            return
        first_held_on = max(period.start, holding.started_on)
        plan = holding.plan_on(first_held_on)
        price = self._price(holding, plan, period.start, first_held_on)
        if price is None:
            return
        if not free:
            rate = price.unit_price if holding.unit_price is None else holding.unit_price
            late = billed > 0 or (not self.terms.arrears and holding.started_on > period.start)
            clause = "SEAT-2" if first_month and self.terms.anniversary else self.terms.clause
            self._charge(
                RECURRING, holding, plan, period, held - billed, rate, clause, price, quantity_from=billed, late=late
            )
        if first_month and not billed:
            self._add_first_fees(holding, plan, price, period)

    def _is_free(self, period: Period) -> bool:
        """BILL-5: whether the month's charge is waived, as the terms say of the days between two billing days."""
        if not period.bridge:
            return False
        return bridge_is_free(period, self.account.calendar.month_from(period.start), rule=self.terms.bridge)

    def _price(self, holding: Holding, plan: PlanSold, start: date, first_held_on: date) -> PriceVersion | None:
        """
        BILL-3: the version valid on the period's first day.

        Where the plan was not sold then, that of the first day held. An agreed price needs no version.
        """
        price = plan.price_on(start, self.currency) or plan.price_on(first_held_on, self.currency)
        if price is None and holding.unit_price is not None:
            return PriceVersion(0, start, holding.unit_price)
        if price is None and (holding.id, plan.id) not in self.unpriced:
            # Said once, of the first period: a missing price is missing for all that follow.
            self.unpriced.add((holding.id, plan.id))
            self.reasons.append(
                f"Plan {plan.code} has no price in {self.currency} on {start}, for subscription {holding.reference}. "
                f"Add a price of the plan that is valid then, or an agreed price of the subscription."
            )
        return price

    def _add_first_fees(self, holding: Holding, plan: PlanSold, price: PriceVersion, period: Period) -> None:
        """SEAT-2, SEAT-1: the set-up fee with the first month, the deposit at the first subscription that takes one."""
        day = Period(holding.started_on, holding.started_on + DAY)
        if price.setup_fee and BilledKey(holding.id, SETUP, day.start) not in self.account.billed:
            self._charge(SETUP, holding, plan, day, Decimal(1), price.setup_fee, "SEAT-2", price)
        self._add_deposit(holding, plan, price, day)

    def _add_deposit(self, holding: Holding, plan: PlanSold, price: PriceVersion, day: Period) -> None:
        """SEAT-1: one an account, with the first plan that takes one, subscribed to or changed to."""
        if price.deposit and not self.deposit_taken and not self._deposit_taken_elsewhere():
            self.deposit_taken = True
            self._charge(DEPOSIT, holding, plan, day, Decimal(1), price.deposit, "SEAT-1", price)

    def _add_change_fees(self, holding: Holding, on: date, from_plan: PlanSold, to_plan: PlanSold) -> None:
        """SEAT-4: a change of plan bills its fee at once, and the deposit where that plan is the first to take one."""
        price = to_plan.price_on(on, self.currency)
        if price is None:
            return
        day = Period(on, on + DAY)
        if price.change_fee and BilledKey(holding.id, CHANGE, on) not in self.account.billed:
            fee, code = price.change_fee, from_plan.code
            self._charge(CHANGE, holding, to_plan, day, Decimal(1), fee, "SEAT-4", price, from_plan=code)
        self._add_deposit(holding, to_plan, price, day)

    def _add_rebate(self, holding: Holding, period: Period, *, deemed: bool) -> None:
        """SEAT-3, SEAT-6: at the end of the billing month, a rebate of what it charged for an inactive seat."""
        if self.on < period.end or not self._is_ours(period.end) or not self._may_be_open(period.end):
            return
        if BilledKey(holding.id, REBATE, period.start) in self.account.billed or self._is_free(period):
            return
        held = holding.highest_quantity(period.start, self._window(period) or period.start)
        first_held_on = max(period.start, holding.started_on)
        plan = holding.plan_on(first_held_on)
        if not held:
            return
        price = self._price(holding, plan, period.start, first_held_on)
        if price is None or price.inactive_price is None:
            return
        active = price.unit_price if holding.unit_price is None else holding.unit_price
        if active > price.inactive_price:
            self._charge(
                REBATE,
                holding,
                plan,
                period,
                held,
                price.inactive_price - active,
                "SEAT-3",
                price,
                deemed=deemed,
                active=f"{active:f}",
                inactive=f"{price.inactive_price:f}",
            )

    def _charge(
        self,
        kind: str,
        holding: Holding,
        plan: PlanSold,
        period: Period,
        quantity: Decimal,
        rate: Decimal,
        clause: str,
        price: PriceVersion,
        *,
        quantity_from: Decimal = ZERO,
        **reasons: Any,
    ) -> None:
        why: dict[str, Any] = {
            "terms": self.terms.code,
            "price": price.id,
            "price_from": price.valid_from_on.isoformat(),
        }
        if holding.unit_price is not None and kind in (RECURRING, REBATE):
            why["agreed"] = True
        if plan.licensed and kind == RECURRING:
            why["licensed"] = True
        if period.bridge:
            why["bridge"] = True
        for key, value in reasons.items():
            if value:
                why[key] = value
        self.charges.append(
            Charge(
                kind,
                holding.id,
                None,
                holding.client_id,
                plan,
                description(kind, plan, holding.label),
                period,
                quantity_from,
                quantity,
                rate,
                round_money(quantity * rate, self.currency),
                clause,
                why,
            )
        )

    def add_one_off(self, one_off: OneOff) -> None:
        """BILL-1, BILL-2: a one-off charge comes with the next invoice; in arrears that is the one for its month."""
        due = one_off.on < self.on if self.terms.arrears else one_off.on <= self.on
        if not due or not self._is_ours(one_off.on):
            return
        try:
            self.charges.append(one_off_charge(one_off, terms=self.terms, currency=self.currency))
        except Unbillable as error:
            self.reasons.extend(error.reasons)
