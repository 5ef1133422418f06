"""Half-open billing periods on an anchor day that never drifts (BILL-5)."""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

DAY = timedelta(days=1)


class Period(NamedTuple):
    """From `start` until `end`, the first day after it. A bridge lies between an old and a new billing day."""

    start: date
    end: date
    bridge: bool = False

    @property
    def last_day(self) -> date:
        return self.end - DAY


def anchored(year: int, month: int, day: int) -> date:
    """The billing date of a month: days 29 to 31 fall on the last day of a shorter one (BILL-5)."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def billing_date_on_or_before(day: date, anchor: int) -> date:
    found = anchored(day.year, day.month, anchor)
    if found <= day:
        return found
    return anchored(day.year - (day.month == 1), (day.month - 2) % 12 + 1, anchor)


def billing_date_after(day: date, anchor: int) -> date:
    found = anchored(day.year, day.month, anchor)
    if found > day:
        return found
    return anchored(day.year + (day.month == 12), day.month % 12 + 1, anchor)


class AnchorChange(NamedTuple):
    """From `effective_on`, a billing date under the former day, periods are anchored on `day`."""

    effective_on: date
    day: int


class BillingCalendar(NamedTuple):
    """An account's billing dates: its anchor day, and the changes of it in order of their dates."""

    day: int = 1
    changes: tuple[AnchorChange, ...] = ()

    def anchor_on(self, day: date) -> int:
        """The anchor day in force on a day."""
        found = bisect_right(self.changes, day, key=lambda change: change.effective_on)
        return self.changes[found - 1].day if found else self.day

    def period_of(self, day: date) -> Period:
        """The one period that holds a day."""
        if not self.changes:
            return plain_period_of(day, self.day)
        index = bisect_right(self.changes, day, key=lambda change: change.effective_on)
        anchor = self.changes[index - 1].day if index else self.day
        start = billing_date_on_or_before(day, anchor)
        end = billing_date_after(day, anchor)
        if index and self.changes[index - 1].effective_on > start:
            start = self.changes[index - 1].effective_on
        if index < len(self.changes) and self.changes[index].effective_on < end:
            end = self.changes[index].effective_on
        return Period(start, end, bridge=start != billing_date_on_or_before(start, anchor))

    def periods(self, first: date, last: date) -> Iterator[Period]:
        """The periods that hold the days `first` to `last`, oldest first."""
        period = self.period_of(first)
        while period.start <= last:
            yield period
            period = self.period_of(period.end)

    def month_from(self, start: date) -> Period:
        """The full month that would have begun at a bridge's start under the day before it."""
        return Period(start, billing_date_after(start, self.anchor_on(start - DAY)))


@lru_cache(maxsize=4096)
def plain_period_of(day: date, anchor: int) -> Period:
    """The period that holds a day where the anchor never changed."""
    return Period(billing_date_on_or_before(day, anchor), billing_date_after(day, anchor))


def over_half_a_month(bridge: Period, month: Period) -> bool:
    """BILL-5, reading: whether a bridging period is longer than half of the month it replaces."""
    return (bridge.end - bridge.start) * 2 > month.end - month.start


def bridge_is_free(bridge: Period, month: Period, *, rule: str) -> bool:
    """BILL-5, reading: whether a bridge costs nothing, by the terms' `rule`: OVER_HALF, CHARGED or FREE."""
    if rule == "OVER_HALF":
        return not over_half_a_month(bridge, month)
    return rule == "FREE"
