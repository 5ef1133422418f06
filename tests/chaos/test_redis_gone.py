"""P10: Redis can vanish at any time: delay only. PostgreSQL holds the work, Redis is the doorbell."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime

import pytest
import redis
from django.conf import settings
from django.db import connection
from kombu import Connection

from accounts.actors import schedule
from billingsite import embedded
from billingsite.celery import broker_url
from invoicing.runs import operations, tasks
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import Run
from tests.chaos.at_once import at_once, environment, failures
from tests.chaos.books import many_customers, small_book
from tests.chaos.results import audit, due_dates, forget_runs, result
from tests.invoicing.factories import NOW, plan, seller

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = NOW.replace(day=1)
FEBRUARY = date(2026, 2, 1)


@pytest.fixture
def delivered(monkeypatch):
    """What the tick puts on the wire, to be lost, doubled or kept by the test: the arguments of each message."""
    wire: list[tuple] = []
    monkeypatch.setattr(tasks.timezone, "now", lambda: FIRST)
    monkeypatch.setattr(tasks.bill_seller, "delay", lambda *arguments: wire.append(arguments))
    return wire


@pytest.fixture
def expected(delivered):
    """What one undisturbed beat comes to, taken back again."""
    small_book()
    before = due_dates()
    tasks.bill_due()
    for message in delivered:
        tasks.bill_seller(*message)
    found = result(), audit()
    forget_runs(before)
    delivered.clear()
    return found


class TestMessages:
    """P10, in one process: what celery does at worst with messages."""

    def test_that_are_dropped_are_made_good_by_the_next_tick(self, delivered, expected):
        tasks.bill_due()
        delivered.clear()
        tasks.bill_due()
        for message in delivered:
            tasks.bill_seller(*message)

        assert (result(), audit()) == expected

    def test_of_two_beats_and_doubled_come_to_the_same(self, delivered, expected):
        for _ in range(2):
            tasks.bill_due()
        for message in delivered * 2:
            tasks.bill_seller(*message)

        assert (result(), audit()) == expected

    def test_of_two_beats_at_the_same_moment_come_to_the_same(self, delivered, expected):
        for _ in range(2):
            tasks.bill_due()

        found = at_once([lambda message=message: tasks.bill_seller(*message) for message in delivered * 2])

        assert failures(found) == []
        assert (result(), audit()) == expected

    def test_lost_in_mid_run_leave_a_run_that_the_next_tick_takes_on(self, delivered, expected, monkeypatch):
        """The worker dies after the approval, and its message with it."""
        with monkeypatch.context() as patched:
            patched.setattr(operations, "issue_approved", lambda *_, **__: None)
            tasks.bill_seller(seller().pk)
        assert Run.objects.get().state == "ISSUING"

        tasks.bill_seller(seller().pk)

        assert (result(), audit()) == expected

    def test_of_a_seller_in_trouble_keep_nobody_elses(self, delivered):
        type(seller()).objects.create(name="Another company")

        tasks.bill_due()

        assert len(delivered) == 2, "a message a seller"


def transport() -> dict:
    return dict(settings.CELERY_BROKER_TRANSPORT_OPTIONS) | {"global_keyprefix": "clausebook:"}


@pytest.mark.slow
class TestARealWorker:
    """P10, with a Redis and a celery worker of its own: Redis is emptied, and the worker killed, in mid-run."""

    ACCOUNTS = 600

    @pytest.fixture
    def redis_url(self, tmp_path_factory):
        return embedded.ensure_redis(tmp_path_factory.mktemp("redis"))

    @pytest.fixture
    def worker(self, redis_url, tmp_path):
        """A function that starts one more worker; all of them end with the test."""
        started = []

        def start() -> "subprocess.Popen[bytes]":
            script = [
                sys.executable, "-m", "celery", "-A", "billingsite", "worker", "--pool", "solo", "--loglevel", "ERROR",
                "--without-gossip", "--without-mingle",
            ]  # fmt: skip
            values = environment(REDIS_URL=redis_url, VAR_DIR=str(tmp_path))
            quiet = subprocess.DEVNULL
            started.append(subprocess.Popen(script, env=values, cwd=settings.BASE_DIR, stdout=quiet, stderr=quiet))
            return started[-1]

        yield start
        for process in started:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def test_comes_to_the_same_line_by_line(self, redis_url, worker):
        many_customers(self.ACCOUNTS, plan("mail", "10"), started_on=FEBRUARY)
        issuer = seller()
        # Workers read the clock: what is due by then is billed on the day that it is.
        before = due_dates()
        today = datetime.now(UTC).date()
        operations.run_billing(seller=issuer, on=today, actor=schedule(), now=datetime.now(UTC))
        expected = result(with_numbers=False)
        forget_runs(before)
        broker, emptied = broker_url(redis_url), redis.Redis.from_url(redis_url)

        def ring(times: int) -> None:
            with Connection(broker, transport_options=transport()) as doorbell:
                for _ in range(times):
                    # An option of celery's that its stubs leave out.
                    tasks.bill_seller.apply_async((issuer.pk,), connection=doorbell)  # type: ignore[call-arg]

        def ring_until(happened) -> None:
            """Two beats every second or two, at least one of whose messages is lost."""
            for _ in range(60):
                ring(2)
                emptied.flushall()
                ring(2)
                if wait_until(happened, within=2):
                    return
            raise AssertionError("no worker did it")

        first = worker()
        ring_until(Run.objects.exists)
        first.kill()
        first.wait()
        emptied.flushall()
        worker()
        worker()
        ring_until(Run.objects.filter(state="DONE").exists)
        wait_until_idle()

        found = result(with_numbers=False)
        for part, lines in expected.items():
            assert found[part] == lines, part
        assert list(differences_in_books()) == []


def wait_until(happened, *, within: float = 60) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        if happened():
            return True
        time.sleep(0.05)
    return False


def wait_until_idle() -> None:
    """Until no worker has a transaction open on this test's database."""
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND state <> 'idle'"
    )

    def idle() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(others)
            return cursor.fetchone() == (0,)

    assert wait_until(idle)
