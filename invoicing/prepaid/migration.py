"""MIG-1: who is moved from mid-month billing to a prepaid balance gets back what it has paid beyond the cut-over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Sum

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from accounts.refusals import Refusal, in_words
from invoicing.catalog.models import BillingTerms
from invoicing.invoices.models import Invoice, InvoiceLine
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side
from invoicing.money import ZERO, round_money
from invoicing.prepaid.balances import lock_balance, post_credit
from invoicing.prepaid.bell import ring_for_credit
from invoicing.prepaid.policy import migration_share
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing

MAY_MIGRATE = "invoicing.migrate_credit"


class MigrationPart(NamedTuple):
    """A line billed beyond the cut-over: what was charged for its period, less credit notes, and the share of it."""

    invoice: str
    description: str
    start: date
    end: date
    amount: Decimal
    share: Decimal


@dataclass(frozen=True)
class MigrationCredit:
    """What would be credited: the parts' shares as they are, and their sum rounded once; before tax, in `currency`."""

    account: Account
    cut_over_on: date
    currency: str
    parts: tuple[MigrationPart, ...]

    @property
    def amount(self) -> Decimal:
        return round_money(sum((part.share for part in self.parts), ZERO), self.currency)

    @property
    def source(self) -> str:
        return f"migration:{self.account.pk}:{self.cut_over_on.isoformat()}"


class MigrationRefused(Exception):
    """Why no credit is granted, with every clause that stands in the way."""

    def __init__(self, *refusals: Refusal) -> None:
        self.refusals = refusals
        super().__init__(in_words(refusals))


def preview_migration_credit(account: Account, cut_over_on: date) -> MigrationCredit:
    """
    MIG-1: from the invoiced periods that run beyond the cut-over, in proportion to the days, rounded once.

    Reading: what was billed counts, paid or not, since what is not paid stays owed; what a prepaid balance has paid
    does not, since that is no billing it was moved from. Before tax: a tax that was charged stands until a credit note
    takes it back.
    """
    currency = account.billing_profile.currency
    from_balance = Posting.objects.filter(invoice_id=OuterRef("invoice_id"), entry__kind=LedgerEntry.Kind.SETTLEMENT)
    lines = InvoiceLine.objects.filter(
        ~Exists(from_balance),
        account=account,
        kind=InvoiceLine.Kind.RECURRING,
        invoice__status=Invoice.Status.ISSUED,
        invoice__kind=Invoice.Kind.INVOICE,
        invoice__currency=currency,
        period_end__gt=cut_over_on,
    ).select_related("invoice")
    ordered = list(lines.order_by("invoice__issued_on", "invoice_id", "position"))
    credited = _credited(ordered)
    return MigrationCredit(
        account, cut_over_on, currency, tuple(_part(line, credited.get(line.pk, ZERO), cut_over_on) for line in ordered)
    )


@transaction.atomic
def grant_migration_credit(
    account: Account, cut_over_on: date, *, actor: Actor, now: datetime, why: str = ""
) -> LedgerEntry:
    """
    MIG-1: credit what the preview says to the prepaid balance. Granted before for the same day, it changes nothing.

    :raises NotPermitted: unless the actor may grant it
    :raises MigrationRefused: for an account that is not prepaid or had its credit for another day, and for nothing
    """
    actor.require(MAY_MIGRATE)
    profile = lock_billing(account.pk)
    credit = preview_migration_credit(account, cut_over_on)
    granted = LedgerEntry.objects.filter(account=account, kind=LedgerEntry.Kind.MIGRATION).first()
    if granted is not None and granted.source == credit.source:
        return granted
    if refusals := _refusals(credit, profile.terms.settlement, granted):
        raise MigrationRefused(*refusals)
    post_credit(
        lock_balance(account.pk),
        credit.amount,
        source=credit.source,
        kind=LedgerEntry.Kind.MIGRATION,
        against=[Side(LedgerAccount.REVENUE, credit.amount, "migration")],
        on=today_of(profile.seller, now=now),
        now=now,
    )
    transaction.on_commit(partial(ring_for_credit, account.pk))
    detail = {"amount": f"{credit.amount:f}", "currency": credit.currency, "cut_over_on": cut_over_on.isoformat()}
    record_change(
        "migration.credit", subject=credit.source, actor=actor, now=now, account=account, why=why, detail=detail
    )
    return LedgerEntry.objects.get(source=credit.source)


def _refusals(credit: MigrationCredit, settlement: str, granted: LedgerEntry | None) -> list[Refusal]:
    """MIG-1."""
    found = []
    if settlement != BillingTerms.Settlement.BALANCE:
        found.append(Refusal("MIG-1", "The account is not on prepaid terms.", "Move it there first."))
    if granted is not None:
        day = granted.source.rpartition(":")[2]
        sentence = f"The account was given its credit for a cut-over on {day}."
        found.append(Refusal("MIG-1", sentence, "Correct that one by a credit note or by hand."))
    if credit.amount <= ZERO:
        sentence = f"Nothing was billed for days after {credit.cut_over_on:%-d %B %Y}."
        found.append(Refusal("MIG-1", sentence, "Check the day of the cut-over."))
    return found


def _credited(lines: list[InvoiceLine]) -> Mapping[int, Decimal]:
    """What issued credit notes took back of the lines: negative."""
    notes = InvoiceLine.objects.filter(credits_line__in=lines, invoice__status=Invoice.Status.ISSUED)
    return dict(notes.order_by().values_list("credits_line").annotate(total=Sum("amount")))


def _part(line: InvoiceLine, credited: Decimal, cut_over_on: date) -> MigrationPart:
    start, end, amount = line.period_start, line.period_end, line.amount + credited
    if start is None or end is None:
        raise ValueError(f"{line} is a monthly charge without a period.")
    share = migration_share(amount, start=start, end=end, cut_over_on=cut_over_on)
    return MigrationPart(line.invoice.number or "", line.description, start, end, amount, share)
