"""P4: an open attempt is asked about, on a schedule and when somebody looks; none is charged twice, none is lost."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError

from accounts.actors import NotPermitted
from accounts.models import AuditEntry
from invoicing.payments import recording, resolving
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.models import Payment, Refund
from invoicing.payments.operations import (
    MoneyRefused,
    book_payment,
    charge,
    give_up,
    look_now,
    record_attempt,
    refund,
    resolve_open,
)
from tests.chaos.at_once import at_once, failures
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA, NOBODY, NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]

LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def account():
    money.ship_rates()
    return made.customer()


def unknown(account, gateway, fault=Fault.LOST_REPLY, method=None):
    gateway.stripe.faults = Told([fault])
    return charge(account.pk, method or money.card(account), actor=MIA, now=NOW)


def by_check(account, amount="100"):
    return book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference="c1", received_on=money.TODAY,
        actor=MIA, now=NOW, despite_open=True,
    )  # fmt: skip


def only():
    return Payment.objects.exclude(gateway="manual").get()


class TestResolveOpen:
    @pytest.mark.parametrize("fault", [Fault.TIMEOUT_AFTER, Fault.LOST_REPLY, Fault.ERROR_AFTER])
    def test_finds_what_was_charged(self, account, gateway, fault):
        invoice = money.invoice(account)
        unknown(account, gateway, fault)
        assert resolve_open(now=LATER) == (1, 1, 0)
        assert only().state == "SUCCEEDED"
        assert money.open_of(invoice) == 0
        assert len(gateway.charges()) == 1

    @pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.ERROR_BEFORE])
    def test_sends_what_never_arrived_again_under_the_same_key(self, account, gateway, fault):
        invoice = money.invoice(account)
        payment = unknown(account, gateway, fault)
        for hours in (0.2, 1, 6):
            resolve_open(now=NOW + timedelta(hours=hours))
        assert only().state == "SUCCEEDED"
        assert [intent["metadata"]["payment_key"] for intent in gateway.charges()] == [payment.key]
        assert money.open_of(invoice) == 0

    def test_waits_until_its_time_has_come(self, account, gateway):
        money.invoice(account)
        unknown(account, gateway)
        assert resolve_open(now=NOW + timedelta(seconds=30)).looked == 0

    def test_takes_up_what_a_crash_left_before_the_call(self, account, gateway):
        invoice = money.invoice(account)
        record_attempt(account.pk, money.card(account), actor=MIA, now=NOW)
        assert resolve_open(now=NOW + timedelta(minutes=4)).looked == 0
        resolve_open(now=NOW + timedelta(minutes=6))
        assert only().state == "SUCCEEDED"
        assert money.open_of(invoice) == 0

    def test_takes_up_what_a_crash_left_after_the_call(self, account, gateway, monkeypatch):
        invoice = money.invoice(account)

        def killed(*_, **__):
            raise KeyboardInterrupt

        method = money.card(account)
        with monkeypatch.context() as patch:
            patch.setattr(recording, "succeed", killed)
            with pytest.raises(KeyboardInterrupt):
                charge(account.pk, method, actor=MIA, now=NOW)
        assert only().state == "CREATED"
        resolve_open(now=LATER)
        assert only().state == "SUCCEEDED"
        assert money.open_of(invoice) == 0
        assert len(gateway.charges()) == 1

    def test_does_not_send_again_what_is_not_due_any_more(self, account, gateway):
        """Kill Bill: an unknown payment and a manual one."""
        money.invoice(account)
        unknown(account, gateway, Fault.TIMEOUT_BEFORE)
        by_check(account)
        resolve_open(now=LATER)
        assert only().state == "UNKNOWN"
        resolve_open(now=NOW + timedelta(hours=2))
        assert (only().state, only().failure_code) == ("FAILED", "not_needed")
        assert not gateway.charges()

    def test_does_not_believe_the_silence_within_the_hour(self, account, gateway):
        money.invoice(account)
        record_attempt(account.pk, money.card(account), actor=MIA, now=NOW)
        by_check(account)
        resolve_open(now=NOW + timedelta(minutes=59))
        assert only().state == "UNKNOWN"

    def test_cancels_what_was_never_sent_and_is_not_due_any_more(self, account, gateway):
        money.invoice(account)
        record_attempt(account.pk, money.card(account), actor=MIA, now=NOW)
        by_check(account)
        resolve_open(now=NOW + timedelta(minutes=61))
        assert only().state == "CANCELLED"
        assert not only().targets.get().is_open
        assert not gateway.charges()

    @pytest.mark.parametrize(("automatic", "state"), [(True, "FAILED"), (False, "SUCCEEDED")])
    def test_does_not_send_what_the_schedule_stops_for_by_now(self, account, gateway, monkeypatch, automatic, state):
        """The invoice was disputed before the attempt got out; what a customer pays itself is its own affair."""
        invoice = money.invoice(account)
        record_attempt(account.pk, money.card(account), actor=MIA, now=NOW, automatic=automatic)
        monkeypatch.setattr(resolving, "excluded", lambda ids, *, on: dict.fromkeys(ids, "It is disputed."))
        for minutes in (10, 80):
            resolve_open(now=NOW + timedelta(minutes=minutes))
        assert only().state == state
        assert len(gateway.charges()) == (not automatic)
        assert money.open_of(invoice) == (100 if automatic else 0)

    def test_takes_what_was_charged_although_it_is_not_due_any_more(self, account, gateway):
        money.invoice(account)
        unknown(account, gateway, Fault.LOST_REPLY)
        by_check(account)
        resolve_open(now=LATER)
        assert only().state == "SUCCEEDED"
        assert money.balance(account, "CUSTOMER_CREDIT") == -100

    def test_never_uses_an_old_key_again(self, account, gateway):
        """After 24 hours it is looked up and given up, and a new attempt may be made."""
        invoice = money.invoice(account)
        first = unknown(account, gateway, Fault.TIMEOUT_BEFORE)
        resolve_open(now=NOW + timedelta(hours=24))
        assert (only().state, only().failure_code) == ("FAILED", "never_reached")
        assert not gateway.charges()
        second = charge(account.pk, first.method, actor=MIA, now=NOW + timedelta(hours=25))
        assert second.state == "SUCCEEDED"
        assert money.open_of(invoice) == 0

    def test_finds_after_24_hours_what_was_charged(self, account, gateway):
        invoice = money.invoice(account)
        unknown(account, gateway, Fault.LOST_REPLY)
        resolve_open(now=NOW + timedelta(days=9))
        assert only().state == "SUCCEEDED"
        assert money.open_of(invoice) == 0

    def test_asks_less_often_the_longer_it_lasts(self, account, gateway):
        money.invoice(account)
        unknown(account, gateway)
        gateway.stripe.faults = Told([Fault.TIMEOUT_BEFORE] * 9, call="look")
        waits, now = [], NOW
        for _ in range(5):
            now = only().next_look_at
            resolve_open(now=now)
            waits.append(only().next_look_at - now)
        assert waits == [timedelta(minutes=n) for n in (5, 15, 60, 240, 720)]
        assert only().looks == 5

    def test_asks_a_bank_daily(self, account, gateway):
        invoice = money.invoice(account)
        charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
        assert resolve_open(now=NOW + timedelta(hours=23)).looked == 0
        assert resolve_open(now=NOW + timedelta(days=1)) == (1, 0, 0)
        gateway.clock.advance(timedelta(days=4))
        gateway.pass_time()
        resolve_open(now=NOW + timedelta(days=4, hours=1))
        assert only().state == "SUCCEEDED"
        assert money.open_of(invoice) == 0

    def test_one_that_fails_keeps_no_other_from_being_looked_at(self, account, gateway, monkeypatch):
        first, second = made.customer(), made.customer()
        for one in (first, second):
            money.invoice(one)
            unknown(one, gateway)
        real = resolving.find_at_gateway

        def broken(payment):
            if payment.account_id == first.pk:
                raise OperationalError("gone")
            return real(payment)

        monkeypatch.setattr(resolving, "find_at_gateway", broken)
        assert resolve_open(now=LATER) == (2, 1, 1)
        monkeypatch.setattr(resolving, "find_at_gateway", real)
        assert resolve_open(now=NOW + timedelta(days=1)) == (1, 1, 0)
        assert {payment.state for payment in Payment.objects.all()} == {"SUCCEEDED"}


class TestLookNow:
    def test_asks_at_once_and_is_on_record(self, account, gateway):
        money.invoice(account)
        payment = unknown(account, gateway)
        assert look_now(payment, actor=MIA, now=NOW).state == "SUCCEEDED"
        assert AuditEntry.objects.filter(action="payment.look", who="Mia Manager").exists()

    def test_needs_the_permission(self, account, gateway):
        money.invoice(account)
        with pytest.raises(NotPermitted):
            look_now(unknown(account, gateway), actor=NOBODY, now=NOW)

    def test_of_a_check_is_refused(self, account):
        with pytest.raises(MoneyRefused, match="came by hand"):
            look_now(by_check(account), actor=MIA, now=NOW)

    def test_of_one_that_was_given_up_finds_it_after_all(self, account, gateway):
        money.invoice(account)
        payment = unknown(account, gateway)
        Payment.objects.filter(pk=payment.pk).update(state="FAILED", next_look_at=None)
        assert look_now(payment, actor=MIA, now=NOW).state == "SUCCEEDED"


class TestGiveUp:
    """A person has found out that nothing was taken."""

    def test_frees_the_invoice_for_another_attempt(self, account, gateway):
        invoice = money.invoice(account)
        payment = unknown(account, gateway, Fault.TIMEOUT_BEFORE)
        assert give_up(payment, actor=MIA, now=NOW, why="Not in the dashboard.").state == "FAILED"
        charge(account.pk, payment.method, actor=MIA, now=NOW)
        assert money.open_of(invoice) == 0

    def test_of_what_was_taken_after_all_is_recorded_all_the_same(self, account, gateway):
        invoice = money.invoice(account)
        payment = unknown(account, gateway, Fault.LOST_REPLY)
        give_up(payment, actor=MIA, now=NOW, why="Not in the dashboard.")
        look_now(payment, actor=MIA, now=NOW)
        assert money.open_of(invoice) == 0

    def test_of_what_the_gateway_has_answered_is_refused(self, account, gateway):
        money.invoice(account)
        payment = charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
        with pytest.raises(MoneyRefused, match="its answer stands"):
            give_up(payment, actor=MIA, now=NOW, why="I think so.")


class TestRefunds:
    """The same for money on its way back."""

    @pytest.fixture
    def paid(self, account):
        money.invoice(account)
        return charge(account.pk, money.card(account), actor=MIA, now=NOW)

    @pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.TIMEOUT_BEFORE])
    def test_is_given_back_once(self, account, gateway, paid, fault):
        gateway.stripe.faults = Told([fault], call="refund")
        assert refund(paid, actor=MIA, now=NOW, reason="Not wanted.").state == "UNKNOWN"
        resolve_open(now=LATER)
        assert Refund.objects.get().state == "SUCCEEDED"
        assert money.balance(account, "GATEWAY_CLEARING") == 0

    def test_that_never_reached_is_booked_back(self, account, gateway, paid):
        gateway.stripe.faults = Told([Fault.TIMEOUT_BEFORE], call="refund")
        refund(paid, actor=MIA, now=NOW, reason="Not wanted.")
        resolve_open(now=NOW + timedelta(hours=24))
        assert Refund.objects.get().state == "FAILED"
        assert money.balance(account, "GATEWAY_CLEARING") == 101
        assert money.balance(account, "RECEIVABLE") == 0


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_four_resolvers_settle_it_once(self, account, gateway):
        invoice = money.invoice(account)
        unknown(account, gateway)
        results = at_once([lambda: resolve_open(now=LATER)] * 4)
        assert not failures(results)
        assert sum(result.looked for result in results) == 1
        assert money.open_of(invoice) == 0
        assert money.balance(account, "GATEWAY_CLEARING") == 101

    def test_a_resolver_and_a_person_settle_it_once(self, account, gateway):
        money.invoice(account)
        payment = unknown(account, gateway)
        results = at_once([lambda: resolve_open(now=LATER), lambda: look_now(payment, actor=MIA, now=LATER)])
        assert not failures(results)
        assert money.balance(account, "GATEWAY_CLEARING") == 101
