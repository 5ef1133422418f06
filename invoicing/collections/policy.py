"""When somebody is reminded, warned, suspended or handed over: days, and nothing that knows the database."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from invoicing.money import ZERO


class Reason(StrEnum):
    """Why an unpaid invoice is left alone."""

    DISPUTE = "DISPUTE"
    HOLD = "HOLD"
    PROMISE = "PROMISE"
    EXEMPTION = "EXEMPTION"
    PENDING_PAYMENT = "PENDING_PAYMENT"
    WITH_AGENCY = "WITH_AGENCY"


# Where several stand in the way, the first of these is named.
IN_ORDER = tuple(Reason)
# An exemption is from dunning; what is charged on the billing date by agreement is none.
STOP_CHARGES = frozenset(
    {Reason.DISPUTE, Reason.HOLD, Reason.PROMISE, Reason.PENDING_PAYMENT, Reason.WITH_AGENCY}
)  # fmt: skip
# A pending payment is not paid yet, and the agency is no payment: neither ends a suspension.
LEAVE_SUSPENDED = frozenset({Reason.PENDING_PAYMENT, Reason.WITH_AGENCY})


class Unpaid(NamedTuple):
    """An invoice's amount that is still open, and when it is due; in one currency."""

    due_on: date
    open: Decimal


def stage_on(
    due_on: date, issued_on: date, days: Iterable[int], *, on: date, reached: Iterable[int] = ()
) -> int | None:
    """
    The reminder that is due on a day: the latest of the terms' `days` after the due date that has come.

    A clock that was down for a month so makes up for one reminder, not for each that it missed. A stage at or before
    one that was `reached` does not come again, nor does one on or before the day of the invoice itself.
    """
    come = [day for day in days if issued_on < due_on + timedelta(days=day) <= on]
    latest = max(come, default=None)
    if latest is None or latest <= max(reached, default=latest - 1):
        return None
    return latest


class SuspensionDays(NamedTuple):
    """SUSP-1: when the last warning goes out, and when service is withheld."""

    warn_on: date
    suspend_on: date


def suspension_days(due_on: date, *, after_days: int | None, warning_days: int) -> SuspensionDays | None:
    """SUSP-1: by the terms' days after the due date; None where the terms suspend nobody."""
    if after_days is None:
        return None
    suspend_on = due_on + timedelta(days=after_days)
    return SuspensionDays(suspend_on - timedelta(days=warning_days), suspend_on)


def effective_on(days: SuspensionDays, *, warned_on: date, warning_days: int) -> date:
    """SUSP-1: a warning that goes out late still gives the days that it promises, and never less than one."""
    return max(days.suspend_on, warned_on + timedelta(days=max(warning_days, 1)))


def is_ripe(due_on: date, *, after_days: int, on: date) -> bool:
    """COLL-1: unpaid 30 days after its due date: the 30th day itself is in, the 29th is not."""
    return on >= due_on + timedelta(days=after_days)


def less_credit(unpaid: Sequence[Unpaid], credit: Decimal) -> list[Decimal]:
    """
    What is asked for of each invoice once the customer's own credit is taken off, oldest due first.

    Money that lies with us unallocated is nobody's debt.
    """
    owed = [one.open for one in unpaid]
    for index in sorted(range(len(unpaid)), key=lambda place: unpaid[place].due_on):
        used = min(owed[index], max(credit, ZERO))
        owed[index] -= used
        credit -= used
    return owed


def spread(amount: Decimal, opens: Sequence[Decimal]) -> list[Decimal]:
    """An amount over what is open, first to last; the parts sum to no more than either."""
    parts = []
    for open_amount in opens:
        part = min(amount, max(open_amount, ZERO))
        parts.append(part)
        amount -= part
    return parts


BACK_OFF = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6),
    timedelta(hours=12), timedelta(hours=24),
)  # fmt: skip
TELLING_LEASE = timedelta(minutes=5)


def tell_again_after(attempts: int) -> timedelta | None:
    """How long to wait after the so-many-th attempt to tell the platform; None: it is parked."""
    return BACK_OFF[attempts - 1] if attempts <= len(BACK_OFF) else None
