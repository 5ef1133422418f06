"""A statement of account as a letter."""

from datetime import date
from decimal import Decimal

from invoicing.documents.drawing.figures import day, money
from invoicing.documents.letters import LetterTable, LetterText
from invoicing.documents.parties import recipient_of, seller_of
from invoicing.money import exponent, format_money, round_money
from invoicing.reports.statements import Statement
from invoicing.subscriptions.models import BillingProfile


def statement_text(
    profile: BillingProfile, found: Statement, *, currency: str, from_on: date, to_on: date
) -> LetterText:
    """Opening balance, what was charged and paid, closing balance; deposit and prepaid balance apart."""
    seller = profile.seller
    return LetterText(
        subject=f"Statement of account {profile.account.number}, {day(from_on)} to {day(to_on)}",
        title="Statement of account",
        seller=seller_of(seller),
        recipient=recipient_of(profile.account, home=seller.country),
        facts=(
            ("From", day(from_on)),
            ("To", day(to_on)),
            ("Opening balance", format_money(found.opening, currency)),
            ("Closing balance", format_money(found.closing, currency)),
        ),
        paragraphs=(
            f"This is what we charged and received from {day(from_on)} to {day(to_on)}, as it stands in our books.",
            _what_is_owed(found.closing, currency, to_on),
        ),
        table=_table(found, currency, from_on),
        closing=_apart(found, currency, to_on),
    )


def _what_is_owed(closing: Decimal, currency: str, to_on: date) -> str:
    if closing > 0:
        return f"On {day(to_on)}, {format_money(closing, currency)} was open."
    if closing < 0:
        return f"On {day(to_on)}, {format_money(-closing, currency)} stood to your credit."
    return f"On {day(to_on)}, nothing was open."


def _table(found: Statement, currency: str, from_on: date) -> LetterTable:
    places = exponent(currency)

    def shown(amount: Decimal) -> str:
        return money(round_money(amount, currency), places)

    rows = [(day(from_on), "Opening balance", "", "", shown(found.opening))]
    rows += [
        (
            day(line.on),
            line.what,
            shown(line.charge) if line.charge else "",
            shown(line.credit) if line.credit else "",
            shown(line.balance),
        )
        for line in found.lines
    ]
    total = ("", "Closing balance", shown(found.charged), shown(found.credited), shown(found.closing))
    columns = ("Date", "What", f"Charges ({currency})", f"Credits ({currency})", f"Balance ({currency})")
    return LetterTable(columns, tuple(rows), (total,))


def _apart(found: Statement, currency: str, to_on: date) -> tuple[str, ...]:
    """What is the customer's own money, or in other hands."""
    said = []
    if found.deposit:
        said.append(
            f"Deposit held on {day(to_on)}: {format_money(found.deposit, currency)}. It is your money, is applied to "
            "later invoices, and is no part of the balance above (SEAT-1)."
        )
    if found.prepaid:
        said.append(
            f"Prepaid balance on {day(to_on)}: {format_money(found.prepaid, currency)}. It is no part of the balance "
            "above (PRE-1)."
        )
    if found.placed:
        said.append(
            f"Of the closing balance, {format_money(found.placed, currency)} is with our collections agency (COLL-1)."
        )
    return tuple(said)
