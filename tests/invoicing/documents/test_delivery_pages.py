"""The queues of documents and mails: what failed, why, and the way to try again."""

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoicing.documents.models import Delivery, Document
from tests.invoicing.documents.factories import deliveries_of, make_invoice, requested
from tests.invoicing.staff import AGENT, AUDITOR, MANAGER, NO_GROUP, signed_in

pytestmark = pytest.mark.django_db

MAILS, PDFS = "/admin/invoicing/delivery/", "/admin/invoicing/document/"


def said(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def failed_mail(state: str = "PARKED", error: str = "550 no such mailbox") -> Delivery:
    mail = deliveries_of(requested(make_invoice()))[0]
    Delivery.objects.filter(pk=mail.pk).update(state=state, error=error, attempts=1)
    mail.refresh_from_db()
    return mail


def failed_document() -> Document:
    document = requested(make_invoice())
    Document.objects.filter(pk=document.pk).update(state="PARKED", error="ValueError: no glyph", attempts=5)
    document.refresh_from_db()
    return document


def queries(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


class TestFailedMails:
    def test_are_listed_with_the_reason(self):
        failed_mail()
        fine = deliveries_of(requested(make_invoice()))[0]
        text = signed_in(AUDITOR).get(MAILS, {"failed": "1"}).content.decode()
        assert "550 no such mailbox" in text
        assert fine.address not in text

    def test_are_sent_after_all(self):
        mail = failed_mail()
        chosen = {"action": "send_after_all", "_selected_action": [mail.pk]}
        assert said(signed_in(AGENT).post(MAILS, chosen)) == "1 will be sent as soon as a worker gets to it."
        mail.refresh_from_db()
        assert (mail.state, mail.error) == ("PENDING", "")

    def test_that_did_not_fail_are_refused_without_keeping_the_others(self):
        failed, fine = failed_mail("UNCERTAIN"), deliveries_of(requested(make_invoice()))[0]
        chosen = {"action": "send_after_all", "_selected_action": [failed.pk, fine.pk]}
        text = said(signed_in(AGENT).post(MAILS, chosen))
        assert "there is nothing to retry" in text
        assert "1 will be sent" in text

    def test_are_not_an_auditors_to_send(self):
        mail = failed_mail()
        signed_in(AUDITOR).post(MAILS, {"action": "send_after_all", "_selected_action": [mail.pk]})
        mail.refresh_from_db()
        assert mail.state == "PARKED"

    def test_warn_that_an_uncertain_one_may_arrive_twice(self):
        mail = failed_mail("UNCERTAIN")
        assert "it may then arrive twice" in signed_in().get(f"{MAILS}{mail.pk}/change/").content.decode()

    def test_are_found_by_address_and_account(self):
        mail, other = failed_mail(), failed_mail()
        client = signed_in()
        for words in (mail.address[:10], mail.account.number, mail.account.name):
            text = client.get(MAILS, {"q": words}).content.decode()
            assert (mail.address in text, other.address in text) == (True, False)


class TestFailedDocuments:
    def test_are_listed_with_the_reason_and_drawn_after_all(self):
        document = failed_document()
        client = signed_in(AGENT)
        assert "ValueError: no glyph" in client.get(PDFS, {"failed": "1"}).content.decode()
        chosen = {"action": "draw_after_all", "_selected_action": [document.pk]}
        assert said(client.post(PDFS, chosen)) == "1 will be drawn as soon as a worker gets to it."
        document.refresh_from_db()
        assert document.state == "PENDING"


class TestBoth:
    @pytest.mark.parametrize("path", [MAILS, PDFS])
    def test_take_as_many_queries_for_fifty_rows_as_for_five(self, path):
        client = signed_in()
        for _ in range(5):
            failed_mail()
        few = queries(client, path)
        for _ in range(45):
            failed_mail()
        assert queries(client, path) == few

    @pytest.mark.parametrize("path", [MAILS, PDFS])
    @pytest.mark.parametrize(("group", "status"), [(MANAGER, 200), (AGENT, 200), (AUDITOR, 200), (NO_GROUP, 403)])
    def test_are_shown_by_group(self, path, group, status):
        mail = failed_mail()
        row = mail.pk if path == MAILS else mail.document_id
        client = signed_in(group)
        assert client.get(path).status_code == client.get(f"{path}{row}/change/").status_code == status

    @pytest.mark.parametrize("path", [MAILS, PDFS])
    def test_find_no_other_id_and_offer_no_change(self, path):
        client = signed_in()
        mail = failed_mail()
        row = mail.pk if path == MAILS else mail.document_id
        assert client.get(f"{path}999999/change/").status_code == 404
        assert client.get(f"{path}add/").status_code == 403
        assert client.post(f"{path}{row}/delete/", {"post": "yes"}).status_code == 403
