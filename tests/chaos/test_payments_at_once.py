"""P4: what happens at once, each race with its negative control: its guard taken away, the fault is seen."""

from decimal import Decimal

import pytest

from accounts.actors import schedule
from invoicing.payments.calling import charge_at_gateway
from invoicing.payments.models import Payment, Refund
from invoicing.payments.operations import (
    AlreadyUnderWay,
    BookingRefused,
    MoneyRefused,
    NothingDue,
    allocate,
    book_payment,
    charge,
    charge_due,
    record_answer,
    record_attempt,
    refund,
    take_back,
    work_off_events,
)
from invoicing.payments.queries import unallocated
from invoicing.payments.receiving import take_in
from invoicing.runs.books import differences_in_books
from tests.chaos.at_once import at_once, failures
from tests.chaos.meeting import Meeting, without_sources, without_the_lock
from tests.chaos.the_bank import differences_with
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.conftest import gateway
from tests.invoicing.payments.factories import MIA, NOW, TODAY

__all__ = ["gateway"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account():
    money.ship_rates()
    return made.customer(profile={"auto_charge": True})


@pytest.fixture
def invoice(account):
    return money.invoice(account)


def check(account, amount="100", reference="c1", **values):
    return book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference=reference, received_on=TODAY,
        actor=MIA, now=NOW, **values,
    )  # fmt: skip


class TestTwoSweeps:
    """Guards: the lock of the account's money, and the unique index over open attempts."""

    def swept(self, account, monkeypatch):
        money.card(account)
        Meeting(monkeypatch, "invoicing.payments.charging._due")
        results = at_once([lambda: charge_due(on=TODAY, now=NOW, actor=schedule())] * 2)
        assert failures(results) == []
        assert all(not result.failed for result in results)
        return sum(len(result.charged) for result in results)

    def test_charge_an_invoice_once(self, account, invoice, gateway, monkeypatch):
        assert self.swept(account, monkeypatch) == len(gateway.charges()) == 1
        assert money.open_of(invoice) == 0
        assert list(differences_in_books()) == []

    def test_do_so_by_the_index_alone(self, account, invoice, gateway, monkeypatch):
        without_the_lock(monkeypatch)
        assert self.swept(account, monkeypatch) == len(gateway.charges()) == 1

    def test_do_so_by_the_lock_alone(self, account, invoice, gateway, monkeypatch, take_away):
        take_away("one_open_attempt_an_invoice")
        assert self.swept(account, monkeypatch) == len(gateway.charges()) == 1

    def test_without_either_charge_it_twice(self, account, invoice, gateway, monkeypatch, take_away):
        """The negative control."""
        take_away("one_open_attempt_an_invoice")
        without_the_lock(monkeypatch)
        assert self.swept(account, monkeypatch) == len(gateway.charges()) == 2
        assert differences_with(gateway) == [f"Invoice {invoice.pk} was paid 2 times."]


class TestAnAnswerAndItsNotice:
    """Guards: the lock, under which the state is looked at, and the unique source of each entry."""

    def told_twice(self, account, gateway, monkeypatch):
        payment = record_attempt(account.pk, money.card(account), actor=MIA, now=NOW)
        answer = charge_at_gateway(payment)
        take_in(gateway)
        Meeting(monkeypatch, "invoicing.payments.recording.check_answer")
        results = at_once([lambda: record_answer(payment, answer, now=NOW), lambda: work_off_events(now=NOW)])
        assert failures(results) == []
        assert Payment.objects.get().state == "SUCCEEDED"
        return money.balance(account, "GATEWAY_CLEARING")

    def test_are_posted_once(self, account, invoice, gateway, monkeypatch):
        assert self.told_twice(account, gateway, monkeypatch) == 101
        assert money.open_of(invoice) == 0
        assert list(differences_in_books()) == []

    def test_are_so_by_the_source_alone(self, account, invoice, gateway, monkeypatch):
        without_the_lock(monkeypatch, "recording")
        assert self.told_twice(account, gateway, monkeypatch) == 101

    def test_without_either_are_posted_twice(self, account, invoice, gateway, monkeypatch):
        """The negative control."""
        without_the_lock(monkeypatch, "recording")
        without_sources(monkeypatch)
        assert self.told_twice(account, gateway, monkeypatch) == 202


