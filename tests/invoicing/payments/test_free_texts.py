"""What people type about payments may hold a card number: neither rows, the audit trail nor letters show it."""

import json
from datetime import date
from decimal import Decimal

import pytest

from accounts.models import AuditEntry
from invoicing.documents.models import Letter
from invoicing.payments.models import Payment, Refund
from invoicing.payments.operations import book_payment
from invoicing.payments.refunds import refund
from tests.invoicing import factories as made
from tests.invoicing.payments.factories import MIA, NOW

pytestmark = pytest.mark.django_db
TYPED = "by card 4242-4242 4242 4242"
MASKED = "by card ****-**** **** 4242"


def test_of_a_booking_and_its_refund_only_the_last_four_digits_stay():
    payment = book_payment(
        made.customer(), kind="CASH", amount=Decimal(100), currency="USD", reference=TYPED,
        received_on=date(2026, 3, 1), actor=MIA, now=NOW,
    )  # fmt: skip
    given_back = refund(payment, actor=MIA, now=NOW, reason=f"paid twice {TYPED}", reference=TYPED)

    assert Payment.objects.get().reference == MASKED
    assert (given_back.reason, given_back.gateway_reference) == (f"paid twice {MASKED}", MASKED)
    kept = [
        *Payment.objects.values(), *Refund.objects.values(), *AuditEntry.objects.values(), *Letter.objects.values()
    ]  # fmt: skip
    assert len(kept) >= 5
    assert "4242-4242" not in json.dumps(kept, default=str)
