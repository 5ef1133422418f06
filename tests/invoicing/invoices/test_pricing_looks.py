"""When an account is looked at next, and from which day on: as late as can be, and never so late as to lose money."""

import pytest

from invoicing.invoices.looks import look_from, next_look_on
from invoicing.invoices.pricing import charges_due
from tests.invoicing.invoices.pricing_factory import (
    HOSTED_DIRECT,
    HOSTED_PARTNER,
    MAIL,
    PER_SEAT,
    PREPAID,
    account,
    after,
    bill,
    day,
    due,
    holding,
    one_off,
    plan,
    version,
)

PREMIUM = plan("premium", version("2020-01-01", "120.00", change_fee="35.00"), number=2)
SEAT = plan("seat", version("2020-01-01", "60.00", inactive_price="15.00"))


class TestLookFrom:
    """The first day that the run after this one has to look at."""

    @pytest.mark.parametrize(
        ("terms", "billing_day", "on", "first"),
        [
            pytest.param(HOSTED_DIRECT, 1, "2026-03-01", "2026-03-01", id="arrears: all that ended is billed"),
            pytest.param(HOSTED_DIRECT, 1, "2026-03-20", "2026-03-01", id="arrears, late in the month"),
            pytest.param(HOSTED_PARTNER, 1, "2026-03-01", "2026-03-01", id="advance: the month that began stays open"),
            pytest.param(HOSTED_PARTNER, 1, "2026-03-31", "2026-03-01", id="advance, on the last day"),
            pytest.param(PREPAID, 1, "2026-03-10", "2026-03-01", id="prepaid, in mid-month"),
            pytest.param(PER_SEAT, 31, "2026-02-28", "2026-02-28", id="the 31st, in February"),
            pytest.param(PER_SEAT, 31, "2026-03-30", "2026-02-28", id="the 31st, a day before the next"),
        ],
    )
    def test_is_the_first_day_of_the_period_that_the_run_falls_in(self, terms, billing_day, on, first):
        assert look_from(account(terms, billing_day=billing_day), on=day(on)) == day(first)

    def test_is_the_bridge_s_first_day_where_the_run_falls_in_a_bridge(self):
        company = account(PER_SEAT, billing_day=15, changes=[("2026-03-15", 20)])
        assert look_from(company, on=day("2026-03-17")) == day("2026-03-15")

    @pytest.mark.parametrize(
        ("terms", "seat", "days", "billed"),
        [
            pytest.param(
                HOSTED_PARTNER,
                holding("2026-03-20"),
                ["2026-03-01", "2026-04-01"],
                "S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00",
                id="a service added late in the month",
            ),
            pytest.param(
                HOSTED_PARTNER,
                holding("2026-03-01", later=[("2026-03-31", "4")]),
                ["2026-03-01", "2026-04-01"],
                "S-1 RECURRING 2026-03-01/2026-04-01: 1 + 3 x 10.00 = 30.00",
                id="a quantity raised on the last day",
            ),
            pytest.param(
                PREPAID,
                holding("2026-03-01", later=[("2026-03-31", "4")]),
                ["2026-03-01", "2026-03-31"],
                "S-1 RECURRING 2026-03-01/2026-04-01: 1 + 3 x 10.00 = 30.00",
                id="a quantity raised at once",
            ),
            pytest.param(
                PER_SEAT,
                holding("2026-03-01", held=SEAT, inactive=["2026-03-01"]),
                ["2026-03-01", "2026-03-31", "2026-04-01"],
                "S-1 REBATE 2026-03-01/2026-04-01: 1 x -45.00 = -45.00",
                id="a rebate of the month before",
            ),
            pytest.param(
                PER_SEAT,
                holding("2026-03-01", held=MAIL, left=[("2026-03-31", SEAT, MAIL)]),
                ["2026-03-01", "2026-04-01"],
                "S-1 RECURRING 2026-04-01/2026-05-01: 1 x 10.00 = 10.00",
                id="a change of plan",
            ),
            pytest.param(
                HOSTED_DIRECT,
                holding("2026-03-31"),
                ["2026-03-01", "2026-03-31", "2026-04-01"],
                "S-1 RECURRING 2026-03-01/2026-04-01: 1 x 10.00 = 10.00",
                id="arrears after a run on the last day",
            ),
        ],
    )
    def test_never_skips_what_is_still_open(self, terms, seat, days, billed):
        assert billed in bill(account(terms, seat), *days)[-1][1]

    @pytest.mark.parametrize(
        ("entered", "billed"),
        [
            pytest.param(
                {"left": [("2026-04-01", MAIL, PREMIUM)], "held": PREMIUM},
                "S-1 CHANGE 2026-04-01/2026-04-02: 1 x 35.00 = 35.00",
                id="a change of plan on the day of the run",
            ),
            pytest.param(
                {"inactive": ["2026-03-01"], "held": SEAT},
                "S-1 REBATE 2026-03-01/2026-04-01: 1 x -45.00 = -45.00",
                id="a seat inactive in the month that ended that day",
            ),
        ],
    )
    def test_still_sees_what_is_entered_after_the_run_of_the_same_day(self, entered, billed):
        before = account(PER_SEAT, holding("2026-03-01", held=SEAT))
        run = after(before, charges_due(before, on=day("2026-04-01")), on=day("2026-04-01"))
        assert due(run._replace(holdings=(holding("2026-03-01", **entered),)), "2026-04-02") == [billed]


