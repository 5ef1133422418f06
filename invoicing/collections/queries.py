"""What is unpaid, what stands in the way of asking for it, and who is suspended or with the agency."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum

from accounts.models import Account
from invoicing.catalog.models import BillingTerms
from invoicing.collections.models import Hold, Placement, PlatformNotice, Suspension
from invoicing.collections.policy import IN_ORDER, STOP_CHARGES, Reason, Unpaid, less_credit
from invoicing.documents.parties import seller_of
from invoicing.invoices.models import Invoice, OpenInvoice
from invoicing.ledger.models import LedgerAccount, Posting
from invoicing.money import ZERO
from invoicing.payments.models import Chargeback, Payment, PaymentTarget
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

KIND_OF_HOLD = {
    Hold.Kind.DISPUTE: Reason.DISPUTE,
    Hold.Kind.PROMISE: Reason.PROMISE,
    Hold.Kind.EXEMPTION: Reason.EXEMPTION,
    Hold.Kind.OTHER: Reason.HOLD,
}
SENTENCES = {
    Reason.DISPUTE: "It is in dispute.",
    Reason.HOLD: "It is on hold.",
    Reason.PROMISE: "The customer has promised to pay it, and the day has not passed.",
    Reason.EXEMPTION: "The account is exempt from dunning.",
    Reason.PENDING_PAYMENT: "A payment for it is under way.",
    Reason.WITH_AGENCY: "The account is with the agency (COLL-1).",
}


@dataclass(frozen=True)
class UnpaidInvoice:
    """
    An issued invoice of which something is not settled.

    `open` is receivable, `placed` is with the agency; `owed` is what of the receivable the account's own credit does
    not cover.
    """

    id: int
    account_id: int
    number: str
    issued_on: date
    due_on: date
    currency: str
    total: Decimal
    open: Decimal
    placed: Decimal
    owed: Decimal


def unpaid_of(account_ids: Collection[int]) -> dict[int, list[UnpaidInvoice]]:
    """What each account has not paid, oldest due first. Two queries."""
    rows = (
        OpenInvoice.objects.filter(account_id__in=account_ids, invoice__kind=Invoice.Kind.INVOICE)
        .order_by("account_id", "invoice__due_on", "invoice_id")
        .values_list(
            "invoice_id", "account_id", "invoice__number", "invoice__issued_on", "invoice__due_on", "currency",
            "invoice__total", "amount", "placed",
        )
    )  # fmt: skip
    found: dict[tuple[int, str], list[UnpaidInvoice]] = defaultdict(list)
    for pk, account_id, number, issued_on, due_on, currency, total, is_open, placed in rows:
        invoice = UnpaidInvoice(
            pk, account_id, number or "", issued_on, due_on, currency, total, is_open, placed, owed=max(is_open, ZERO)
        )
        found[invoice.account_id, invoice.currency].append(invoice)
    credit = _credit_of({account_id for account_id, _ in found})
    unpaid: dict[int, list[UnpaidInvoice]] = defaultdict(list)
    for (account_id, currency), invoices in found.items():
        left = less_credit([Unpaid(one.due_on, one.owed) for one in invoices], credit.get((account_id, currency), ZERO))
        unpaid[account_id] += [
            UnpaidInvoice(**(vars(one) | {"owed": owed})) for one, owed in zip(invoices, left, strict=True)
        ]
    return dict(unpaid)


def _credit_of(account_ids: Collection[int]) -> dict[tuple[int, str], Decimal]:
    """What lies with us to each account's credit, by currency: positive."""
    rows = (
        Posting.objects.filter(account_id__in=account_ids, ledger_account=LedgerAccount.CUSTOMER_CREDIT)
        .order_by()
        .values_list("account_id", "currency")
        .annotate(total=Sum("amount"))
    )
    return {(account_id, currency): -total for account_id, currency, total in rows}


def in_the_way(invoice_ids: Iterable[int], *, on: date) -> dict[int, Reason]:
    """
    Why an invoice is not asked for on a day, for those for which there is a reason. Five queries.

    An invoice in dispute (a hold says so, or a cardholder's bank that has not decided yet), on hold, promised or exempt
    until that day or later; one with a payment under way; and each invoice of an account that is with the agency
    (COLL-1).
    """
    accounts = dict(Invoice.objects.filter(pk__in=list(invoice_ids)).values_list("pk", "account_id"))
    reasons: dict[int, set[Reason]] = defaultdict(set)
    of_account: dict[int, set[Reason]] = defaultdict(set)
    for account_id, invoice_id, kind in holds_in_force(set(accounts.values()), on=on):
        if invoice_id is None:
            of_account[account_id].add(KIND_OF_HOLD[Hold.Kind(kind)])
        elif invoice_id in accounts:
            reasons[invoice_id].add(KIND_OF_HOLD[Hold.Kind(kind)])
    for invoice_id in under_way(accounts):
        reasons[invoice_id].add(Reason.PENDING_PAYMENT)
    for invoice_id in charged_back(accounts):
        reasons[invoice_id].add(Reason.DISPUTE)
    for account_id in with_agency(set(accounts.values())):
        of_account[account_id].add(Reason.WITH_AGENCY)
    found = {pk: reasons[pk] | of_account[account_id] for pk, account_id in accounts.items()}
    return {pk: min(all_of_it, key=IN_ORDER.index) for pk, all_of_it in found.items() if all_of_it}


