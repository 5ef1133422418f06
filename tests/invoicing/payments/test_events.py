"""P4, P8: notices are worked off once, in any order; what cannot be placed waits for a person and is never dropped."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError

from accounts.actors import NotPermitted
from accounts.models import AuditEntry
from invoicing.documents.models import Letter
from invoicing.payments import events
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.protocol import ChargeRequest, RefundRequest
from invoicing.payments.models import Chargeback, Payment, PaymentMethod, Refund
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import (
    MoneyRefused,
    book_refund_made_elsewhere,
    charge,
    refund,
    resolve_event,
    resolve_open,
    retry_event,
    work_off_events,
)
from invoicing.payments.receiving import receive
from invoicing.states import NotPossibleNow
from tests.chaos.at_once import at_once, failures
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA, NOBODY, NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    money.ship_rates()
    return made.customer()


def taken_in(gateway, *, after=0):
    """Have what the gateway said since then come in by its webhook."""
    for event in gateway.events_since(after):
        receive(gateway_name="demo", body=event.body, signature=event.signature, now=gateway.clock())


def worked_off(gateway):
    taken_in(gateway)
    return work_off_events(now=gateway.clock())


def states():
    return dict(WebhookEvent.objects.values_list("type", "state"))


def charged_elsewhere(gateway, method, key="somebody-else", amount="55"):
    """A charge at the gateway that no payment of ours made."""
    request = ChargeRequest(key, Decimal(amount), "USD", "CARD", method.token, method.customer_token, "Elsewhere")
    return gateway.charge(request)


class TestWorkOffEvents:
    def test_settles_a_payment_without_an_answer(self, account, gateway):
        invoice = money.invoice(account)
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        worked_off(gateway)
        payment.refresh_from_db()
        assert payment.state == "SUCCEEDED"
        assert money.open_of(invoice) == 0
        assert WebhookEvent.objects.get(type="payment_intent.succeeded").payment == payment

    def test_settles_a_debit_days_later(self, account, gateway):
        invoice = money.invoice(account)
        charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
        gateway.clock.advance(timedelta(days=4))
        gateway.pass_time()
        worked_off(gateway)
        assert money.open_of(invoice) == 0

    def test_fails_a_debit_with_the_banks_code(self, account, gateway):
        invoice = money.invoice(account)
        charge(account.pk, money.bank_account(account, "fail.R02"), actor=MIA, now=NOW)
        gateway.clock.advance(timedelta(days=4))
        gateway.pass_time()
        worked_off(gateway)
        payment = Payment.objects.get()
        assert (payment.state, payment.failure_code, payment.hard) == ("FAILED", "R02", True)
        assert PaymentMethod.objects.get().state == "BLOCKED"
        assert money.open_of(invoice) == 100

    def test_takes_a_returned_debit_back(self, account, gateway):
        invoice = money.invoice(account)
        charge(account.pk, money.bank_account(account, "return.R10"), actor=MIA, now=NOW)
        gateway.clock.advance(timedelta(days=30))
        gateway.pass_time()
        worked_off(gateway)
        assert Payment.objects.get().state == "RETURNED"
        assert money.open_of(invoice) == 100

    def test_follows_a_chargeback_until_it_is_won(self, account, gateway):
        invoice = money.invoice(account)
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        dispute = gateway.open_dispute(payment.gateway_reference)
        worked_off(gateway)
        assert money.open_of(invoice) == 100
        gateway.clock.advance(timedelta(days=10))
        gateway.close_dispute(dispute, won=True)
        worked_off(gateway)
        assert Chargeback.objects.get().state == "WON"
        assert money.open_of(invoice) == 0

    @pytest.mark.parametrize(
        ("does", "reason", "details", "state"),
        [
            pytest.param("ach-ok", "general", None, "RETURNED", id="a debit with a reason of cards"),
            pytest.param("card-ok", "insufficient_funds", None, "SUCCEEDED", id="a card with a reason of debits"),
        ],
    )
    def test_tells_returns_from_chargebacks_by_the_payment(self, account, gateway, does, reason, details, state):
        """Of bank accounts Stripe's dispute names no kind of method, and either may give either's reason."""
        invoice = money.invoice(account)
        make = money.bank_account if does == "ach-ok" else money.card
        payment = charge(account.pk, make(account), actor=MIA, now=NOW)
        gateway.clock.advance(timedelta(days=5))
        gateway.pass_time()
        gateway.open_dispute(payment.gateway_reference, reason)
        taken_in(gateway)
        for event in WebhookEvent.objects.filter(type__startswith="charge.dispute"):
            body = json.loads(event.body)
            body["data"]["object"]["payment_method_details"] = details
            event.body = json.dumps(body)
            event.save()
        work_off_events(now=gateway.clock())
        payment.refresh_from_db()
        assert payment.state == state
        assert Chargeback.objects.count() == (state == "SUCCEEDED")
        assert money.open_of(invoice) == 100

    def test_settles_a_refund(self, account, gateway):
        money.invoice(account)
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        gateway.stripe.faults = Told([Fault.LOST_REPLY], call="refund")
        refund(payment, actor=MIA, now=NOW, reason="Not wanted.")
        worked_off(gateway)
        assert Refund.objects.get().state == "SUCCEEDED"

    def test_all_twice_and_backwards_changes_nothing_twice(self, account, gateway):
        invoice = money.invoice(account)
        charge(account.pk, money.bank_account(account, "return.R10"), actor=MIA, now=NOW)
        gateway.clock.advance(timedelta(days=30))
        gateway.pass_time()
        for event in reversed(gateway.events_since(0)):
            for _ in range(2):
                receive(gateway_name="demo", body=event.body, signature=event.signature, now=gateway.clock())
                work_off_events(now=gateway.clock())
        assert Payment.objects.get().state == "RETURNED"
        assert money.open_of(invoice) == 100
        assert money.balance(account, "GATEWAY_CLEARING") == 0
        assert not WebhookEvent.objects.exclude(state__in=["DONE", "KEPT"]).exists()

    def test_keeps_what_it_does_nothing_with(self, account, gateway):
        money.invoice(account)
        charge(account.pk, money.card(account), actor=MIA, now=NOW)
        worked_off(gateway)
        assert states()["charge.succeeded"] == "KEPT"


class TestMethods:
    """The window was closed on the gateway's page, and the notice alone tells us of the card."""

    def test_keeps_a_method_that_was_entered(self, account, gateway):
        page = gateway.page_to_add_method(
            account_number=account.number, email="", customer_token="", return_to="https://portal.example/methods"
        )
        gateway.complete_page(page.rstrip("/").rpartition("/")[2])
        worked_off(gateway)
        method = PaymentMethod.objects.get()
        assert (method.account, method.is_default) == (account, True)
        assert states()["checkout.session.completed"] == "DONE"

    def test_is_tried_again_while_the_gateway_does_not_answer(self, account, gateway):
        page = gateway.page_to_add_method(
            account_number=account.number, email="", customer_token="", return_to="https://portal.example/methods"
        )
        gateway.complete_page(page.rstrip("/").rpartition("/")[2])
        gateway.stripe.faults = Told([Fault.TIMEOUT_BEFORE], call="look")
        assert worked_off(gateway)["FAILED"] == 1
        work_off_events(now=NOW + timedelta(minutes=2))
        assert PaymentMethod.objects.count() == 1


