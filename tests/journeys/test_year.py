"""A year under all four terms, ticked through day by day as beat does it, in the seller's own time zone."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.actors import schedule
from invoicing.invoices.models import Invoice
from invoicing.runs import tasks
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import Run, RunItem
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import Inactivity, QuantityChange, Subscription
from invoicing.subscriptions.operations import look_again
from tests.invoicing.factories import (
    add_price,
    customer,
    invoices_of,
    lines_of,
    partner_with_clients,
    per_seat_company,
    plan,
    seller,
    subscription,
    terms,
)

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def ticked(time_machine, monkeypatch):
    """Lets the clock run from one moment to another and ticks every so many hours."""
    monkeypatch.setattr(tasks.bill_seller, "delay", tasks.bill_seller)

    def until(begin: datetime, end: datetime, *, every: timedelta = 6 * HOUR, happens=None):
        now = begin
        happens = dict(happens or {})
        while now < end:
            time_machine.move_to(now, tick=False)
            for moment in [moment for moment in happens if moment <= now]:
                happens.pop(moment)()
            tasks.bill_due()
            now += every
        assert not happens, "something was to happen after the end"

    return until


def days_and_totals(account) -> list[tuple[str, str]]:
    return [(f"{invoice.issued_on}", f"{invoice.total:.2f}") for invoice in invoices_of(account)]


class TestAYear:
    """BILL-1 to BILL-6, SEAT-2 and SEAT-3, PRE-1, over the leap year 2028 in New York."""

    def test_of_all_four_terms_bills_each_month_once_on_its_day(self, ticked):
        issuer = seller(time_zone="America/New_York")
        for code in ("hosted-direct", "hosted-partner", "prepaid", "per-seat"):
            terms(code, hold_total_share=Decimal(1000), hold_count_share=Decimal(1000), hold_account_factor=0)
        mail = plan("mail", "10")
        seat = plan("seat", "30", setup_fee="10", inactive_price="12.50")
        direct = customer()
        subscription(direct, mail, date(2028, 1, 10), "2")
        partner, (client, other) = partner_with_clients()
        subscription(client, mail, date(2028, 1, 1))
        company = per_seat_company(31)
        prepaid = customer("prepaid")
        subscription(prepaid, mail, date(2028, 1, 1))

        def at(month: int, day: int, hour: int = 18) -> datetime:
            return datetime(2028, month, day, hour, tzinfo=UTC)

        ticked(
            datetime(2028, 1, 1, 20, tzinfo=UTC),
            datetime(2029, 1, 2, tzinfo=UTC),
            every=24 * HOUR,
            happens={
                at(1, 31): lambda: subscription(company, seat, date(2028, 1, 31)),
                at(2, 20): lambda: self.inactive(company, date(2028, 1, 31)),
                at(3, 12): lambda: self.quantity(direct, "5", date(2028, 3, 12)),
                at(3, 20): lambda: self.quantity(direct, "1", date(2028, 3, 20)),
                at(5, 20): lambda: subscription(other, mail, date(2028, 5, 20)),
                at(6, 15): lambda: add_price(mail, "12", valid_from_on=date(2028, 7, 1)),
                at(8, 10): lambda: self.ended(direct, date(2028, 8, 10)),
            },
        )

        assert days_and_totals(direct) == [
            ("2028-02-01", "20.00"), ("2028-03-01", "20.00"), ("2028-04-01", "50.00"), ("2028-05-01", "10.00"),
            ("2028-06-01", "10.00"), ("2028-07-01", "10.00"), ("2028-08-01", "12.00"), ("2028-09-01", "12.00"),
        ]  # fmt: skip
        assert days_and_totals(partner) == [
            ("2028-01-01", "10.00"), ("2028-02-01", "10.00"), ("2028-03-01", "10.00"), ("2028-04-01", "10.00"),
            ("2028-05-01", "10.00"), ("2028-06-01", "30.00"), ("2028-07-01", "24.00"), ("2028-08-01", "24.00"),
            ("2028-09-01", "24.00"), ("2028-10-01", "24.00"), ("2028-11-01", "24.00"), ("2028-12-01", "24.00"),
            ("2029-01-01", "24.00"),
        ]  # fmt: skip
        # BILL-5: the 31st falls on the last day of a short month, the leap day among them, and comes back.
        assert days_and_totals(company) == [
            ("2028-01-31", "40.00"), ("2028-02-29", "12.50"), ("2028-03-31", "30.00"), ("2028-04-30", "30.00"),
            ("2028-05-31", "30.00"), ("2028-06-30", "30.00"), ("2028-07-31", "30.00"), ("2028-08-31", "30.00"),
            ("2028-09-30", "30.00"), ("2028-10-31", "30.00"), ("2028-11-30", "30.00"), ("2028-12-31", "30.00"),
        ]  # fmt: skip
        assert invoices_of(prepaid) == []
        waiting = RunItem.objects.get(account=prepaid, outcome="PARKED", superseded_by=None)
        # Six months at 10 and seven at 12, from July on; PRE-1 settles them with the next issue.
        assert waiting.total == Decimal("144.000")
        issued = Invoice.objects.filter(status="ISSUED")
        assert (issued.count(), sum(issued.values_list("total", flat=True))) == (33, Decimal("744.500"))
        assert set(Run.objects.values_list("state", flat=True)) == {"DONE"}
        assert today_of(issuer, now=timezone.now()) == date(2029, 1, 1)
        assert list(differences_in_books()) == []

    @staticmethod
    def inactive(company, period_start_on):
        Inactivity.objects.create(
            subscription=Subscription.objects.get(account=company), period_start_on=period_start_on
        )
        look_again({company.pk: period_start_on})

    @staticmethod
    def quantity(account, quantity, from_on):
        held = Subscription.objects.get(account=account)
        QuantityChange.objects.create(subscription=held, from_on=from_on, quantity=Decimal(quantity))
        look_again({account.pk: from_on})

    @staticmethod
    def ended(account, ended_on):
        Subscription.objects.filter(account=account).update(ended_on=ended_on)
        look_again({account.pk: ended_on})


class TestTheClockChanges:
    """STACK: beat in UTC may run twice or stop at a change of daylight saving time; a day is the seller's."""

    @pytest.mark.parametrize(
        ("billing_day", "month"),
        [pytest.param(8, 3, id="an hour is left out in New York"), pytest.param(1, 11, id="an hour comes twice")],
    )
    def test_on_a_billing_day_bills_once(self, ticked, billing_day, month):
        seller(time_zone="America/New_York")
        day = date(2026, month, billing_day)
        company = per_seat_company(billing_day)
        subscription(company, plan("seat", "30"), day)

        ticked(
            datetime(2026, month, day.day, tzinfo=UTC) - 6 * HOUR,
            datetime(2026, month, day.day, tzinfo=UTC) + 30 * HOUR,
            every=HOUR / 2,
        )

        assert days_and_totals(company) == [(f"{day}", "30.00")]

    def test_between_two_ticks_a_month_begins_where_the_seller_is(self, ticked):
        """In New York the first of March begins at 5 in the morning, UTC; after the change, April's at 4."""
        seller(time_zone="America/New_York")
        account = customer()
        subscription(account, plan("mail", "10"), date(2026, 2, 1))

        ticked(datetime(2026, 2, 28, 20, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC), every=HOUR)
        ticked(datetime(2026, 3, 31, 20, tzinfo=UTC), datetime(2026, 4, 1, 12, tzinfo=UTC), every=HOUR)

        opened = [run.opened_at for run in Run.objects.order_by("on")]
        assert opened == [datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 4, 1, 4, tzinfo=UTC)]
        assert days_and_totals(account) == [("2026-03-01", "10.00"), ("2026-04-01", "10.00")]

    def test_a_clock_that_was_down_over_the_first_bills_when_it_is_back(self, ticked):
        """Lago: a clock that was down over a billing day never billed it."""
        seller(time_zone="America/New_York")
        account = customer()
        subscription(account, plan("mail", "10"), date(2026, 2, 1))

        ticked(datetime(2026, 2, 20, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC))
        ticked(datetime(2026, 4, 9, tzinfo=UTC), datetime(2026, 4, 10, tzinfo=UTC))

        assert days_and_totals(account) == [("2026-04-08", "20.00")]
        assert [line[2] for line in lines_of(invoices_of(account))] == [date(2026, 2, 1), date(2026, 3, 1)]


class TestALeapDay:
    @pytest.mark.parametrize(
        ("billing_day", "days"),
        [
            (29, ["2028-01-29", "2028-02-29", "2028-03-29"]),
            (30, ["2028-01-30", "2028-02-29", "2028-03-30"]),
            (31, ["2028-01-31", "2028-02-29", "2028-03-31"]),
        ],
    )
    def test_is_a_billing_day_of_those_who_have_none_in_february(self, ticked, billing_day, days):
        """Polar: 31 drifted to 29, and stayed there."""
        company = per_seat_company(billing_day)
        subscription(company, plan("seat", "30"), date(2028, 1, billing_day))

        ticked(datetime(2028, 1, 20, tzinfo=UTC), datetime(2028, 4, 15, tzinfo=UTC), every=24 * HOUR)

        assert [day for day, _ in days_and_totals(company)] == days
        assert Counter(line[4] for line in lines_of(invoices_of(company))) == {Decimal(1): 3}


def test_the_schedule_is_who_did_it(ticked):
    """P11."""
    account = customer()
    subscription(account, plan("mail", "10"), date(2026, 2, 1))

    ticked(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 6, tzinfo=UTC))

    assert Run.objects.get().opened_by == schedule().name
