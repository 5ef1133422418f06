"""
Who wants to know that credit arrived: the rooms above register it when the site starts.

Each is called in the transaction that credits the balance, under the lock of the account's money and of the balance;
so charges that waited for credit are posted with it (PRE-4). Each must do nothing the second time.
"""

from datetime import datetime
from typing import Protocol


class CreditListener(Protocol):
    def __call__(self, account_id: int, *, now: datetime) -> None: ...


_listeners: list[CreditListener] = []


def when_credited(listener: CreditListener) -> None:
    """Have this called with each account whose balance was credited."""
    if listener not in _listeners:
        _listeners.append(listener)


def tell_credited(account_id: int, *, now: datetime) -> None:
    for listener in _listeners:
        listener(account_id, now=now)
