"""
The real book gets paid: methods for its card and ACH customers, a charge of all that is due, what comes back, and the
rest to the agency. The ledger, the fee of each card payment and every invoice's state add up.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import Sum

from accounts.actors import command_line
from invoicing.book.operations import import_book, read_book
from invoicing.collections.models import Placement, PlacementBatch
from invoicing.collections.operations import approve_placements, hand_off
from invoicing.invoices.models import Invoice, OpenInvoice
from invoicing.ledger.models import Posting
from invoicing.payments.events import work_off_events
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.receiving import take_in
from invoicing.payments.resolving import resolve_open
from invoicing.payments.sweeping import charge_due
from invoicing.runs.books import differences_in_books
from invoicing.runs.operations import run_billing
from invoicing.sellers.models import Seller
from invoicing.subscriptions.models import BillingProfile
from tests.invoicing.factories import seller, terms
from tests.invoicing.payments.factories import ship_rates

BOOK = Path(settings.BASE_DIR).parent / "shared" / "data" / "telco"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not BOOK.is_dir(), reason="The real book is not beside this checkout."),
]

START = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
DECEMBER, FEBRUARY = date(2026, 12, 1), date(2027, 2, 1)
ME = command_line()
# Of the bank accounts every 100th has no money, and every 150th takes the debit back after it was settled.
TROUBLE = ((100, "ach", "fail.R01"), (150, "ach", "return.R10"), (50, "card", "decline.insufficient_funds"))


def give_methods() -> None:
    """A demo method for each card and ACH customer, and leave to charge it."""
    wanted = BillingProfile.objects.filter(payment_method__in=["CARD", "ACH"]).order_by("account_id")
    methods: list[PaymentMethod] = []
    seen: Counter[str] = Counter()
    for account_id, kind in wanted.values_list("account_id", "payment_method"):
        seen[kind] += 1
        does = next((does for every, of, does in TROUBLE if of == kind.lower() and seen[kind] % every == 0), "ok")
        methods.append(
            PaymentMethod(
                account_id=account_id, kind=kind, gateway="demo", token=f"pm_demo-{kind.lower()}-{does}-{account_id}",
                customer_token=f"cus_demo-{account_id}", brand="Visa" if kind == "CARD" else "First Bank",
                last_four="4242" if kind == "CARD" else "6789", funding="CREDIT" if kind == "CARD" else "UNKNOWN",
                is_default=True, added_at=START,
            )
        )  # fmt: skip
    PaymentMethod.objects.bulk_create(methods)
    wanted.update(auto_charge=True)


def bank_works(gateway: DemoGateway, clock: SetClock, days: int) -> None:
    """Days pass: debits settle or come back, and the notices about them are worked off."""
    for _ in range(days):
        clock.advance(timedelta(days=1))
        gateway.pass_time()
        take_in(gateway)
        while work_off_events(now=clock.at, limit=1000).total():
            pass
        resolve_open(now=clock.at, limit=1000)


def total_of(**filters) -> Decimal:
    return Posting.objects.filter(**filters).aggregate(total=Sum("amount"))["total"] or Decimal(0)


def test_the_real_book_is_paid_and_the_rest_handed_over(tmp_path, settings):
    settings.DOCUMENTS_ROOT = tmp_path
    seller(), terms("hosted-direct"), ship_rates()
    clock = SetClock(START)
    gateway = DemoGateway(clock=clock)
    import_book(read_book(BOOK), actor=ME, now=START)
    issuer = Seller.objects.get(is_default=True)
    run_billing(seller=issuer, on=DECEMBER, actor=ME, now=START, approve=True)
    give_methods()

    with installed(gateway):
        sweep = charge_due(on=DECEMBER, now=clock.at, actor=ME)
        again = charge_due(on=DECEMBER, now=clock.at, actor=ME)
        bank_works(gateway, clock, 10)

    assert not sweep.failed
    assert len(sweep.charged) == 1522 + 3909
    assert again.charged == []
    # Each card payment bears its fee of 1 % (California is no exempt state), each debit none (FEE-1).
    for payment in Payment.objects.filter(kind="CARD"):
        assert payment.fee == (payment.amount / 100).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    assert not Payment.objects.filter(kind="ACH").exclude(fee=0).exists()
    paid = Payment.objects.filter(state="SUCCEEDED")
    assert total_of(ledger_account="FEE_REVENUE") == -paid.aggregate(total=Sum("fee"))["total"]
    took = paid.aggregate(amount=Sum("amount"), fee=Sum("fee"))
    assert total_of(ledger_account="GATEWAY_CLEARING") == took["amount"] + took["fee"]
    # What the gateway holds is what the books say it holds.
    assert sum(intent["amount_received"] for intent in gateway.charges()) >= 100 * (took["amount"] + took["fee"])
    assert list(differences_in_books()) == []
    unpaid = set(OpenInvoice.objects.values_list("invoice_id", flat=True))
    meant = set(paid.values_list("targets__invoice_id", flat=True))
    assert not unpaid & meant
    assert len(unpaid) + len(meant) == Invoice.objects.filter(status="ISSUED").count() == 7043

    late = datetime(2027, 2, 1, 12, 0, tzinfo=UTC)
    hand_off(on=FEBRUARY, now=late, actor=ME)
    assert Placement.objects.filter(state="PROPOSED").count() == len(unpaid)
    approve_placements(on=FEBRUARY, now=late, actor=ME)
    hand_off(on=FEBRUARY, now=late, actor=ME)
    batch = PlacementBatch.objects.exclude(sha256="").get()
    placed = total_of(ledger_account="COLLECTIONS")
    assert batch.rows == len(unpaid)
    assert Decimal(batch.totals["USD"]) == placed == Decimal("456116.60") - took["amount"]
    assert total_of(ledger_account="RECEIVABLE") == 0
    assert list(differences_in_books()) == []
