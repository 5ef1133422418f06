"""
What accounts will be charged on a coming 1st, for this room, which stands below the run that knows.

The runs register their proposals when the application starts; until then nothing is foreseen.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple


class Part(NamedTuple):
    """One part of what will be charged, in words, taxes included."""

    words: str
    amount: Decimal


class Coming(NamedTuple):
    """What an account will be charged in its currency, taxes included, and the parts that sum to it."""

    amount: Decimal
    parts: Sequence[Part]


ComingCharges = Callable[[Collection[int], date], Mapping[int, Coming]]

_registered: list[ComingCharges] = []


def register(coming_charges: ComingCharges) -> None:
    """Have it asked what accounts will be charged on a day. There is one who knows: a second takes its place."""
    _registered[:] = [coming_charges]


def coming_charges(account_ids: Collection[int], on: date) -> Mapping[int, Coming]:
    """What each of the accounts will be charged on the day; those with nothing due are left out."""
    return _registered[0](account_ids, on) if _registered else {}
