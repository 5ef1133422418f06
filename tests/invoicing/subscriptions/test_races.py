"""Two requests at once: one change, one entry; and the same faults seen where the locks are taken away."""

from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection
from django.db.models import QuerySet

from accounts.actors import Role
from accounts.decisions import Refused
from accounts.models import AuditEntry
from invoicing.invoices.models import InvoiceLine
from invoicing.subscriptions import billing_day, changes, charges, services
from invoicing.subscriptions.models import BillingDayChange, BillingProfile, PlanChange, QuantityChange, Subscription
from invoicing.subscriptions.operations import (
    authorize_charge,
    change_billing_day,
    change_plan,
    change_quantity,
    start_subscription,
)
from tests.invoicing import factories as made

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 10)


def at_once(*works):
    """What these return, or raise, when they run in threads of their own, started together."""
    start, results = Barrier(len(works)), [None] * len(works)

    def run(index, work):
        start.wait(20)
        try:
            results[index] = work()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def failures(results):
    return [result for result in results if isinstance(result, Exception)]


@pytest.fixture
def no_locks(monkeypatch):
    """The locks are taken away, and both requests have read before either writes."""

    def both_meet_after(module, name):
        meeting, inner = Barrier(2), getattr(module, name)

        def met(*args, **kwargs):
            found = inner(*args, **kwargs)
            meeting.wait(10)
            return found

        monkeypatch.setattr(module, name, met)

    monkeypatch.setattr(QuerySet, "select_for_update", lambda rows, **_: rows)
    return both_meet_after


class TestAuthorizeCharge:
    """AUTH-6, P11: authorized once, by one of them."""

    @pytest.fixture
    def requests(self):
        account = made.customer()
        work = made.plan("work", "150", charge="ONE_OFF")
        charge = made.one_off_charge(account, work, TODAY, authorized_by="", authorized_at=None)
        askers = [made.contact_of(account, role) for role in (Role.PRIMARY, Role.PRIMARY_BILLING)]
        return [lambda asker=asker: authorize_charge(charge, actor=asker, now=NOW) for asker in askers]

    def test_is_done_by_one(self, requests):
        results = at_once(*requests)

        assert not failures(results)
        assert AuditEntry.objects.count() == 1

    def test_without_the_locks_would_be_done_by_both(self, requests, no_locks):
        """The negative control of the test above."""
        no_locks(charges, "_own")

        at_once(*requests)

        assert AuditEntry.objects.count() == 2


class TestChangeBillingDay:
    """BILL-5: one change at a time."""

    @pytest.fixture
    def requests(self):
        company = made.per_seat_company(5)
        asker = made.contact_of(company, Role.BILLING)
        return [lambda day=day: change_billing_day(company, day, actor=asker, now=NOW, today=TODAY) for day in (20, 25)]

    def test_is_refused_to_the_second(self, requests):
        (failed,) = failures(at_once(*requests))

        assert isinstance(failed, Refused)
        assert BillingDayChange.objects.count() == 1

    def test_without_the_locks_would_be_caught_by_the_index_alone(self, requests, no_locks):
        """The negative control of the test above; the index is the guard, and says it less kindly."""
        no_locks(billing_day, "preview_billing_day")

        (failed,) = failures(at_once(*requests))

        assert isinstance(failed, IntegrityError)
        assert BillingDayChange.objects.count() == 1


