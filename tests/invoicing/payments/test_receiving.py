"""Gateways' notices at the door: real signatures over raw bodies, posted to the endpoint."""

import json
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from invoicing.payments import demo_tasks, receiving
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from invoicing.payments.gateways.stripe_notices import sign
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.receiving import refused_notices
from tests.chaos.at_once import at_once
from tests.invoicing.payments.gateways.demo_gateways import charge_request

pytestmark = pytest.mark.django_db
SECRET = "whsec_test"
ADDRESS = "/webhooks/demo/"


@pytest.fixture
def gateway():
    """A demo gateway whose clock stands at the real time, as the endpoint's does."""
    with installed(DemoGateway(clock=SetClock(timezone.now()), webhook_secret=SECRET)) as made:
        yield made


@pytest.fixture
def rung(monkeypatch, django_capture_on_commit_callbacks):
    """The tasks that were sent; commits happen at once."""
    sent = []
    monkeypatch.setattr(receiving.current_app, "send_task", lambda name, **_: sent.append(name))
    monkeypatch.setattr(transaction, "on_commit", lambda function, **_: function())
    return sent


def post(body: bytes, signature: str = "", address: str = ADDRESS, **headers):
    return Client(enforce_csrf_checks=True).post(
        address, data=body, content_type="application/json", headers={"Stripe-Signature": signature, **headers}
    )


def event(type_: str = "invoice.paid", name: str = "evt_1", **of) -> bytes:
    return json.dumps({"id": name, "type": type_, "created": 1_700_000_000, "data": {"object": of}}).encode()


def signed(body: bytes, gateway, *, secret: str = SECRET, late: timedelta = timedelta(0)) -> str:
    return sign(body, secret=secret, at=gateway.clock() - late)


class TestAGenuineNotice:
    def test_is_stored_as_it_came_and_rung_for(self, gateway, rung):
        gateway.charge(charge_request("payment-1"))
        sent = gateway.events_since()[-1]

        answer = post(sent.body, sent.signature)

        assert (answer.status_code, answer.content) == (200, b"Stored.\n")
        stored = WebhookEvent.objects.get()
        assert (stored.gateway, stored.event_id, stored.type) == ("demo", sent.event_id, "payment_intent.succeeded")
        assert (stored.state, stored.body, stored.made_at) == (
            "RECEIVED", sent.body.decode(), gateway.clock().replace(microsecond=0),
        )  # fmt: skip
        assert rung == ["invoicing.payments.tasks.work_off_events"]
        assert gateway.read_stored_notice(stored.body).key == "payment-1"

    def test_that_comes_again_changes_nothing(self, gateway, rung):
        body = event()
        post(body, signed(body, gateway))
        before = list(WebhookEvent.objects.values())

        answer = post(body, signed(body, gateway))

        assert (answer.status_code, answer.content) == (200, b"Stored before.\n")
        assert list(WebhookEvent.objects.values()) == before
        assert len(rung) == 1

    def test_of_an_unknown_type_is_stored_too(self, gateway, rung):
        body = event("mandate.of.tomorrow")

        assert post(body, signed(body, gateway)).status_code == 200
        assert WebhookEvent.objects.get().type == "mandate.of.tomorrow"

    def test_with_an_object_that_cannot_be_read_is_stored_too(self, gateway, rung):
        body = event("payment_intent.succeeded", surprise=True)

        assert post(body, signed(body, gateway)).status_code == 200
        assert gateway.read_stored_notice(WebhookEvent.objects.get().body).about == "UNREADABLE"

    def test_is_stored_without_the_card_numbers_that_somebody_typed_into_it(self, gateway, rung):
        body = event(description="my card 4242 4242 4242 4242", number=4242424242424242)

        post(body, signed(body, gateway))

        stored = json.loads(WebhookEvent.objects.get().body)["data"]["object"]
        assert stored == {"description": "my card **** **** **** 4242", "number": "************4242"}

    def test_is_stored_though_redis_is_gone(self, gateway, monkeypatch):
        def no_redis(*_, **__):
            raise receiving.OperationalError("Connection refused")

        monkeypatch.setattr(receiving.current_app, "send_task", no_redis)
        monkeypatch.setattr(transaction, "on_commit", lambda function, **_: function())
        body = event()

        assert post(body, signed(body, gateway)).status_code == 200
        assert WebhookEvent.objects.count() == 1

    def test_may_be_signed_with_an_old_and_a_new_secret(self, gateway, rung):
        body = event()
        old = signed(body, gateway, secret="whsec_old").partition(",")[2]

        assert post(body, f"{signed(body, gateway)},{old}").status_code == 200


