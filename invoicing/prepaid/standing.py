"""
Which accounts are suspended, for rooms that stand below the one that knows.

The collections room registers its answer when the application starts; until then nobody is suspended.
"""

from collections.abc import Callable, Collection

SuspendedAmong = Callable[[Collection[int]], set[int]]

_registered: list[SuspendedAmong] = []


def register(suspended_among: SuspendedAmong) -> None:
    """Have it asked which of some accounts are suspended. The same again changes nothing."""
    if suspended_among not in _registered:
        _registered.append(suspended_among)


def suspended_among(account_ids: Collection[int]) -> set[int]:
    """Those of the accounts that any who registered calls suspended."""
    found: set[int] = set()
    for asked in _registered:
        found |= asked(account_ids)
    return found