class TestACheckAndACharge:
    """Kill Bill: paid twice. Guard: the lock, under which each looks for the other."""

    def both(self, account, monkeypatch):
        method = money.card(account)
        Meeting(monkeypatch, "invoicing.payments.charging._due", "invoicing.payments.booking._check_none_open")
        return at_once([lambda: charge(account.pk, method, actor=MIA, now=NOW), lambda: check(account)])

    def test_of_one_invoice_do_not_both_take_the_money(self, account, invoice, gateway, monkeypatch):
        results = self.both(account, monkeypatch)
        [refused] = failures(results)
        assert isinstance(refused, (BookingRefused, NothingDue, AlreadyUnderWay))
        assert Payment.objects.get().state == "SUCCEEDED"
        assert money.open_of(invoice) == money.balance(account, "CUSTOMER_CREDIT") == 0
        assert list(differences_in_books()) == []

    def test_without_the_lock_both_do(self, account, invoice, gateway, monkeypatch):
        """The negative control; even so no cent is lost: what came twice is credit."""
        without_the_lock(monkeypatch, "recording")
        assert failures(self.both(account, monkeypatch)) == []
        assert Payment.objects.filter(state="SUCCEEDED").count() == 2
        # Whether it became credit or overpaid the invoice is chance, without the lock.
        assert money.open_of(invoice) + money.balance(account, "CUSTOMER_CREDIT") == -100


class TestTwoRefunds:
    """Guards: the locks of the account and of the payment, under which what is left is counted."""

    def both(self, payment, monkeypatch):
        Meeting(monkeypatch, "invoicing.payments.refunds._check")
        return at_once([
            lambda number=number: refund(payment, actor=MIA, now=NOW, reason="Not wanted.", reference=f"c{number}")
            for number in (2, 3)
        ])  # fmt: skip

    def test_give_a_payment_back_once(self, account, invoice, gateway, monkeypatch):
        payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        [refused] = failures(self.both(payment, monkeypatch))
        assert isinstance(refused, MoneyRefused)
        assert Refund.objects.get().state == "SUCCEEDED"
        assert money.balance(account, "GATEWAY_CLEARING") == 0
        assert money.open_of(invoice) == 100
        assert list(differences_in_books()) == []

    def test_without_the_locks_give_a_check_back_twice(self, account, invoice, gateway, monkeypatch):
        """The negative control, where no gateway refuses the second."""
        payment = check(account)
        without_the_lock(monkeypatch, "refunds")
        assert failures(self.both(payment, monkeypatch)) == []
        assert money.balance(account, "GATEWAY_CLEARING") == -100


class TestTwoAllocations:
    """Guards: the locks of the account and of the payment, and the unique source of each entry."""

    def both(self, account, monkeypatch):
        invoices = [money.invoice(account), money.invoice(account)]
        payment = check(account, invoices=[invoices[0].pk])
        take_back(payment, invoices[0], actor=MIA, now=NOW, why="The wrong one.")
        Meeting(monkeypatch, "invoicing.payments.allocation.unallocated")
        results = at_once(
            [lambda pk=one.pk: allocate(payment, actor=MIA, now=NOW, invoices=[pk]) for one in invoices]
        )  # fmt: skip
        return results, sorted(money.open_of(one) for one in invoices), unallocated(payment.pk)

    def test_put_its_money_on_one_invoice(self, account, gateway, monkeypatch):
        results, opens, rest = self.both(account, monkeypatch)
        [refused] = failures(results)
        assert isinstance(refused, MoneyRefused)
        assert (opens, rest) == ([0, 100], 0)
        assert list(differences_in_books()) == []

    def test_do_so_by_the_source_alone(self, account, gateway, monkeypatch):
        without_the_lock(monkeypatch, "allocation")
        _, opens, rest = self.both(account, monkeypatch)
        assert (opens, rest) == ([0, 100], 0)

    def test_without_either_spend_it_twice(self, account, gateway, monkeypatch):
        """The negative control."""
        without_the_lock(monkeypatch, "allocation")
        without_sources(monkeypatch)
        results, opens, rest = self.both(account, monkeypatch)
        assert failures(results) == []
        assert (opens, rest) == ([0, 0], -100)
