"""SUSP-1, COLL-1: the days of dunning, at their edges."""

from datetime import date
from decimal import Decimal

import pytest

from invoicing.collections.policy import (
    SuspensionDays,
    Unpaid,
    effective_on,
    is_ripe,
    less_credit,
    spread,
    stage_on,
    suspension_days,
    tell_again_after,
)

D = Decimal
DAYS = [-3, 0, 7, 14]


class TestStageOn:
    """The reminder that is due on a day, by the days of the terms."""

    @pytest.mark.parametrize(("on", "stage"), [
        pytest.param(date(2026, 2, 25), None, id="before the first"),
        pytest.param(date(2026, 2, 26), -3, id="three days before, in a February of 28 days"),
        pytest.param(date(2026, 2, 28), -3, id="the day before it is due"),
        pytest.param(date(2026, 3, 1), 0, id="on the day"),
        pytest.param(date(2026, 3, 8), 7, id="a week late"),
        pytest.param(date(2026, 3, 14), 7, id="the day before the last"),
        pytest.param(date(2026, 3, 15), 14, id="the last"),
        pytest.param(date(2031, 3, 15), 14, id="years later"),
    ])  # fmt: skip
    def test_is_the_latest_that_has_come(self, on, stage):
        assert stage_on(date(2026, 3, 1), date(2026, 2, 1), DAYS, on=on) == stage

    def test_makes_up_for_one_where_the_clock_was_down_for_a_month(self):
        """Invoice Ninja sent 22 to 100 reminders in a day."""
        on = date(2026, 4, 1)
        reached = []
        for _ in range(100):
            stage = stage_on(date(2026, 3, 1), date(2026, 2, 1), DAYS, on=on, reached=reached)
            if stage is not None:
                reached.append(stage)
        assert reached == [14]

    def test_never_goes_back_where_the_clock_does(self):
        assert stage_on(date(2026, 3, 1), date(2026, 2, 1), DAYS, on=date(2026, 3, 8), reached=[14]) is None

    def test_never_goes_back_where_the_terms_change(self):
        assert stage_on(date(2026, 3, 1), date(2026, 2, 1), [7, 10], on=date(2026, 3, 30), reached=[14]) is None

    def test_leaves_the_day_of_the_invoice_itself_alone(self):
        assert stage_on(date(2026, 3, 1), date(2026, 3, 1), DAYS, on=date(2026, 3, 1)) is None

    def test_is_none_where_the_terms_name_none(self):
        assert stage_on(date(2026, 3, 1), date(2026, 2, 1), [], on=date(2026, 4, 1)) is None


class TestSuspensionDays:
    """SUSP-1."""

    def test_warns_the_day_before(self):
        found = suspension_days(date(2026, 2, 14), after_days=15, warning_days=1)
        assert found == SuspensionDays(date(2026, 2, 28), date(2026, 3, 1))

    def test_is_none_where_the_terms_suspend_nobody(self):
        assert suspension_days(date(2026, 2, 14), after_days=None, warning_days=1) is None

    def test_a_late_warning_still_gives_its_days(self):
        days = SuspensionDays(date(2026, 2, 28), date(2026, 3, 1))
        assert effective_on(days, warned_on=date(2026, 3, 20), warning_days=1) == date(2026, 3, 21)

    def test_an_early_one_does_not_bring_the_day_forward(self):
        days = SuspensionDays(date(2026, 2, 26), date(2026, 3, 1))
        assert effective_on(days, warned_on=date(2026, 2, 26), warning_days=3) == date(2026, 3, 1)

    def test_gives_a_day_even_where_the_terms_promise_none(self):
        days = SuspensionDays(date(2026, 3, 1), date(2026, 3, 1))
        assert effective_on(days, warned_on=date(2026, 3, 1), warning_days=0) == date(2026, 3, 2)


class TestIsRipe:
    """COLL-1."""

    @pytest.mark.parametrize(("on", "ripe"), [
        pytest.param(date(2026, 3, 30), False, id="29th day"),
        pytest.param(date(2026, 3, 31), True, id="30th day"),
        pytest.param(date(2026, 4, 1), True, id="31st day"),
    ])  # fmt: skip
    def test_counts_thirty_days_from_the_due_date(self, on, ripe):
        assert is_ripe(date(2026, 3, 1), after_days=30, on=on) is ripe


class TestLessCredit:
    def test_takes_the_customers_own_credit_off_the_oldest(self):
        unpaid = [Unpaid(date(2026, 3, 1), D(30)), Unpaid(date(2026, 2, 1), D(20))]
        assert less_credit(unpaid, D(25)) == [D(25), D(0)]

    def test_takes_nothing_off_where_there_is_none(self):
        assert less_credit([Unpaid(date(2026, 3, 1), D(30))], D(-5)) == [D(30)]


class TestSpread:
    @pytest.mark.parametrize(("amount", "parts"), [
        (D(0), [D(0), D(0)]), (D(15), [D(10), D(5)]), (D(30), [D(10), D(20)]), (D(40), [D(10), D(20)]),
    ])  # fmt: skip
    def test_goes_from_first_to_last(self, amount, parts):
        assert spread(amount, [D(10), D(20)]) == parts


class TestTellAgainAfter:
    def test_waits_longer_each_time_and_then_gives_up(self):
        waits = [tell_again_after(attempt) for attempt in range(1, 9)]
        assert waits[:-1] == sorted(waits[:-1])
        assert waits[-1] is None
