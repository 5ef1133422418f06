"""
Four years billed run by run, as runs keep their watermark and what was billed, beside one look at everything.

P1: no period is billed twice. P2: none is left out, however late the runs come. Both hold for all four terms without
an exception: a run that comes late bills a month that is over at its highest quantity, which is what the invoices on
time come to with the rest that they carry later.
"""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.invoices.pricing import charges_due
from tests.invoicing.invoices.pricing_books import (
    BEGIN,
    END,
    PLAIN,
    a_period_too_far,
    accounts,
    as_known_on,
    billed_at_once,
    billed_on,
    days,
    due_days,
    held_by_period,
    repeated,
    summed,
)
from tests.invoicing.invoices.pricing_factory import (
    HOSTED_DIRECT,
    HOSTED_PARTNER,
    PER_SEAT,
    PREPAID,
    PRESETS,
    account,
    holding,
)

every_preset = pytest.mark.parametrize("terms", PRESETS, ids=lambda terms: terms.code)
often = settings(max_examples=80, deadline=None)


def recurring(charges):
    return {by: quantity for by, (quantity, _) in summed(charges).items() if getattr(by, "kind", "") == "RECURRING"}


class TestEveryRunOnItsDay:
    """P1, P2, BILL-1, BILL-2, BILL-3, SEAT-2, PRE-1."""

    @every_preset
    @often
    @given(data=st.data())
    def test_bills_every_period_held_once_at_its_highest_quantity_and_no_other(self, terms, data):
        billable = data.draw(accounts(terms))
        charges = billed_on(billable, due_days(billable))
        assert recurring(charges) == held_by_period(billable)
        assert repeated(charges) == []

    @every_preset
    @often
    @given(data=st.data())
    def test_comes_to_what_one_look_at_everything_comes_to(self, terms, data):
        billable = data.draw(accounts(terms))
        assert summed(billed_on(billable, due_days(billable))) == summed(billed_at_once(billable))
        assert repeated(billed_at_once(billable)) == []

    @every_preset
    @often
    @given(data=st.data())
    def test_never_looks_ahead(self, terms, data):
        """What is entered for a later day changes nothing of what is due on this one."""
        billable, on = data.draw(accounts(terms)), data.draw(days)
        assert charges_due(billable, on=on) == charges_due(as_known_on(billable, on), on=on)


class TestRunsThatComeLate:
    """P2. Lago: a clock that was down over a billing day never billed it."""

    @every_preset
    @often
    @given(data=st.data())
    def test_bill_the_same_when_some_are_missed_and_others_come_days_later(self, terms, data):
        billable = data.draw(accounts(terms))
        late = {
            on + timedelta(days=data.draw(st.sampled_from([0, 0, 1, 2, 20])))
            for on in due_days(billable)
            if data.draw(st.booleans())
        }
        charges = billed_on(billable, [*sorted(on for on in late if on < END), END])
        assert summed(charges) == summed(billed_at_once(billable))
        assert repeated(charges) == []

    @every_preset
    @often
    @given(data=st.data())
    def test_bill_the_same_when_they_come_on_any_days_at_all(self, terms, data):
        billable = data.draw(accounts(terms))
        charges = billed_on(billable, [*sorted(data.draw(st.sets(days, max_size=12))), END])
        assert summed(charges) == summed(billed_at_once(billable))
        assert repeated(charges) == []


class TestEveryStartDay:
    """BILL-3, BILL-5: each day of January as the first and as the billing day, over forty-eight months."""

    @every_preset
    @pytest.mark.parametrize("start", range(1, 32))
    def test_is_billed_month_by_month(self, terms, start):
        started_on = date(2024, 1, start)
        for billing_day in sorted({1, 15, 28, 29, 30, 31, start}) if terms.anniversary else [1]:
            held = holding(
                started_on.isoformat(),
                "2027-11-30",
                held=PLAIN,
                quantity="2",
                later=[("2024-02-29", "5"), ("2024-03-01", "1"), ("2025-12-31", "3")],
            )
            billable = account(terms, held, billing_day=billing_day)
            charges = billed_on(billable, due_days(billable))
            assert recurring(charges) == held_by_period(billable)
            assert summed(charges) == summed(billed_at_once(billable))
            assert repeated(charges) == []

    def test_that_is_the_billing_day_bills_forty_eight_months_to_the_cent(self):
        for start in range(1, 32):
            held = holding(f"2024-01-{start:02}", held=PLAIN, unit_price="7.50")
            billable = account(PER_SEAT, held, billing_day=start)
            charges = [charge for charge in billed_on(billable, due_days(billable)) if charge.kind == "RECURRING"]
            assert [charge.period.start for charge in charges if charge.period.start < END][0] == date(2024, 1, start)
            assert sum(charge.amount for charge in charges if charge.period.start < END) == Decimal("360.00")


LATE_IN_THE_MONTH = holding("2026-03-20", "2026-04-20", held=PLAIN)


class TestTheSimulation:
    """The negative controls: with a guard taken away it must see the fault."""

    @every_preset
    def test_sees_what_a_watermark_one_period_too_far_loses(self, terms):
        raised = holding("2026-03-01", held=PLAIN, later=[("2026-03-20", "3")])
        billable = account(terms, raised)
        lost = billed_on(billable, [BEGIN, date(2026, 3, 1), *due_days(billable)[1:]], a_period_too_far)
        assert summed(lost) != summed(billed_at_once(billable))

    @pytest.mark.parametrize(
        ("terms", "seen"),
        [
            pytest.param(HOSTED_DIRECT, [], id="arrears: the month that ends is before it, so nothing is billed ever"),
            pytest.param(HOSTED_PARTNER, [date(2026, 4, 1)], id="advance: the month of the late start is lost"),
            pytest.param(PREPAID, [date(2026, 4, 1)], id="at once: the purchase is lost"),
        ],
    )
    def test_sees_which_months_it_loses(self, terms, seen):
        billable = account(terms, LATE_IN_THE_MONTH)
        lost = recurring(billed_on(billable, due_days(billable), a_period_too_far))
        assert [by.period_start for by in lost] == seen
        assert len(held_by_period(billable)) == 2

    @every_preset
    def test_sees_periods_billed_twice_where_what_was_billed_is_forgotten(self, terms):
        billable = account(terms, LATE_IN_THE_MONTH)
        forgetful = [charge for on in due_days(billable) for charge in charges_due(billable, on=on)]
        assert repeated(forgetful) != []
