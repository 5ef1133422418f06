"""
Who wants to hear what became of a payment: the rooms above register it here, when the site starts.

Each is called in the transaction that records it, under the lock of the account's money, so that what follows from a
payment is written with it or not at all. Each must do nothing the second time.
"""

from datetime import datetime
from typing import Protocol

from invoicing.payments.models import Chargeback, Payment


class PaymentListener(Protocol):
    """Called when a payment has become SUCCEEDED, FAILED, CANCELLED or RETURNED; `payment.state` says which."""

    def __call__(self, payment: Payment, *, now: datetime) -> None: ...


class ChargebackListener(Protocol):
    """Called when a card's bank took money back (OPEN, LOST), or gave it back (WON); the payment stays SUCCEEDED."""

    def __call__(self, chargeback: Chargeback, *, now: datetime) -> None: ...


_payment_listeners: list[PaymentListener] = []
_chargeback_listeners: list[ChargebackListener] = []


def when_settled(listener: PaymentListener) -> None:
    """Have this called with each payment that has come to an end."""
    if listener not in _payment_listeners:
        _payment_listeners.append(listener)


def when_charged_back(listener: ChargebackListener) -> None:
    """Have this called with each chargeback that was opened, won or lost."""
    if listener not in _chargeback_listeners:
        _chargeback_listeners.append(listener)


def tell_settled(payment: Payment, *, now: datetime) -> None:
    for listener in _payment_listeners:
        listener(payment, now=now)


def tell_charged_back(chargeback: Chargeback, *, now: datetime) -> None:
    for listener in _chargeback_listeners:
        listener(chargeback, now=now)
