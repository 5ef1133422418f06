"""What a person may ask for: another mail, another try."""

from datetime import timedelta

import pytest

from accounts.actors import Actor, ActorKind, Channel, NotPermitted
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from invoicing.documents.models import Delivery, Document
from invoicing.documents.operations import NotForRetry, resend, retry_delivery, retry_document
from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import Sending, send_pending
from tests.invoicing.documents.factories import NOW, deliveries_of, drawn, due_mails, make_account, make_invoice

pytestmark = pytest.mark.django_db

AGENT = Actor(
    ActorKind.STAFF, "Agnes Agent", Channel.CONSOLE, permissions=frozenset({"invoicing.resend_invoice"}), user_id=1
)
AUDITOR = Actor(ActorKind.STAFF, "Otto Auditor", Channel.CONSOLE, permissions=frozenset({"invoicing.view_invoice"}))


class TestResend:
    def test_mails_it_once_more_to_the_addresses_given(self, mail_server):
        document = drawn(make_invoice(make_account(invoice_emails=["ap@customer.example"])))
        send_pending(limit=10, now=NOW)

        resend(document=document, addresses=["AP@customer.example", "cfo@customer.example"], actor=AGENT, now=NOW)

        assert send_pending(limit=10, now=NOW) == Sending(sent=2)
        found = [(one.address, one.sequence, one.state) for one in deliveries_of(document)]
        assert found == [
            ("ap@customer.example", 1, "SENT"),
            ("ap@customer.example", 2, "SENT"),
            ("cfo@customer.example", 2, "SENT"),
        ]
        ids = {mail["Message-ID"] for mail in mail_server.handler.mails}
        assert len(ids) == 3

    def test_leaves_an_audit_entry(self):
        document = drawn(make_invoice())
        resend(document=document, addresses=["cfo@x.example"], actor=AGENT, now=NOW, why="Asked for on the phone.")
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.who, entry.channel, entry.at) == ("document.resend", "Agnes Agent", "CONSOLE", NOW)
        assert (entry.account_id, entry.why) == (document.account_id, "Asked for on the phone.")
        assert entry.subject == f"document {document.pk}"
        assert entry.detail["addresses"] == ["cfo@x.example"]

    def test_is_refused_without_the_permission(self):
        document = drawn(make_invoice())
        with pytest.raises(NotPermitted, match="invoicing.resend_invoice"):
            resend(document=document, addresses=["cfo@x.example"], actor=AUDITOR, now=NOW)
        assert not Delivery.objects.filter(sequence=2).exists()
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize(
        "addresses",
        [
            pytest.param([], id="none"),
            pytest.param([" "], id="empty"),
            pytest.param(["cfo"], id="no domain"),
            pytest.param(["a@b.example\nBcc: all@b.example"], id="a second header"),
            pytest.param(["a@b.example\x00"], id="a character that does not print"),
            pytest.param(["a@b.example", "a@b..example"], id="the second"),
        ],
    )
    def test_is_refused_to_what_is_no_address(self, addresses):
        document = drawn(make_invoice())
        with pytest.raises(BadValue):
            resend(document=document, addresses=addresses, actor=AGENT, now=NOW)
        assert not Delivery.objects.filter(sequence=2).exists()


class TestRetryDelivery:
    @pytest.mark.parametrize("state", ["PARKED", "UNCERTAIN"])
    def test_sends_what_was_left_to_a_person(self, mail_server, state):
        (delivery,) = due_mails("ap")
        Delivery.objects.filter(pk=delivery.pk).update(state=state, attempts=5, error="Said no.", leased_until=NOW)

        retry_delivery(delivery=delivery, actor=AGENT, now=NOW, why="They say it never came.")

        assert send_pending(limit=10, now=NOW) == Sending(sent=1)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.attempts, delivery.error) == ("SENT", 1, "")
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.detail) == ("delivery.retry", {"state": state, "error": "Said no.", "attempts": 5})

    @pytest.mark.parametrize("state", ["PENDING", "SENDING", "SENT"])
    def test_is_refused_where_nothing_is_wrong(self, state):
        (delivery,) = due_mails("ap")
        Delivery.objects.filter(pk=delivery.pk).update(state=state, sent_at=NOW)
        with pytest.raises(NotForRetry, match="is not parked"):
            retry_delivery(delivery=delivery, actor=AGENT, now=NOW)

    def test_is_refused_without_the_permission(self):
        (delivery,) = due_mails("ap")
        with pytest.raises(NotPermitted):
            retry_delivery(delivery=delivery, actor=AUDITOR, now=NOW)


class TestRetryDocument:
    def test_draws_a_parked_one(self):
        document = drawn(make_invoice())
        Document.objects.filter(pk=document.pk).update(state="PARKED", error="No height.", attempts=5)

        retry_document(document=document, actor=AGENT, now=NOW)

        assert render_pending(limit=10, now=NOW + timedelta(hours=1)).drawn == 1
        document.refresh_from_db()
        assert (document.state, document.attempts) == ("RENDERED", 1)
        assert AuditEntry.objects.get().action == "document.retry"

    def test_is_refused_where_it_is_drawn(self):
        with pytest.raises(NotForRetry):
            retry_document(document=drawn(make_invoice()), actor=AGENT, now=NOW)

    def test_is_refused_without_the_permission(self):
        with pytest.raises(NotPermitted):
            retry_document(document=drawn(make_invoice()), actor=AUDITOR, now=NOW)
