"""What the per-seat terms make due: purchases, rebates, deposits, changes of plan and of the billing day."""

import pytest

from invoicing.invoices.looks import next_look_on
from invoicing.invoices.pricing import charges_due
from tests.invoicing.invoices.pricing_factory import (
    PER_SEAT,
    account,
    after,
    bill,
    day,
    due,
    holding,
    lines,
    plan,
    version,
)

CORE = plan("core", version("2020-01-01", "60.00", inactive_price="15.00", setup_fee="100.00"))
BASIC = plan("basic", version("2020-01-01", "60.00", inactive_price="15.00"), number=2)
VALUE = plan("value", version("2020-01-01", "90.00", inactive_price="30.00", deposit="500.00"), number=3)
EVALUATION = plan("evaluation", version("2020-01-01", "40.00", deposit="500.00", change_fee="5.00"), number=4)
PREMIUM = plan("premium", version("2020-01-01", "120.00", inactive_price="50.00", change_fee="35.00"), number=5)


class TestDeposit:
    """SEAT-1: taken at the first subscription to a plan that takes one, once an account."""

    def test_is_taken_with_the_first_month(self):
        company = account(PER_SEAT, holding("2026-03-15", held=VALUE), billing_day=15)
        assert due(company, "2026-03-15") == [
            "S-1 RECURRING 2026-03-15/2026-04-15: 1 x 90.00 = 90.00",
            "S-1 DEPOSIT 2026-03-15/2026-03-16: 1 x 500.00 = 500.00",
        ]

    def test_is_taken_once_an_account(self):
        company = account(
            PER_SEAT,
            holding("2026-03-15", held=VALUE, number=1),
            holding("2026-03-15", held=VALUE, number=2),
            holding("2026-04-01", held=EVALUATION, number=3),
            billing_day=15,
        )
        billed = [printed for _, printed in bill(company, "2026-03-15", "2026-04-01", "2026-04-15")]
        assert [line for printed in billed for line in printed if "DEPOSIT" in line] == [
            "S-1 DEPOSIT 2026-03-15/2026-03-16: 1 x 500.00 = 500.00"
        ]

    def test_is_taken_by_the_subscription_that_began_first_in_whatever_order_they_are_read(self):
        later, first = holding("2026-04-01", held=VALUE, number=1), holding("2026-03-15", held=EVALUATION, number=2)
        company = account(PER_SEAT, later, first, billing_day=15)
        assert "S-2 DEPOSIT 2026-03-15/2026-03-16: 1 x 500.00 = 500.00" in due(company, "2026-04-15")

    def test_is_taken_by_a_change_to_the_first_plan_that_takes_one(self):
        """Else whoever begins on another plan and changes on the next day never pays it."""
        seat = holding("2026-03-15", held=VALUE, left=[("2026-03-16", BASIC, VALUE)])
        company = account(PER_SEAT, seat, holding("2026-03-20", held=EVALUATION, number=2), billing_day=15)
        billed = [printed for _, printed in bill(company, "2026-03-15", "2026-03-16", "2026-03-20", "2026-04-15")]
        assert [line for printed in billed for line in printed if "DEPOSIT" in line] == [
            "S-1 DEPOSIT 2026-03-16/2026-03-17: 1 x 500.00 = 500.00"
        ]

    def test_is_not_taken_where_a_seat_had_changed_to_a_plan_that_took_it_before_we_billed(self):
        company = account(
            PER_SEAT,
            holding("2025-06-15", held=VALUE, left=[("2025-09-01", BASIC, VALUE)], number=1),
            holding("2026-03-20", held=VALUE, number=2),
            billing_day=15,
            bill_from="2026-03-15",
        )
        assert not [line for line in due(company, "2026-03-20") if "DEPOSIT" in line]

    def test_is_not_taken_again_by_an_account_that_gave_one(self):
        company = account(PER_SEAT, holding("2026-03-15", held=VALUE), billing_day=15, deposit_taken=True)
        assert due(company, "2026-03-15") == ["S-1 RECURRING 2026-03-15/2026-04-15: 1 x 90.00 = 90.00"]

    def test_is_not_taken_where_it_was_given_elsewhere_before_we_billed(self):
        company = account(
            PER_SEAT,
            holding("2025-06-15", held=VALUE, number=1),
            holding("2026-03-20", held=VALUE, number=2),
            billing_day=15,
            bill_from="2026-03-15",
        )
        assert not [line for line in due(company, "2026-03-20") if "DEPOSIT" in line]

    def test_is_not_taken_where_the_seat_that_gave_it_elsewhere_has_changed_to_a_plan_without(self):
        company = account(
            PER_SEAT,
            holding("2025-06-15", held=BASIC, left=[("2025-09-01", VALUE, BASIC)], number=1),
            holding("2026-03-20", held=VALUE, number=2),
            billing_day=15,
            bill_from="2026-03-15",
        )
        assert not [line for line in due(company, "2026-03-20") if "DEPOSIT" in line]

    def test_is_taken_where_what_was_held_elsewhere_took_none(self):
        company = account(
            PER_SEAT,
            holding("2025-06-15", held=BASIC, number=1),
            holding("2026-03-20", held=VALUE, number=2),
            billing_day=15,
            bill_from="2026-03-15",
        )
        assert "S-2 DEPOSIT 2026-03-20/2026-03-21: 1 x 500.00 = 500.00" in due(company, "2026-03-20")

    def test_cites_its_clause(self):
        company = account(PER_SEAT, holding("2026-03-15", held=VALUE), billing_day=15)
        assert [charge.clause for charge in charges_due(company, on=day("2026-03-15"))] == ["SEAT-2", "SEAT-1"]


