"""Unpaid invoices as the tests of collections need them, and money that comes for them as payments post it."""

from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor, ActorKind, Channel
from invoicing.invoices.models import Invoice, InvoiceLine, OpenInvoice
from invoicing.invoices.operations import issue_drafts
from invoicing.ledger.models import LedgerEntry
from invoicing.ledger.operations import Side, post
from invoicing.payments.models import Payment, PaymentTarget
from tests.invoicing.factories import customer, seller

NOW = datetime(2026, 4, 1, 15, 0, tzinfo=UTC)
DUE = date(2026, 3, 1)
HELD = (
    "place_hold", "suspend_account", "approve_placement", "book_remittance", "write_off", "retry_notice",
    "add_platformendpoint", "change_platformendpoint",
)  # fmt: skip
MIA = Actor(
    ActorKind.STAFF, "Mia Manager", Channel.CONSOLE, permissions=frozenset(f"invoicing.{name}" for name in HELD)
)
NOBODY = Actor(ActorKind.STAFF, "Nora Nobody", Channel.CONSOLE)

_numbers = count(1)


def at(day: date) -> datetime:
    """Three in the afternoon of a day, UTC."""
    return datetime(day.year, day.month, day.day, 15, 0, tzinfo=UTC)


@transaction.atomic
def invoice(account=None, amount="100", *, due_on=DUE, issued_on=date(2026, 2, 1), currency="USD") -> Invoice:
    """An issued invoice over one line, posted as the run posts it."""
    account = account or customer()
    amount = Decimal(amount)
    made = Invoice.objects.create(
        account=account, seller=seller(), issued_on=issued_on, due_on=due_on, currency=currency,
        terms_code="hosted-direct", subtotal=amount, tax_total=0, total=amount,
        buyer={"name": account.name, "lines": ["48 Wall Street"], "account_number": account.number},
    )  # fmt: skip
    InvoiceLine.objects.create(
        invoice=made, account=account, position=1, kind="ONE_OFF", description="Work", quantity=1, unit_price=amount,
        amount=amount, clause="BILL-1",
    )  # fmt: skip
    issue_drafts([(made.pk, account.pk, made.kind)], seller=seller(), now=at(issued_on))
    made.refresh_from_db()
    return made


def money(account, amount, *, on, currency="USD", state="SUCCEEDED") -> Payment:
    """A check that came, on nobody's invoice yet."""
    nth = next(_numbers)
    payment = Payment.objects.create(
        account=account, kind="CHECK", gateway="manual", currency=currency, amount=Decimal(amount), state=state,
        key=f"check-{nth}", reference=f"{1000 + nth}", made_by="Mia", on=on, created_at=at(on),
    )  # fmt: skip
    if state == "SUCCEEDED":
        post(
            account_id=account.pk, source=f"payment:{payment.pk}", kind="PAYMENT", currency=currency, on=on, now=at(on),
            sides=[
                Side("GATEWAY_CLEARING", payment.amount, "MANUAL:CHECK", payment_id=payment.pk),
                Side("CUSTOMER_CREDIT", -payment.amount, payment_id=payment.pk),
            ],
        )  # fmt: skip
    return payment


@transaction.atomic
def pay(of: Invoice, amount=None, *, on=date(2026, 4, 1)) -> Payment:
    """A check for an invoice; without an amount, for all that is open of it, wherever that stands."""
    unsettled = OpenInvoice.objects.get(invoice=of)
    amount = Decimal(amount) if amount else unsettled.amount + unsettled.placed
    payment = money(of.account, amount, on=on, currency=of.currency)
    PaymentTarget.objects.create(payment=payment, invoice=of, amount=amount)
    allocate(payment, of, amount, on=on)
    return payment


def allocate(payment: Payment, of: Invoice, amount: Decimal, *, on: date) -> LedgerEntry:
    """From the customer's credit to what is receivable of the invoice, else to what is with the agency."""
    unsettled = OpenInvoice.objects.get(invoice=of)
    side = "RECEIVABLE" if unsettled.amount > 0 else "COLLECTIONS"
    return post(
        account_id=of.account_id, source=f"allocation:{next(_numbers)}", kind="ALLOCATION", currency=of.currency,
        on=on, now=at(on),
        sides=[
            Side("CUSTOMER_CREDIT", amount, invoice_id=of.pk, payment_id=payment.pk),
            Side(side, -amount, invoice_id=of.pk, payment_id=payment.pk),
        ],
    )  # fmt: skip


def take_back(entry: LedgerEntry, *, on: date) -> LedgerEntry:
    """The reverse of an allocation, as a return posts it: to where it was taken from."""
    return post(
        account_id=entry.account_id, source=f"return:{next(_numbers)}", kind="RETURN", currency=entry.currency, on=on,
        now=at(on),
        sides=[
            Side(one.ledger_account, -one.amount, invoice_id=one.invoice_id, payment_id=one.payment_id)
            for one in entry.postings.all()
        ],
    )  # fmt: skip


def pending(of: Invoice, amount=None, *, on=DUE, state="PENDING") -> Payment:
    """An ACH debit that the bank has not settled yet."""
    payment = money(of.account, amount or of.total, on=on, currency=of.currency, state=state)
    PaymentTarget.objects.create(payment=payment, invoice=of, amount=payment.amount, is_open=True)
    return payment


def open_of(of: Invoice) -> tuple[Decimal, Decimal]:
    """What is receivable of an invoice, and what is with the agency."""
    row = OpenInvoice.objects.filter(invoice=of).first()
    return (row.amount, row.placed) if row else (Decimal(0), Decimal(0))


@contextmanager
def statements():
    """The SQL statements of a block, savepoints left out."""
    found = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    found += [one["sql"] for one in captured if "SAVEPOINT" not in one["sql"]]
