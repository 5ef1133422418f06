"""From charges to a draft: lines, their taxes and the totals, which are the sums of what is printed. Pure."""

from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from invoicing.invoices.charges import DEPOSIT, Charge
from invoicing.money import ZERO
from invoicing.tax.policy import Rate, Tax, taxes_on


class DraftLine(NamedTuple):
    charge: Charge
    taxes: tuple[Tax, ...]
    tax_amount: Decimal


class Draft(NamedTuple):
    """An invoice to be: positive totals are owed by the account, a negative total makes it a credit note."""

    lines: list[DraftLine]
    subtotal: Decimal
    tax_total: Decimal
    due_on: date
    period_start: date | None
    period_end: date | None

    @property
    def total(self) -> Decimal:
        return self.subtotal + self.tax_total

    @property
    def kind(self) -> str:
        return "INVOICE" if self.total > 0 else "CREDIT_NOTE"


def draft_of(
    charges: list[Charge], *, rates: tuple[Rate, ...], currency: str, on: date, payment_due_days: int
) -> Draft:
    """
    The draft of an account's charges on a billing date.

    TAX-1: each line is taxed at the rates of every jurisdiction given, each rounded by itself. A deposit is the
    customer's own money and is not taxed (SEAT-1).
    """
    lines = []
    subtotal = tax_total = ZERO
    for charge in charges:
        taxes: tuple[Tax, ...] = ()
        tax_amount = ZERO
        if rates and charge.kind != DEPOSIT:
            taxes = taxes_on(charge.amount, tax_category=charge.plan.tax_category, rates=rates, currency=currency)
            tax_amount = sum((tax.amount for tax in taxes), ZERO)
        lines.append(DraftLine(charge, taxes, tax_amount))
        subtotal += charge.amount
        tax_total += tax_amount
    recurring = [charge.period for charge in charges if charge.period is not None and charge.kind == "RECURRING"]
    return Draft(
        lines,
        subtotal,
        tax_total,
        on + timedelta(days=payment_due_days),
        min(period.start for period in recurring) if recurring else None,
        max(period.end for period in recurring) if recurring else None,
    )
