"""The tick: what it bills, on which day, and what it leaves to people."""

from datetime import UTC, date, datetime

import pytest

from accounts.actors import NotPermitted, schedule
from invoicing.invoices.models import Invoice
from invoicing.runs import tasks
from invoicing.runs.models import Run
from invoicing.runs.operations import begin_proposing, open_run
from invoicing.runs.schedule import bill_what_is_due
from tests.invoicing import factories as make
from tests.invoicing.staff import AUDITOR, MANAGER, make_staff

pytestmark = pytest.mark.django_db

DECEMBER = date(2026, 12, 1)


def one_customer() -> None:
    """Somebody who is due on 1 December for November."""
    make.subscription(make.customer(), make.plan("pbx"), date(2026, 11, 1))


def tick(now: datetime) -> list[Run]:
    return bill_what_is_due(make.seller(), actor=schedule(), now=now)


def _broken(run: Run, **named: object) -> Run:
    raise RuntimeError("a broken run")


class TestBillWhatIsDue:
    @pytest.mark.parametrize(
        ("zone", "now", "billed_on"),
        [
            pytest.param("Pacific/Auckland", datetime(2026, 11, 30, 10, 59, tzinfo=UTC), None, id="23:59 in Auckland"),
            pytest.param("Pacific/Auckland", datetime(2026, 11, 30, 11, 0, tzinfo=UTC), DECEMBER, id="midnight there"),
            pytest.param("UTC", datetime(2026, 11, 30, 11, 0, tzinfo=UTC), None, id="still November in UTC"),
            pytest.param("America/Denver", datetime(2026, 12, 1, 6, 59, tzinfo=UTC), None, id="23:59 in Denver"),
            pytest.param("America/Denver", datetime(2026, 12, 1, 7, 0, tzinfo=UTC), DECEMBER, id="midnight in Denver"),
        ],
    )
    def test_bills_on_the_day_it_is_for_the_seller(self, zone, now, billed_on):
        """Lago: the guard compared the wrong day for customers ahead of UTC."""
        make.seller(time_zone=zone)
        one_customer()
        tick(now)
        assert [run.on for run in Run.objects.all()] == ([billed_on] if billed_on else [])

    def test_catches_up_after_a_clock_that_was_down_over_the_billing_day(self):
        """Lago: a clock that was down over a billing day never billed it."""
        one_customer()
        tick(datetime(2026, 12, 5, 12, 0, tzinfo=UTC))
        assert Invoice.objects.get(status="ISSUED").period_start == date(2026, 11, 1)

    def test_comes_twice_and_bills_once(self):
        one_customer()
        for _ in range(3):
            tick(datetime(2026, 12, 1, 12, 0, tzinfo=UTC))
        assert (Run.objects.count(), Invoice.objects.count()) == (1, 1)

    def test_leaves_what_waits_for_review_to_those_who_review(self):
        make.terms("hosted-direct", approval="REVIEW")
        one_customer()
        for day in (1, 1, 2, 3):
            tick(datetime(2026, 12, day, 12, 0, tzinfo=UTC))
        assert Run.objects.get().state == "REVIEW"
        assert Invoice.objects.get().status == "DRAFT"

    def test_goes_on_with_a_run_of_another_day_that_stopped_half_way(self):
        one_customer()
        now = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
        stopped = open_run(seller=make.seller(), on=DECEMBER, actor=schedule(), now=now)
        assert begin_proposing(stopped)
        tick(datetime(2026, 12, 2, 12, 0, tzinfo=UTC))
        assert [(run.on, run.state) for run in Run.objects.all()] == [(DECEMBER, "DONE")]

    def test_starts_today_although_a_run_of_another_day_cannot_go_on(self, monkeypatch):
        one_customer()
        stopped = open_run(
            seller=make.seller(), on=date(2026, 11, 20), actor=schedule(), now=datetime(2026, 11, 20, tzinfo=UTC)
        )
        monkeypatch.setattr("invoicing.runs.schedule.advance", _broken)
        with pytest.raises(RuntimeError, match="a broken run"):
            tick(datetime(2026, 12, 1, 12, 0, tzinfo=UTC))
        assert Run.objects.get(on=DECEMBER).state == "DONE"
        assert Run.objects.get(pk=stopped.pk).state == "PROPOSING"

    def test_opens_no_run_where_nothing_is_due(self):
        make.seller()
        assert tick(datetime(2026, 12, 1, 12, 0, tzinfo=UTC)) == []


@pytest.mark.usefixtures("eager_workers")
class TestTasks:
    def test_the_tick_reaches_each_seller(self):
        make.subscription(make.customer(), make.plan("pbx"), date(2020, 1, 1))
        tasks.bill_due.delay()
        assert Run.objects.get().opened_by == "schedule"

    def test_a_start_has_the_rights_of_who_asked(self):
        one_customer()
        tasks.start_run_task.delay(make.seller().pk, "2026-12-01", make_staff(MANAGER).pk)
        assert Run.objects.get().opened_by == make_staff(MANAGER).username

    def test_a_start_by_somebody_whose_rights_were_taken_does_nothing(self):
        one_customer()
        with pytest.raises(NotPermitted):
            tasks.start_run_task.delay(make.seller().pk, "2026-12-01", make_staff(AUDITOR).pk)
        assert not Run.objects.exists()

    def test_a_run_goes_on_from_where_it_stands(self):
        one_customer()
        run = open_run(seller=make.seller(), on=DECEMBER, actor=schedule(), now=make.NOW)
        tasks.continue_run.delay(run.pk)
        assert Run.objects.get().state == "DONE"