class TestPurchase:
    """SEAT-2: paid at once, the set-up fee and the first month's fee; later months at the beginning of each."""

    def test_is_billed_on_its_day_with_the_set_up_fee_and_the_first_month_in_full(self):
        company = account(PER_SEAT, holding("2026-03-20", held=CORE, quantity="2"), billing_day=15)
        assert bill(company, "2026-03-19", "2026-03-20", "2026-04-15") == [
            ("2026-03-19", []),
            (
                "2026-03-20",
                [
                    "S-1 RECURRING 2026-03-15/2026-04-15: 2 x 60.00 = 120.00",
                    "S-1 SETUP 2026-03-20/2026-03-21: 1 x 100.00 = 100.00",
                ],
            ),
            ("2026-04-15", ["S-1 RECURRING 2026-04-15/2026-05-15: 2 x 60.00 = 120.00"]),
        ]

    def test_cites_its_clause_and_later_months_cite_theirs(self):
        company = account(PER_SEAT, holding("2026-03-20", held=CORE), billing_day=15)
        charges = charges_due(company, on=day("2026-04-15"))
        assert [(charge.clause, charge.kind) for charge in charges] == [
            ("SEAT-2", "RECURRING"),
            ("SEAT-2", "SETUP"),
            ("SEAT-3", "RECURRING"),
        ]

    def test_of_a_second_seat_in_mid_month_is_billed_at_once_in_full(self):
        company = account(
            PER_SEAT,
            holding("2026-03-15", held=BASIC, number=1),
            holding("2026-04-14", held=CORE, number=2),
            billing_day=15,
        )
        assert bill(company, "2026-03-15", "2026-04-14", "2026-04-15") == [
            ("2026-03-15", ["S-1 RECURRING 2026-03-15/2026-04-15: 1 x 60.00 = 60.00"]),
            (
                "2026-04-14",
                [
                    "S-2 RECURRING 2026-03-15/2026-04-15: 1 x 60.00 = 60.00",
                    "S-2 SETUP 2026-04-14/2026-04-15: 1 x 100.00 = 100.00",
                ],
            ),
            (
                "2026-04-15",
                [
                    "S-1 RECURRING 2026-04-15/2026-05-15: 1 x 60.00 = 60.00",
                    "S-2 RECURRING 2026-04-15/2026-05-15: 1 x 60.00 = 60.00",
                ],
            ),
        ]

    def test_of_one_more_in_mid_month_is_billed_at_once_without_a_second_set_up_fee(self):
        company = account(PER_SEAT, holding("2026-03-15", held=CORE, later=[("2026-03-20", "2")]), billing_day=15)
        assert bill(company, "2026-03-15", "2026-03-20")[1] == (
            "2026-03-20",
            ["S-1 RECURRING 2026-03-15/2026-04-15: 1 + 1 x 60.00 = 60.00"],
        )

    def test_billed_late_is_billed_the_same(self):
        company = account(PER_SEAT, holding("2026-03-20", held=CORE, later=[("2026-04-02", "2")]), billing_day=15)
        assert due(company, "2026-04-14") == [
            "S-1 RECURRING 2026-03-15/2026-04-15: 2 x 60.00 = 120.00",
            "S-1 SETUP 2026-03-20/2026-03-21: 1 x 100.00 = 100.00",
        ]

    def test_of_a_terminated_seat_bills_no_month_after_the_one_it_ends_in(self):
        company = account(PER_SEAT, holding("2026-03-15", "2026-04-15", held=BASIC), billing_day=15)
        assert bill(company, "2026-03-15", "2026-04-15") == [
            ("2026-03-15", ["S-1 RECURRING 2026-03-15/2026-04-15: 1 x 60.00 = 60.00"]),
            ("2026-04-15", []),
        ]


