"""The commands and the tasks: each counts what it did."""

import pytest
from django.core.management import call_command

from invoicing.documents import tasks
from invoicing.documents.models import Delivery, Document
from tests.invoicing.documents.factories import make_invoice, requested

pytestmark = pytest.mark.django_db


@pytest.fixture
def three():
    return [requested(make_invoice()) for _ in range(3)]


class TestCommands:
    def test_draw_and_send_all_that_wait(self, three, mail_server, capsys):
        call_command("render_documents", processes=1)
        call_command("send_deliveries")
        said = capsys.readouterr().out
        assert "3 drawn, 0 parked in " in said
        assert "3 sent, 0 put off, 0 parked, 0 uncertain in " in said
        assert len(mail_server.handler.mails) == 3

    def test_keep_to_a_limit(self, three, mail_server, capsys):
        call_command("render_documents", processes=1, limit=2)
        call_command("send_deliveries", limit=1)
        said = capsys.readouterr().out
        assert "2 drawn, " in said
        assert "1 sent, " in said


class TestTasks:
    def test_draw_and_send(self, three, mail_server):
        tasks.render_documents()
        tasks.send_deliveries()
        assert Document.objects.filter(state="RENDERED").count() == 3
        assert Delivery.objects.filter(state="SENT").count() == 3

    def test_that_were_full_are_followed_by_another(self, three, mail_server, monkeypatch):
        asked = []
        monkeypatch.setattr(tasks, "DOCUMENTS_A_TASK", 2)
        monkeypatch.setattr(tasks, "DELIVERIES_A_TASK", 2)
        monkeypatch.setattr(tasks.render_documents, "delay", lambda: asked.append("draw"))
        monkeypatch.setattr(tasks.send_deliveries, "delay", lambda: asked.append("send"))
        tasks.render_documents()
        tasks.send_deliveries()
        assert asked == ["draw", "send"]
        tasks.render_documents()
        tasks.send_deliveries()
        assert asked == ["draw", "send"]
