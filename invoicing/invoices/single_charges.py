"""Charges that no billing period of a subscription makes: one-off work, and what was used. Pure."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from invoicing.invoices.charges import ONE_OFF, USAGE, Charge, Unbillable
from invoicing.invoices.holdings import OneOff, Terms, Used
from invoicing.money import ZERO, round_money
from invoicing.periods import DAY, BillingCalendar, Period


def used_charges(used: Iterable[Used], *, terms: Terms, currency: str) -> list[Charge]:
    """
    PRE-1: a month's use of a plan, which was deducted as it happened; the invoice documents it.

    The unit price is the average at six places; `exact` is what was deducted, before it is rounded to be printed.
    """
    found = []
    for one in used:
        amount = round_money(one.amount, currency)
        if not amount:
            continue
        average = round(one.amount / one.quantity, 6) if one.quantity else one.amount
        found.append(
            Charge(
                USAGE,
                None,
                None,
                None,
                one.plan,
                f"{one.plan.name}, used",
                Period(one.month_on, BillingCalendar().period_of(one.month_on).end),
                ZERO,
                one.quantity or Decimal(1),
                average,
                amount,
                "PRE-1",
                {"terms": terms.code, "usage": one.total_id, "exact": f"{one.amount:f}"},
            )
        )
    return found


def one_off_charge(one_off: OneOff, *, terms: Terms, currency: str) -> Charge:
    """
    AUTH-6: authorized work, at its own price or else at its plan's on its day, in `currency`.

    :raises Unbillable: if it has neither
    """
    price = one_off.plan.price_on(one_off.on, currency)
    rate = one_off.unit_price if one_off.unit_price is not None else price and price.unit_price
    if rate is None:
        raise Unbillable(
            [
                f"Plan {one_off.plan.code} has no price in {currency} on {one_off.on}, for a one-off charge. "
                f"Add a price of the plan that is valid then, or a unit price to the charge."
            ]
        )
    why: dict[str, Any] = {"terms": terms.code, "price": price.id if price else 0}
    if one_off.unit_price is not None:
        why["agreed"] = True
    return Charge(
        ONE_OFF,
        None,
        one_off.id,
        one_off.client_id,
        one_off.plan,
        one_off.description or one_off.plan.name,
        Period(one_off.on, one_off.on + DAY),
        ZERO,
        one_off.quantity,
        rate,
        round_money(one_off.quantity * rate, currency),
        "AUTH-6",
        why,
    )