class TestParked:
    """FOSSBilling: a notice of an unknown payment was answered 200 and dropped."""

    def test_a_charge_of_which_we_know_nothing(self, account, gateway):
        charged_elsewhere(gateway, money.card(account))
        worked_off(gateway)
        event = WebhookEvent.objects.get(type="payment_intent.succeeded")
        assert event.state == "PARKED"
        assert "USD 55.00" in event.error
        assert not money.sources(account)

    def test_a_failed_charge_of_which_we_know_nothing_is_kept(self, account, gateway):
        charged_elsewhere(gateway, money.card(account, "decline.do_not_honor"))
        worked_off(gateway)
        assert states() == {"payment_intent.payment_failed": "KEPT"}

    @pytest.mark.parametrize("change", [{"amount": Decimal(90)}, {"currency": "EUR"}])
    def test_another_amount_or_currency(self, account, gateway, change):
        """InvoicePlane: the amount was compared, the currency not."""
        invoice = money.invoice(account)
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        Payment.objects.filter(pk=payment.pk).update(**change)
        worked_off(gateway)
        event = WebhookEvent.objects.get(type="payment_intent.succeeded")
        assert event.state == "PARKED"
        assert "was to take" in event.error
        assert event.payment == payment
        assert money.open_of(invoice) == 100

    def test_a_refund_made_elsewhere(self, account, gateway):
        money.invoice(account)
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        gateway.refund(RefundRequest("by-hand", payment.gateway_reference, Decimal(10), "USD"))
        worked_off(gateway)
        parked = WebhookEvent.objects.filter(state="PARKED")
        assert parked
        assert all("USD 10.00" in event.error for event in parked)

    def test_a_refund_made_elsewhere_is_booked_by_a_person(self, account, gateway):
        """Its several notices are worked off by that, and what comes later of it finds it."""
        due = money.invoice(account)
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        given = gateway.refund(RefundRequest("by-hand", payment.gateway_reference, Decimal("50.50"), "USD"))
        worked_off(gateway)
        event = WebhookEvent.objects.filter(state="PARKED").first()
        made_ = book_refund_made_elsewhere(event, actor=MIA, now=NOW, reason="Settled by phone.")
        assert (made_.amount, made_.fee, made_.state) == (50, Decimal("0.50"), "SUCCEEDED")
        assert (money.open_of(due), money.balance(account, "GATEWAY_CLEARING")) == (50, Decimal("50.50"))
        assert Letter.objects.filter(key=f"refund-receipt:{made_.pk}").exists()
        work_off_events(now=NOW)
        assert not WebhookEvent.objects.filter(state="PARKED").exists()
        gateway.fail_refund(given.reference)
        worked_off(gateway)
        made_.refresh_from_db()
        assert (made_.state, money.balance(account, "GATEWAY_CLEARING")) == ("FAILED", 101)

    def test_a_refund_made_elsewhere_is_booked_once_and_never_beyond_what_is_left(self, account, gateway):
        money.invoice(account)
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        gateway.refund(RefundRequest("by-hand", payment.gateway_reference, Decimal("60.60"), "USD"))
        worked_off(gateway)
        event = WebhookEvent.objects.filter(state="PARKED").first()
        with pytest.raises(NotPermitted):
            book_refund_made_elsewhere(event, actor=NOBODY, now=NOW, reason="So.")
        with pytest.raises(MoneyRefused, match="Say why"):
            book_refund_made_elsewhere(event, actor=MIA, now=NOW, reason=" ")
        book_refund_made_elsewhere(event, actor=MIA, now=NOW, reason="So.")
        with pytest.raises(NotPossibleNow):
            book_refund_made_elsewhere(event, actor=MIA, now=NOW, reason="So.")
        WebhookEvent.objects.filter(pk=event.pk).update(state="PARKED")
        with pytest.raises(MoneyRefused, match="booked already, as refund"):
            book_refund_made_elsewhere(event, actor=MIA, now=NOW, reason="So.")
        Refund.objects.update(gateway_reference="re_other")
        with pytest.raises(MoneyRefused, match=r"with USD 40\.40 left of it, and the gateway gave back USD 60\.60"):
            book_refund_made_elsewhere(event, actor=MIA, now=NOW, reason="So.")
        assert money.balance(account, "GATEWAY_CLEARING") == Decimal("40.40")

    def test_a_charge_is_no_refund_to_be_booked(self, account, gateway):
        charged_elsewhere(gateway, money.card(account))
        worked_off(gateway)
        event = WebhookEvent.objects.get(state="PARKED")
        with pytest.raises(MoneyRefused, match="tells of no refund"):
            book_refund_made_elsewhere(event, actor=MIA, now=NOW, reason="So.")

    def test_a_chargeback_of_which_we_know_nothing(self, account, gateway):
        answer = charged_elsewhere(gateway, money.card(account))
        gateway.open_dispute(answer.reference)
        worked_off(gateway)
        event = WebhookEvent.objects.get(type="charge.dispute.created")
        assert (event.state, "USD 55.00 was charged back" in event.error) == ("PARKED", True)

    def test_one_that_is_not_as_we_know_it(self, account, gateway):
        money.invoice(account)
        charge(account.pk, money.card(account), actor=MIA, now=NOW)
        taken_in(gateway)
        event = WebhookEvent.objects.get(type="payment_intent.succeeded")
        WebhookEvent.objects.filter(pk=event.pk).update(body=event.body.replace('"currency"', '"money"'))
        work_off_events(now=NOW)
        event.refresh_from_db()
        assert (event.state, "not as we know" in event.error) == ("PARKED", True)


