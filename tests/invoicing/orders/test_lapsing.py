"""SVC-1, SEAT-2: an order that nobody paid lapses."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.management import call_command

from accounts.actors import Actor, ActorKind, Channel, Role
from accounts.models import Account, AuditEntry
from invoicing.collections.models import Hold, PlatformNotice
from invoicing.invoices.models import Invoice, OpenInvoice
from invoicing.orders import lapsing, tasks
from invoicing.orders.following import order_of
from invoicing.orders.lapsing import lapse_orders
from invoicing.orders.models import Order
from invoicing.orders.operations import buy_seat, follow_orders, order_service
from invoicing.payments.booking import book_payment
from invoicing.payments.models import Payment
from invoicing.payments.queries import unallocated
from invoicing.runs.books import differences_in_books
from invoicing.subscriptions.models import OneOffCharge
from tests.invoicing import factories
from tests.invoicing.payments import factories as paying

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
LAST_DAY, DAY_AFTER = date(2026, 3, 16), date(2026, 3, 17)
MIA = Actor(ActorKind.STAFF, "Mia Manager", Channel.CONSOLE, permissions=frozenset({"invoicing.book_payment"}))


@pytest.fixture(autouse=True)
def rates():
    paying.ship_rates()


@pytest.fixture
def account():
    return factories.customer()


@pytest.fixture
def order(account) -> Order:
    plan = factories.plan("onboarding", "400", charge="ONE_OFF")
    plan.product.invoiced_at_once = True
    plan.product.save()
    return order_service(account, plan, "Moving", actor=factories.contact_of(account, Role.PRIMARY), now=NOW)


def by_check(account, amount: str) -> Payment:
    return book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference="4711", received_on=NOW.date(),
        actor=MIA, now=NOW,
    )  # fmt: skip


def lapsed(on: date) -> dict[str, int]:
    return dict(lapse_orders(on=on, now=LATER).done)


def state(order: Order) -> str:
    order.refresh_from_db()
    return order.state


class TestLapseOrders:
    def test_waits_for_the_last_day_that_the_terms_give(self, order):
        assert lapsed(LAST_DAY) == {}
        assert state(order) == "INVOICED"
        assert lapsed(DAY_AFTER) == {"lapsed": 1}
        assert state(order) == "CANCELLED"

    def test_counts_from_when_its_invoice_is_due(self, account):
        """A month's invoice that carries it may be due later than at once."""
        plan = factories.plan("onboarding", "400", charge="ONE_OFF")
        plan.product.invoiced_at_once = True
        plan.product.save()
        charge = factories.one_off_charge(account, plan, date(2026, 3, 1))
        factories.bill(date(2026, 4, 1))
        order = order_of(charge, now=NOW)
        OneOffCharge.objects.update(billed_on=None)
        follow_orders(now=NOW)
        assert (state(order), order.invoice.due_on) == ("INVOICED", date(2026, 5, 1))
        assert lapsed(date(2026, 5, 15)) == {}
        assert lapsed(date(2026, 5, 16)) == {"lapsed": 1}

    def test_credits_it_says_why_and_asks_for_it_no_longer(self, order):
        lapse_orders(on=DAY_AFTER, now=LATER)
        assert not OpenInvoice.objects.exists()
        assert Invoice.objects.get(kind="CREDIT_NOTE").total == Decimal("-400")
        entry = AuditEntry.objects.get(action="order.cancelled")
        assert (entry.who, entry.why) == ("schedule", "Not paid within 14 days of when it was due.")
        assert list(differences_in_books()) == []

    def test_twice_is_once(self, order):
        lapse_orders(on=DAY_AFTER, now=LATER)
        assert lapsed(DAY_AFTER) == {}
        assert Invoice.objects.filter(kind="CREDIT_NOTE").count() == 1

    def test_leaves_what_is_paid(self, order, account):
        by_check(account, "400")
        assert lapsed(DAY_AFTER) == {}
        assert state(order) == "PAID"

    def test_gives_what_was_paid_in_part_back_to_the_customers_credit(self, order, account):
        payment = by_check(account, "150")
        lapse_orders(on=DAY_AFTER, now=LATER)
        assert unallocated(payment.pk) == Decimal("150")
        assert list(differences_in_books()) == []

    def test_leaves_what_is_disputed(self, order, account):
        Hold.objects.create(
            account=account, invoice=order.invoice, kind="DISPUTE", placed_by="Mia", placed_at=NOW, why="Not asked for."
        )
        assert lapsed(DAY_AFTER) == {"left": 1}
        assert state(order) == "INVOICED"

    def test_leaves_all_where_the_terms_say_never(self, order, account):
        terms = account.billing_profile.terms
        terms.order_lapses_after_days = None
        terms.save()
        assert lapsed(date(2027, 3, 2)) == {}

    def test_of_one_that_fails_leaves_nothing_half_and_goes_on(self, order, account, monkeypatch):
        somebody = factories.contact_of(factories.customer(), Role.PRIMARY)
        other = order_service(Account.objects.latest("pk"), order.one_off.plan, "Training", actor=somebody, now=NOW)
        real = lapsing.credit_and_cancel

        def failing(one, **given):
            freed = real(one, **given)
            if one.pk == order.pk:
                raise RuntimeError("something broke")
            return freed

        monkeypatch.setattr(lapsing, "credit_and_cancel", failing)
        swept = lapse_orders(on=DAY_AFTER, now=LATER)
        assert (dict(swept.done), swept.failed) == (
            {"lapsed": 1}, [f"Order {order.pk} of account {account.number}: something broke"]
        )  # fmt: skip
        assert (state(order), state(other)) == ("INVOICED", "CANCELLED")
        assert Invoice.objects.filter(kind="CREDIT_NOTE").count() == 1

    def test_ends_a_seat_that_never_started(self):
        company = factories.per_seat_company()
        plan = factories.plan("evaluation", "50", setup_fee="20", deposit="500")
        order = buy_seat(company, plan, actor=factories.contact_of(company, Role.PRIMARY), now=NOW)
        lapse_orders(on=DAY_AFTER, now=LATER)
        order.subscription.refresh_from_db()
        assert (state(order), order.subscription.ended_on) == ("CANCELLED", date(2026, 3, 18))
        assert not OpenInvoice.objects.exists()
        assert not PlatformNotice.objects.exists()
        factories.bill(date(2026, 4, 2))
        assert Invoice.objects.filter(kind="INVOICE").count() == 1
        assert list(differences_in_books()) == []


class TestTheCommand:
    def test_tells_first_and_then_does_it(self, order, capsys):
        call_command("lapse_orders", "--on", "2026-03-17", "--dry-run", "--json")
        assert json.loads(capsys.readouterr().out) == {"on": "2026-03-17", "done": {"lapsed": 1}, "failed": []}
        assert state(order) == "INVOICED"
        call_command("lapse_orders", "--on", "2026-03-17")
        assert capsys.readouterr().out == "2026-03-17: 1 lapsed.\n"
        assert state(order) == "CANCELLED"


class TestTheTick:
    def test_takes_the_day_that_it_is_where_the_seller_is(self, order, monkeypatch):
        """In New York it is still the 16th."""
        monkeypatch.setattr(tasks.timezone, "now", lambda: datetime(2026, 3, 17, 2, 0, tzinfo=UTC))
        factories.seller(time_zone="America/New_York")
        tasks.lapse_orders()
        assert state(order) == "INVOICED"
        factories.seller(time_zone="UTC")
        tasks.lapse_orders()
        assert state(order) == "CANCELLED"
