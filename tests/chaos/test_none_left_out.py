"""P2: each account ends invoiced, with nothing due, or parked with a reason; mended, it is billed once."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from accounts.actors import schedule
from accounts.models import Account
from invoicing.invoices.charges import Unbillable
from invoicing.invoices.models import Invoice
from invoicing.runs import proposals, proposing
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import Run, RunItem
from invoicing.runs.operations import retry_parked, run_billing
from invoicing.runs.queries import figures
from invoicing.subscriptions.models import BillingProfile, Subscription
from tests.chaos.books import many_customers
from tests.invoicing.factories import NOW, add_price, plan, seller

pytestmark = pytest.mark.django_db(transaction=True)

FEBRUARY, MARCH, APRIL = date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)
REFUSED = "Refused Ltd"


def trigger(on: date = MARCH, **values) -> Run:
    return run_billing(seller=seller(), on=on, actor=schedule(), now=NOW, **values)


@pytest.fixture
def poison(monkeypatch):
    """
    Four poisons for 25 accounts each of these; what comes back takes them all out again.

    No price; a row that the database refuses; pricing that raises; days that cannot be reckoned with.
    """
    refused_rows = "ALTER TABLE invoicing_runitem ADD CONSTRAINT poisoned CHECK (total <> 66.6)"
    price = proposals.charges_due
    broken: set[int] = set()

    def raising(billable, *, on):
        if billable.account_id in broken:
            raise ZeroDivisionError("a share of nothing")
        return price(billable, on=on)

    def apply(accounts: list[Account]):
        ids = [account.pk for account in accounts]
        unpriced, refused, raised, out_of_time = (ids[start::4] for start in range(4))
        no_price = plan("unpriced", None)
        Subscription.objects.filter(account__in=unpriced).update(plan=no_price)
        Subscription.objects.filter(account__in=refused).update(unit_price=Decimal("66.6"))
        with connection.cursor() as cursor:
            cursor.execute(refused_rows)
        broken.update(raised)
        monkeypatch.setattr(proposals, "charges_due", raising)
        Subscription.objects.filter(account__in=out_of_time).update(ended_on=date(2026, 2, 20))
        BillingProfile.objects.filter(account__in=out_of_time).update(billed_until_on=date(1, 1, 1))

        def cure():
            add_price(no_price, "10")
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE invoicing_runitem DROP CONSTRAINT IF EXISTS poisoned")
            broken.clear()
            BillingProfile.objects.filter(account__in=out_of_time).update(billed_until_on=None)

        return cure

    yield apply
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE invoicing_runitem DROP CONSTRAINT IF EXISTS poisoned")


class TestAHundredPoisonedAccounts:
    """P2. Kill Bill: parked accounts whose reason nobody could see."""

    @pytest.fixture
    def accounts(self):
        return many_customers(2000, plan("mail", "10"), started_on=FEBRUARY)

    def test_of_two_thousand_leave_1900_billed_and_are_billed_once_when_mended(self, accounts, poison):
        poisoned = accounts[::20]
        cure = poison(poisoned)

        run = trigger()

        counted = figures(run)
        assert (counted.invoiced, counted.nothing_due, counted.parked, counted.proposed) == (1900, 0, 100, 0)
        assert counted.accounts == 2000
        assert run.state == "DONE"
        parked = RunItem.objects.filter(outcome="PARKED")
        assert {item.account_id for item in parked} == {account.pk for account in poisoned}
        self.reasons_can_be_read(parked)
        assert list(differences_in_books()) == []

        cure()
        assert retry_parked(run, actor=schedule(), now=NOW) == 100
        assert retry_parked(run, actor=schedule(), now=NOW) == 0

        counted = figures(run)
        assert (counted.invoiced, counted.parked, counted.accounts) == (2000, 0, 2000)
        assert Invoice.objects.filter(status="ISSUED").count() == 2000
        assert Invoice.objects.filter(status="ISSUED").values("account").distinct().count() == 2000
        assert list(differences_in_books()) == []

    @staticmethod
    def reasons_can_be_read(parked):
        numbers = dict(Account.objects.values_list("pk", "number"))
        kinds = set()
        for item in parked:
            assert item.reason.endswith(".")
            if item.reason.startswith("Plan unpriced has no price in USD on 2026-02-01"):
                kinds.add("price")
                continue
            assert numbers[item.account_id] in item.reason
            kinds.add(item.reason.partition("(")[2].partition(":")[0])
        assert kinds == {"price", "IntegrityError", "ZeroDivisionError", "OverflowError"}

    def test_all_of_them_poisoned_are_all_parked(self, poison):
        accounts = many_customers(40, plan("mail", "10"), started_on=FEBRUARY)
        poison(accounts)

        run = trigger()

        assert (run.state, figures(run).parked) == ("DONE", 40)
        assert not Invoice.objects.exists()

    def test_without_parking_would_stop_the_run(self, poison, monkeypatch):
        """The negative control: with the guard gone, one poisoned account keeps all others from being billed."""
        poison(many_customers(8, plan("mail", "10"), started_on=FEBRUARY))
        monkeypatch.setattr(proposals, "_proposal", proposals._priced)

        with pytest.raises((ZeroDivisionError, Unbillable)):
            trigger()

        assert not Invoice.objects.exists()


class TestWhatTheBookLearnsMeanwhile:
    def test_a_plan_added_after_the_run_read_the_catalog_is_billed(self, monkeypatch):
        """P2: nobody is parked because somebody else was quicker."""
        (account,) = many_customers(1, plan("mail", "10"), started_on=FEBRUARY)
        due = proposing.due_accounts

        def add_plan_first(*given, **named):
            if not Subscription.objects.filter(plan__code="new").exists():
                Subscription.objects.update(plan=plan("new", "12"))
            return due(*given, **named)

        monkeypatch.setattr(proposing, "due_accounts", add_plan_first)

        trigger()

        assert Invoice.objects.get(account=account).total == Decimal("12.000")


class TestAMissedMonth:
    def test_is_caught_up_for_everyone(self):
        many_customers(50, plan("mail", "10"), started_on=FEBRUARY)

        run = trigger(APRIL)

        counted = figures(run)
        assert (counted.invoiced, counted.total) == (50, {"USD": Decimal("1000.000")})

    def test_a_parked_account_is_caught_up_by_the_next_run_if_nobody_retries(self):
        sold = plan("mail", None)
        many_customers(50, sold, started_on=FEBRUARY)
        first = trigger(MARCH)
        assert figures(first).parked == 50
        add_price(sold, "10")

        second = trigger(APRIL)

        assert (figures(second).invoiced, figures(second).total) == (50, {"USD": Decimal("1000.000")})
        assert retry_parked(first, actor=schedule(), now=NOW) == 0
