"""Amounts as Stripe takes them: whole minor units, with Stripe's own view of three currencies."""

from decimal import Decimal

from invoicing.money import exponent

# ISO 4217 and Stripe differ (https://docs.stripe.com/currencies#special-cases): ISK and UGX are still sent in
# hundredths, MGA in whole ariary.
_STRIPES_PLACES = {"ISK": 2, "UGX": 2, "MGA": 0}


class NotInMinorUnits(ValueError):
    """The amount has a part that the currency cannot be charged in."""

    def __init__(self, amount: Decimal, currency: str) -> None:
        super().__init__(
            f"{currency} {amount:f} cannot be charged: give an amount above zero "
            f"with at most {_places(currency)} decimal places."
        )


def to_minor(amount: Decimal, currency: str) -> int:
    """
    12.34 USD is 1234, 500 JPY is 500.

    :raises NotInMinorUnits: rather than round money that was rounded before
    """
    minor = amount.scaleb(_places(currency))
    if minor != minor.to_integral_value() or minor <= 0:
        raise NotInMinorUnits(amount, currency)
    return int(minor)


def from_minor(minor: int, currency: str) -> Decimal:
    """1234 USD is 12.34; at the places that our own books give the currency."""
    places = _places(currency)
    amount = Decimal(minor).scaleb(-places)
    return amount.quantize(Decimal(1).scaleb(-max(exponent(currency), _needed(amount))))


def _places(currency: str) -> int:
    return _STRIPES_PLACES.get(currency, exponent(currency))


def _needed(amount: Decimal) -> int:
    """How many places an amount really uses: 1.50 uses one."""
    return max(0, -int(amount.normalize().as_tuple().exponent))
