"""The letters of this room, in words: reminders, the last warning, what was suspended and restored."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.urls import reverse

from invoicing.collections.queries import Dunned, UnpaidInvoice
from invoicing.documents.letters import LetterTable, LetterText
from invoicing.documents.parties import recipient_of
from invoicing.money import ZERO, format_money

COLUMNS = ("Invoice", "Date", "Due", "Invoiced", "Open")


def in_words(day: date) -> str:
    return f"{day:%B} {day.day}, {day.year}"


def reminder_text(who: Dunned, invoices: Sequence[UnpaidInvoice], *, on: date) -> LetterText:
    """One reminder over all the invoices that it is about; what was paid or credited is taken off."""
    late = [one for one in invoices if one.due_on < on]
    opening = (
        "According to our records the following is past its due date. If you have paid meanwhile, thank you."
        if late
        else "This is a friendly note that the following will be due, or is due today."
    )
    return _letter(
        who,
        invoices,
        subject=f"Payment reminder: {_sums(invoices)}",
        title="Payment reminder",
        paragraphs=(opening, "Payments and credits that we have received are taken off; only what is open is listed."),
        clauses=("SUSP-1",) if late else (),
    )


def warning_text(who: Dunned, invoices: Sequence[UnpaidInvoice], *, effective_on: date) -> LetterText:
    """SUSP-1: the last warning before service is withheld."""
    return _letter(
        who,
        invoices,
        subject=f"Service will be suspended on {in_words(effective_on)}",
        title="Last warning before suspension",
        paragraphs=(
            f"What is listed here has not been paid. Unless it is, your service will be suspended on "
            f"{in_words(effective_on)} (SUSP-1).",
            "Please pay, or call us, before that day.",
        ),
        clauses=("SUSP-1",),
    )


def suspended_text(who: Dunned, invoices: Sequence[UnpaidInvoice], *, why: str, clause: str) -> LetterText:
    """SUSP-1: service is withheld, and why."""
    return _letter(
        who,
        invoices,
        subject="Your service is suspended",
        title="Service suspended",
        paragraphs=(f"Your service is suspended: {why} ({clause}).",),
        clauses=(clause,),
    )


def restored_text(who: Dunned, *, because: str, clause: str, still: Sequence[str]) -> LetterText:
    """What was lifted, and whether anything else still withholds service."""
    rest = f"Service stays suspended for another reason: {'; '.join(still)}." if still else "Your service is restored."
    return _letter(
        who,
        (),
        subject="A suspension was lifted" if still else "Your service is restored",
        title="Suspension lifted",
        paragraphs=(f"The suspension was lifted: {because} ({clause}).", rest),
        clauses=(clause,),
    )


def _letter(
    who: Dunned,
    invoices: Sequence[UnpaidInvoice],
    *,
    subject: str,
    title: str,
    paragraphs: tuple[str, ...],
    clauses: tuple[str, ...],
) -> LetterText:
    return LetterText(
        subject=subject,
        title=title,
        seller=who.seller_as_printed(),
        recipient=recipient_of(who.account, home=who.seller.country),
        paragraphs=paragraphs,
        facts=(("Account", who.account.number),),
        table=_table(invoices) if invoices else None,
        closing=_how_to_pay(who) if invoices else (),
        clauses=clauses,
    )


def _how_to_pay(who: Dunned) -> tuple[str, ...]:
    """The customer's own page, by the site's address as it is set, and the seller's other ways."""
    page = f"{settings.SITE_URL}{reverse('my_account', args=[who.account.pk])}"
    online = f"See what is open, and pay it online: {page}"
    return (online, who.seller.payment_instructions) if who.seller.payment_instructions else (online,)


def _table(invoices: Sequence[UnpaidInvoice]) -> LetterTable:
    rows = tuple(
        (
            one.number,
            one.issued_on.isoformat(),
            one.due_on.isoformat(),
            format_money(one.total, one.currency),
            format_money(one.owed, one.currency),
        )
        for one in invoices
    )
    totals = tuple(
        ("Total", "", "", "", format_money(amount, currency)) for currency, amount in sorted(sums(invoices).items())
    )
    return LetterTable(COLUMNS, rows, totals)


def sums(invoices: Sequence[UnpaidInvoice]) -> dict[str, Decimal]:
    """What is owed of them by currency."""
    found: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for one in invoices:
        found[one.currency] += one.owed
    return dict(found)


def _sums(invoices: Sequence[UnpaidInvoice]) -> str:
    return ", ".join(format_money(amount, currency) for currency, amount in sorted(sums(invoices).items()))