class TestAForgedNotice:
    """FOSSBilling accepted these."""

    def refused(self, body: bytes, signature: str) -> None:
        answer = post(body, signature)

        assert (answer.status_code, answer.content) == (400, b"The signature is missing, wrong or out of date.\n")
        assert not WebhookEvent.objects.exists()
        assert refused_notices("demo", on=timezone.now().date()) == 1

    def test_with_another_secret_is_refused(self, gateway, rung):
        self.refused(event(), signed(event(), gateway, secret="whsec_guess"))

    def test_with_another_body_is_refused(self, gateway, rung):
        self.refused(event(amount=1_000_000), signed(event(amount=1), gateway))

    @pytest.mark.parametrize(
        "signature", ["", "t=,v1=", "v1=abc", "t=1e9,v1=abc", "t=99999999999999,v1=a", "t=1,t=2,v1=a", "t=１,v1=é"]
    )
    def test_without_a_signature_as_stripe_makes_it_is_refused(self, gateway, rung, signature):
        self.refused(event(), signature.encode().decode("latin-1"))

    @pytest.mark.parametrize("minutes", [6, -6])
    def test_signed_long_ago_or_ahead_of_time_is_refused(self, gateway, rung, minutes):
        self.refused(event(), signed(event(), gateway, late=timedelta(minutes=minutes)))

    @pytest.mark.parametrize("minutes", [4, -4])
    def test_signed_a_little_while_ago_is_taken(self, gateway, rung, minutes):
        assert post(event(), signed(event(), gateway, late=timedelta(minutes=minutes))).status_code == 200

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"nothing", b"\xff\xfe", b'{"id": "\\u0000"}', b"[" * 100_000])
    def test_signed_but_no_event_is_refused(self, gateway, rung, body):
        self.refused(body, signed(body, gateway))

    def test_while_no_secret_is_set_is_refused(self, rung):
        with installed(DemoGateway(clock=SetClock(timezone.now()), webhook_secret="")) as unset:
            self.refused(event(), signed(event(), unset, secret=""))


class TestTheDoor:
    def test_of_an_unknown_gateway_is_not_there(self, gateway):
        assert post(event(), signed(event(), gateway), "/webhooks/paypal/").status_code == 404

    def test_of_a_gateway_that_is_not_set_up_is_not_there(self):
        assert post(event(), "", "/webhooks/stripe/").status_code == 404
        assert post(event(), "", "/webhooks/demo/").status_code == 404

    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options", "head"])
    def test_takes_nothing_but_posts(self, gateway, method):
        assert getattr(Client(), method)(ADDRESS).status_code == 405

    def test_reads_no_more_than_half_a_megabyte(self, gateway, rung):
        at_most = event(text="x" * (512 * 1024 - len(event(text=""))))
        assert len(at_most) == 512 * 1024
        assert post(at_most, signed(at_most, gateway)).status_code == 200
        assert post(at_most + b" ", signed(at_most + b" ", gateway)).status_code == 413
        assert WebhookEvent.objects.count() == 1


class TestTheDemosBank:
    """What Stripe does by itself, a tick does on a demonstration site."""

    def test_works_and_its_notices_are_taken_in_once(self, gateway, rung):
        gateway.charge(charge_request(does="ach-ok"))
        gateway.clock.advance(timedelta(days=4))

        for _ in range(2):
            demo_tasks.let_the_demo_bank_work()

        assert list(WebhookEvent.objects.order_by("pk").values_list("type", flat=True)) == [
            "payment_intent.processing", "charge.succeeded", "payment_intent.succeeded",
        ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_one_notice_from_eight_workers_is_stored_once(self, gateway):
        body = event()
        signature = signed(body, gateway)

        answers = at_once([lambda: post(body, signature)] * 8)

        assert [answer.status_code for answer in answers] == [200] * 8
        assert sorted(answer.content for answer in answers) == [b"Stored before.\n"] * 7 + [b"Stored.\n"]
        assert WebhookEvent.objects.count() == 1

    def test_without_the_index_it_would_be_stored_more_than_once(self, gateway, monkeypatch):
        """The negative control: all of them look before any of them writes."""
        together, find = threading.Barrier(4), QuerySet.get

        def find_together(rows, *arguments, **values):
            try:
                return find(rows, *arguments, **values)
            finally:
                if rows.model is WebhookEvent:
                    together.wait(30)

        body = event()
        signature = signed(body, gateway)
        with without_index("gateway_event_once"):
            monkeypatch.setattr(QuerySet, "get", find_together)
            at_once([lambda: post(body, signature)] * 4)
            monkeypatch.undo()
            assert WebhookEvent.objects.count() == 4
            WebhookEvent.objects.all().delete()


@contextmanager
def without_index(name: str):
    constraint = next(one for one in WebhookEvent._meta.constraints if one.name == name)
    with connection.schema_editor() as editor:
        editor.remove_constraint(WebhookEvent, constraint)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.add_constraint(WebhookEvent, constraint)