class TestRebate:
    """SEAT-3, SEAT-6: active rate less inactive rate, on the next month's invoice."""

    def test_of_an_inactive_month_is_on_the_next_month_s_invoice(self):
        company = account(PER_SEAT, holding("2026-03-15", held=BASIC, inactive=["2026-03-15"]), billing_day=15)
        assert bill(company, "2026-03-15", "2026-04-14", "2026-04-15", "2026-05-15") == [
            ("2026-03-15", ["S-1 RECURRING 2026-03-15/2026-04-15: 1 x 60.00 = 60.00"]),
            ("2026-04-14", []),
            (
                "2026-04-15",
                [
                    "S-1 REBATE 2026-03-15/2026-04-15: 1 x -45.00 = -45.00",
                    "S-1 RECURRING 2026-04-15/2026-05-15: 1 x 60.00 = 60.00",
                ],
            ),
            ("2026-05-15", ["S-1 RECURRING 2026-05-15/2026-06-15: 1 x 60.00 = 60.00"]),
        ]

    def test_keeps_both_rates_and_whether_the_seat_was_deemed_inactive(self):
        company = account(
            PER_SEAT, holding("2026-03-15", held=BASIC, inactive=["2026-03-15"], deemed=["2026-04-15"]), billing_day=15
        )
        rebates = [charge for charge in charges_due(company, on=day("2026-05-15")) if charge.kind == "REBATE"]
        assert [charge.clause for charge in rebates] == ["SEAT-3", "SEAT-3"]
        assert [charge.why.get("deemed", False) for charge in rebates] == [False, True]
        assert (rebates[0].why["active"], rebates[0].why["inactive"]) == ("60.00", "15.00")

    def test_is_for_every_seat_held_in_the_month(self):
        seats = holding("2026-03-15", held=BASIC, quantity="2", later=[("2026-04-01", "3")], inactive=["2026-03-15"])
        company = account(PER_SEAT, seats, billing_day=15)
        assert "S-1 REBATE 2026-03-15/2026-04-15: 3 x -45.00 = -135.00" in due(company, "2026-04-15")

    @pytest.mark.parametrize(
        ("agreed", "rebate"),
        [
            pytest.param("50.00", ["S-1 REBATE 2026-03-15/2026-04-15: 1 x -35.00 = -35.00"], id="above the inactive"),
            pytest.param("15.00", [], id="equal to the inactive"),
            pytest.param("12.00", [], id="below the inactive"),
        ],
    )
    def test_starts_from_an_agreed_price(self, agreed, rebate):
        seat = holding("2026-03-15", held=BASIC, unit_price=agreed, inactive=["2026-03-15"])
        assert [
            line for line in due(account(PER_SEAT, seat, billing_day=15), "2026-04-15") if "REBATE" in line
        ] == rebate

    @pytest.mark.parametrize(
        "held",
        [
            pytest.param(plan("flat", version("2020-01-01", "60.00")), id="none in the catalogue"),
            pytest.param(
                plan("flat", version("2020-01-01", "60.00", inactive_price="60.00")), id="equal to the active"
            ),
            pytest.param(plan("flat", version("2020-01-01", "60.00", inactive_price="70.00")), id="above the active"),
        ],
    )
    def test_is_none_where_the_inactive_rate_is_no_lower(self, held):
        company = account(PER_SEAT, holding("2026-03-15", held=held, inactive=["2026-03-15"]), billing_day=15)
        assert not [line for line in due(company, "2026-04-15") if "REBATE" in line]

    def test_is_the_whole_rate_where_an_inactive_seat_is_free(self):
        free = plan("free", version("2020-01-01", "60.00", inactive_price="0.00"))
        company = account(PER_SEAT, holding("2026-03-15", held=free, inactive=["2026-03-15"]), billing_day=15)
        assert "S-1 REBATE 2026-03-15/2026-04-15: 1 x -60.00 = -60.00" in due(company, "2026-04-15")

    def test_after_the_last_seat_went_is_all_there_is(self):
        seat = holding("2026-03-15", "2026-04-10", held=BASIC, inactive=["2026-03-15"])
        company = account(PER_SEAT, seat, billing_day=15)
        assert bill(company, "2026-03-15", "2026-04-15", "2026-05-15")[1:] == [
            ("2026-04-15", ["S-1 REBATE 2026-03-15/2026-04-15: 1 x -45.00 = -45.00"]),
            ("2026-05-15", []),
        ]

    def test_is_none_for_a_month_in_which_the_seat_was_not_held(self):
        seat = holding("2026-03-15", "2026-04-15", held=BASIC, inactive=["2026-04-15", "2026-02-15"])
        assert not [line for line in due(account(PER_SEAT, seat, billing_day=15), "2026-06-15") if "REBATE" in line]

    def test_is_one_for_two_days_named_of_the_same_month(self):
        seat = holding("2026-03-15", held=BASIC, inactive=["2026-03-15", "2026-04-01"])
        rebates = [line for line in due(account(PER_SEAT, seat, billing_day=15), "2026-04-15") if "REBATE" in line]
        assert rebates == ["S-1 REBATE 2026-03-15/2026-04-15: 1 x -45.00 = -45.00"]

    def test_uses_the_rates_of_the_month_it_is_for(self):
        dearer = plan(
            "dearer",
            version("2020-01-01", "60.00", inactive_price="15.00"),
            version("2026-04-15", "80.00", number=2, inactive_price="20.00"),
        )
        company = account(PER_SEAT, holding("2026-03-15", held=dearer, inactive=["2026-03-15"]), billing_day=15)
        assert bill(company, "2026-03-15", "2026-04-15")[1][1] == [
            "S-1 REBATE 2026-03-15/2026-04-15: 1 x -45.00 = -45.00",
            "S-1 RECURRING 2026-04-15/2026-05-15: 1 x 80.00 = 80.00",
        ]

    def test_of_the_last_month_billed_elsewhere_is_on_our_first_invoice(self):
        seat = holding("2025-06-15", held=BASIC, inactive=["2026-01-15", "2026-02-15"])
        company = account(PER_SEAT, seat, billing_day=15, bill_from="2026-03-15")
        assert due(company, "2026-03-15") == [
            "S-1 REBATE 2026-02-15/2026-03-15: 1 x -45.00 = -45.00",
            "S-1 RECURRING 2026-03-15/2026-04-15: 1 x 60.00 = 60.00",
        ]

    def test_is_none_for_a_bridge_that_was_free(self):
        """What was not charged is not given back."""
        seat = holding("2026-02-15", held=BASIC, inactive=["2026-03-15"])
        company = account(PER_SEAT, seat, billing_day=15, changes=[("2026-03-15", 20)])
        assert bill(company, "2026-02-15", "2026-03-15", "2026-03-20")[1:] == [
            ("2026-03-15", []),
            ("2026-03-20", ["S-1 RECURRING 2026-03-20/2026-04-20: 1 x 60.00 = 60.00"]),
        ]

    def test_of_a_bridge_that_was_charged_is_credited_at_its_end(self):
        seat = holding("2026-02-15", held=BASIC, inactive=["2026-03-15"])
        company = account(PER_SEAT, seat, billing_day=15, changes=[("2026-03-15", 10)])
        assert bill(company, "2026-02-15", "2026-03-15", "2026-04-10")[1:] == [
            ("2026-03-15", ["S-1 RECURRING 2026-03-15/2026-04-10: 1 x 60.00 = 60.00"]),
            (
                "2026-04-10",
                [
                    "S-1 REBATE 2026-03-15/2026-04-10: 1 x -45.00 = -45.00",
                    "S-1 RECURRING 2026-04-10/2026-05-10: 1 x 60.00 = 60.00",
                ],
            ),
        ]

    def test_is_none_where_a_late_start_left_the_month_unbilled(self):
        terms = PER_SEAT._replace(late_start="NOT_BILLED")
        company = account(terms, holding("2026-03-20", held=BASIC, inactive=["2026-03-15"]), billing_day=15)
        assert due(company, "2026-04-15") == ["S-1 RECURRING 2026-04-15/2026-05-15: 1 x 60.00 = 60.00"]


