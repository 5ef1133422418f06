"""P4, P10: a process dies at any point of a charge, and Redis is emptied meanwhile: one charge, none lost."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import transaction

from accounts.actors import schedule
from accounts.models import Account
from billingsite import embedded
from invoicing.documents.models import Letter
from invoicing.ledger.models import Posting
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Payment, PaymentTarget
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import charge, charge_due, record_attempt, resolve_open, send, work_off_events
from invoicing.payments.receiving import take_in
from invoicing.runs.books import differences_in_books
from tests.chaos.at_once import environment
from tests.chaos.crashing import Crashed, statements
from tests.chaos.the_bank import differences_with, left_open
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.conftest import gateway
from tests.invoicing.payments.factories import MIA, NOW, TODAY

__all__ = ["gateway"]
pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(minutes=10)


def owing() -> Account:
    account = made.customer(profile={"auto_charge": True})
    money.invoice(account)
    money.card(account)
    return account


def paid(account: Account) -> Payment:
    return charge(account.pk, account.payment_methods.get(), actor=MIA, now=NOW)


def made_good(gateway: DemoGateway) -> None:
    """What the beat does afterwards: asks about what is open, works off what it was told, charges what is due."""
    resolve_open(now=LATER)
    take_in(gateway)
    work_off_events(now=LATER)
    charge_due(on=TODAY, now=LATER, actor=schedule())
    assert left_open() == []


def left_of(account: Account) -> dict[str, list[Any]]:
    """What a charge leaves, in values that are the same for each account."""
    mine = {"account": account}
    return {
        "payments": list(Payment.objects.filter(**mine).values_list("state", "amount", "fee", "on")),
        "targets": list(PaymentTarget.objects.filter(payment__account=account).values_list("amount", "is_open")),
        "letters": list(Letter.objects.filter(**mine).values_list("kind", "on")),
        "postings": sorted(Posting.objects.filter(**mine).values_list("entry__kind", "ledger_account", "amount")),
    }  # fmt: skip


class TestACrashAtEachStatement:
    """P4."""

    @pytest.fixture(autouse=True)
    def _rates(self):
        money.ship_rates()

    def test_of_a_charge_leaves_one_charge_and_none_lost(self, gateway, monkeypatch):
        account = owing()
        with statements(monkeypatch) as whole:
            paid(account)
        expected = left_of(account)
        assert whole.count > 20
        for at in range(1, whole.count + 1):
            account = owing()
            with pytest.raises(Crashed), statements(monkeypatch, die_at=at):
                paid(account)
            assert list(differences_in_books()) == []
            made_good(gateway)
            assert left_of(account) == expected, f"crashed at statement {at}: {whole.seen[at - 1][:200]}"
        assert differences_with(gateway) == []
        assert len(gateway.charges()) == 1 + whole.count

    @pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
    def test_at_the_gateways_call_leaves_one_charge_and_none_lost(self, gateway, monkeypatch, after):
        account, ask = owing(), gateway.charge

        def die(request):
            if after:
                ask(request)
            raise Crashed

        with monkeypatch.context() as patched:
            patched.setattr(gateway, "charge", die)
            with pytest.raises(Crashed):
                paid(account)
        assert len(gateway.charges()) == after
        assert Payment.objects.get().state == "CREATED"
        # Until it is known what became of it nothing else is sent.
        charge_due(on=TODAY, now=NOW, actor=schedule())
        assert len(gateway.charges()) == after
        made_good(gateway)
        assert len(gateway.charges()) == 1
        assert differences_with(gateway) == list(differences_in_books()) == []

    def test_of_the_resolver_is_made_good_by_the_next(self, gateway, monkeypatch):
        def unheard():
            account, ask = owing(), gateway.charge

            def lose(request):
                ask(request)
                raise Crashed

            with monkeypatch.context() as patched:
                patched.setattr(gateway, "charge", lose)
                with pytest.raises(Crashed):
                    paid(account)
            return account

        account = unheard()
        with statements(monkeypatch) as whole:
            resolve_open(now=LATER)
        expected = left_of(account)
        for at in range(1, whole.count + 1):
            account = unheard()
            with pytest.raises(Crashed), statements(monkeypatch, die_at=at):
                resolve_open(now=LATER)
            resolve_open(now=LATER + timedelta(hours=1))
            assert left_of(account) == expected, f"crashed at statement {at}: {whole.seen[at - 1][:200]}"
        assert differences_with(gateway) == list(differences_in_books()) == []
        assert len(gateway.charges()) == 1 + whole.count

    def test_would_charge_again_were_the_attempt_not_recorded_first(self, gateway, monkeypatch):
        """The negative control: recorded in the transaction of the call, a crash forgets that the bank was asked."""
        account, ask = owing(), gateway.charge
        method = account.payment_methods.get()

        def die(request):
            ask(request)
            raise Crashed

        with monkeypatch.context() as patched:
            patched.setattr(gateway, "charge", die)
            patched.setattr("invoicing.payments.calling.outside_transactions", lambda: None)
            with pytest.raises(Crashed), transaction.atomic():
                send(record_attempt(account.pk, method, actor=MIA, now=NOW), now=NOW)
        assert not Payment.objects.exists()
        charge_due(on=TODAY, now=NOW, actor=schedule())
        assert len(gateway.charges()) == 2
        assert "is on nobody's books" in " ".join(differences_with(gateway))


class TestAKilledWorker:
    """P4, P10: kill -9 between the bank's charge and the recording of its answer; Redis emptied as well."""

    def test_leaves_one_charge_and_none_lost(self, tmp_path, tmp_path_factory):
        money.ship_rates()
        account = owing()
        bank, redis_url = tmp_path / "bank.sqlite3", embedded.ensure_redis(tmp_path_factory.mktemp("redis"))
        self.killed_in_mid_charge(bank, redis_url)
        again = DemoGateway(clock=SetClock(NOW), path=bank)
        assert [one["status"] for one in again.charges()] == ["succeeded"]
        assert Payment.objects.get().state == "CREATED"
        # The bank's notice had come, and its bell was lost with Redis: the tick asks the database.
        assert WebhookEvent.objects.filter(state="RECEIVED").exists()
        with installed(again):
            charge_due(on=TODAY, now=NOW, actor=schedule())
            assert len(again.charges()) == 1
            made_good(again)
            assert differences_with(again) == list(differences_in_books()) == []
        assert len(again.charges()) == 1
        assert left_of(account)["payments"] == [("SUCCEEDED", 100, 1, TODAY)]
        again.stripe.close()

    def test_is_made_good_by_the_resolver_alone(self, tmp_path, tmp_path_factory):
        """The same, and the notices are lost too."""
        money.ship_rates()
        account = owing()
        bank, redis_url = tmp_path / "bank.sqlite3", embedded.ensure_redis(tmp_path_factory.mktemp("redis"))
        self.killed_in_mid_charge(bank, redis_url)
        WebhookEvent.objects.all().delete()
        again = DemoGateway(clock=SetClock(NOW), path=bank)
        with installed(again):
            resolve_open(now=LATER)
            assert differences_with(again) == left_open() == []
        assert left_of(account)["payments"] == [("SUCCEEDED", 100, 1, TODAY)]
        again.stripe.close()

    def killed_in_mid_charge(self, bank: Path, redis_url: str) -> None:
        worker = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("a_charge.py")), str(bank), NOW.isoformat(),
             TODAY.isoformat()],
            env=environment(REDIS_URL=redis_url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert worker.stdout is not None
            said = worker.stdout.readline()
            redis.Redis.from_url(redis_url).flushall()
        finally:
            os.kill(worker.pid, signal.SIGKILL)
            _, errors = worker.communicate()
        assert said == "charged\n", errors
