"""PRE-1: what a use costs."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.subscriptions.rating import Rate, Tier, amount_of_use, cost_of_month, rated_units

D = Decimal
PHONE = Rate(D("0.012"), minimum=D(30), increment=D(6))
TIERED = Rate(D("0.10"), included=D(100), tiers=(Tier(D(1000), D("0.08")), Tier(D(5000), D("0.05"))))


class TestRatedUnits:
    """PRE-1."""

    @pytest.mark.parametrize(("quantity", "units"), [
        pytest.param("1", "30", id="below the minimum"),
        pytest.param("30", "30", id="the minimum"),
        pytest.param("30.000001", "36", id="a millionth over"),
        pytest.param("36", "36", id="a whole number of increments"),
        pytest.param("37", "42", id="one over"),
    ])  # fmt: skip
    def test_are_the_minimum_and_then_rounded_up(self, quantity, units):
        assert rated_units(D(quantity), PHONE) == D(units)

    def test_are_the_quantity_where_the_price_says_neither(self):
        assert rated_units(D("1.234567"), Rate(D(1))) == D("1.234567")

    def test_round_a_minimum_up_that_is_no_whole_number_of_increments(self):
        assert rated_units(D(1), Rate(D(1), minimum=D(10), increment=D(4))) == D(12)


class TestAmountOfUse:
    """PRE-1."""

    @pytest.mark.parametrize(("used", "units", "amount"), [
        pytest.param("0", "100", "0", id="all included"),
        pytest.param("0", "101", "0.10", id="one beyond the included"),
        pytest.param("99", "2", "0.10", id="across the included"),
        pytest.param("999", "2", "0.18", id="across the first tier"),
        pytest.param("1000", "1", "0.08", id="the first unit of a tier"),
        pytest.param("0", "6000", "460.00", id="across everything"),
        pytest.param("5000", "10", "0.50", id="in the last tier"),
    ])  # fmt: skip
    def test_is_by_graduated_tiers(self, used, units, amount):
        assert amount_of_use(D(units), used=D(used), rate=TIERED) == D(amount)

    def test_leaves_a_tier_out_that_ends_within_the_included_units(self):
        rate = Rate(D("0.10"), included=D(100), tiers=(Tier(D(50), D("0.02")),))
        assert amount_of_use(D(101), used=D(0), rate=rate) == D("0.02")

    def test_is_exact_where_eighteen_digits_meet_eighteen(self):
        rate = Rate(D("999999999999.999999"))
        assert amount_of_use(D("999999999.999999"), used=D(0), rate=rate) == D("999999999999998999000.000000")

    @settings(max_examples=200, deadline=None)
    @given(
        parts=st.lists(st.decimals("0.000001", "5000", places=6), min_size=1, max_size=30),
        unit_price=st.decimals("0", "2", places=6),
        included=st.decimals("0", "300", places=6),
        tiers=st.lists(
            st.tuples(st.decimals("1", "9000", places=3), st.decimals("0", "2", places=6)),
            max_size=4, unique_by=lambda tier: tier[0],
        ),
    )  # fmt: skip
    def test_parts_of_a_month_sum_to_the_whole(self, parts, unit_price, included, tiers):
        rate = Rate(unit_price, included=included, tiers=tuple(Tier(*tier) for tier in tiers))
        used, total = D(0), D(0)
        for units in parts:
            amount = amount_of_use(units, used=used, rate=rate)
            assert amount >= 0
            assert amount == amount.quantize(D("0.000001"))
            used, total = used + units, total + amount
        assert total == cost_of_month(sum(parts), rate)
        assert sum(
            amount_of_use(units, used=sum(reversed(parts[index + 1 :]), D(0)), rate=rate)
            for index, units in enumerate(parts)
        ) == total  # fmt: skip
