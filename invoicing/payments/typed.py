"""Amounts as customers type them."""

from decimal import Decimal, InvalidOperation

MOST_DIGITS = 9


def typed_amount(text: str) -> Decimal | None:
    """A number with a point for the cents, thousands apart or not; None for what is none, negative or beyond sense."""
    try:
        amount = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        return None
    is_sensible = amount.is_finite() and amount >= 0 and amount.adjusted() < MOST_DIGITS
    return amount.quantize(Decimal("0.01")) if is_sensible and amount == amount.quantize(Decimal("0.01")) else None