def not_charged(invoice_ids: Collection[int], *, on: date) -> dict[int, str]:
    """What is not charged by the schedule, each with the reason in a sentence: `payments.excluding` asks this."""
    found = in_the_way(invoice_ids, on=on)
    return {pk: SENTENCES[reason] for pk, reason in found.items() if reason in STOP_CHARGES}


def holds_in_force(account_ids: Collection[int], *, on: date) -> list[tuple[int, int | None, str]]:
    """(account, invoice or None for all of it, kind) of the holds that hold on a day."""
    return list(
        Hold.objects.filter(Q(until_on=None) | Q(until_on__gte=on), account_id__in=account_ids, lifted_at=None)
        .order_by("pk")
        .values_list("account_id", "invoice_id", "kind")
    )


def under_way(invoice_ids: Collection[int]) -> set[int]:
    """Those for which the gateway may still take, or has not yet said whether it took, money."""
    targets = PaymentTarget.objects.filter(invoice_id__in=list(invoice_ids))
    may_come = targets.filter(Q(is_open=True) | Q(payment__state__in=Payment.OPEN))
    return set(may_come.values_list("invoice_id", flat=True))


def charged_back(invoice_ids: Collection[int]) -> set[int]:
    """Those whose payment a cardholder's bank took back, and has not decided about yet."""
    targets = PaymentTarget.objects.filter(invoice_id__in=list(invoice_ids))
    return set(targets.filter(payment__chargebacks__state=Chargeback.State.OPEN).values_list("invoice_id", flat=True))


def with_agency(account_ids: Collection[int]) -> set[int]:
    """COLL-1: those who are with the agency."""
    placed = Placement.objects.filter(account_id__in=account_ids, state=Placement.State.PLACED)
    return set(placed.values_list("account_id", flat=True))


def suspended(account_ids: Collection[int]) -> set[int]:
    """SUSP-1: those from whom service is withheld, for whatever reason; a warning withholds nothing."""
    active = Suspension.objects.filter(account_id__in=account_ids, state=Suspension.State.ACTIVE)
    return set(active.values_list("account_id", flat=True))


def is_suspended(account_id: int) -> bool:
    return account_id in suspended([account_id])


@dataclass(frozen=True)
class Dunned:
    """One account as it is written to: who it is, on which terms and by which seller."""

    account: Account
    terms: BillingTerms
    seller: Seller
    printed: dict[int, dict[str, Any]]

    def seller_as_printed(self) -> dict[str, Any]:
        """The seller's part of a letter, looked up once for all the accounts that were read together."""
        if self.seller.pk not in self.printed:
            self.printed[self.seller.pk] = seller_of(self.seller)
        return self.printed[self.seller.pk]


def dunned(profiles: Iterable[BillingProfile]) -> dict[int, Dunned]:
    """By account, from profiles whose terms, seller and account were read with them."""
    printed: dict[int, dict[str, Any]] = {}
    return {one.account_id: Dunned(one.account, one.terms, one.seller, printed) for one in profiles}


def by_day(people: dict[int, Dunned], *, on: date, now: datetime) -> list[tuple[date, dict[int, Dunned]]]:
    """
    The accounts by the day for which they are looked at: `on`, or where their seller is further already, its today.

    What was missed is made up for today. Looked at as of a day that is past, what is overdue by now would not be.
    """
    found: dict[date, dict[int, Dunned]] = defaultdict(dict)
    for account_id, who in people.items():
        found[max(on, today_of(who.seller, now=now))][account_id] = who
    return sorted(found.items())


def next_unpaid(after: int, *, seller: Seller | None, limit: int) -> list[int]:
    """The next accounts, in their order, of whose invoices something is receivable."""
    rows = OpenInvoice.objects.filter(account_id__gt=after, amount__gt=0)
    if seller is not None:
        rows = rows.filter(account__billing_profile__seller=seller)
    return list(rows.order_by("account_id").values_list("account_id", flat=True).distinct()[:limit])


def suspensions_due(today: date, rows: QuerySet[Suspension]) -> QuerySet[Suspension]:
    """SUSP-1: those who were warned and whose day has come; the next sweep withholds service."""
    return rows.filter(state=Suspension.State.WARNED, effective_on__lte=today)


def untold(rows: QuerySet[PlatformNotice]) -> QuerySet[PlatformNotice]:
    """What a person has to tell the platform: it could not be told, or no endpoint was on."""
    by_hand = Q(state=PlatformNotice.State.PENDING, endpoint=None)
    return rows.filter(Q(state=PlatformNotice.State.PARKED) | by_hand)
