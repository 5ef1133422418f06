"""What the tabs of an account's page show; each is a set number of queries, and bounded."""

from datetime import date
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Account, Contact, Decision
from invoicing.collections.standing import standing_of
from invoicing.invoices.models import Invoice
from invoicing.ledger.balances import balances_of
from invoicing.ledger.models import LedgerAccount, LedgerEntry
from invoicing.money import format_money, format_quantity, format_rate
from invoicing.payments.queries import InvoiceStatus, StatusOf, invoice_status
from invoicing.runs.models import RunItem
from invoicing.subscriptions.models import BillingDayChange, QuantityChange, Subscription

SHOWN = 50

BALANCE_WORDS = {
    LedgerAccount.RECEIVABLE: "Owed on invoices",
    LedgerAccount.CUSTOMER_CREDIT: "Credit of the customer's",
    LedgerAccount.DEPOSIT_HELD: "Deposit held",
    LedgerAccount.PREPAID_BALANCE: "Prepaid balance",
    LedgerAccount.COLLECTIONS: "With the collections agency",
}

STATUS_WORDS = {status: status.value.replace("_", " ").lower() for status in InvoiceStatus}
STATUS_TONES = {
    InvoiceStatus.PAID: "good",
    InvoiceStatus.CREDITED: "good",
    InvoiceStatus.PENDING: "warn",
    InvoiceStatus.PART_PAID: "warn",
    InvoiceStatus.OVERDUE: "bad",
    InvoiceStatus.WITH_AGENCY: "bad",
    InvoiceStatus.WRITTEN_OFF: "bad",
}


def overview(account: Account, today: date) -> dict[str, Any]:
    """Balances, how it is billed, and what stands in the way of billing it."""
    parked = RunItem.objects.filter(account=account, outcome=RunItem.Outcome.PARKED, superseded_by=None)
    coming = BillingDayChange.objects.filter(account=account, effective_on__gte=today).order_by("effective_on")
    return {
        "profile": getattr(account, "billing_profile", None),
        "standing": standing_of(account.pk, on=today),
        "balances": shown_balances(account),
        "parked": parked.select_related("run").first(),
        "day_change": coming.first(),
        "exemptions": list(account.tax_exemptions.order_by("-valid_from_on")[:SHOWN]),
        "clients": list(account.clients.order_by("number")[: SHOWN + 1]),
    }


def shown_balances(account: Account) -> list[tuple[str, str]]:
    """What is held of the customer's stands as a credit in the books, and is shown as an amount."""
    order = [str(one) for one in BALANCE_WORDS]
    return [
        (BALANCE_WORDS[LedgerAccount(ledger_account)], format_money(_as_shown(ledger_account, amount), currency))
        for ledger_account, currency, amount in sorted(balances_of(account.pk), key=lambda one: order.index(one[0]))
    ]


def _as_shown(ledger_account: str, amount: Any) -> Any:
    return amount if ledger_account in (LedgerAccount.RECEIVABLE, LedgerAccount.COLLECTIONS) else -amount


def contacts(account: Account, today: date) -> dict[str, Any]:
    found: QuerySet[Contact] = account.contacts.prefetch_related("roles").order_by("name", "pk")
    return {"contacts": list(found[:200])}


def services(account: Account, today: date) -> dict[str, Any]:
    """The account's subscriptions and, of a partner, its clients', with the quantity held today."""
    held_now = QuantityChange.objects.filter(subscription=OuterRef("pk"), from_on__lte=today).order_by("-from_on")
    found = (
        Subscription.objects.filter(Q(account=account) | Q(account__parent=account))
        .select_related("account", "plan")
        .annotate(held=Coalesce(Subquery(held_now.values("quantity")[:1]), F("quantity")))
        .order_by(F("ended_on").desc(nulls_first=True), "account__number", "reference")
    )
    rows = []
    profile = getattr(account, "billing_profile", None)
    currency = profile.currency if profile else "USD"
    for subscription in found[: SHOWN * 4 + 1]:
        price = subscription.unit_price
        rows.append({
            "subscription": subscription,
            "quantity": format_quantity(subscription.held),
            "price": "the plan's" if price is None else f"{currency} {format_rate(price, currency)}",
            "ended": bool(subscription.ended_on and subscription.ended_on <= today),
        })  # fmt: skip
    return {"services": rows[: SHOWN * 4], "more": len(rows) > SHOWN * 4}


def invoices(account: Account, today: date) -> dict[str, Any]:
    """The latest invoices and credit notes, with what is still open of each."""
    found = list(
        Invoice.objects.filter(account=account, status=Invoice.Status.ISSUED)
        .defer("buyer").order_by("-issued_on", "-pk")[: SHOWN + 1]
    )  # fmt: skip
    statuses = invoice_status([invoice.pk for invoice in found], on=today)
    rows = [
        {
            "invoice": invoice,
            "is_credit": invoice.kind == Invoice.Kind.CREDIT_NOTE,
            "total": format_money(invoice.total, invoice.currency),
            **_status_shown(statuses.get(invoice.pk), invoice.currency),
        }
        for invoice in found[:SHOWN]
    ]
    return {"invoices": rows, "more": len(found) > SHOWN}


def _status_shown(status: StatusOf | None, currency: str) -> dict[str, Any]:
    """A credit note has no status."""
    if status is None:
        return {"open": "", "status": "", "tone": ""}
    return {
        "open": format_money(status.open, currency) if status.open else "",
        "status": STATUS_WORDS[status.status],
        "tone": STATUS_TONES.get(status.status, ""),
    }


def ledger(account: Account, today: date) -> dict[str, Any]:
    entries = list(
        LedgerEntry.objects.filter(account=account).prefetch_related("postings").order_by("-on", "-pk")[: SHOWN + 1]
    )
    rows = [
        {
            "entry": entry,
            "postings": [
                {
                    "to": posting.get_ledger_account_display(),
                    "category": posting.category,
                    "debit": format_money(posting.amount, posting.currency) if posting.amount > 0 else "",
                    "credit": format_money(-posting.amount, posting.currency) if posting.amount < 0 else "",
                }
                for posting in entry.postings.all()
            ],
        }
        for entry in entries[:SHOWN]
    ]
    return {"entries": rows, "more": len(entries) > SHOWN}


def decisions(account: Account, today: date) -> dict[str, Any]:
    found = list(Decision.objects.filter(account=account).order_by("-at", "-pk")[: SHOWN + 1])
    return {"decisions": found[:SHOWN], "more": len(found) > SHOWN}