class TestTriedAgain:
    def test_after_a_fault_of_ours(self, account, gateway, monkeypatch):
        invoice = money.invoice(account)
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        charge(account.pk, money.card(account), actor=MIA, now=NOW)
        taken_in(gateway)

        def gone(*_, **__):
            raise OperationalError("the connection is gone")

        with monkeypatch.context() as patch:
            patch.setattr(events, "record_answer", gone)
            assert work_off_events(now=NOW)["FAILED"] == 1
        event = WebhookEvent.objects.get(type="payment_intent.succeeded")
        assert (event.state, event.attempts) == ("RECEIVED", 1)
        assert "the connection is gone" in event.error
        assert work_off_events(now=NOW) == {}
        work_off_events(now=NOW + timedelta(minutes=2))
        assert money.open_of(invoice) == 0

    def test_eight_times_and_then_waits_for_a_person(self, account, gateway, monkeypatch):
        money.invoice(account)
        charge(account.pk, money.card(account), actor=MIA, now=NOW)
        taken_in(gateway)

        def broken(*_, **__):
            raise ValueError("no")

        monkeypatch.setattr(events, "record_answer", broken)
        for day in range(9):
            work_off_events(now=NOW + timedelta(days=day))
        event = WebhookEvent.objects.get(type="payment_intent.succeeded")
        assert (event.state, event.attempts) == ("PARKED", 8)

    def test_when_a_chargeback_comes_before_the_payments_name(self, account, gateway):
        """A lost reply: we do not know yet what the gateway calls it."""
        invoice = money.invoice(account)
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        charge(account.pk, money.card(account), actor=MIA, now=NOW)
        gateway.open_dispute(gateway.charges()[0]["id"])
        for event in gateway.events_since(0)[-2:]:
            receive(gateway_name="demo", body=event.body, signature=event.signature, now=NOW)
        assert work_off_events(now=NOW)["FAILED"] == 2
        resolve_open(now=NOW + timedelta(minutes=2))
        work_off_events(now=NOW + timedelta(minutes=5))
        assert Chargeback.objects.get().state == "OPEN"
        assert money.open_of(invoice) == 100
        assert money.balance(account, "GATEWAY_CLEARING") == 0


