from datetime import date
from decimal import Decimal

import pytest

from invoicing.documents.drawing import figures


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "exponent", "printed"),
        [
            pytest.param("1234567", 0, "1,234,567", id="yen"),
            pytest.param("1234.5", 2, "1,234.50", id="dollars"),
            pytest.param("0.125", 3, "0.125", id="dinar"),
            pytest.param("-12.30", 2, "-12.30", id="rebate"),
            pytest.param("-0.00", 2, "0.00", id="no negative nought"),
        ],
    )
    def test_prints_at_the_exponent(self, amount, exponent, printed):
        assert figures.money(Decimal(amount), exponent) == printed


class TestQuantity:
    @pytest.mark.parametrize(
        ("value", "printed"),
        [("3.000000", "3"), ("100", "100"), ("1E+3", "1,000"), ("1250.500", "1,250.5"), ("0.000001", "0.000001")],
    )
    def test_prints_no_noughts_at_the_end(self, value, printed):
        assert figures.quantity(Decimal(value)) == printed


class TestRate:
    @pytest.mark.parametrize(
        ("value", "exponent", "printed"),
        [
            pytest.param("5", 2, "5.00", id="at least the exponent"),
            pytest.param("0.004200", 2, "0.0042", id="more where it needs more"),
            pytest.param("0.000001", 2, "0.000001", id="six places"),
            pytest.param("5", 0, "5", id="a whole yen"),
            pytest.param("5.5", 0, "5.5", id="half a yen"),
            pytest.param("-1234.5", 3, "-1,234.500", id="three places"),
        ],
    )
    def test_prints_the_places_it_needs(self, value, exponent, printed):
        assert figures.rate(Decimal(value), exponent) == printed


class TestPercent:
    @pytest.mark.parametrize(("value", "printed"), [("20", "20%"), ("8.875000", "8.875%"), ("0", "0%")])
    def test_prints_no_noughts_at_the_end(self, value, printed):
        assert figures.percent(Decimal(value)) == printed


class TestDay:
    def test_names_the_month(self):
        assert figures.day(date(2026, 3, 5)) == "5 March 2026"
