"""What the tabs of an account's page show; each is a set number of queries, and bounded."""

from datetime import date
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.models import Account, Contact, Decision
from invoicing.invoices.models import Invoice
from invoicing.ledger.balances import balances_of
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.money import format_money, format_quantity, format_rate
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


def overview(account: Account, today: date) -> dict[str, Any]:
    """Balances, how it is billed, and what stands in the way of billing it."""
    parked = RunItem.objects.filter(account=account, outcome=RunItem.Outcome.PARKED, superseded_by=None)
    coming = BillingDayChange.objects.filter(account=account, effective_on__gte=today).order_by("effective_on")
    return {
        "profile": getattr(account, "billing_profile", None),
        "balances": [
            # What is held of the customer's stands as a credit in the books, and is shown as an amount.
            (BALANCE_WORDS[LedgerAccount(ledger_account)], format_money(_as_shown(ledger_account, amount), currency))
            for ledger_account, currency, amount in balances_of(account.pk)
        ],
        "parked": parked.select_related("run").first(),
        "day_change": coming.first(),
        "exemptions": list(account.tax_exemptions.order_by("-valid_from_on")[:SHOWN]),
        "clients": list(account.clients.order_by("number")[: SHOWN + 1]),
    }


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
    open_amounts = dict(
        Posting.objects.filter(
            invoice_id__in=[invoice.pk for invoice in found], ledger_account=LedgerAccount.RECEIVABLE
        )
        .order_by()
        .values_list("invoice_id")
        .annotate(Sum("amount"))
    )
    rows = [
        {
            "invoice": invoice,
            "is_credit": invoice.kind == Invoice.Kind.CREDIT_NOTE,
            "total": format_money(invoice.total, invoice.currency),
            "open": format_money(open_amounts[invoice.pk], invoice.currency) if open_amounts.get(invoice.pk) else "",
            "overdue": bool(open_amounts.get(invoice.pk)) and invoice.due_on < today,
        }
        for invoice in found[:SHOWN]
    ]
    return {"invoices": rows, "more": len(found) > SHOWN}


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
