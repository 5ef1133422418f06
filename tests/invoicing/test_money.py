"""Amounts at their currency's places, and the one rounding there is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.money import exponent, format_money, format_quantity, format_rate, minor_unit, round_money

amounts = st.decimals("-1000000", "1000000", places=6)


class TestExponent:
    @pytest.mark.parametrize(
        ("currency", "places"),
        [
            pytest.param("USD", 2, id="dollars and cents"),
            pytest.param("EUR", 2, id="euros and cents"),
            pytest.param("JPY", 0, id="whole yen"),
            pytest.param("ISK", 0, id="whole krona"),
            pytest.param("KWD", 3, id="dinar and thousandths"),
        ],
    )
    def test_is_the_currency_s_number_of_decimal_places(self, currency, places):
        assert exponent(currency) == places


class TestMinorUnit:
    @pytest.mark.parametrize(("currency", "unit"), [("USD", "0.01"), ("JPY", "1"), ("KWD", "0.001")])
    def test_is_the_smallest_amount_there_is(self, currency, unit):
        assert str(minor_unit(currency)) == unit


class TestRoundMoney:
    @pytest.mark.parametrize(
        ("amount", "currency", "rounded"),
        [
            pytest.param("0.004999", "USD", "0.00", id="just below half a cent"),
            pytest.param("0.005", "USD", "0.01", id="half a cent"),
            pytest.param("0.015", "USD", "0.02", id="half a cent after an odd cent"),
            pytest.param("0.025", "USD", "0.03", id="half a cent after an even cent, where bankers would round down"),
            pytest.param("-0.005", "USD", "-0.01", id="half a cent owed to the customer"),
            pytest.param("-0.025", "USD", "-0.03", id="negative half after an even cent"),
            pytest.param("-0.004999", "USD", "-0.00", id="just short of half a cent owed to the customer"),
            pytest.param("0.5", "JPY", "1", id="half a yen"),
            pytest.param("-2.5", "JPY", "-3", id="two and a half yen back"),
            pytest.param("0.0005", "KWD", "0.001", id="half a thousandth of a dinar"),
            pytest.param("12", "USD", "12.00", id="a whole amount"),
        ],
    )
    def test_rounds_half_away_from_zero(self, amount, currency, rounded):
        assert str(round_money(Decimal(amount), currency)) == rounded

    @given(amounts, st.sampled_from(["USD", "JPY", "KWD"]))
    def test_is_off_by_half_a_minor_unit_at_most(self, amount, currency):
        assert abs(round_money(amount, currency) - amount) * 2 <= minor_unit(currency)

    @given(amounts, st.sampled_from(["USD", "JPY", "KWD"]))
    def test_treats_a_credit_as_the_mirror_of_its_charge(self, amount, currency):
        assert round_money(-amount, currency) == -round_money(amount, currency)

    @given(amounts, st.sampled_from(["USD", "JPY", "KWD"]))
    def test_leaves_a_rounded_amount_alone(self, amount, currency):
        once = round_money(amount, currency)
        assert round_money(once, currency) == once


class TestFormatMoney:
    @pytest.mark.parametrize(
        ("amount", "currency", "printed"),
        [
            pytest.param("1234.5", "USD", "USD 1,234.50", id="thousands apart"),
            pytest.param("-12.3", "USD", "USD -12.30", id="a credit"),
            pytest.param("0", "USD", "USD 0.00", id="nothing"),
            pytest.param("-0.001", "USD", "USD 0.00", id="no negative nothing"),
            pytest.param("1234567", "JPY", "JPY 1,234,567", id="yen"),
            pytest.param("1.5", "KWD", "KWD 1.500", id="dinar"),
        ],
    )
    def test_puts_the_currency_before_the_amount_at_its_places(self, amount, currency, printed):
        assert format_money(Decimal(amount), currency) == printed


class TestFormatRate:
    @pytest.mark.parametrize(
        ("rate", "currency", "printed"),
        [
            pytest.param("12", "USD", "12.00", id="at least the currency's places"),
            pytest.param("12.500000", "USD", "12.50", id="six places kept, two needed"),
            pytest.param("0.012500", "USD", "0.0125", id="as many more as it needs"),
            pytest.param("0.000001", "USD", "0.000001", id="the smallest rate"),
            pytest.param("1200.000000", "USD", "1,200.00", id="zeros that count are kept"),
            pytest.param("0.000000", "USD", "0.00", id="free"),
            pytest.param("100", "JPY", "100", id="whole yen"),
            pytest.param("0.5", "JPY", "0.5", id="half a yen a unit"),
            pytest.param("2.5", "KWD", "2.500", id="dinar"),
        ],
    )
    def test_prints_no_needless_zeros(self, rate, currency, printed):
        assert format_rate(Decimal(rate), currency) == printed


class TestFormatQuantity:
    @pytest.mark.parametrize(
        ("quantity", "printed"),
        [("3.000000", "3"), ("0.500000", "0.5"), ("100", "100"), ("1250", "1,250"), ("0.000000", "0"), ("1E+2", "100")],
    )
    def test_prints_no_zeros_at_the_end(self, quantity, printed):
        assert format_quantity(Decimal(quantity)) == printed
