"""Failures that others have had with payments, each by its name. Fuller tests of the same stand beside the code."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError

from accounts.actors import schedule
from invoicing.ledger.models import LedgerEntry
from invoicing.payments import recording
from invoicing.payments.fees import fee_if_paid_by_card
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.protocol import Answer, ChargeRequest, Forged, Outcome
from invoicing.payments.models import Payment
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import (
    AnswerDiffers,
    MoneyRefused,
    book_payment,
    charge,
    charge_due,
    record_answer,
    resolve_open,
    work_off_events,
)
from invoicing.payments.queries import invoice_status
from invoicing.payments.receiving import receive
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA, NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    money.ship_rates()
    return made.customer(profile={"auto_charge": True})


@pytest.fixture
def invoice(account):
    return money.invoice(account)


def sweep(days=0):
    return charge_due(on=money.TODAY + timedelta(days=days), now=NOW + timedelta(days=days), actor=schedule())


def check(account, amount, reference="c1", **values):
    return book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference=reference, received_on=money.TODAY,
        actor=MIA, now=NOW, **values,
    )  # fmt: skip


class TestTwilio:
    """2013: the balance could not be written, and the card was charged again and again."""

    def test_a_payment_that_cannot_be_written_is_charged_once(self, account, invoice, gateway, monkeypatch):
        money.card(account)

        def read_only(*_, **__):
            raise OperationalError("cannot execute INSERT in a read-only transaction")

        with monkeypatch.context() as patch:
            patch.setattr(recording, "post_received", read_only)
            with pytest.raises(OperationalError):
                sweep()
            for minute in range(100):
                sweep()
                resolve_open(now=NOW + timedelta(minutes=minute))
        assert len(gateway.charges()) == 1
        resolve_open(now=NOW + timedelta(days=1))
        assert money.open_of(invoice) == 0
        assert len(gateway.charges()) == 1


class TestInvoiceNinja:
    def test_charged_and_not_marked_as_paid_is_not_charged_daily(self, account, invoice, gateway):
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        money.card(account)
        for day in range(10):
            sweep(day)
        assert len(gateway.charges()) == 1

    def test_looking_at_a_method_adds_no_fee(self, account, invoice):
        money.card(account)
        before = LedgerEntry.objects.count()
        fee_if_paid_by_card(account, Decimal(100), currency="USD", on=money.TODAY)
        assert LedgerEntry.objects.count() == before
        assert money.open_of(invoice) == 100

    def test_a_failed_attempt_adds_no_fee(self, account, invoice, gateway):
        charge(account.pk, money.card(account, "decline.insufficient_funds"), actor=MIA, now=NOW)
        assert money.balance(account, "FEE_REVENUE") == 0

    def test_a_part_payment_does_not_make_an_invoice_paid(self, account, invoice):
        check(account, "99.99")
        assert invoice_status([invoice.pk])[invoice.pk] == ("PART_PAID", Decimal("0.01"), False)


class TestKillBill:
    def test_an_unknown_payment_and_a_check_do_not_both_pay(self, account, invoice, gateway):
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        with pytest.raises(MoneyRefused, match=f"Payment {payment.pk} for the same invoices is no answer"):
            check(account, "100")

    def test_and_a_check_in_spite_of_it_leaves_credit_and_no_second_charge(self, account, invoice, gateway):
        gateway.stripe.faults = Told([Fault.TIMEOUT_BEFORE])
        charge(account.pk, money.card(account), actor=MIA, now=NOW)
        check(account, "100", despite_open=True)
        for hour in range(30):
            resolve_open(now=NOW + timedelta(hours=hour))
        assert not gateway.charges()
        assert Payment.objects.exclude(gateway="manual").get().state == "FAILED"


class TestBillaBear:
    def test_a_retry_is_not_lost_when_the_scheduler_was_down_on_its_day(self, account, invoice, gateway):
        money.card(account, "decline.insufficient_funds")
        sweep()
        sweep(4)
        assert Payment.objects.count() == 2


class TestFossbilling:
    def test_a_forged_notice_pays_nothing(self, account, invoice, gateway):
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        charge(account.pk, money.card(account), actor=MIA, now=NOW)
        body = gateway.events_since(0)[-1].body
        for signature in ("", "t=1,v1=00", gateway.events_since(0)[0].signature):
            with pytest.raises(Forged):
                receive(gateway_name="demo", body=body.replace(b"10100", b"10101"), signature=signature, now=NOW)
        assert not WebhookEvent.objects.exists()
        work_off_events(now=NOW)
        assert money.open_of(invoice) == 100

    def test_a_notice_of_an_unknown_payment_is_shown(self, account, invoice, gateway):
        method = money.card(account)
        gateway.charge(ChargeRequest("x", Decimal(9), "USD", "CARD", method.token, method.customer_token, "Elsewhere"))
        for event in gateway.events_since(0):
            receive(gateway_name="demo", body=event.body, signature=event.signature, now=NOW)
        assert work_off_events(now=NOW)["PARKED"] == 1


class TestInvoicePlane:
    def test_the_currency_is_compared_as_well_as_the_amount(self, account, invoice, gateway):
        payment = charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
        with pytest.raises(AnswerDiffers, match=r"USD 100\.00, and the gateway speaks of EUR 100\.00"):
            record_answer(payment, Answer(Outcome.SUCCEEDED, "", Decimal(100), "EUR"), now=NOW)
        assert money.open_of(invoice) == 100


class TestKazoo:
    def test_an_account_that_is_switched_off_is_not_charged(self, gateway):
        account = made.per_seat_company(5, profile={"auto_charge": False})
        money.invoice(account, issued_on=date(2026, 3, 1))
        money.card(account)
        assert not sweep().charged
        assert not gateway.charges()
