"""When an account has to be looked at by a run, and what may be changed from which day. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from accounts.refusals import BadValue, Refusal
from invoicing.periods import DAY, AnchorChange, BillingCalendar, Period, bridge_is_free

# A day outside of these years is a slip of the pen; periods are counted from day to day.
_YEARS = range(2000, 2200)


def first_look_on(
    calendar: BillingCalendar, *, arrears: bool, at_once: bool, bill_from_on: date | None, day: date
) -> date:
    """
    The earliest day on which a change that holds from `day` can make something due.

    A day too early costs a look that finds nothing; a day too late loses an invoice. Periods that begin before
    `bill_from_on` are billed elsewhere, and so are one-off charges of days before it.
    """
    if bill_from_on is not None:
        day = max(day, bill_from_on)
    period = calendar.period_of(day)
    if arrears:
        return period.end
    if at_once:
        return day
    return period.start if bill_from_on is None or period.start >= bill_from_on else period.end


def in_words(day: date) -> str:
    """`1 March 2026`."""
    return f"{day.day} {day:%B %Y}"


def check_day(field: str, day: date) -> None:
    """:raises BadValue: if nobody can have meant that day"""
    if day.year not in _YEARS:
        raise BadValue(field, f"The year {day.year} is out of range: give a day from 2000 to 2199.")


def billed_elsewhere(day: date, *, bill_from_on: date | None) -> tuple[Refusal, ...]:
    """BILL-6: what begins before the account was taken over is on invoices of others, which do not change here."""
    if bill_from_on is None or day >= bill_from_on:
        return ()
    begin = in_words(bill_from_on)
    return (Refusal("BILL-6", f"What was held before {begin} was billed elsewhere.", f"Give {begin} or a later day."),)


def ending_refusals(*, started_on: date, was_ended_on: date | None, ended_on: date, today: date) -> tuple[Refusal, ...]:
    """
    BILL-3: any part of a billing month counts as the whole month, so that nothing ends before the day it is asked for.

    Reading: an end in the future can be moved, one that has come cannot.
    """
    if was_ended_on is not None and was_ended_on <= today:
        ended = in_words(was_ended_on)
        return (Refusal("BILL-3", f"The service ended on {ended}.", "Start a new one if it is wanted again."),)
    earliest = started_on if started_on > today else max(today, started_on + DAY)
    if ended_on >= earliest:
        return ()
    first = in_words(earliest)
    why = "It starts on that day" if started_on > today else "It is held until then, and counts for the billing month"
    return (Refusal("BILL-3", f"The service cannot end before {first}. {why}.", f"End it on {first} or later."),)


def quantity_on(day: date, *, quantity: Decimal, later: Iterable[tuple[date, Decimal]]) -> Decimal:
    """The quantity set for a day; `later` are the changes in order of their days."""
    for from_on, changed in later:
        if from_on <= day:
            quantity = changed
    return quantity


def quantity_refusals(
    *,
    started_on: date,
    ended_on: date | None,
    held: Decimal,
    wanted: Decimal,
    from_on: date,
    set_today: bool,
    today: date,
) -> tuple[Refusal, ...]:
    """
    BILL-3: the highest quantity held in a billing month counts, so that a lower one holds from today at the earliest.

    What was raised or started today was held today: it is lowered from tomorrow (`set_today`). `held` is the
    quantity on `from_on` before the change. More may be reported late.
    """
    if outside := _not_held(started_on=started_on, ended_on=ended_on, day=from_on):
        return outside
    earliest = today + DAY if set_today else today
    if wanted >= held or from_on >= earliest:
        return ()
    first = in_words(earliest)
    sentence = f"The highest quantity held in a billing month counts, and it is held until {first}."
    return (Refusal("BILL-3", sentence, f"Lower it from {first} or a later day."),)


def plan_refusals(
    *,
    started_on: date,
    ended_on: date | None,
    is_same: bool,
    last_change_on: date | None,
    on: date,
    today: date,
) -> tuple[Refusal, ...]:
    """SEAT-4: a change of plan bills its fee at once, hence not before today, and once a day."""
    if outside := _not_held(started_on=started_on, ended_on=ended_on, day=on):
        return outside
    found = []
    if is_same:
        found.append(Refusal("SEAT-4", "It is on that plan already.", "Choose another plan."))
    if on < today:
        found.append(
            Refusal("SEAT-4", "A change of plan is billed at once, and not for a day gone by.", "Change it from today.")
        )
    if last_change_on is not None and on <= last_change_on:
        last = in_words(last_change_on)
        found.append(Refusal("SEAT-4", f"The plan changes on {last}.", f"Change it again on a day after {last}."))
    return tuple(found)


def _not_held(*, started_on: date, ended_on: date | None, day: date) -> tuple[Refusal, ...]:
    if day >= started_on and (ended_on is None or day < ended_on):
        return ()
    until = f" until {in_words(ended_on - DAY)}" if ended_on and ended_on > started_on else ""
    sentence = f"The service is not held on {in_words(day)}, but from {in_words(started_on)}{until}."
    return (Refusal("BILL-3", sentence, "Choose a day on which it is held."),)


def inactivity_refusals(
    *, period: Period, day: date, started_on: date, ended_on: date | None, rebate_billed: bool
) -> tuple[Refusal, ...]:
    """SEAT-3: a seat is inactive for a whole billing month in which it is held, until its rebate was credited."""
    found = []
    if day != period.start:
        sentence = f"{in_words(day)} is not the first day of a billing month."
        way_out = f"Give {in_words(period.start)} or {in_words(period.end)}."
        found.append(Refusal("SEAT-3", sentence, way_out))
    if period.end <= started_on or (ended_on is not None and ended_on <= max(period.start, started_on)):
        sentence = f"The seat is not held in the billing month from {in_words(period.start)}."
        found.append(Refusal("SEAT-3", sentence, "Choose a billing month in which it is held."))
    if rebate_billed:
        sentence = "The rebate for that billing month is on an invoice already, and an invoice never changes."
        found.append(Refusal("BILL-6", sentence, "Correct it by a credit note."))
    return tuple(found)


@dataclass(frozen=True)
class Ending:
    """The end of a service: `ended_on` is the first day without it, `billed_to` the first day no longer billed."""

    ended_on: date
    billed_to: date | None

    @property
    def sentence(self) -> str:
        """What the customer is told before and after."""
        if self.billed_to is None:
            return "The service never begins, and nothing of it is billed."
        return (
            f"The service is held to {in_words(self.ended_on - DAY)} and billed to {in_words(self.billed_to - DAY)}: "
            f"any part of a billing month counts as the whole month (BILL-3)."
        )


def ending_of(
    calendar: BillingCalendar, *, started_on: date, ended_on: date, invoiced_to: date | None = None
) -> Ending:
    """BILL-3: what an end comes to; `invoiced_to` is the first day that is on no invoice yet, where that is later."""
    if ended_on <= started_on:
        return Ending(ended_on, invoiced_to)
    end = calendar.period_of(ended_on - DAY).end
    return Ending(ended_on, max(end, invoiced_to) if invoiced_to else end)


@dataclass(frozen=True)
class BillingDayMove:
    """
    BILL-5: what a change of the billing day comes to, and what stands in its way.

    `bridge` lies between the last billing date under the former day and the first under the new one; there is none
    where both fall on one date.
    """

    former_day: int
    day: int
    effective_on: date
    bridge: Period | None
    bridge_is_free: bool
    refusals: tuple[Refusal, ...] = ()

    @property
    def sentence(self) -> str:
        """What the customer is told before and after."""
        begin = f"The billing day changes from {self.former_day} to {self.day} on {in_words(self.effective_on)}."
        if self.bridge is None:
            return f"{begin} No day lies between."
        cost = "free" if self.bridge_is_free else "charged as one month"
        days = f"The days from {in_words(self.bridge.start)} to {in_words(self.bridge.last_day)} are {cost}"
        return f"{begin} {days}; full months begin on {in_words(self.bridge.end)} (BILL-5)."


def billing_day_move(
    calendar: BillingCalendar,
    *,
    day: int,
    today: date,
    billed_to: date | None,
    bridge_rule: str,
    anniversary: bool = True,
    through_partner: bool = False,
) -> BillingDayMove:
    """
    BILL-5: the change takes effect at the next billing date, and no day is billed twice or left out.

    Reading: the next billing date that is not billed yet; `billed_to` is the first day on no invoice of the account.
    """
    effective_on = calendar.period_of(today).end
    if billed_to is not None and billed_to > effective_on:
        effective_on = calendar.period_of(billed_to - DAY).end
    former = calendar.anchor_on(effective_on - DAY)
    after = BillingCalendar(calendar.day, (*calendar.changes, AnchorChange(effective_on, day)))
    first = after.period_of(effective_on)
    bridge = first if first.bridge else None
    is_free = bridge is not None and bridge_is_free(bridge, after.month_from(bridge.start), rule=bridge_rule)
    refusals = _without_a_day(anniversary=anniversary, through_partner=through_partner) or _day_refusals(
        calendar, day=day, former=former, today=today
    )
    return BillingDayMove(former, day, effective_on, bridge, is_free, refusals)


def _without_a_day(*, anniversary: bool, through_partner: bool) -> tuple[Refusal, ...]:
    if through_partner:
        return (
            Refusal("BILL-5", "This account is billed through its partner, on the partner's day.", "Ask the partner."),
        )
    if anniversary:
        return ()
    return (
        Refusal(
            "BILL-5",
            "Under the account's billing terms every month is billed on the 1st.",
            "Ask a billing manager about terms with a billing day of one's own.",
        ),
    )


def _day_refusals(calendar: BillingCalendar, *, day: int, former: int, today: date) -> tuple[Refusal, ...]:
    """Reading: one change at a time, so that the day which the customer was told stands."""
    for change in calendar.changes:
        if change.effective_on > today:
            when = in_words(change.effective_on)
            sentence = f"The billing day changes to {change.day} on {when} already."
            return (Refusal("BILL-5", sentence, f"Ask again from {when} on."),)
    if day == former:
        return (Refusal("BILL-5", f"The billing day is {day} already.", "Choose another day."),)
    return ()
