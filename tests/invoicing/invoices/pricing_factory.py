"""Accounts under the four terms that ship, with every fact stated; and charges printed as lines to compare."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from invoicing.invoices.charges import Charge
from invoicing.invoices.holdings import (
    Billable,
    BilledKey,
    Holding,
    OneOff,
    PlanLeft,
    PlanSold,
    PriceVersion,
    QuantityHeld,
    SeatInactive,
    Terms,
)
from invoicing.invoices.looks import look_from
from invoicing.invoices.pricing import charges_due
from invoicing.money import ZERO
from invoicing.periods import AnchorChange, BillingCalendar

HOSTED_DIRECT = Terms(1, "hosted-direct", "BILL-1", True, False, False, "NEXT_INVOICE", "OVER_HALF", 30)
HOSTED_PARTNER = Terms(2, "hosted-partner", "BILL-2", False, False, False, "NEXT_INVOICE", "OVER_HALF", 30)
PREPAID = Terms(3, "prepaid", "PRE-1", False, False, True, "AT_ONCE", "OVER_HALF", 0)
PER_SEAT = Terms(4, "per-seat", "SEAT-3", False, True, False, "AT_ONCE", "OVER_HALF", 0)
PRESETS = (HOSTED_DIRECT, HOSTED_PARTNER, PREPAID, PER_SEAT)


def day(text: str) -> date:
    """`2026-03-01`"""
    return date.fromisoformat(text)


def version(valid_from: str, unit_price: str, number: int = 1, **amounts: str) -> PriceVersion:
    """A price version; `inactive_price`, `setup_fee`, `change_fee` and `deposit` as in the catalogue."""
    return PriceVersion(
        number, day(valid_from), Decimal(unit_price), **{name: Decimal(amount) for name, amount in amounts.items()}
    )


def plan(
    code: str, *versions: PriceVersion, number: int = 1, licensed: bool = False, currency: str = "USD"
) -> PlanSold:
    return PlanSold(number, code, code.capitalize(), code, "service", licensed, {currency: versions})


MAIL = plan("mail", version("2020-01-01", "10.00"))


def holding(
    started: str,
    ended: str | None = None,
    *,
    number: int = 1,
    held: PlanSold = MAIL,
    quantity: str = "1",
    later: Iterable[tuple[str, str]] = (),
    unit_price: str | None = None,
    client: int | None = None,
    label: str = "",
    left: Iterable[tuple[str, PlanSold, PlanSold]] = (),
    inactive: Iterable[str] = (),
    deemed: Iterable[str] = (),
) -> Holding:
    """A subscription; `later` quantities as (day, quantity), plans `left` as (day, from, to)."""
    return Holding(
        number,
        f"S-{number}",
        label,
        client,
        held,
        None if unit_price is None else Decimal(unit_price),
        day(started),
        None if ended is None else day(ended),
        Decimal(quantity),
        tuple(QuantityHeld(day(on), Decimal(count)) for on, count in later),
        tuple(PlanLeft(day(on), from_plan, to_plan) for on, from_plan, to_plan in left),
        (
            *(SeatInactive(day(on), deemed=False) for on in inactive),
            *(SeatInactive(day(on), deemed=True) for on in deemed),
        ),
    )


def one_off(
    on: str, unit_price: str | None = "75.00", *, number: int = 1, held: PlanSold = MAIL, **values: Any
) -> OneOff:
    price = None if unit_price is None else Decimal(unit_price)
    return OneOff(number, values.get("client"), held, values.get("description", ""), Decimal(1), price, day(on))


def account(
    terms: Terms,
    *holdings: Holding,
    billing_day: int = 1,
    changes: Iterable[tuple[str, int]] = (),
    bill_from: str | None = None,
    look_from_on: str | None = None,
    one_offs: tuple[OneOff, ...] = (),
    currency: str = "USD",
    deposit_taken: bool = False,
) -> Billable:
    """An account that nothing was billed to; `changes` of its billing day as (effective day, new day)."""
    return Billable(
        1,
        terms,
        currency,
        BillingCalendar(billing_day, tuple(AnchorChange(day(on), anchor) for on, anchor in changes)),
        None if bill_from is None else day(bill_from),
        None if look_from_on is None else day(look_from_on),
        holdings,
        one_offs,
        {},
        deposit_taken,
    )


def key(charge: Charge) -> BilledKey:
    """A charge's period key, for any but a one-off charge."""
    assert charge.subscription_id is not None
    assert charge.period is not None
    return BilledKey(charge.subscription_id, charge.kind, charge.period.start)


def after(billable: Billable, charges: Iterable[Charge], *, on: date) -> Billable:
    """The account as the run after the one that billed these charges on that day finds it."""
    billed = dict(billable.billed)
    one_offs = list(billable.one_offs)
    deposit_taken = billable.deposit_taken
    for charge in charges:
        if charge.one_off_id is not None:
            one_offs = [one for one in one_offs if one.id != charge.one_off_id]
            continue
        deposit_taken = deposit_taken or charge.kind == "DEPOSIT"
        billed[key(charge)] = max(billed.get(key(charge), ZERO), charge.quantity_from + charge.quantity)
    return billable._replace(
        billed=billed,
        one_offs=tuple(one_offs),
        deposit_taken=deposit_taken,
        look_from_on=look_from(billable, on=on),
    )


def bill(billable: Billable, *days: str) -> list[tuple[str, list[str]]]:
    """What each of the days bills, one after the other, as printed lines."""
    printed = []
    for text in days:
        charges = charges_due(billable, on=day(text))
        printed.append((text, lines(charges)))
        billable = after(billable, charges, on=day(text))
    return printed


def line(charge: Charge) -> str:
    """`S-1 RECURRING 2026-02-01/2026-03-01: 3 x 10.00 = 30.00`"""
    assert charge.period is not None
    who = (
        f"one-off {charge.one_off_id}" if charge.one_off_id is not None else f"S-{charge.subscription_id} {charge.kind}"
    )
    raised = f"{charge.quantity_from:f} + " if charge.quantity_from else ""
    return (
        f"{who} {charge.period.start}/{charge.period.end}: "
        f"{raised}{charge.quantity:f} x {charge.unit_price:f} = {charge.amount:f}"
    )


def lines(charges: Iterable[Charge]) -> list[str]:
    return [line(charge) for charge in charges]


def due(billable: Billable, on: str) -> list[str]:
    """The lines due on a day."""
    return lines(charges_due(billable, on=day(on)))
