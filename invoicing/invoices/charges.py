"""A charge: one line to be invoiced, before tax, with its reason. Pure."""

from decimal import Decimal
from typing import Any, NamedTuple

from invoicing.invoices.holdings import PlanSold
from invoicing.periods import Period

RECURRING, SETUP, CHANGE, REBATE, DEPOSIT, ONE_OFF = "RECURRING", "SETUP", "CHANGE", "REBATE", "DEPOSIT", "ONE_OFF"
USAGE = "USAGE"


class Charge(NamedTuple):
    """
    One line to be invoiced, before tax.

    `amount` is `quantity` × `unit_price`, rounded once to the currency; `why` is what the line keeps of its
    reason (see `explanations.explain`).
    """

    kind: str
    subscription_id: int | None
    one_off_id: int | None
    client_id: int | None
    plan: PlanSold
    description: str
    period: Period | None
    quantity_from: Decimal
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    clause: str
    why: dict[str, Any]


class Unbillable(Exception):
    """Something about the account keeps it from being billed; the sentences say what, and what would mend it."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__(" ".join(reasons))


_KIND_WORDS = {SETUP: "set-up fee", CHANGE: "change fee", DEPOSIT: "deposit", REBATE: "rebate, inactive"}


def description(kind: str, plan: PlanSold, label: str) -> str:
    text = f"{plan.name}: {label}" if label else plan.name
    return f"{text} ({_KIND_WORDS[kind]})" if kind in _KIND_WORDS else text
