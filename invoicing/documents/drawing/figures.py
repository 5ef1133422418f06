"""Numbers and dates as the invoice prints them: the same in every locale of the machine."""

from datetime import date
from decimal import Decimal

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
RATE_PLACES = 6


def money(amount: Decimal, exponent: int) -> str:
    """`amount` with thousand separators at the currency's exponent, and never a negative nought."""
    return f"{amount or abs(amount):,.{exponent}f}"


def quantity(value: Decimal) -> str:
    """`value` with as many places as it needs: 3, 1,250.5."""
    return _trimmed(f"{value:,f}")


def rate(value: Decimal, exponent: int) -> str:
    """A price a unit: the places it needs, at least the currency's exponent, six at most."""
    text = f"{value:,.{RATE_PLACES}f}"
    kept = len(text) - RATE_PLACES + exponent
    whole, spare = text[:kept], text[kept:].rstrip("0")
    return whole + spare if exponent or spare else whole.rstrip(".")


def percent(value: Decimal) -> str:
    """A tax rate: 20%, 8.875%."""
    return _trimmed(f"{value:f}") + "%"


def day(value: date) -> str:
    """A date that reads the same on both sides of the Atlantic: 15 March 2026."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
