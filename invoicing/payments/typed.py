"""Amounts as customers type them."""

from decimal import Decimal, InvalidOperation

MOST_DIGITS = 9


def typed_amount(text: str, *, places: int = 2) -> Decimal | None:
    """
    A number with a point for the cents, thousands apart or not; None for what is none, negative or beyond sense.

    `places` are those of the currency: what is finer is none either.
    """
    try:
        amount = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        return None
    is_sensible = amount.is_finite() and amount >= 0 and amount.adjusted() < MOST_DIGITS
    cents = Decimal(1).scaleb(-places)
    return amount.quantize(cents) if is_sensible and amount == amount.quantize(cents) else None
