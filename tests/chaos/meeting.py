"""Threads that meet between what an operation looks at and what it writes; and guards taken away."""

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from invoicing.payments import postings
from invoicing.payments.models import Payment
from invoicing.subscriptions.models import BillingProfile


class Meeting:
    """
    Each of two waits before and after the function until the other is there too, two seconds at most.

    Where a lock keeps the other out, it never comes, and from then on nobody waits.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *functions: str) -> None:
        self._barrier = threading.Barrier(2)
        for name in functions:
            module, _, function = name.rpartition(".")
            monkeypatch.setattr(name, self._met(getattr(_module(module), function)))

    def _met(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def met(*given: Any, **named: Any) -> Any:
            self._wait()
            found = function(*given, **named)
            self._wait()
            return found

        return met

    def _wait(self) -> None:
        try:
            self._barrier.wait(2)
        except threading.BrokenBarrierError:
            """The other one is kept out by a guard, or has ended."""


def _module(name: str) -> Any:
    return __import__(name, fromlist=["_"])


def without_the_lock(monkeypatch: pytest.MonkeyPatch, *rooms: str) -> None:
    """The lock of the account's money taken away, and that of the payment's row in these files of the room."""
    profiles = BillingProfile.objects.select_related("terms", "seller", "account")
    monkeypatch.setattr("invoicing.payments.asked.lock_billing", lambda pk: profiles.get(account_id=pk))
    payments = Payment.objects.select_related("method", "account")
    for room in rooms:
        monkeypatch.setattr(f"invoicing.payments.{room}.locked_payment", lambda pk: payments.get(pk=pk))


def without_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two entries of payments have the same source any more, so that none is seen as posted before."""
    numbers, post = count(1), postings.post

    def posted(**given: Any) -> Any:
        return post(**{**given, "source": f"{given['source']}#{next(numbers)}"})

    monkeypatch.setattr(postings, "post", posted)
