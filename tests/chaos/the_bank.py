"""What the demo bank did, beside what our books say of it; and the bank's time, notices and mishaps passing by."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.db import transaction
from django.db.models import Sum

from accounts.models import Account
from invoicing.invoices.models import Invoice, InvoiceLine
from invoicing.invoices.operations import issue_drafts
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.payments.gateways.demo import DemoGateway, SetClock, SignedEvent, demo_tokens
from invoicing.payments.gateways.stripe_notices import sign
from invoicing.payments.models import Payment, PaymentMethod, Refund
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import resolve_open, work_off_events
from invoicing.payments.receiving import receive
from invoicing.subscriptions.models import BillingProfile
from tests.chaos.books import many_customers
from tests.invoicing.factories import plan, seller
from tests.invoicing.payments.factories import NOW, ship_rates

SECRET = "whsec_demo"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def clock_of(gateway: DemoGateway) -> SetClock:
    assert isinstance(gateway.clock, SetClock)
    return gateway.clock


@transaction.atomic
def many_that_owe(number: int, *, issued_on: date = date(2026, 3, 2)) -> list[Account]:
    """So many customers who are charged by themselves, each owing one invoice, every third by a bank account."""
    ship_rates()
    accounts = many_customers(number, plan(f"mail-{number}", "10"), started_on=date(2026, 2, 1))
    BillingProfile.objects.filter(account__in=accounts).update(auto_charge=True)
    drafts = Invoice.objects.bulk_create(_draft(account, nth, issued_on) for nth, account in enumerate(accounts))
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=draft, account_id=draft.account_id, position=1, kind="ONE_OFF", description="Work", quantity=1,
            unit_price=draft.total, amount=draft.total, clause="SVC-1",
        )
        for draft in drafts
    )  # fmt: skip
    issue_drafts([(draft.pk, draft.account_id, "INVOICE") for draft in drafts], seller=seller(), now=NOW)
    PaymentMethod.objects.bulk_create(_method(account, nth) for nth, account in enumerate(accounts))
    return accounts


def _draft(account: Account, nth: int, issued_on: date) -> Invoice:
    total = Decimal(1000 + 37 * nth) / 100
    return Invoice(
        account=account, seller=seller(), issued_on=issued_on, due_on=issued_on, currency="USD",
        terms_code="hosted-direct", subtotal=total, tax_total=0, total=total, buyer={"name": account.name},
    )  # fmt: skip


def _method(account: Account, nth: int) -> PaymentMethod:
    kind = "ach" if nth % 3 == 2 else "card"
    token, customer = demo_tokens(account.pk, f"{kind}-ok")
    return PaymentMethod(
        account=account, kind=kind.upper(), gateway="demo", token=token, customer_token=customer, brand="Visa",
        last_four="4242", funding="CREDIT" if kind == "card" else "UNKNOWN", is_default=True, added_at=NOW,
    )  # fmt: skip


class Post:
    """The way of the bank's notices to us: each comes, out of order and some of them twice, by the seed."""

    def __init__(self, gateway: DemoGateway, seed: int) -> None:
        self.gateway, self.random, self.last = gateway, Random(seed), 0

    def bring(self) -> None:
        fresh = self.gateway.events_since(self.last)
        self.last = max([self.last, *(event.number for event in fresh)])
        coming = fresh + [event for event in fresh if self.random.random() < 0.3]
        self.random.shuffle(coming)
        for event in coming:
            receive(gateway_name="demo", body=event.body, signature=event.signature, now=self.gateway.clock())


def pass_by(gateway: DemoGateway, post: Post, by: timedelta) -> None:
    """So much time, what the bank does in it, what it says, and our two ticks: the notices and the resolver."""
    now = clock_of(gateway).advance(by)
    gateway.pass_time()
    post.bring()
    while work_off_events(now=now).total():
        """A page at a time."""
    while resolve_open(now=now).looked:
        """A page at a time."""