class TestByAPerson:
    @pytest.fixture
    def parked(self, account, gateway):
        charged_elsewhere(gateway, money.card(account))
        worked_off(gateway)
        return WebhookEvent.objects.get(state="PARKED")

    def test_is_settled_with_a_reason(self, parked):
        assert resolve_event(parked, actor=MIA, now=NOW, why="Given back at the gateway.").state == "DONE"
        entry = AuditEntry.objects.get(action="event.resolve")
        assert (entry.who, entry.why) == ("Mia Manager", "Given back at the gateway.")
        with pytest.raises(NotPossibleNow):
            resolve_event(parked, actor=MIA, now=NOW, why="Again.")

    def test_needs_a_reason_and_the_permission(self, parked):
        with pytest.raises(MoneyRefused, match="Say what was done"):
            resolve_event(parked, actor=MIA, now=NOW, why=" ")
        for act in (lambda: resolve_event(parked, actor=NOBODY, now=NOW, why="x"),
                    lambda: retry_event(parked, actor=NOBODY, now=NOW)):  # fmt: skip
            with pytest.raises(NotPermitted):
                act()

    def test_is_worked_off_again(self, parked):
        assert retry_event(parked, actor=MIA, now=NOW).state == "RECEIVED"
        assert work_off_events(now=NOW) == {"PARKED": 1}


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_four_workers_work_each_off_once(self, account, gateway):
        invoices = [money.invoice(account, "10")]
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        charge(account.pk, money.card(account), actor=MIA, now=NOW)
        taken_in(gateway)
        results = at_once([lambda: work_off_events(now=NOW)] * 4)
        assert not failures(results)
        assert sum(result.total() for result in results) == WebhookEvent.objects.count()
        assert WebhookEvent.objects.exclude(attempts=1).count() == 0
        assert money.balance(account, "GATEWAY_CLEARING") == Decimal("10.10")
        assert money.open_of(invoices[0]) == 0