class TestStartSubscription:
    def test_with_one_reference_is_one(self):
        account, mail = made.customer(), made.plan("mail")
        asker = made.contact_of(account, Role.ADMINISTRATOR)

        def start():
            return start_subscription(account, mail, Decimal(1), TODAY, reference="dom-7", actor=asker, now=NOW)

        results = at_once(*[start] * 4)

        assert len({held.pk for held in results}) == 1
        assert AuditEntry.objects.count() == 1

    def test_of_two_accounts_with_one_reference_is_refused_to_the_second(self):
        mail = made.plan("mail")
        accounts = [made.customer(), made.customer()]
        askers = [made.contact_of(account, Role.ADMINISTRATOR) for account in accounts]

        def start(account, asker):
            return start_subscription(account, mail, Decimal(1), TODAY, reference="dom-7", actor=asker, now=NOW)

        results = at_once(*[lambda pair=pair: start(*pair) for pair in zip(accounts, askers, strict=True)])

        assert [type(failed).__name__ for failed in failures(results)] == ["BadValue"]
        assert Subscription.objects.count() == 1

    def test_without_a_reference_is_each_its_own(self):
        account, mail = made.customer(number="K-7"), made.plan("mail")
        asker = made.contact_of(account, Role.ADMINISTRATOR)

        results = at_once(*[lambda: start_subscription(account, mail, Decimal(1), TODAY, actor=asker, now=NOW)] * 4)

        assert {held.reference for held in results} == {"K-7/mail", "K-7/mail/2", "K-7/mail/3", "K-7/mail/4"}

    @pytest.fixture
    def first_ones(self):
        company, seat = made.per_seat_company(), made.plan("seat")
        asker = made.contact_of(company, Role.ADMINISTRATOR)
        return [
            lambda day=day: start_subscription(company, seat, Decimal(1), date(2026, 3, day), actor=asker, now=NOW)
            for day in (12, 17)
        ]

    def audited_days(self):
        entries = AuditEntry.objects.all()
        return {(entry.detail["before"]["billing_day"], entry.detail["after"]["billing_day"]) for entry in entries}

    def test_decides_the_billing_day_once(self, first_ones):
        """BILL-5: the day of activation is one day."""
        assert not failures(at_once(*first_ones))

        day = BillingProfile.objects.get().billing_day
        assert self.audited_days() == {(None, day), (day, day)}

    def test_without_the_locks_would_decide_it_twice(self, first_ones, no_locks):
        """The negative control of the test above."""
        no_locks(services, "is_anniversary")

        at_once(*first_ones)

        assert {before for before, _ in self.audited_days()} == {None}


class TestChangesOfOneSubscription:
    @pytest.fixture
    def held(self):
        return made.subscription(made.per_seat_company(5), made.plan("seat", "70"), date(2026, 2, 5), "5")

    def test_to_two_plans_is_refused_to_the_second(self, held):
        plans = [made.plan("better"), made.plan("best")]
        asker = made.contact_of(held.account, Role.ADMINISTRATOR)

        results = at_once(*[lambda plan=plan: change_plan(held, plan, TODAY, actor=asker, now=NOW) for plan in plans])

        (failed,) = failures(results)
        assert isinstance(failed, Refused)
        held.refresh_from_db()
        assert PlanChange.objects.get().to_plan == held.plan

    def test_to_one_quantity_is_one_change(self, held):
        asker = made.contact_of(held.account, Role.ADMINISTRATOR)

        results = at_once(*[lambda: change_quantity(held, Decimal(8), TODAY, actor=asker, now=NOW)] * 4)

        assert not failures(results)
        assert QuantityChange.objects.count() == AuditEntry.objects.count() == 1

    def test_without_the_locks_would_be_two(self, held, no_locks):
        """The negative control of the test above: both set it, or the index refuses one of them."""
        no_locks(changes, "quantity_on")
        asker = made.contact_of(held.account, Role.ADMINISTRATOR)

        results = at_once(*[lambda: change_quantity(held, Decimal(8), TODAY, actor=asker, now=NOW)] * 2)

        assert failures(results) or AuditEntry.objects.count() == 2


class TestChangeWhileARunGoesOn:
    """P1, P2: what changes while the day is billed is billed once, with this run or the next."""

    def test_bills_each_unit_once(self):
        company, seat = made.per_seat_company(10), made.plan("seat", "70")
        held = made.subscription(company, seat, date(2026, 2, 10), "5")
        asker = made.contact_of(company, Role.ADMINISTRATOR)

        results = at_once(
            lambda: made.bill(TODAY, now=NOW),
            lambda: change_quantity(held, Decimal(8), TODAY, actor=asker, now=NOW),
            lambda: start_subscription(company, seat, Decimal(2), TODAY, actor=asker, now=NOW),
            lambda: made.bill(TODAY, now=NOW),
        )
        made.bill(TODAY, now=NOW)

        assert not failures(results)
        billed = {}
        for line in InvoiceLine.objects.filter(period_start=TODAY, invoice__status="ISSUED"):
            billed[line.subscription.plan_id, line.subscription.reference] = (
                billed.get((line.subscription.plan_id, line.subscription.reference), 0) + line.quantity
            )
        assert sorted(billed.values()) == [2, 8]
        assert not BillingProfile.objects.filter(next_billing_on__lte=TODAY).exists()