class TestChangeOfPlan:
    """SEAT-4: bills its change fee at once; the new plan's rate holds from the next billing month."""

    def test_bills_the_fee_on_its_day_and_the_new_rate_from_the_next_month(self):
        seat = holding("2026-03-15", held=PREMIUM, left=[("2026-03-20", BASIC, PREMIUM)])
        assert bill(
            account(PER_SEAT, seat, billing_day=15), "2026-03-15", "2026-03-20", "2026-04-15", "2026-05-15"
        ) == [
            ("2026-03-15", ["S-1 RECURRING 2026-03-15/2026-04-15: 1 x 60.00 = 60.00"]),
            ("2026-03-20", ["S-1 CHANGE 2026-03-20/2026-03-21: 1 x 35.00 = 35.00"]),
            ("2026-04-15", ["S-1 RECURRING 2026-04-15/2026-05-15: 1 x 120.00 = 120.00"]),
            ("2026-05-15", ["S-1 RECURRING 2026-05-15/2026-06-15: 1 x 120.00 = 120.00"]),
        ]

    def test_on_the_first_day_of_a_month_changes_that_month_s_rate(self):
        seat = holding("2026-03-15", held=PREMIUM, left=[("2026-04-15", BASIC, PREMIUM)])
        assert bill(account(PER_SEAT, seat, billing_day=15), "2026-03-15", "2026-04-15")[1][1] == [
            "S-1 RECURRING 2026-04-15/2026-05-15: 1 x 120.00 = 120.00",
            "S-1 CHANGE 2026-04-15/2026-04-16: 1 x 35.00 = 35.00",
        ]

    def test_names_the_plan_it_left(self):
        seat = holding("2026-03-15", held=PREMIUM, left=[("2026-03-20", BASIC, PREMIUM)])
        change = charges_due(account(PER_SEAT, seat, billing_day=15), on=day("2026-03-20"))[-1]
        assert (change.clause, change.plan.code, change.why["from_plan"]) == ("SEAT-4", "premium", "basic")

    def test_twice_in_a_month_bills_both_fees(self):
        seat = holding(
            "2026-03-15", held=EVALUATION, left=[("2026-03-20", BASIC, PREMIUM), ("2026-03-25", PREMIUM, EVALUATION)]
        )
        company = account(PER_SEAT, seat, billing_day=15, deposit_taken=True)
        assert bill(company, "2026-03-15", "2026-03-20", "2026-03-25", "2026-04-15")[1:] == [
            ("2026-03-20", ["S-1 CHANGE 2026-03-20/2026-03-21: 1 x 35.00 = 35.00"]),
            ("2026-03-25", ["S-1 CHANGE 2026-03-25/2026-03-26: 1 x 5.00 = 5.00"]),
            ("2026-04-15", ["S-1 RECURRING 2026-04-15/2026-05-15: 1 x 40.00 = 40.00"]),
        ]

    def test_to_a_plan_without_a_fee_bills_none(self):
        seat = holding("2026-03-15", held=BASIC, left=[("2026-03-20", PREMIUM, BASIC)])
        assert bill(account(PER_SEAT, seat, billing_day=15), "2026-03-15", "2026-03-20")[1] == ("2026-03-20", [])

    def test_uses_the_old_plan_s_rates_for_that_month_s_rebate(self):
        seat = holding("2026-03-15", held=PREMIUM, left=[("2026-03-20", BASIC, PREMIUM)], inactive=["2026-03-15"])
        company = account(PER_SEAT, seat, billing_day=15)
        assert "S-1 REBATE 2026-03-15/2026-04-15: 1 x -45.00 = -45.00" in due(company, "2026-04-15")

    def test_before_we_billed_the_account_bills_no_fee(self):
        seat = holding("2025-03-15", held=PREMIUM, left=[("2026-03-14", BASIC, PREMIUM)])
        company = account(PER_SEAT, seat, billing_day=15, bill_from="2026-03-15")
        assert due(company, "2026-03-15") == ["S-1 RECURRING 2026-03-15/2026-04-15: 1 x 120.00 = 120.00"]

    @pytest.mark.parametrize(
        ("ended", "fees"),
        [
            pytest.param("2026-03-20", [], id="on the day the seat is gone"),
            pytest.param("2026-03-21", ["S-1 CHANGE 2026-03-20/2026-03-21: 1 x 35.00 = 35.00"], id="the day before"),
        ],
    )
    def test_that_a_seat_did_not_live_to_see_bills_no_fee(self, ended, fees):
        seat = holding("2026-03-15", ended, held=PREMIUM, left=[("2026-03-20", BASIC, PREMIUM)])
        company = account(PER_SEAT, seat, billing_day=15)
        assert [line for line in due(company, "2026-04-15") if "CHANGE" in line] == fees


