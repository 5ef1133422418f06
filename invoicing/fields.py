"""The two kinds of money columns."""

from typing import Any

from django.db import models


class AmountField(models.DecimalField):
    """An amount at its currency's exponent, which is at most three places; the currency stands beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 18)
        kwargs.setdefault("decimal_places", 3)
        super().__init__(*args, **kwargs)


class RateField(models.DecimalField):
    """A unit price, a quantity or a prepaid deduction, at six places."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 18)
        kwargs.setdefault("decimal_places", 6)
        super().__init__(*args, **kwargs)
