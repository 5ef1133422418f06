"""Two workers at once: each mail goes out once, each document is drawn once."""

import threading

import pytest
from django.db import connection

from invoicing.documents import sending
from invoicing.documents.models import Delivery, Document
from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import send_pending
from tests.invoicing.documents.factories import NOW, due_mails, make_invoice, requested

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = [f"name{number:02d}" for number in range(60)]


def at_once(*works) -> list:
    """What these return when they run in threads of their own, started together."""
    start, results = threading.Barrier(len(works)), [None] * len(works)

    def run(index, work):
        start.wait()
        try:
            results[index] = work()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not [result for result in results if isinstance(result, Exception)]
    return results


def send():
    return send_pending(limit=100, now=NOW)


class TestTwoWorkers:
    def test_send_each_mail_once(self, mail_server):
        due_mails(*NAMES)

        results = at_once(send, send, send)

        assert sum(result.sent for result in results) == 60
        assert mail_server.handler.recipients() == [f"{name}@customer.example" for name in NAMES]
        assert not Delivery.objects.exclude(state="SENT").exists()

    def test_without_claim_and_mark_would_send_each_twice(self, mail_server, monkeypatch):
        """The negative control of the test above."""
        due_mails(*NAMES)
        both_have_read = threading.Barrier(2)

        def read_without_lease(after, limit, now):
            read = [] if after else list(Delivery.objects.select_related("document").order_by("pk"))
            both_have_read.wait(20)
            return read

        monkeypatch.setattr(sending, "_claim", read_without_lease)
        monkeypatch.setattr(sending, "_mark_as_sending", lambda *_: True)

        at_once(send, send)

        assert len(mail_server.handler.mails) == 120

    def test_draw_each_document_once(self):
        for _ in range(60):
            requested(make_invoice())

        results = at_once(*[lambda: render_pending(limit=100, now=NOW)] * 3)

        assert sum(result.drawn for result in results) == 60
        assert Document.objects.filter(state="RENDERED", attempts=1).count() == 60
