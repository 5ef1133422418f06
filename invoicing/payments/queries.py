"""What is open, what of a payment stands where, and the figures that the console and the portal show."""

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, F, Max, Q, QuerySet, Sum

from invoicing.bulk import array_of
from invoicing.invoices.models import OpenInvoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.money import ZERO
from invoicing.payments.models import Payment, PaymentMethod, PaymentTarget

# What is owed of an invoice stands in one of these: with us, or with the agency.
OWED = (LedgerAccount.RECEIVABLE, LedgerAccount.COLLECTIONS)


class Owing(NamedTuple):
    """What of an issued invoice is not paid; `placed` of it is with the agency."""

    invoice_id: int
    number: str
    currency: str
    due_on: date
    open: Decimal
    placed: Decimal


def owing_of(account_id: int, *, currency: str = "", invoice_ids: Collection[int] | None = None) -> list[Owing]:
    """An account's invoices that are not settled, oldest due first; in one currency, or of these invoices only."""
    rows = OpenInvoice.objects.filter(account_id=account_id).annotate(owed=F("amount") + F("placed")).filter(owed__gt=0)
    if currency:
        rows = rows.filter(currency=currency)
    if invoice_ids is not None:
        rows = rows.filter(invoice_id__in=list(invoice_ids))
    found = rows.order_by("invoice__due_on", "invoice_id").values_list(
        "invoice_id", "invoice__number", "currency", "invoice__due_on", "owed", "placed"
    )
    return [Owing(pk, number or "", *rest) for pk, number, *rest in found]


def owing_totals(account_id: int) -> dict[str, Decimal]:
    """What an account owes in all, by currency."""
    totals: dict[str, Decimal] = {}
    for one in owing_of(account_id):
        totals[one.currency] = totals.get(one.currency, ZERO) + one.open
    return totals


def unallocated(payment_id: int) -> Decimal:
    """What of a payment is on no invoice: its customer credit. Negative where more was taken back than was there."""
    rows = Posting.objects.filter(payment_id=payment_id, ledger_account=LedgerAccount.CUSTOMER_CREDIT)
    total: Decimal | None = rows.aggregate(total=Sum("amount"))["total"]
    return -(total or ZERO)


def gone_back(payment_id: int) -> tuple[Decimal, Decimal]:
    """
    What of a payment went out again by refunds and chargebacks, and of its fee; by the ledger.

    What failed or was won came again, and does not count.
    """
    return _gone(payment_id=payment_id, entry__kind__in=(LedgerEntry.Kind.REFUND, LedgerEntry.Kind.CHARGEBACK))


def gone_by(source: str) -> tuple[Decimal, Decimal]:
    """What went out by one entry, and of the fee."""
    return _gone(entry__source=source)


def _gone(**narrower: Any) -> tuple[Decimal, Decimal]:
    found = dict(
        Posting.objects.filter(ledger_account__in=(LedgerAccount.CUSTOMER_CREDIT, LedgerAccount.FEE_REVENUE))
        .filter(**narrower)
        .order_by()
        .values_list("ledger_account")
        .annotate(total=Sum("amount"))
    )
    return found.get(LedgerAccount.CUSTOMER_CREDIT, ZERO), found.get(LedgerAccount.FEE_REVENUE, ZERO)


class Standing(NamedTuple):
    """So much of a payment stands on an invoice, of which `placed` was taken off what is with the agency."""

    invoice_id: int
    amount: Decimal
    placed: Decimal


def standing_of(payment_id: int) -> list[Standing]:
    """On which invoices a payment's money stands, the latest first."""
    rows = (
        Posting.objects.filter(payment_id=payment_id, invoice_id__isnull=False, ledger_account__in=OWED)
        .order_by()
        .values_list("invoice_id")
        .annotate(
            total=Sum("amount"),
            placed=Sum("amount", filter=Q(ledger_account=LedgerAccount.COLLECTIONS), default=ZERO),
            latest=Max("pk"),
        )
    )
    newest_first = sorted(rows, key=lambda row: -row[3])
    return [Standing(pk, -total, max(-placed, ZERO)) for pk, total, placed, _ in newest_first if pk and total < 0]


def credit_without_payment(account_id: int, currency: str) -> Decimal:
    """Customer credit that came from no payment: of credit notes and opening balances."""
    return _credit(account_id, currency, payment_id__isnull=True)


def credit_of(account_id: int, currency: str) -> Decimal:
    """All of an account's money that is on no invoice, from wherever it came."""
    return _credit(account_id, currency)


def _credit(account_id: int, currency: str, **narrower: Any) -> Decimal:
    rows = Posting.objects.filter(
        account_id=account_id, ledger_account=LedgerAccount.CUSTOMER_CREDIT, currency=currency, **narrower
    )
    total: Decimal | None = rows.aggregate(total=Sum("amount"))["total"]
    return -(total or ZERO)


class InvoiceStatus(StrEnum):
    """An invoice's standing, derived from the ledger: *paid* only when nothing is open, to the cent."""

    OPEN = "OPEN"
    PART_PAID = "PART_PAID"
    PENDING = "PENDING"
    OVERDUE = "OVERDUE"
    WITH_AGENCY = "WITH_AGENCY"
    PAID = "PAID"
    CREDITED = "CREDITED"
    WRITTEN_OFF = "WRITTEN_OFF"


