from decimal import Decimal

import pytest

from invoicing.money import exponent
from invoicing.payments.gateways.minor_units import NotInMinorUnits, from_minor, to_minor


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.34", "USD", 1234),
        ("12", "USD", 1200),
        ("0.01", "EUR", 1),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        pytest.param("500", "ISK", 50_000, id="ISK: Stripe counts hundredths, we do not"),
        pytest.param("500", "UGX", 50_000, id="UGX: the same"),
        pytest.param("500", "MGA", 500, id="MGA: we count hundredths, Stripe does not"),
    ],
)
class TestMinorUnits:
    def test_are_whole(self, amount, currency, minor):
        assert to_minor(Decimal(amount), currency) == minor

    def test_come_back_at_our_places(self, amount, currency, minor):
        back = from_minor(minor, currency)

        assert back == Decimal(amount)
        assert -back.as_tuple().exponent == exponent(currency)


@pytest.mark.parametrize(
    ("amount", "currency"), [("0.005", "USD"), ("0.5", "JPY"), ("1.2345", "KWD"), ("0", "USD"), ("-1", "USD")]
)
def test_an_amount_between_them_is_refused_and_never_rounded(amount, currency):
    with pytest.raises(NotInMinorUnits, match="cannot be charged"):
        to_minor(Decimal(amount), currency)
