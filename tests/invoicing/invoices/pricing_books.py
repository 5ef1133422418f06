"""Random accounts of four years, and their months billed in every way that a run can come about."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from invoicing.invoices.charges import Charge
from invoicing.invoices.holdings import (
    Billable,
    BilledKey,
    Holding,
    OneOff,
    PlanLeft,
    QuantityHeld,
    SeatInactive,
    Terms,
)
from invoicing.invoices.looks import look_from, next_look_on
from invoicing.invoices.pricing import charges_due
from invoicing.money import ZERO
from invoicing.periods import DAY, AnchorChange, BillingCalendar, Period, billing_date_after, over_half_a_month
from tests.invoicing.invoices.pricing_factory import account, after, key, plan, version

BEGIN, END = date(2024, 1, 1), date(2028, 1, 1)

PLAIN = plan(
    "plain",
    version("2020-01-01", "10.00", inactive_price="4.00", setup_fee="25.00"),
    version("2025-07-10", "12.00", number=2, inactive_price="5.00", setup_fee="30.00"),
)
FANCY = plan(
    "fancy",
    version("2020-01-01", "90.00", number=3, inactive_price="90.00", change_fee="35.00", deposit="500.00"),
    version("2026-02-28", "99.00", number=4, change_fee="40.00", deposit="500.00"),
    number=2,
)

Watermark = Callable[[Billable, date], date | None]


def as_of_its_run(billable: Billable, on: date) -> date:
    """The watermark as runs keep it."""
    return look_from(billable, on=on)


def a_period_too_far(billable: Billable, on: date) -> date:
    """What the watermark must not be."""
    return billable.calendar.period_of(on).end


days = st.dates(BEGIN, END)
quantities = st.integers(0, 5).map(Decimal)


@st.composite
def holdings(draw: st.DrawFn, number: int) -> Holding:
    started_on = draw(days)
    ended_on = draw(st.none() | st.integers(0, 500).map(lambda later: started_on + timedelta(days=later)))
    inside = st.integers(0, 400).map(lambda later: started_on + timedelta(days=later))
    changed_on = sorted(draw(st.sets(inside, max_size=5)))
    plans_on = sorted(draw(st.sets(inside, max_size=2)))
    plans = [draw(st.sampled_from([PLAIN, FANCY])) for _ in range(len(plans_on) + 1)]
    return Holding(
        number,
        f"S-{number}",
        "",
        draw(st.sampled_from([None, 7, 8])),
        plans[-1],
        draw(st.none() | st.just(Decimal("7.50"))),
        started_on,
        ended_on,
        draw(quantities),
        tuple(QuantityHeld(on, draw(quantities)) for on in changed_on),
        tuple(PlanLeft(on, plans[index], plans[index + 1]) for index, on in enumerate(plans_on)),
        tuple(SeatInactive(on, draw(st.booleans())) for on in sorted(draw(st.sets(inside, max_size=4)))),
    )


@st.composite
def calendars(draw: st.DrawFn) -> BillingCalendar:
    calendar = BillingCalendar(draw(st.integers(1, 31)))
    on = draw(days)
    for _ in range(draw(st.integers(0, 3))):
        effective_on = billing_date_after(on, calendar.anchor_on(on))
        change = AnchorChange(effective_on, draw(st.integers(1, 31)))
        calendar = calendar._replace(changes=(*calendar.changes, change))
        on = effective_on + timedelta(days=draw(st.integers(0, 200)))
    return calendar


@st.composite
def accounts(draw: st.DrawFn, terms: Terms) -> Billable:
    held = tuple(draw(holdings(number)) for number in range(1, draw(st.integers(1, 4)) + 1))
    if terms.anniversary:
        terms = terms._replace(bridge=draw(st.sampled_from(["OVER_HALF", "CHARGED", "FREE"])))
    one_offs = tuple(
        OneOff(number, None, PLAIN, "", Decimal(1), Decimal("75.00"), draw(days))
        for number in range(draw(st.integers(0, 3)))
    )
    return account(terms, *held, one_offs=one_offs)._replace(
        calendar=draw(calendars()) if terms.anniversary else BillingCalendar(), bill_from_on=draw(st.none() | days)
    )


def due_days(billable: Billable) -> list[date]:
    """Every day from BEGIN until END on which `next_look_on` has the account looked at, and END."""
    found, on = [], BEGIN
    while on < END:
        found.append(on)
        following = next_look_on(billable, on=on)
        assert following > on
        on = following
    return [*found, END]


def as_known_on(billable: Billable, on: date) -> Billable:
    """The account without what is only entered after a day."""
    known = []
    for held in billable.holdings:
        if held.started_on <= on:
            known.append(
                held._replace(
                    plan=held.plan_on(on),
                    ended_on=None if held.ended_on is None or held.ended_on > on else held.ended_on,
                    later_quantities=tuple(later for later in held.later_quantities if later.from_on <= on),
                    plans_left=tuple(left for left in held.plans_left if left.on <= on),
                    inactive=tuple(seat for seat in held.inactive if seat.period_start_on <= on),
                )
            )
    one_offs = tuple(one for one in billable.one_offs if one.on <= on)
    return billable._replace(holdings=tuple(known), one_offs=one_offs)


def billed_on(billable: Billable, on_days: Iterable[date], watermark: Watermark = as_of_its_run) -> list[Charge]:
    """All that runs on these days bill, each knowing what was entered by then and what the runs before it billed."""
    charges = []
    for on in on_days:
        found = charges_due(as_known_on(billable, on), on=on)
        charges += found
        billable = after(billable, found, on=on)._replace(look_from_on=watermark(billable, on))
    return charges


def billed_at_once(billable: Billable) -> list[Charge]:
    """All that one run on END bills that looks at everything."""
    return charges_due(billable, on=END)


def summed(charges: Iterable[Charge]) -> dict[object, tuple[Decimal, Decimal]]:
    """
    Quantity and amount by period key, one-off charges by their id.

    The deposit is keyed by the account: which of two subscriptions took it depends on which was billed first.
    """
    found: dict[object, tuple[Decimal, Decimal]] = {}
    for charge in charges:
        by: object = charge.one_off_id if charge.one_off_id is not None else key(charge)
        by = "DEPOSIT" if charge.kind == "DEPOSIT" else by
        quantity, amount = found.get(by, (ZERO, ZERO))
        found[by] = quantity + charge.quantity, amount + charge.amount
    return found


def repeated(charges: Iterable[Charge]) -> list[object]:
    """The keys under which the database would refuse a second line."""
    keys = Counter(
        ("one-off", charge.one_off_id)
        if charge.one_off_id is not None
        else ("deposit",)
        if charge.kind == "DEPOSIT"
        else (*key(charge), charge.quantity_from)
        for charge in charges
    )
    return [by for by, count in keys.items() if count > 1]


def held_by_period(billable: Billable) -> dict[BilledKey, Decimal]:
    """
    What must be billed by END, found by going through every day that each holding is held.

    BILL-1, BILL-2, BILL-3: a month over counts with its highest quantity; the month END falls in with what it
    began with, with what was held so far where terms bill at once, and not at all in arrears.
    """
    found: dict[BilledKey, Decimal] = {}
    for held in billable.holdings:
        on = held.started_on
        period = billable.calendar.period_of(on)
        while on <= END and (held.ended_on is None or on < held.ended_on):
            if on == period.end:
                period = billable.calendar.period_of(on)
            if _counts(billable, period, on):
                by = BilledKey(held.id, "RECURRING", period.start)
                found[by] = max(found.get(by, ZERO), _quantity_on(held, on))
            on += DAY
    return {by: quantity for by, quantity in found.items() if quantity}


def _counts(billable: Billable, period: Period, on: date) -> bool:
    terms = billable.terms
    if billable.bill_from_on is not None and period.start < billable.bill_from_on:
        return False
    if period.bridge and terms.bridge == "FREE":
        return False
    if period.bridge and terms.bridge == "OVER_HALF":
        month = billable.calendar.month_from(period.start)
        if not over_half_a_month(period, month):
            return False
    return period.end <= END or (not terms.arrears and (terms.late_start == "AT_ONCE" or on == period.start))


def _quantity_on(held: Holding, on: date) -> Decimal:
    return [held.quantity, *(later.quantity for later in held.later_quantities if later.from_on <= on)][-1]
