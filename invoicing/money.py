"""Amounts: how many places a currency has, and the one rounding."""

from decimal import ROUND_HALF_UP, Decimal

_TWO_PLACES = Decimal("0.01")
# ISO 4217: the currencies whose minor unit is not a hundredth.
_PLACES = dict.fromkeys(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ),
    Decimal(1),
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), Decimal("0.001"))

ZERO = Decimal(0)


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency: 0.01 for USD, 1 for JPY, 0.001 for KWD (ISO 4217)."""
    return _PLACES.get(currency, _TWO_PLACES)


def exponent(currency: str) -> int:
    """How many decimal places amounts of a currency have."""
    return -int(minor_unit(currency).as_tuple().exponent)


def round_money(amount: Decimal, currency: str) -> Decimal:
    """Round half up, away from zero, to the currency's minor unit. The only rounding there is."""
    return amount.quantize(_PLACES.get(currency, _TWO_PLACES), ROUND_HALF_UP)


def format_money(amount: Decimal, currency: str) -> str:
    """`USD 1,234.50`: the currency, then the amount at its exponent with thousands apart."""
    # Zero is added so that a rounded `-0.00` loses its sign.
    return f"{currency} {round_money(amount, currency) + ZERO:,f}"


def format_rate(rate: Decimal, currency: str) -> str:
    """A unit price without needless zeros, but with at least the currency's places: `0.0125`, `12.00`."""
    text = f"{rate.normalize():f}"
    places = len(text.partition(".")[2])
    return f"{rate:,.{max(places, exponent(currency))}f}"


def format_quantity(quantity: Decimal) -> str:
    """A quantity without trailing zeros: `3`, `0.5`."""
    text = f"{quantity:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
