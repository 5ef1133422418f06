"""
Every change of what customers paid: one function each, in the room's files by reason.

Each takes the lock of the account's money first, checks, posts, and leaves an audit entry, all in one transaction; the
gateway is called outside of any.
"""

from invoicing.payments.allocation import AllocationRefused, allocate, apply_credit, take_back
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.booking import BookingRefused, book_payment
from invoicing.payments.charging import AlreadyUnderWay, ChargeRefused, NothingDue, charge, record_attempt, send
from invoicing.payments.recording import AnswerDiffers, record_answer
from invoicing.payments.refunds import RefundRefused, record_refund_answer, refund, refundable, send_refund
from invoicing.payments.resolving import look_now, resolve_open

__all__ = [
    "AllocationRefused",
    "AlreadyUnderWay",
    "AnswerDiffers",
    "BookingRefused",
    "ChargeRefused",
    "MoneyRefused",
    "NothingDue",
    "RefundRefused",
    "allocate",
    "apply_credit",
    "book_payment",
    "charge",
    "look_now",
    "record_answer",
    "record_attempt",
    "record_refund_answer",
    "refund",
    "refundable",
    "resolve_open",
    "send",
    "send_refund",
    "take_back",
]
