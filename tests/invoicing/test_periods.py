"""Billing periods: every day belongs to exactly one, whatever the billing day and its changes."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.periods import (
    AnchorChange,
    BillingCalendar,
    Period,
    anchored,
    billing_date_after,
    billing_date_on_or_before,
    bridge_is_free,
    over_half_a_month,
)

START = date(2024, 1, 1)
END = date(2028, 1, 1)
DAYS = [START + timedelta(days=number) for number in range((END - START).days)]
ANCHORS = range(1, 32)

anchors = st.integers(1, 31)
days = st.dates(START, END)


def changed(first: int, *changes: tuple[str, int]) -> BillingCalendar:
    return BillingCalendar(first, tuple(AnchorChange(date.fromisoformat(on), anchor) for on, anchor in changes))


def printed(calendar: BillingCalendar, first: str, last: str) -> list[str]:
    """`2026-03-15/2026-03-20 bridge`"""
    periods = calendar.periods(date.fromisoformat(first), date.fromisoformat(last))
    return [f"{period.start}/{period.end}{' bridge' if period.bridge else ''}" for period in periods]


def assert_tiles(calendar: BillingCalendar, first: date, last: date) -> list[Period]:
    """Each day in one period, no day in two: every period begins on the day that ends the one before."""
    periods = list(calendar.periods(first, last))
    assert periods[0].start <= first < periods[0].end
    assert periods[-1].start <= last < periods[-1].end
    assert all(period.start < period.end for period in periods)
    assert all(before.end == following.start for before, following in pairwise(periods))
    return periods


@st.composite
def calendars(draw: st.DrawFn) -> BillingCalendar:
    """A calendar with up to six changes, each on a billing date under the day before it, as operations make them."""
    calendar = BillingCalendar(draw(anchors))
    day = draw(st.dates(date(2024, 1, 1), date(2024, 6, 1)))
    for _ in range(draw(st.integers(0, 6))):
        effective_on = billing_date_after(day, calendar.anchor_on(day))
        calendar = calendar._replace(changes=(*calendar.changes, AnchorChange(effective_on, draw(anchors))))
        day = effective_on + timedelta(days=draw(st.integers(0, 200)))
    return calendar


class TestAnchored:
    """BILL-5: days 29 to 31 fall on the last day of a short month."""

    @pytest.mark.parametrize(
        ("year", "month", "anchor", "falls_on"),
        [
            pytest.param(2026, 1, 31, date(2026, 1, 31), id="31 in January"),
            pytest.param(2026, 2, 31, date(2026, 2, 28), id="31 in February"),
            pytest.param(2028, 2, 31, date(2028, 2, 29), id="31 in February of a leap year"),
            pytest.param(2026, 2, 29, date(2026, 2, 28), id="29 in February"),
            pytest.param(2028, 2, 29, date(2028, 2, 29), id="29 in February of a leap year"),
            pytest.param(2100, 2, 29, date(2100, 2, 28), id="29 in February of 2100, no leap year"),
            pytest.param(2026, 4, 31, date(2026, 4, 30), id="31 in April"),
            pytest.param(2026, 4, 30, date(2026, 4, 30), id="30 in April"),
            pytest.param(2026, 2, 28, date(2026, 2, 28), id="28 needs no clamp"),
        ],
    )
    def test_falls_on_the_last_day_of_a_shorter_month(self, year, month, anchor, falls_on):
        assert anchored(year, month, anchor) == falls_on


class TestBillingDates:
    """BILL-5."""

    @pytest.mark.parametrize(
        ("day", "anchor", "on_or_before", "after"),
        [
            pytest.param("2026-03-15", 15, "2026-03-15", "2026-04-15", id="on the billing day"),
            pytest.param("2026-03-14", 15, "2026-02-15", "2026-03-15", id="the day before"),
            pytest.param("2026-01-01", 31, "2025-12-31", "2026-01-31", id="back over the new year"),
            pytest.param("2026-12-31", 31, "2026-12-31", "2027-01-31", id="on over the new year"),
            pytest.param("2026-02-28", 30, "2026-02-28", "2026-03-30", id="on the last day of February"),
            pytest.param("2026-02-27", 30, "2026-01-30", "2026-02-28", id="the day before the last of February"),
            pytest.param("2028-02-28", 30, "2028-01-30", "2028-02-29", id="28 February of a leap year"),
        ],
    )
    def test_lie_around_a_day(self, day, anchor, on_or_before, after):
        assert billing_date_on_or_before(date.fromisoformat(day), anchor) == date.fromisoformat(on_or_before)
        assert billing_date_after(date.fromisoformat(day), anchor) == date.fromisoformat(after)

    @given(days, anchors)
    def test_follow_one_another_with_none_between(self, day, anchor):
        assert billing_date_on_or_before(day, anchor) <= day < billing_date_after(day, anchor)
        assert billing_date_after(billing_date_on_or_before(day, anchor), anchor) == billing_date_after(day, anchor)


class TestPeriods:
    """BILL-5: no day is billed twice or left out."""

    @pytest.mark.parametrize("anchor", ANCHORS)
    def test_tile_forty_eight_months_from_every_start_day(self, anchor):
        for start in (date(2024, 1, number) for number in range(1, 32)):
            assert_tiles(BillingCalendar(anchor), start, END)

    @pytest.mark.parametrize("anchor", ANCHORS)
    def test_are_forty_eight_in_forty_eight_months(self, anchor):
        starts = [period.start for period in BillingCalendar(anchor).periods(START, END) if START <= period.start < END]
        assert [(start.year, start.month) for start in starts] == [
            (year, month) for year in (2024, 2025, 2026, 2027) for month in range(1, 13)
        ]

    @pytest.mark.parametrize("former", ANCHORS)
    def test_tile_across_every_change_of_the_billing_day_in_every_month(self, former):
        for year, month in ((year, month) for year in (2024, 2025, 2026, 2027) for month in range(1, 13)):
            effective_on = anchored(year, month, former)
            for new in ANCHORS:
                calendar = BillingCalendar(former, (AnchorChange(effective_on, new),))
                periods = assert_tiles(calendar, effective_on - timedelta(days=40), effective_on + timedelta(days=70))
                assert effective_on in [period.start for period in periods]

    @given(calendars(), days, days)
    def test_tile_across_several_changes(self, calendar, first, last):
        assert_tiles(calendar, min(first, last), max(first, last))

    @given(calendars())
    def test_are_bridges_only_where_a_change_begins(self, calendar):
        bridges = {period.start for period in calendar.periods(START, END) if period.bridge}
        assert bridges <= {change.effective_on for change in calendar.changes}

    @given(calendars())
    def test_never_last_longer_than_a_month(self, calendar):
        assert all((period.end - period.start).days <= 31 for period in calendar.periods(START, END))

    def test_that_begin_on_the_31st_come_back_after_short_months(self):
        """Polar drifted from 31 to 29 and stayed there."""
        assert printed(BillingCalendar(31), "2026-01-31", "2026-06-30") == [
            "2026-01-31/2026-02-28",
            "2026-02-28/2026-03-31",
            "2026-03-31/2026-04-30",
            "2026-04-30/2026-05-31",
            "2026-05-31/2026-06-30",
            "2026-06-30/2026-07-31",
        ]

    @pytest.mark.parametrize(
        ("anchor", "expected"),
        [
            (29, ["2027-01-29/2027-02-28", "2027-02-28/2027-03-29", "2028-01-29/2028-02-29", "2028-02-29/2028-03-29"]),
            (30, ["2027-01-30/2027-02-28", "2027-02-28/2027-03-30", "2028-01-30/2028-02-29", "2028-02-29/2028-03-30"]),
            (31, ["2027-01-31/2027-02-28", "2027-02-28/2027-03-31", "2028-01-31/2028-02-29", "2028-02-29/2028-03-31"]),
        ],
    )
    def test_of_days_29_to_31_turn_on_the_last_day_of_february(self, anchor, expected):
        calendar = BillingCalendar(anchor)
        ordinary, leap = printed(calendar, "2027-02-01", "2027-02-28"), printed(calendar, "2028-02-01", "2028-02-29")
        assert ordinary + leap == expected

    @pytest.mark.parametrize("anchor", ANCHORS)
    def test_never_drift_over_forty_eight_months(self, anchor):
        for period in BillingCalendar(anchor).periods(START, END):
            assert period.start == anchored(period.start.year, period.start.month, anchor)

    def test_last_day_is_the_day_before_the_end(self):
        assert Period(date(2026, 2, 1), date(2026, 3, 1)).last_day == date(2026, 2, 28)


class TestPeriodOf:
    """BILL-5."""

    @pytest.mark.parametrize("anchor", ANCHORS)
    def test_is_the_one_of_the_periods_that_holds_the_day(self, anchor):
        calendar = BillingCalendar(anchor)
        found = {period.start: period for period in calendar.periods(DAYS[0], DAYS[-1])}
        held = [period for period in found.values() for _ in range((period.end - period.start).days)]
        offset = (DAYS[0] - held[0].start).days
        assert [calendar.period_of(day) for day in DAYS] == held[offset : offset + len(DAYS)]

    @given(calendars(), days)
    def test_is_the_same_for_every_day_of_a_period(self, calendar, day):
        period = calendar.period_of(day)
        inside = [period.start + timedelta(days=number) for number in range((period.end - period.start).days)]
        assert day in inside
        assert {calendar.period_of(other) for other in inside} == {period}


class TestChangeOfTheBillingDay:
    """BILL-5: it takes effect at the next billing date; the days until the first new one are the bridging period."""

    @pytest.mark.parametrize(
        ("calendar", "first", "last", "expected"),
        [
            pytest.param(
                changed(15, ("2026-03-15", 20)),
                *("2026-02-15", "2026-04-19"),
                ["2026-02-15/2026-03-15", "2026-03-15/2026-03-20 bridge", "2026-03-20/2026-04-20"],
                id="to a later day",
            ),
            pytest.param(
                changed(15, ("2026-03-15", 10)),
                *("2026-02-15", "2026-05-09"),
                ["2026-02-15/2026-03-15", "2026-03-15/2026-04-10 bridge", "2026-04-10/2026-05-10"],
                id="to an earlier day",
            ),
            pytest.param(
                changed(15, ("2026-03-15", 15)),
                *("2026-02-15", "2026-05-14"),
                ["2026-02-15/2026-03-15", "2026-03-15/2026-04-15", "2026-04-15/2026-05-15"],
                id="to the same day: no bridge",
            ),
            pytest.param(
                changed(31, ("2026-04-30", 30)),
                *("2026-03-31", "2026-06-29"),
                ["2026-03-31/2026-04-30", "2026-04-30/2026-05-30", "2026-05-30/2026-06-30"],
                id="31 to 30 in a month of 30 days: the same date, no bridge",
            ),
            pytest.param(
                changed(30, ("2026-04-30", 31)),
                *("2026-03-30", "2026-06-29"),
                ["2026-03-30/2026-04-30", "2026-04-30/2026-05-31", "2026-05-31/2026-06-30"],
                id="30 to 31 in a month of 30 days: the same date, no bridge",
            ),
            pytest.param(
                changed(31, ("2026-05-31", 30)),
                *("2026-04-30", "2026-07-29"),
                ["2026-04-30/2026-05-31", "2026-05-31/2026-06-30 bridge", "2026-06-30/2026-07-30"],
                id="31 to 30 in a month of 31 days: a bridge of a day less than a month",
            ),
            pytest.param(
                changed(28, ("2026-02-28", 31)),
                *("2026-01-28", "2026-04-29"),
                ["2026-01-28/2026-02-28", "2026-02-28/2026-03-31", "2026-03-31/2026-04-30"],
                id="28 to 31 in February: the same date, no bridge",
            ),
            pytest.param(
                changed(1, ("2026-02-01", 31)),
                *("2026-01-01", "2026-03-30"),
                ["2026-01-01/2026-02-01", "2026-02-01/2026-02-28 bridge", "2026-02-28/2026-03-31"],
                id="1 to 31: the bridge ends on the last day of February",
            ),
            pytest.param(
                changed(5, ("2026-02-05", 10), ("2026-04-10", 31), ("2026-05-31", 1)),
                *("2026-01-05", "2026-06-30"),
                [
                    "2026-01-05/2026-02-05",
                    "2026-02-05/2026-02-10 bridge",
                    "2026-02-10/2026-03-10",
                    "2026-03-10/2026-04-10",
                    "2026-04-10/2026-04-30 bridge",
                    "2026-04-30/2026-05-31",
                    "2026-05-31/2026-06-01 bridge",
                    "2026-06-01/2026-07-01",
                ],
                id="three times",
            ),
            pytest.param(
                changed(15, ("2026-03-15", 20), ("2026-03-20", 25)),
                *("2026-02-15", "2026-04-24"),
                [
                    "2026-02-15/2026-03-15",
                    "2026-03-15/2026-03-20 bridge",
                    "2026-03-20/2026-03-25 bridge",
                    "2026-03-25/2026-04-25",
                ],
                id="again during the bridge: takes effect at its end, with a bridge of its own",
            ),
            pytest.param(
                changed(15, ("2026-03-15", 20), ("2026-03-20", 15)),
                *("2026-02-15", "2026-05-14"),
                ["2026-02-15/2026-03-15", "2026-03-15/2026-03-20 bridge", "2026-03-20/2026-04-15 bridge"]
                + ["2026-04-15/2026-05-15"],
                id="back again during the bridge",
            ),
        ],
    )
    def test_bridges_the_days_between_the_old_and_the_new(self, calendar, first, last, expected):
        assert printed(calendar, first, last) == expected

    def test_leaves_periods_before_it_as_they_were(self):
        before = list(BillingCalendar(15).periods(date(2025, 1, 1), date(2026, 3, 14)))
        assert list(changed(15, ("2026-03-15", 3)).periods(date(2025, 1, 1), date(2026, 3, 14))) == before

    @pytest.mark.parametrize(
        ("day", "anchor"),
        [("2026-03-14", 15), ("2026-03-15", 20), ("2026-03-19", 20), ("2026-03-20", 25), ("2027-01-01", 25)],
    )
    def test_holds_from_the_day_it_takes_effect(self, day, anchor):
        calendar = changed(15, ("2026-03-15", 20), ("2026-03-20", 25))
        assert calendar.anchor_on(date.fromisoformat(day)) == anchor


class TestMonthFrom:
    """BILL-5, reading: a bridge is measured against the month that would have begun under the day before it."""

    @pytest.mark.parametrize(
        ("calendar", "start", "end"),
        [
            pytest.param(changed(15, ("2026-03-15", 20)), "2026-03-15", "2026-04-15", id="a plain change"),
            pytest.param(changed(31, ("2026-02-28", 15)), "2026-02-28", "2026-03-31", id="the 31st in February"),
            pytest.param(
                *(changed(15, ("2026-03-15", 20), ("2026-03-20", 25)), "2026-03-20", "2026-04-20"),
                id="a change during the bridge: the month of the day asked for first",
            ),
        ],
    )
    def test_is_the_month_of_the_former_day(self, calendar, start, end):
        month = calendar.month_from(date.fromisoformat(start))
        assert (month.start, month.end) == (date.fromisoformat(start), date.fromisoformat(end))


class TestOverHalfAMonth:
    """BILL-5, reading: one full month's charge when longer than half a month; exactly half is free."""

    @pytest.mark.parametrize(
        ("former", "effective_on", "new", "longer"),
        [
            pytest.param(1, "2026-04-01", 16, False, id="15 of 30 days: exactly half"),
            pytest.param(1, "2026-04-01", 17, True, id="16 of 30 days"),
            pytest.param(1, "2026-03-01", 16, False, id="15 of 31 days"),
            pytest.param(1, "2026-03-01", 17, True, id="16 of 31 days"),
            pytest.param(1, "2026-02-01", 15, False, id="14 of 28 days: exactly half"),
            pytest.param(1, "2026-02-01", 16, True, id="15 of 28 days"),
            pytest.param(1, "2028-02-01", 15, False, id="14 of 29 days"),
            pytest.param(1, "2028-02-01", 16, True, id="15 of 29 days"),
            pytest.param(15, "2026-03-15", 16, False, id="a single day"),
            pytest.param(15, "2026-03-15", 14, True, id="a day less than a month"),
        ],
    )
    def test_asks_for_more_than_half(self, former, effective_on, new, longer):
        calendar = changed(former, (effective_on, new))
        bridge = calendar.period_of(date.fromisoformat(effective_on))
        assert bridge.bridge
        assert over_half_a_month(bridge, calendar.month_from(bridge.start)) is longer


class TestBridgeIsFree:
    """BILL-5, reading, and its setting."""

    @pytest.mark.parametrize(
        ("rule", "days", "free"),
        [
            pytest.param("OVER_HALF", 15, True, id="exactly half"),
            pytest.param("OVER_HALF", 16, False, id="longer than half"),
            pytest.param("CHARGED", 1, False, id="always charged"),
            pytest.param("FREE", 29, True, id="always free"),
        ],
    )
    def test_is_as_the_terms_say(self, rule, days, free):
        month = Period(date(2026, 4, 1), date(2026, 5, 1))
        assert bridge_is_free(Period(month.start, month.start + timedelta(days=days)), month, rule=rule) is free
