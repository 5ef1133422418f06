"""The commands and the ticks of this room."""

import json
from datetime import UTC, date, datetime
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command

from invoicing import tasks
from invoicing.collections import outbound, reminders
from invoicing.collections import tasks as ticks
from invoicing.collections.models import Placement, PlatformNotice, Reminder, Suspension
from invoicing.collections.policy import TELLING_LEASE
from tests.invoicing.collections.factories import invoice
from tests.invoicing.factories import seller

pytestmark = pytest.mark.django_db


def ran(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


class TestCommands:
    @pytest.mark.parametrize(("command", "on", "model", "done"), [
        ("remind", "2026-03-08", Reminder, "reminded"),
        ("suspend", "2026-03-15", Suspension, "warned"),
        ("hand_off", "2026-03-31", Placement, "proposed"),
    ])  # fmt: skip
    def test_do_it_once_and_in_a_dry_run_not_at_all(self, command, on, model, done):
        invoice()
        told = json.loads(ran(command, "--on", on, "--dry-run", "--json"))
        assert (told["on"], told["done"][done], told["failed"], model.objects.count()) == (on, 1, [], 0)
        assert f"1 {done}" in ran(command, "--on", on)
        assert model.objects.count() == 1
        ran(command, "--on", on)
        assert model.objects.count() == 1

    def test_end_with_an_error_where_an_account_was_left_out(self, monkeypatch):
        invoice()
        monkeypatch.setattr(reminders, "reminder_text", lambda *_, **__: 1 / 0)
        monkeypatch.setattr("invoicing.collections.sweeping.logger.exception", lambda *_: None)
        with pytest.raises(SystemExit):
            ran("remind", "--on", "2026-03-08")

    def test_tell_the_platform(self):
        assert json.loads(ran("tell_platform", "--json")) == {"done": {}, "failed": []}
        assert "nothing to do" in ran("tell_platform")


class TestTicks:
    @pytest.fixture
    def clock(self, monkeypatch):
        def set_to(moment):
            monkeypatch.setattr(ticks.timezone, "now", lambda: moment)

        return set_to

    def test_read_the_day_where_the_seller_is(self, clock):
        """Lago compared the wrong day for customers ahead of UTC."""
        seller(time_zone="Pacific/Auckland")
        invoice(due_on=date(2026, 3, 8))
        clock(datetime(2026, 3, 4, 10, 59, tzinfo=UTC))
        ticks.remind_unpaid()
        assert not Reminder.objects.exists()
        clock(datetime(2026, 3, 4, 11, 0, tzinfo=UTC))
        ticks.remind_unpaid()
        assert Reminder.objects.get().on == date(2026, 3, 5)

    def test_do_their_work_on_the_days_of_clock_changes(self, clock):
        seller(time_zone="America/New_York")
        invoice(due_on=date(2026, 3, 8))
        for hour in range(24):
            clock(datetime(2026, 3, 8, hour, 30, tzinfo=UTC))
            ticks.remind_unpaid()
        assert list(Reminder.objects.order_by("days").values_list("days", "on")) == [
            (-3, date(2026, 3, 7)), (0, date(2026, 3, 8)),
        ]  # fmt: skip

    def test_suspend_and_hand_over(self, clock):
        invoice()
        clock(datetime(2026, 4, 5, 12, 0, tzinfo=UTC))
        ticks.suspend_unpaid()
        clock(datetime(2026, 4, 6, 12, 0, tzinfo=UTC))
        ticks.suspend_unpaid()
        ticks.hand_off_unpaid()
        ticks.tell_the_platform()
        assert PlatformNotice.objects.get().event == "SUSPEND"
        assert Placement.objects.get().state == "PROPOSED"

    def test_sign_no_more_at_a_moment_than_they_can_tell_by_then(self):
        """The lease of a notice, and the time in its signature, are those of the task's beginning."""
        seconds = ticks.NOTICES_A_TASK * outbound.WHOLE_SECONDS
        assert seconds < TELLING_LEASE.total_seconds()

    def test_are_in_the_schedule(self):
        names = {entry["task"].rpartition(".")[2] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
        ours = {"remind_unpaid", "suspend_unpaid", "hand_off_unpaid", "tell_the_platform"}
        assert ours <= names & set(tasks.__all__)
