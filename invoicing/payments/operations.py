"""
Every change of what customers paid: one function each, in the room's files by reason.

Each takes the lock of the account's money first, checks, posts, and leaves an audit entry, all in one transaction; the
gateway is called outside of any.
"""

from invoicing.payments.allocation import AllocationRefused, allocate, apply_credit, take_back
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.booking import BookingRefused, book_payment

__all__ = [
    "AllocationRefused",
    "BookingRefused",
    "MoneyRefused",
    "allocate",
    "apply_credit",
    "book_payment",
    "take_back",
]
