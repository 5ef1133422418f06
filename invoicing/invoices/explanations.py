"""Why a line is on an invoice, as a sentence: the clause, and the inputs that made it. Pure."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from invoicing.money import format_money, format_quantity, format_rate
from invoicing.periods import DAY


class Explained(NamedTuple):
    """What an explanation is made from, as the line keeps it; `taxes` are (name, percent, amount)."""

    kind: str
    clause: str
    currency: str
    period_start: date | None
    period_end: date | None
    quantity_from: Decimal
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    why: Mapping[str, Any]
    taxes: tuple[tuple[str, Decimal, Decimal], ...] = ()


def in_words(day: date) -> str:
    """`3 December 2026`"""
    return f"{day.day} {day:%B %Y}"


def period_in_words(start: date | None, end: date | None) -> str:
    """`1 to 30 November 2026`: both days included, as people read them; empty without a period."""
    if start is None or end is None:
        return ""
    last = end - DAY
    if start == last:
        return in_words(start)
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day} to {in_words(last)}"
    return f"{in_words(start)} to {in_words(last)}"


def explain(line: Explained) -> str:
    """The sentence that staff and customer read beside a line."""
    period = period_in_words(line.period_start, line.period_end)
    text = f"{line.clause}: {_REASONS[line.kind](line, period)}{_price(line)}{_taxes(line)}"
    return text[0].upper() + text[1:]


def _recurring(line: Explained, period: str) -> str:
    rate = format_rate(line.unit_price, line.currency)
    text = (
        f"{format_quantity(line.quantity)} × {line.currency} {rate} for {period}, never prorated, "
        "at the highest quantity held (BILL-3)."
    )
    if line.quantity_from:
        text += f" {format_quantity(line.quantity_from)} of that period were billed before; this is the rest."
    elif line.why.get("late"):
        text += " It was added after the period began, and is carried for the full period."
    if line.why.get("licensed"):
        text += " A licensed service is billed whether used or not (BILL-4)."
    if line.why.get("bridge"):
        text += " The period lies between the old and the new billing day (BILL-5)."
    return text


def _setup(line: Explained, period: str) -> str:
    return f"set-up fee, once, with the first month of the subscription that started on {period}."


def _change(line: Explained, period: str) -> str:
    former = line.why.get("from_plan", "another plan")
    return f"change fee for the change of plan on {period} (from {former}), billed at once."


def _rebate(line: Explained, period: str) -> str:
    state = "was deemed inactive" if line.why.get("deemed") else "was inactive"
    return (
        f"the seat {state} in {period}; the active rate {line.why.get('active')} less the inactive rate "
        f"{line.why.get('inactive')} is credited at the end of the billing month (SEAT-6)."
    )


def _deposit(line: Explained, period: str) -> str:
    return (
        "deposit at the first subscription to a plan that takes one. "
        "It stays the customer's money, is not revenue and is not taxed."
    )


def _one_off(line: Explained, period: str) -> str:
    rate = format_rate(line.unit_price, line.currency)
    return f"one-off charge of {period}, authorized, {format_quantity(line.quantity)} × {line.currency} {rate}."


def _credit(line: Explained, period: str) -> str:
    return f"credit for a line of invoice {line.why.get('corrects', '')}: {line.why.get('reason', '')}"


_REASONS = {
    "RECURRING": _recurring,
    "SETUP": _setup,
    "CHANGE": _change,
    "REBATE": _rebate,
    "DEPOSIT": _deposit,
    "ONE_OFF": _one_off,
    "CREDIT": _credit,
}


def _price(line: Explained) -> str:
    if line.why.get("agreed"):
        return " The price is the one agreed for this subscription or charge."
    if line.why.get("price") and line.why.get("price_from"):
        valid_from_on = date.fromisoformat(line.why["price_from"])
        return f" The price is version {line.why['price']}, valid from {in_words(valid_from_on)}."
    return ""


def _taxes(line: Explained) -> str:
    if not line.taxes:
        return ""
    named = ", ".join(
        f"{name} {percent.normalize():f} % = {format_money(amount, line.currency)}"
        for name, percent, amount in line.taxes
    )
    return f" TAX-1: {named}."
