"""
What the agency is given, a row an account, in the words of Regulation F (12 CFR 1006.34): what was owed on the
itemization date, and what came and went since.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, Q, Sum

from accounts.actors import Role
from accounts.models import Contact
from invoicing.collections.models import Hold, Placement, PlacementBatch, PlacementInvoice, PlacementRecord
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.money import ZERO, round_money
from invoicing.payments.models import Chargeback, Payment
from invoicing.periods import DAY
from invoicing.sellers.addresses import printed_address
from invoicing.sellers.models import Seller

HEADER = (
    "placement", "account", "debtor", "debtor address", "debtor phone", "creditor", "currency", "itemization date",
    "itemization date kind", "amount on itemization date", "interest since", "fees since", "payments since",
    "credits since", "amount now", "invoices", "oldest due date", "last payment date", "last payment amount",
    "contacts", "disputed",
)  # fmt: skip
# 1006.34(b)(3)(i): the date of the last statement or invoice that the creditor gave the consumer.
LAST_STATEMENT = "last statement date (invoice)"
_TOLD_OF_BILLING = (Role.PRIMARY, Role.PRIMARY_BILLING, Role.BILLING)
AMOUNTS = frozenset({9, 10, 11, 12, 13, 14, 18})
UPDATE_HEADER = ("placement", "account", "currency", "date", "what", "amount", "note")


_NOT_PAID = (
    LedgerEntry.Kind.CREDIT_NOTE, LedgerEntry.Kind.INVOICE, LedgerEntry.Kind.WRITE_OFF, LedgerEntry.Kind.RECOVERY,
)  # fmt: skip


@dataclass(frozen=True)
class Itemized:
    """What was open of a placement on the itemization date, and what was paid since; positive."""

    on: date
    then: Decimal
    paid: Decimal


def batch_rows(batch: PlacementBatch) -> list[list[Any]]:
    """
    A row a placement of the batch, as it was when it was handed over: written later or again, it says the same.

    A constant number of queries. Each row adds up: then + interest + fees - payments - credits = now.
    """
    invoices = Prefetch(
        "invoices", PlacementInvoice.objects.select_related("invoice").order_by("invoice__due_on", "pk")
    )
    placements = list(batch.placements.select_related("account").prefetch_related(invoices).order_by("account__number"))
    itemized = _itemized(placements, batch)
    account_ids = [one.account_id for one in placements]
    payments, contacts, disputed = (
        _last_payments(account_ids, batch),
        _contacts(account_ids),
        _disputed(account_ids, batch),
    )
    rows = []
    for one in placements:
        paid_last = payments.get(one.account_id)
        rows.append([
            one.pk, *_debtor(one, batch.seller), one.currency, *_figures(one, itemized[one.pk]),
            "; ".join(placed.invoice.number or "" for placed in one.invoices.all()),
            one.invoices.all()[0].invoice.due_on,
            paid_last.on if paid_last else None,
            round_money(paid_last.amount, one.currency) if paid_last else None,
            "; ".join(contacts.get(one.account_id, ())),
            "yes" if one.account_id in disputed else "no",
        ])  # fmt: skip
    return rows


def _debtor(one: Placement, seller: Seller) -> list[str]:
    account = one.account
    lines = printed_address(
        account.address_line, account.city, account.state, account.postal_code, account.country, home=seller.country
    )
    return [account.number, account.name, ", ".join(lines), account.phone, seller.name]


def _figures(one: Placement, figures: Itemized) -> list[Any]:
    """No interest or fee is added to what was invoiced; what neither was paid nor is owed any more was credited."""
    credited = figures.then - figures.paid - one.amount
    amounts = (figures.then, ZERO, ZERO, figures.paid, credited, one.amount)
    return [figures.on, LAST_STATEMENT, *(round_money(amount, one.currency) for amount in amounts)]


def _itemized(placements: Sequence[Placement], batch: PlacementBatch) -> dict[int, Itemized]:
    """From the books as of the hand-over. The itemization date is that of the last invoice in the placement."""
    of_invoice = {placed.invoice_id: one for one in placements for placed in one.invoices.all()}
    on = {one.pk: max(placed.invoice.issued_on for placed in one.invoices.all()) for one in placements}
    rows = (
        Posting.objects.filter(
            invoice_id__in=list(of_invoice),
            ledger_account__in=[LedgerAccount.RECEIVABLE, LedgerAccount.COLLECTIONS],
            entry__at__lte=batch.approved_at,
        )
        .exclude(entry__kind=LedgerEntry.Kind.PLACEMENT)
        .order_by()
        .values_list("invoice_id", "entry__on", "entry__kind")
        .annotate(total=Sum("amount"))
    )
    then: dict[int, Decimal] = defaultdict(lambda: ZERO)
    paid: dict[int, Decimal] = defaultdict(lambda: ZERO)
    for invoice_id, day, kind, total in rows:
        one = of_invoice[invoice_id]
        if day <= on[one.pk]:
            then[one.pk] += total
        elif kind not in _NOT_PAID:
            paid[one.pk] -= total
    return {one.pk: Itemized(on[one.pk], then[one.pk], paid[one.pk]) for one in placements}


def _last_payments(account_ids: Collection[int], batch: PlacementBatch) -> Mapping[int, Payment]:
    came = Payment.objects.filter(
        account_id__in=account_ids, state=Payment.State.SUCCEEDED, created_at__lte=batch.approved_at
    )
    return {one.account_id: one for one in came.order_by("account_id", "-on", "-pk").distinct("account_id")}


def _contacts(account_ids: Collection[int]) -> dict[int, list[str]]:
    """AUTH-4: those with whom the account's billing may be spoken of, and nobody else."""
    found: dict[int, list[str]] = defaultdict(list)
    may_know = Contact.objects.filter(account_id__in=account_ids, roles__role__in=_TOLD_OF_BILLING).distinct()
    for one in may_know.order_by("account_id", "pk"):
        found[one.account_id].append(f"{one.name} <{one.email}>" + (f" {one.phone}" if one.phone else ""))
    return found


