"""
A book that is small enough to be added up by hand: three accounts, invoices, payments and what became of them.

Payments are written as the payments room writes them, by its own steps.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import transaction

from accounts.actors import Actor, ActorKind, Channel
from accounts.models import Account
from invoicing.invoices.models import Invoice, InvoiceLine, LineTax
from invoicing.invoices.operations import issue_drafts
from invoicing.ledger.operations import Side, post
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.postings import allocate_rest, post_money, post_received, take_back_latest
from invoicing.tax.models import TaxRate
from tests.invoicing import factories as made

NOW = datetime(2026, 3, 31, 15, 0, tzinfo=UTC)
MIA = Actor(
    ActorKind.STAFF,
    "Mia Manager",
    Channel.CONSOLE,
    permissions=frozenset({"invoicing.resend_invoice", "invoicing.view_reports", "accounts.view_account"}),
)
NOBODY = Actor(ActorKind.STAFF, "Nora Nobody", Channel.CONSOLE)

_keys = count(1)


def day(number: int, month: int = 2) -> date:
    """So many days into February 2026."""
    return date(2026, month, number)


def tax_rate(name: str = "New York sales tax", percent: str = "8") -> TaxRate:
    given = {"country": "US", "state": "NY", "rate_percent": Decimal(percent), "valid_from_on": date(2020, 1, 1)}
    return TaxRate.objects.get_or_create(name=name, defaults=given)[0]


@transaction.atomic
def invoice(
    account: Account,
    amount: str,
    issued_on: date,
    due_on: date,
    *,
    plan: Any = None,
    tax: str = "",
    kind: str = "ONE_OFF",
) -> Invoice:
    """An issued invoice over one line before tax; `tax` is what New York takes of it."""
    net, taken = Decimal(amount), Decimal(tax or 0)
    credit = net < 0
    draft = Invoice.objects.create(
        account=account, seller=made.seller(), kind="CREDIT_NOTE" if credit else "INVOICE", issued_on=issued_on,
        due_on=due_on, currency=account.billing_profile.currency, terms_code=account.billing_profile.terms.code,
        subtotal=net, tax_total=taken, total=net + taken,
        buyer={"name": account.name, "lines": [], "account_number": account.number},
    )  # fmt: skip
    line = InvoiceLine.objects.create(
        invoice=draft, account=account, position=1, kind=kind, description="Work", quantity=1, unit_price=net,
        amount=net, tax_amount=taken, clause="SVC-1", plan=plan,
    )  # fmt: skip
    if taken:
        rate = tax_rate()
        LineTax.objects.create(
            account=account,
            line=line,
            rate=rate,
            name=rate.name,
            rate_percent=rate.rate_percent,
            base=net,
            amount=taken,
        )
    issue_drafts([(draft.pk, account.pk, draft.kind)], seller=made.seller(), now=NOW)
    draft.refresh_from_db()
    return draft


def card(account: Account) -> PaymentMethod:
    return PaymentMethod.objects.create(
        account=account, kind="CARD", gateway="demo", token=f"pm_r{next(_keys)}", customer_token=f"cus_{account.pk}",
        brand="Visa", last_four="4242", funding="CREDIT", added_at=NOW,
    )  # fmt: skip


def paid(
    account: Account, amount: str, on: date, *, kind: str = "CHECK", fee: str = "0",
    invoices: dict[int, str] | None = None, **values: Any,
) -> Payment:  # fmt: skip
    """A payment that was made, put on these invoices; by hand, unless it is by card."""
    by_card = kind == "CARD"
    payment = Payment.objects.create(
        account=account, kind=kind, gateway="demo" if by_card else "manual", currency="USD", amount=Decimal(amount),
        fee=Decimal(fee), state="SUCCEEDED", key=f"report-{next(_keys)}", made_by="Mia Manager", on=on, created_at=NOW,
        settled_at=NOW, method=card(account) if by_card else None, **values,
    )  # fmt: skip
    post_received(payment, on=on, now=NOW)
    wanted = {pk: Decimal(share) for pk, share in (invoices or {}).items()}
    allocate_rest(payment, wanted, source=f"allocation:{payment.pk}", on=on, now=NOW)
    return payment


def refunded(payment: Payment, amount: str, fee: str, on: date) -> None:
    """So much of a payment and of its fee given back, off the invoice that it stood on."""
    take_back_latest(payment, Decimal(amount), source=f"taken-back:{payment.pk}", on=on, now=NOW)
    post_money(payment, -Decimal(amount), -Decimal(fee), source=f"refund:{payment.pk}", kind="REFUND", on=on, now=NOW)


def returned(payment: Payment, on: date) -> None:
    """An ACH debit that the bank sent back."""
    take_back_latest(payment, None, source=f"taken-back:{payment.pk}", on=on, now=NOW)
    post_money(payment, -payment.amount, -payment.fee, source=f"return:{payment.pk}", kind="RETURN", on=on, now=NOW)


def booked(account: Account, source: str, kind: str, on: date, **sides: str) -> None:
    """An entry by its sides: a debit is positive."""
    post(
        account_id=account.pk, source=source, kind=kind, currency="USD", on=on, now=NOW,
        sides=[Side(name, Decimal(amount)) for name, amount in sides.items()],
    )  # fmt: skip


def moved(
    account: Account,
    source: str,
    kind: str,
    on: date,
    of_invoice: Invoice | None,
    of_payment: Payment | None = None,
    **sides: str,
) -> None:
    """An entry whose sides name an invoice or a payment."""
    post(
        account_id=account.pk, source=source, kind=kind, currency="USD", on=on, now=NOW,
        sides=[
            Side(
                name, Decimal(amount), invoice_id=of_invoice.pk if of_invoice else None,
                payment_id=of_payment.pk if of_payment and name == "CUSTOMER_CREDIT" else None,
            )
            for name, amount in sides.items()
        ],
    )  # fmt: skip
