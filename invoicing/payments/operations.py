"""
Every change of what customers paid: one function each, in the room's files by reason.

Each takes the lock of the account's money first, checks, posts, and leaves an audit entry, all in one transaction; the
gateway is called outside of any.
"""

from invoicing.payments.adopting import book_refund_made_elsewhere
from invoicing.payments.allocation import AllocationRefused, allocate, apply_credit, take_back
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.booking import BookingRefused, book_payment
from invoicing.payments.chargebacks import Disputed, record_chargeback
from invoicing.payments.charging import AlreadyUnderWay, ChargeRefused, NothingDue, charge, record_attempt, send
from invoicing.payments.events import resolve_event, retry_event, work_off_events
from invoicing.payments.recording import AnswerDiffers, record_answer
from invoicing.payments.refund_answers import record_refund_answer
from invoicing.payments.refunds import RefundRefused, refund, refundable, send_refund
from invoicing.payments.resolving import give_up, look_now, resolve_open
from invoicing.payments.returns import record_return
from invoicing.payments.sweeping import charge_due

__all__ = [
    "AllocationRefused",
    "AlreadyUnderWay",
    "AnswerDiffers",
    "BookingRefused",
    "ChargeRefused",
    "Disputed",
    "MoneyRefused",
    "NothingDue",
    "RefundRefused",
    "allocate",
    "apply_credit",
    "book_payment",
    "book_refund_made_elsewhere",
    "charge",
    "charge_due",
    "give_up",
    "look_now",
    "record_answer",
    "record_attempt",
    "record_chargeback",
    "record_refund_answer",
    "record_return",
    "refund",
    "refundable",
    "resolve_event",
    "resolve_open",
    "retry_event",
    "send",
    "send_refund",
    "take_back",
    "work_off_events",
]
