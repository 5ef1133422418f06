"""Failures that others have had with money and that go through several rooms; others stand in `test_peers.py`."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.actors import schedule
from invoicing.collections.reminders import remind
from invoicing.documents.models import Letter
from invoicing.ledger.models import LedgerEntry
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.protocol import Forged
from invoicing.payments.models import Payment
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import charge, give_up, resolve_open, work_off_events
from invoicing.prepaid.crediting import credit_top_up, hear_of_payment
from invoicing.prepaid.models import TopUp
from invoicing.prepaid.topping_up import top_up_due, top_up_if_due
from invoicing.runs.books import differences_in_books
from tests.chaos.the_bank import DAY, HOUR, event, tell
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.conftest import gateway
from tests.invoicing.payments.factories import MIA, NOW, TODAY
from tests.invoicing.prepaid.factories import agreement, balance_of, posted_balance, prepaid

__all__ = ["gateway"]
pytestmark = pytest.mark.django_db


class TestFossbilling:
    """A top-up was credited without a payment: the order of its notices was believed."""

    @pytest.fixture
    def account(self):
        account = prepaid()
        agreement(account)
        money.ship_rates()
        return account

    def every_way_to_credit(self, made: TopUp) -> None:
        """What a worker, a listener called once too often and the sweep could do."""
        assert made.payment is not None
        credit_top_up(made.pk, now=NOW)
        hear_of_payment(Payment.objects.get(pk=made.payment.pk), now=NOW)
        top_up_due(actor=schedule(), now=NOW + timedelta(minutes=1))

    def nothing_was_credited(self, account) -> None:
        assert balance_of(account) == posted_balance(account) == 0
        assert not LedgerEntry.objects.filter(kind__in=["TOP_UP", "PAYMENT"]).exists()
        assert list(differences_in_books()) == []

    def topped_up(self, account, gateway, *faults: Fault) -> TopUp:
        gateway.stripe.faults = Told(faults)
        made_ = top_up_if_due(account.pk, actor=schedule(), now=NOW)
        assert made_ is not None
        return made_

    @pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.LOST_REPLY], ids=["not charged", "charged"])
    def test_without_an_answer_is_not_credited(self, account, gateway, fault):
        money.card(account)
        self.every_way_to_credit(self.topped_up(account, gateway, fault))
        self.nothing_was_credited(account)

    def test_pending_is_not_credited(self, account, gateway):
        money.bank_account(account)
        self.every_way_to_credit(self.topped_up(account, gateway))
        self.nothing_was_credited(account)

    def test_declined_is_not_credited(self, account, gateway):
        money.card(account, "decline.insufficient_funds")
        self.every_way_to_credit(self.topped_up(account, gateway))
        self.nothing_was_credited(account)

    def test_by_a_forged_notice_is_not_credited(self, account, gateway):
        money.bank_account(account)
        self.topped_up(account, gateway)
        paid = gateway.charges()[0] | {"status": "succeeded"}
        with pytest.raises(Forged):
            tell(gateway, event(gateway, "payment_intent.succeeded", paid, secret="whsec_of_somebody_else"))
        work_off_events(now=NOW)
        self.nothing_was_credited(account)

    @pytest.mark.parametrize("values", [{"amount_received": 1}, {"currency": "eur"}], ids=["a cent", "EUR"])
    def test_by_a_notice_of_something_else_is_not_credited(self, account, gateway, values):
        money.bank_account(account)
        self.topped_up(account, gateway)
        paid = gateway.charges()[0] | {"status": "succeeded", "amount_received": gateway.charges()[0]["amount"]}
        tell(gateway, event(gateway, "payment_intent.succeeded", paid | values))
        work_off_events(now=NOW)
        assert WebhookEvent.objects.get().state == "PARKED"
        self.nothing_was_credited(account)

    def test_is_credited_once_when_it_is_paid_however_often_it_is_said(self, account, gateway):
        money.bank_account(account)
        made_ = self.topped_up(account, gateway)
        paid = gateway.charges()[0] | {"status": "succeeded", "amount_received": gateway.charges()[0]["amount"]}
        for nth in range(3):
            tell(gateway, event(gateway, "payment_intent.succeeded", paid, name=f"evt_{nth}"))
            work_off_events(now=NOW)
            self.every_way_to_credit(made_)
        assert balance_of(account) == posted_balance(account) == made_.amount
        assert LedgerEntry.objects.filter(kind="TOP_UP").count() == 1


class TestKillBill:
    def test_an_attempt_given_up_by_hand_that_was_paid_after_all_is_not_charged_again(self, gateway):
        """An unknown payment was written off by a person, and the customer charged a second time."""
        money.ship_rates()
        account = made.customer()
        invoice = money.invoice(account)
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        give_up(payment, actor=MIA, now=NOW, why="The bank's page shows nothing.")
        tell(gateway, *gateway.events_since(0))
        work_off_events(now=NOW)
        assert Payment.objects.get().state == "SUCCEEDED"
        assert money.open_of(invoice) == 0
        assert money.balance(account, "GATEWAY_CLEARING") == 101


class TestLago:
    def test_after_a_part_payment_by_card_the_rest_is_asked_for_and_not_the_total(self, gateway):
        """Dunned for full totals."""
        money.ship_rates()
        account = made.customer()
        invoice = money.invoice(account, issued_on=TODAY)
        charge(account.pk, money.card(account), actor=MIA, now=NOW, amount=Decimal(60))
        remind(on=TODAY + 7 * DAY, now=NOW + 7 * DAY)
        letter = Letter.objects.get(kind="REMINDER")
        assert money.open_of(invoice) == 40
        assert letter.details["table"]["totals"][0][-1] == "USD 40.00"


class TestInvoiceNinja:
    def test_an_invoice_is_asked_for_once_a_day_however_often_its_payment_fails(self, gateway):
        """22 to 100 reminders in a day."""
        money.ship_rates()
        account = made.customer()
        money.invoice(account, issued_on=TODAY)
        method = money.card(account, "decline.insufficient_funds")
        day = NOW + 7 * DAY
        for _ in range(22):
            charge(account.pk, method, actor=MIA, now=day)
            resolve_open(now=day + HOUR)
            remind(on=day.date(), now=day)
        assert Payment.objects.filter(state="FAILED").count() == 22
        assert Letter.objects.filter(kind="REMINDER").count() == 1