class StatusOf(NamedTuple):
    """`open` is what is not settled, with the agency or not; `pending` that a payment may still settle it."""

    status: InvoiceStatus
    open: Decimal
    pending: bool


_STATUS = """
    SELECT i.id, i.total, i.due_on, coalesce(o.amount, 0), coalesce(o.placed, 0),
        EXISTS (SELECT FROM invoicing_paymenttarget t WHERE t.invoice_id = i.id AND t.is_open),
        coalesce((SELECT -sum(c.total) FROM invoicing_invoice c
            WHERE c.corrects_id = i.id AND c.status = 'ISSUED'), 0),
        coalesce((SELECT sum(p.amount) FROM invoicing_posting p
            WHERE p.invoice_id = i.id AND p.ledger_account = 'BAD_DEBT'), 0)
    FROM invoicing_invoice i LEFT JOIN invoicing_openinvoice o ON o.invoice_id = i.id
    WHERE i.id = ANY(%s::bigint[]) AND i.status = 'ISSUED' AND i.kind = 'INVOICE'
"""


def invoice_status(invoice_ids: Iterable[int], *, on: date | None = None) -> dict[int, StatusOf]:
    """
    The standing of issued invoices, in one query; drafts and credit notes have none.

    With a day, what is past its due date then is overdue, if neither a payment is pending nor the agency has it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STATUS, [array_of(invoice_ids)])
        return {row[0]: _status(*row[1:], on=on) for row in cursor.fetchall()}


def _status(
    total: Decimal, due_on: date, amount: Decimal, placed: Decimal, pending: bool, credited: Decimal,
    written_off: Decimal, *, on: date | None,
) -> StatusOf:  # fmt: skip
    open_ = amount + placed
    if open_ == 0:
        settled = InvoiceStatus.PAID
        if written_off > 0:
            settled = InvoiceStatus.WRITTEN_OFF
        elif credited >= total:
            settled = InvoiceStatus.CREDITED
        return StatusOf(settled, ZERO, pending)
    if placed > 0:
        return StatusOf(InvoiceStatus.WITH_AGENCY, open_, pending)
    if pending:
        return StatusOf(InvoiceStatus.PENDING, open_, True)
    if on is not None and due_on < on:
        return StatusOf(InvoiceStatus.OVERDUE, open_, False)
    return StatusOf(InvoiceStatus.PART_PAID if open_ < total else InvoiceStatus.OPEN, open_, False)


def being_paid(invoice_ids: Iterable[int]) -> dict[int, Payment]:
    """Of these invoices, those for which the gateway may still take money, and the attempt that is open."""
    targets = PaymentTarget.objects.filter(invoice_id__in=list(invoice_ids), is_open=True).select_related("payment")
    return {target.invoice_id: target.payment for target in targets}


class Unallocated(NamedTuple):
    """Money on no invoice: of a payment, or, without one, of credit notes and opening balances."""

    account_id: int
    account_number: str
    payment_id: int | None
    currency: str
    amount: Decimal


_UNALLOCATED = """
    SELECT p.account_id, a.number, p.payment_id, p.currency, -sum(p.amount)
    FROM invoicing_posting p JOIN accounts_account a ON a.id = p.account_id
    WHERE p.ledger_account = 'CUSTOMER_CREDIT' AND (%(account)s::bigint IS NULL OR p.account_id = %(account)s::bigint)
    GROUP BY 1, 2, 3, 4 HAVING sum(p.amount) <> 0
    ORDER BY 2, 3, 4 LIMIT %(limit)s
"""


def unallocated_money(*, account_id: int | None = None, limit: int = 1000) -> list[Unallocated]:
    """Every rest of money that stands on no invoice; a negative one is owed by the account."""
    with connection.cursor() as cursor:
        cursor.execute(_UNALLOCATED, {"account": account_id, "limit": limit})
        return [Unallocated(*row) for row in cursor.fetchall()]


def payments_of(account_id: int) -> QuerySet[Payment]:
    """An account's payments, the latest first, with their methods."""
    return Payment.objects.filter(account_id=account_id).select_related("method").order_by("-on", "-pk")


def methods_of(account_id: int) -> QuerySet[PaymentMethod]:
    """The methods that an account has now, the default one first; removed ones are not among them."""
    kept = PaymentMethod.objects.filter(account_id=account_id).exclude(state=PaymentMethod.State.REMOVED)
    return kept.order_by("-is_default", "pk")


def default_method(account_id: int) -> PaymentMethod | None:
    """What an account is charged by unless it says otherwise."""
    return PaymentMethod.objects.filter(
        account_id=account_id, is_default=True, state=PaymentMethod.State.ACTIVE
    ).first()


class Totals(NamedTuple):
    """Payments made on some days, by gateway, kind, state and currency."""

    gateway: str
    kind: str
    state: str
    currency: str
    payments: int
    amount: Decimal
    fee: Decimal


def payment_totals(*, from_on: date, to_on: date) -> list[Totals]:
    """What was paid from a day on until before another one, and what was not."""
    rows = (
        Payment.objects.filter(on__gte=from_on, on__lt=to_on)
        .order_by("gateway", "kind", "state", "currency")
        .values_list("gateway", "kind", "state", "currency")
        .annotate(count=Count("pk"), total=Sum("amount"), fees=Sum("fee"))
    )
    return [Totals(*row) for row in rows]
