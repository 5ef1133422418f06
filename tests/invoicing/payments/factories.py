"""Accounts that owe, and their payment methods: one function a state, the same figures each time."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import transaction

from accounts.actors import Actor, ActorKind, Channel
from accounts.models import Account
from invoicing.invoices.models import Invoice, InvoiceLine, OpenInvoice
from invoicing.invoices.operations import issue_drafts
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.ledger.operations import Side, post
from invoicing.payments.fee_table import CardFeeRate
from invoicing.payments.models import PaymentMethod
from tests.invoicing import factories as made

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
HELD = ("take_payment", "book_payment", "allocate_payment", "refund_payment", "resolve_event")
MIA = Actor(
    ActorKind.STAFF, "Mia Manager", Channel.CONSOLE, permissions=frozenset(f"invoicing.{name}" for name in HELD)
)
NOBODY = Actor(ActorKind.STAFF, "Nora Nobody", Channel.CONSOLE)

_tokens = count(1)


@transaction.atomic
def invoice(
    account: Account, total: str = "100", *, issued_on: date = date(2026, 2, 1), due_on: date | None = None
) -> Invoice:
    """An issued invoice over this total, one line, no tax."""
    amount, currency = Decimal(total), account.billing_profile.currency
    draft = Invoice.objects.create(
        account=account, seller=made.seller(), issued_on=issued_on, due_on=due_on or issued_on, currency=currency,
        terms_code=account.billing_profile.terms.code, subtotal=amount, tax_total=0, total=amount,
        buyer={"name": account.name},
    )  # fmt: skip
    InvoiceLine.objects.create(
        invoice=draft, account=account, position=1, kind="ONE_OFF", description="Work", quantity=1, unit_price=amount,
        amount=amount, clause="SVC-1",
    )  # fmt: skip
    issue_drafts([(draft.pk, account.pk, "INVOICE")], seller=made.seller(), now=NOW)
    draft.refresh_from_db()
    return draft


def hand_over(an_invoice: Invoice, amount: str) -> None:
    """So much of an invoice to the collections agency, as the ledger keeps it."""
    given = Decimal(amount)
    post(
        account_id=an_invoice.account_id, source=f"placed:{an_invoice.pk}", kind=LedgerEntry.Kind.PLACEMENT,
        currency=an_invoice.currency, on=TODAY, now=NOW,
        sides=[
            Side("COLLECTIONS", given, invoice_id=an_invoice.pk), Side("RECEIVABLE", -given, invoice_id=an_invoice.pk),
        ],
    )  # fmt: skip


def card(account: Account, does: str = "ok", **values: Any) -> PaymentMethod:
    """The account's default card, a credit card, with which the demo bank does this: `ok`, `decline.stolen_card`."""
    shown = {"kind": "CARD", "brand": "Visa", "last_four": "4242", "funding": "CREDIT"}
    return _method(account, f"card-{does}", shown | values)


def bank_account(account: Account, does: str = "ok", **values: Any) -> PaymentMethod:
    """The account's default bank account, with which the demo bank does this: `ok`, `fail.R01`, `return.R10`."""
    return _method(account, f"ach-{does}", {"kind": "ACH", "brand": "First Bank", "last_four": "6789"} | values)


def _method(account: Account, does: str, values: dict[str, Any]) -> PaymentMethod:
    token = f"pm_demo-{does}-{next(_tokens)}"
    given = {"gateway": "demo", "token": token, "customer_token": f"cus_demo-{account.pk}", "is_default": True}
    return PaymentMethod.objects.create(account=account, added_at=NOW, **(given | values))


def ship_rates() -> None:
    """FEE-1 and FEE-2 as they ship; for tests whose tables were emptied."""
    if not CardFeeRate.objects.exists():
        CardFeeRate.objects.create(rate_percent=1, clause="FEE-1", valid_from_on=date(2020, 1, 1))
        for state in ("CO", "CT", "FL", "KS", "ME", "MA", "TX"):
            CardFeeRate.objects.create(state=state, rate_percent=0, clause="FEE-2", valid_from_on=date(2020, 1, 1))


def open_of(an_invoice: Invoice) -> Decimal:
    """What is not settled of an invoice, with us or with the agency."""
    row = OpenInvoice.objects.filter(invoice=an_invoice).first()
    return row.amount + row.placed if row else Decimal(0)


def balance(account: Account, ledger_account: str, **values: Any) -> Decimal:
    """The sum of an account's postings to a ledger account."""
    rows = Posting.objects.filter(account=account, ledger_account=ledger_account, **values)
    return sum((row.amount for row in rows), Decimal(0))


def sources(account: Account) -> list[str]:
    """What was posted for an account besides its invoices, in order, as the kind and the word of its source."""
    entries = LedgerEntry.objects.filter(account=account).exclude(kind__in=["INVOICE", "CREDIT_NOTE"]).order_by("pk")
    return [f"{entry.kind} {entry.source.split(':')[0]}" for entry in entries]