def took(intent: dict[str, Any]) -> bool:
    return bool(intent["status"] == "succeeded")


def amounts_of(intent: dict[str, Any]) -> Decimal:
    return Decimal(intent["amount"]) / 100


def differences_with(gateway: DemoGateway, *, in_parts: bool = False) -> list[str]:
    """
    What the bank did and we did not write down, or the other way round, and what it took twice; a sentence each.

    `in_parts`: an invoice may be paid by several payments.
    """
    found: list[str] = []
    intents = gateway.charges()
    payments = {one.key: one for one in Payment.objects.filter(gateway="demo").prefetch_related("targets")}
    by_key = Counter(intent["metadata"]["payment_key"] for intent in intents)
    found += [f"{key} was charged {count} times." for key, count in by_key.items() if count > 1]
    posted = dict(LedgerEntry.objects.filter(kind="PAYMENT").values_list("source", "pk"))
    fees = dict(
        Posting.objects.filter(entry__source__startswith="card-fee:", ledger_account="FEE_REVENUE")
        .values_list("payment_id")
        .annotate(total=Sum("amount"))
    )
    for intent in intents:
        payment = payments.pop(intent["metadata"]["payment_key"], None)
        if payment is None:
            found.append(f"{intent['id']} is on nobody's books.")
            continue
        ours = payment.state in ("SUCCEEDED", "RETURNED")
        if ours != took(intent) or ours != (f"payment:{payment.pk}" in posted):
            found.append(f"{intent['id']} is {intent['status']}, and {payment} is {payment.state}.")
        if payment.amount + payment.fee != amounts_of(intent) or payment.gateway_reference != intent["id"]:
            found.append(f"{intent['id']} is about something else than {payment}.")
        if ours and -fees.get(payment.pk, Decimal(0)) != payment.fee:
            found.append(f"{payment} has a fee of {payment.fee}, and {fees.get(payment.pk)} was posted.")
    found += [
        f"{one} is {one.state}, and the bank knows of none." for one in payments.values() if one.state != "FAILED"
    ]
    return found if in_parts else found + _taken_twice(intents)


def _taken_twice(intents: Iterable[dict[str, Any]]) -> list[str]:
    """Invoices for which the bank took the money again while it had it."""
    kept = {one.key: one for one in Payment.objects.filter(state="SUCCEEDED").prefetch_related("targets")}
    times: Counter[int] = Counter()
    for intent in intents:
        payment = kept.get(intent["metadata"]["payment_key"])
        if payment is not None and took(intent):
            times.update(target.invoice_id for target in payment.targets.all())
    return [f"Invoice {pk} was paid {count} times." for pk, count in times.items() if count > 1]


def left_open() -> list[str]:
    """Attempts, refunds and notices of which nobody knows what became of them."""
    payments = Payment.objects.filter(state__in=Payment.OPEN)
    refunds = Refund.objects.filter(state__in=Refund.OPEN)
    notices = WebhookEvent.objects.filter(state="RECEIVED")
    return [f"{one} is {one.state}" for many in (payments, refunds, notices) for one in many]


def event(
    gateway: DemoGateway, type_: str, of: dict[str, Any], *, name: str = "evt_1", made: timedelta = timedelta(0),
    secret: str = SECRET, signed: timedelta = timedelta(0),
) -> SignedEvent:  # fmt: skip
    """A notice of ours about an object; `made` and `signed` are from the gateway's now."""
    now = gateway.clock()
    body = json.dumps({
        "id": name, "object": "event", "created": int((now + made).timestamp()), "type": type_,
        "data": {"object": of},
    }).encode()  # fmt: skip
    return SignedEvent(0, name, body, sign(body, secret=secret, at=now + signed))


def tell(gateway: DemoGateway, *events: SignedEvent) -> list[bool]:
    """Have them come, in this order; which were new."""
    now = gateway.clock()
    return [receive(gateway_name="demo", body=one.body, signature=one.signature, now=now) for one in events]