class TestLookFromOn:
    def test_leaves_periods_before_it_unread(self):
        direct = account(HOSTED_DIRECT, holding("2025-01-01"), look_from_on="2026-02-01")
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"]

    def test_within_a_period_still_reads_that_period(self):
        direct = account(HOSTED_DIRECT, holding("2025-01-01"), look_from_on="2026-02-15")
        assert due(direct, "2026-03-01") == ["S-1 RECURRING 2026-02-01/2026-03-01: 1 x 10.00 = 10.00"]

    def test_of_none_reads_everything(self):
        direct = account(HOSTED_DIRECT, holding("2025-01-01"))
        assert len(charges_due(direct, on=day("2026-03-01"))) == 14


class TestNextLookOn:
    @pytest.mark.parametrize(
        ("terms", "billing_day", "on", "following"),
        [
            pytest.param(HOSTED_DIRECT, 1, "2026-03-01", "2026-04-01", id="on the 1st"),
            pytest.param(HOSTED_DIRECT, 1, "2026-03-20", "2026-04-01", id="late in the month"),
            pytest.param(HOSTED_PARTNER, 1, "2026-12-31", "2027-01-01", id="on the last day of the year"),
            pytest.param(PREPAID, 1, "2026-03-01", "2026-04-01", id="prepaid"),
            pytest.param(PER_SEAT, 31, "2026-01-31", "2026-02-28", id="the 31st, before February"),
            pytest.param(PER_SEAT, 31, "2026-02-28", "2026-03-31", id="the 31st, after February"),
            pytest.param(PER_SEAT, 29, "2028-01-29", "2028-02-29", id="the 29th, in a leap year"),
        ],
    )
    def test_is_the_next_billing_date(self, terms, billing_day, on, following):
        held = holding("2025-01-01")
        assert next_look_on(account(terms, held, billing_day=billing_day), on=day(on)) == day(following)

    def test_is_the_bridge_s_end_in_a_bridge(self):
        company = account(PER_SEAT, holding("2026-01-15"), billing_day=15, changes=[("2026-03-15", 20)])
        assert next_look_on(company, on=day("2026-03-15")) == day("2026-03-20")

    @pytest.mark.parametrize("terms", [PREPAID, PER_SEAT], ids=lambda terms: terms.code)
    @pytest.mark.parametrize(
        "facts",
        [
            pytest.param({"holdings": (holding("2026-03-10"),)}, id="a service added"),
            pytest.param({"holdings": (holding("2026-01-01", later=[("2026-03-10", "2")]),)}, id="a quantity raised"),
            pytest.param(
                {"holdings": (holding("2026-01-01", left=[("2026-03-10", SEAT, MAIL)]),)}, id="a change of plan"
            ),
            pytest.param({"one_offs": (one_off("2026-03-10"),)}, id="a one-off charge"),
        ],
    )
    def test_is_the_day_on_which_something_is_due_at_once(self, terms, facts):
        """SEAT-2, SEAT-4, PRE-1."""
        assert next_look_on(account(terms)._replace(**facts), on=day("2026-03-01")) == day("2026-03-10")
        assert next_look_on(account(terms)._replace(**facts), on=day("2026-03-10")) == day("2026-04-01")

    @pytest.mark.parametrize("terms", [HOSTED_DIRECT, HOSTED_PARTNER], ids=lambda terms: terms.code)
    def test_waits_for_the_billing_date_where_nothing_is_due_at_once(self, terms):
        held = holding("2026-03-10", later=[("2026-03-20", "2")])
        found = next_look_on(account(terms, held, one_offs=(one_off("2026-03-15"),)), on=day("2026-03-01"))
        assert found == day("2026-04-01")
