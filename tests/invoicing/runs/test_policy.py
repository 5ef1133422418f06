"""When a run waits for a person, and the sentences that say why."""

from decimal import Decimal

import pytest

from invoicing.runs.policy import Bounds, Compared, Outlier, hold_reasons

BOUNDS = Bounds("hosted-direct", False, Decimal("50.00"), Decimal("50.00"), Decimal(10), Decimal(100_000))
WIDE = BOUNDS._replace(total_share=Decimal(1000), count_share=Decimal(1000))


def compared(
    invoices: int = 100,
    total: str = "1000.00",
    last_invoices: int = 100,
    last_total: str = "1000.00",
    currency: str = "USD",
) -> Compared:
    return Compared(currency, invoices, invoices, Decimal(total), last_invoices, Decimal(last_total))


def outlier(number: str, total: str = "5000.00", last: str = "100.00") -> Outlier:
    return Outlier(number, "USD", Decimal(total), Decimal(last))


class TestHoldReasons:
    def test_are_none_where_nothing_changed(self):
        assert hold_reasons(BOUNDS, compared(), []) == []

    @pytest.mark.parametrize(
        ("total", "held"),
        [
            pytest.param("1500.00", False, id="up by exactly the share"),
            pytest.param("1500.01", True, id="up by a cent more"),
            pytest.param("500.00", False, id="down by exactly the share"),
            pytest.param("499.99", True, id="down by a cent more"),
            pytest.param("-500.00", True, id="credits where there were charges"),
        ],
    )
    def test_hold_a_total_beyond_the_share(self, total, held):
        assert bool(hold_reasons(BOUNDS, compared(total=total), [])) is held

    def test_say_both_totals_and_the_share(self):
        assert hold_reasons(BOUNDS, compared(total="1500.01"), []) == [
            "hosted-direct: the total is USD 1,500.01, and was USD 1,000.00 in the last period: "
            "a change of more than 50 %."
        ]

    @pytest.mark.parametrize(
        ("invoices", "held"),
        [
            pytest.param(150, False, id="up by exactly the share"),
            pytest.param(151, True, id="up by one more"),
            pytest.param(50, False, id="down by exactly the share"),
            pytest.param(49, True, id="down by one more"),
            pytest.param(0, True, id="none at all"),
        ],
    )
    def test_hold_a_count_beyond_the_share(self, invoices, held):
        assert bool(hold_reasons(BOUNDS, compared(invoices=invoices), [])) is held

    def test_say_both_counts_and_the_share(self):
        bounds = BOUNDS._replace(count_share=Decimal("12.50"))
        assert hold_reasons(bounds, compared(invoices=113), []) == [
            "hosted-direct: 113 invoices, and 100 in the last period: a change of more than 12.5 %."
        ]

    def test_hold_any_change_at_a_share_of_nought(self):
        bounds = BOUNDS._replace(total_share=Decimal(0), count_share=Decimal(0))
        assert hold_reasons(bounds, compared(), []) == []
        assert len(hold_reasons(bounds, compared(invoices=101, total="1000.01"), [])) == 2

    @pytest.mark.parametrize(
        ("last_invoices", "last_total"),
        [pytest.param(0, "0.00", id="no last period"), pytest.param(100, "-20.00", id="a last period of credits")],
    )
    def test_compare_no_total_with_a_last_period_that_has_none(self, last_invoices, last_total):
        assert hold_reasons(BOUNDS, compared(last_invoices=last_invoices, last_total=last_total), []) == []

    def test_name_terms_that_ask_for_a_review(self):
        assert hold_reasons(BOUNDS._replace(waits_for_review=True), compared(invoices=100), []) == [
            "The terms “hosted-direct” ask for a review of each run; 100 invoices wait."
        ]

    def test_list_accounts_out_of_their_range(self):
        found = hold_reasons(WIDE, compared(), [outlier("A-1"), outlier("A-2", "120000.00", "0.00")])
        assert found == [
            "hosted-direct: out of the range of its account: A-1 (USD 5,000.00 after USD 100.00), "
            "A-2 (USD 120,000.00 after USD 0.00)."
        ]

    @pytest.mark.parametrize(("count", "ending"), [(5, "A-5 (USD 5,000.00 after USD 100.00)."), (7, " and 2 more.")])
    def test_list_five_of_them_and_count_the_others(self, count, ending):
        (reason,) = hold_reasons(WIDE, compared(), [outlier(f"A-{number}") for number in range(1, count + 1)])
        assert reason.endswith(ending)
        assert reason.count("after") == 5

    def test_are_all_named_at_once(self):
        bounds = BOUNDS._replace(waits_for_review=True)
        assert len(hold_reasons(bounds, compared(invoices=200, total="9000.00"), [outlier("A-1")])) == 4