class TestChangeOfTheBillingDay:
    """BILL-5: no day billed twice or left out; the bridge is one month's charge when over half a month, else free."""

    @pytest.mark.parametrize(
        ("bridge", "new_day", "charged"),
        [
            pytest.param("OVER_HALF", 20, [], id="5 of 31 days, by length"),
            pytest.param("OVER_HALF", 30, [], id="15 of 31 days, by length"),
            pytest.param(
                *("OVER_HALF", 31, ["S-1 RECURRING 2026-03-15/2026-03-31: 1 x 60.00 = 60.00"]),
                id="16 of 31 days, by length",
            ),
            pytest.param(
                *("CHARGED", 20, ["S-1 RECURRING 2026-03-15/2026-03-20: 1 x 60.00 = 60.00"]),
                id="5 of 31 days, always charged",
            ),
            pytest.param("FREE", 14, [], id="30 of 31 days, always free"),
        ],
    )
    def test_charges_the_bridge_as_the_terms_say(self, bridge, new_day, charged):
        company = account(
            PER_SEAT._replace(bridge=bridge),
            holding("2026-02-15", held=BASIC),
            billing_day=15,
            changes=[("2026-03-15", new_day)],
        )
        assert bill(company, "2026-02-15", "2026-03-15")[1] == ("2026-03-15", charged)

    def test_takes_exactly_half_a_month_for_free(self):
        company = account(PER_SEAT, holding("2026-03-01", held=BASIC), changes=[("2026-04-01", 16)])
        assert bill(company, "2026-03-01", "2026-04-01", "2026-04-16")[1:] == [
            ("2026-04-01", []),
            ("2026-04-16", ["S-1 RECURRING 2026-04-16/2026-05-16: 1 x 60.00 = 60.00"]),
        ]

    def test_says_of_the_bridge_that_it_is_one(self):
        company = account(PER_SEAT, holding("2026-02-15", held=BASIC), billing_day=15, changes=[("2026-03-15", 10)])
        charges = charges_due(company, on=day("2026-03-15"))
        assert [charge.why.get("bridge") for charge in charges] == [None, True]

    def test_is_followed_by_months_of_the_new_day(self):
        company = account(PER_SEAT, holding("2026-02-15", held=BASIC), billing_day=15, changes=[("2026-03-15", 10)])
        days = []
        on = day("2026-02-15")
        for _ in range(5):
            charges = charges_due(company, on=on)
            days.append((on.isoformat(), len(charges)))
            company, on = after(company, charges, on=on), next_look_on(company, on=on)
        assert days == [("2026-02-15", 1), ("2026-03-15", 1), ("2026-04-10", 1), ("2026-05-10", 1), ("2026-06-10", 1)]

    def test_leaves_a_purchase_in_a_free_bridge_its_set_up_fee_and_deposit(self):
        """BILL-5 waives the month's charge alone; SEAT-1 and SEAT-2 are paid at the purchase."""
        both = plan("both", version("2020-01-01", "60.00", setup_fee="100.00", deposit="500.00"))
        company = account(PER_SEAT, holding("2026-03-17", held=both), billing_day=15, changes=[("2026-03-15", 20)])
        assert bill(company, "2026-03-17", "2026-03-18", "2026-03-20", "2026-04-20") == [
            (
                "2026-03-17",
                [
                    "S-1 SETUP 2026-03-17/2026-03-18: 1 x 100.00 = 100.00",
                    "S-1 DEPOSIT 2026-03-17/2026-03-18: 1 x 500.00 = 500.00",
                ],
            ),
            ("2026-03-18", []),
            ("2026-03-20", ["S-1 RECURRING 2026-03-20/2026-04-20: 1 x 60.00 = 60.00"]),
            ("2026-04-20", ["S-1 RECURRING 2026-04-20/2026-05-20: 1 x 60.00 = 60.00"]),
        ]

    def test_asks_no_price_for_a_free_bridge_of_a_seat_held_before(self):
        unsold = plan("unsold", version("2026-03-20", "60.00"))
        company = account(
            PER_SEAT, holding("2026-02-15", held=unsold), billing_day=15, changes=[("2026-03-15", 20)],
            look_from_on="2026-03-15",
        )  # fmt: skip
        assert due(company, "2026-03-15") == []


class TestBillingDays29To31:
    """BILL-5: on the last day of a short month, and back in a long one (Polar stayed at 29)."""

    @pytest.mark.parametrize(
        ("billing_day", "periods"),
        [
            (29, ["2026-01-29/2026-02-28", "2026-02-28/2026-03-29", "2026-03-29/2026-04-29"]),
            (30, ["2026-01-30/2026-02-28", "2026-02-28/2026-03-30", "2026-03-30/2026-04-30"]),
            (31, ["2026-01-31/2026-02-28", "2026-02-28/2026-03-31", "2026-03-31/2026-04-30"]),
        ],
    )
    def test_bill_each_month_over_february_once(self, billing_day, periods):
        company = account(PER_SEAT, holding(f"2026-01-{billing_day}", held=BASIC), billing_day=billing_day)
        on, billed = day(f"2026-01-{billing_day}"), []
        for _ in periods:
            charges = charges_due(company, on=on)
            billed += lines(charges)
            company, on = after(company, charges, on=on), next_look_on(company, on=on)
        assert billed == [f"S-1 RECURRING {period}: 1 x 60.00 = 60.00" for period in periods]
