"""PRE-1, PRE-2 and PRE-4: what stands in the way of a use, and how much a top-up is."""

from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from accounts.refusals import Refusal
from invoicing.money import ZERO, format_money, minor_unit

BACK_OFF = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24), timedelta(hours=72))
TOP_UP_FIRST = "Top up the balance, then send the use again with the same key."


def not_covered(amount: Decimal, *, available: Decimal, currency: str) -> Refusal | None:
    """PRE-4, P9: nothing is deducted below the floor; a use that costs nothing always fits."""
    if amount <= available:
        return None
    left = format_money(available, currency)
    cost = format_money(amount, currency)
    return Refusal("PRE-4", f"The use costs {cost}, and {left} is left of the prepaid balance.", TOP_UP_FIRST)


def not_prepaid(account: str) -> Refusal:
    """PRE-1: only accounts under terms that are settled from a balance have their uses deducted."""
    return Refusal(
        "PRE-1",
        f"Account {account} has no prepaid balance: its terms are not prepaid.",
        "Send the use for a prepaid account, or put this one on prepaid terms first.",
    )


def unknown_account(account: str) -> Refusal:
    return Refusal(
        "PRE-1", f"There is no account with the number {account}.", "Send the account's number as on its invoices."
    )


def billed_elsewhere(before: date) -> Refusal:
    """BILL-6: what was used before an account was taken over is on invoices of others."""
    return Refusal(
        "BILL-6",
        f"What was used before {before:%-d %B %Y} was billed elsewhere.",
        "Send what was used from that day on; the rest is on the invoices of whoever billed the account then.",
    )


def key_reused(key: str, different: str) -> Refusal:
    """P8: a key names one use for ever; the same key with the same content changes nothing."""
    return Refusal(
        "PRE-1",
        f"The key {key} was used before for a use with another {different}.",
        "Give each use a key of its own, and send the same use again unchanged.",
    )


def too_much_in_a_month(product: str) -> Refusal:
    return Refusal(
        "PRE-1",
        f"With this use, the month's quantity of {product} would be larger than can be kept.",
        "Check the quantity; a month's uses come to less than 1,000,000,000,000 units.",
    )


def amount_to_top_up(
    *, chosen: Decimal, threshold: Decimal, balance: Decimal, floor: Decimal, awaiting: Decimal, currency: str
) -> Decimal:
    """
    PRE-2, PRE-4: what the customer chose, or more where that leaves the balance below the threshold or does not cover
    the monthly charges that wait: the gap is closed in one charge. Rounded up to the currency's minor unit.

    `floor` is what the terms say, not where a returned payment has taken the balance: that debt is part of the gap.
    """
    to_threshold = threshold - balance
    to_charges = awaiting - (balance - floor) if awaiting else ZERO
    amount = max(chosen, to_threshold, to_charges)
    return enough(amount, currency)


def enough(amount: Decimal, currency: str) -> Decimal:
    """What can be paid and is no less: up to the currency's minor unit."""
    return amount.quantize(minor_unit(currency), ROUND_CEILING)


def needs_top_up(*, threshold: Decimal, balance: Decimal, floor: Decimal, awaiting: Decimal) -> bool:
    """PRE-2: below the threshold; PRE-4: or short of the monthly charges that wait."""
    return balance < threshold or awaiting > max(balance - floor, ZERO)


def back_off_until(now: datetime, *, declines: int) -> datetime:
    """PRE-2: 1, 6, 24 and then 72 hours after the first, second, third and each further decline in a row."""
    return now + BACK_OFF[min(declines, len(BACK_OFF)) - 1]


def migration_share(amount: Decimal, *, start: date, end: date, cut_over_on: date) -> Decimal:
    """
    MIG-1: the part of a period's charge that lies on or after the cut-over, in proportion to the days; not rounded.

    The period is half-open: `end` is the first day after it.
    """
    beyond = (end - max(start, cut_over_on)).days
    return amount * max(beyond, 0) / (end - start).days