def _disputed(account_ids: Collection[int], batch: PlacementBatch) -> set[int]:
    """
    Accounts that disputed anything at all when they were handed over, here or at their card's bank; what they dispute
    is not in the file.
    """
    at = batch.approved_at
    holds = Hold.objects.filter(
        Q(until_on=None) | Q(until_on__gte=batch.on), Q(lifted_at=None) | Q(lifted_at__gt=at),
        account_id__in=account_ids, kind=Hold.Kind.DISPUTE, placed_at__lte=at,
    )  # fmt: skip
    at_the_bank = Chargeback.objects.filter(
        Q(closed_at=None) | Q(closed_at__gt=at), account_id__in=account_ids, opened_at__lte=at
    )
    return {*holds.values_list("account_id", flat=True), *at_the_bank.values_list("account_id", flat=True)}


def update_rows(on: date, *, seller: Seller) -> list[list[Any]]:
    """
    What the agency is to be told of what was recorded on a day where the seller is: payments, credits, recalls and
    write-offs. Each has its own date beside it, which may be an earlier one.
    """
    zone = ZoneInfo(seller.time_zone)
    begins, ends = (datetime.combine(day, time.min, zone) for day in (on, on + DAY))
    records = PlacementRecord.objects.filter(at__gte=begins, at__lt=ends, placement__batch__seller=seller)
    records = records.exclude(kind=PlacementRecord.Kind.REMITTANCE)
    return [
        [
            one.placement_id, one.placement.account.number, one.placement.currency, one.on, one.get_kind_display(),
            round_money(one.amount, one.placement.currency), one.note,
        ]
        for one in records.select_related("placement__account").order_by("pk")
    ]  # fmt: skip
