"""AUTH-4: statements and letters on the customers' pages; nothing is written or mailed by looking."""

from collections.abc import Iterator

import pytest
from pypdf import PdfReader

from accounts.actors import Role
from invoicing.documents.models import Document, Letter
from invoicing.documents.rendering import render_pending
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from invoicing.payments.operations import charge
from tests.accounts.factories import make_contact
from tests.accounts.visitors import visitor
from tests.invoicing import factories
from tests.invoicing.payments.factories import MIA, NOW, card, invoice, ship_rates

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("invoicing.reports.portal.timezone.now", lambda: NOW)


@pytest.fixture
def gateway() -> Iterator[DemoGateway]:
    demo = DemoGateway(clock=SetClock(NOW))
    with installed(demo):
        yield demo


@pytest.fixture
def account():
    ship_rates()
    return factories.customer()


@pytest.fixture
def payer(account):
    return visitor(make_contact(account, "Pat Primary", Role.PRIMARY))


class TestStatement:
    def test_is_drawn_from_the_ledger_and_kept_nowhere(self, account, payer, tmp_path):
        due = invoice(account, "200")
        answer = payer.get(f"/my/{account.pk}/documents/statement.pdf", {"from": "2026-02-01", "to": "2026-03-02"})
        path = tmp_path / "statement.pdf"
        path.write_bytes(answer.content)
        text = PdfReader(path).pages[0].extract_text()
        assert answer.headers["Content-Type"] == "application/pdf"
        assert "no-store" in answer.headers["Cache-Control"]
        assert due.number in text
        assert "Closing balance" in text
        assert not Letter.objects.filter(kind="STATEMENT").exists()
        assert not Document.objects.filter(kind="STATEMENT").exists()

    @pytest.mark.parametrize(
        ("days", "sentence"),
        [
            ({}, "Write both days"),
            ({"from": "2026-02-31", "to": "x"}, "Write both days"),
            ({"from": "2026-03-02", "to": "2026-03-01"}, "first day is not after its last"),
            ({"from": "2026-03-01", "to": "2026-03-03"}, "at the latest today"),
            ({"from": "2001-01-01", "to": "2026-03-01"}, "two years"),
        ],
    )
    def test_of_days_that_are_none_says_what_would_be_right(self, account, payer, days, sentence):
        answer = payer.get(f"/my/{account.pk}/documents/statement.pdf", days, follow=True)
        assert sentence in answer.text

    def test_of_a_client_is_its_partners(self):
        _, (client_account, _) = factories.partner_with_clients()
        client = visitor(make_contact(client_account, "Pat Primary", Role.PRIMARY))
        days = {"from": "2026-02-01", "to": "2026-03-01"}
        assert client.get(f"/my/{client_account.pk}/documents/statement.pdf", days).status_code == 404
        assert client.get(f"/my/{client_account.pk}/documents/").status_code == 404


class TestLetters:
    def test_a_receipt_is_there_as_it_was_sent(self, account, payer, gateway, settings, tmp_path):
        settings.DOCUMENTS_ROOT = tmp_path
        due = invoice(account, "200")
        from_method = card(account)
        charge(account.pk, from_method, actor=MIA, now=NOW, invoices=[due.pk])
        page = payer.get(f"/my/{account.pk}/documents/")
        letter = Letter.objects.get(kind="RECEIPT")
        address = f"/my/{account.pk}/documents/{letter.pk}.pdf"
        assert address in page.text
        assert "not ready yet" in payer.get(address, follow=True).text
        render_pending(limit=10, now=NOW)
        assert payer.get(address).content.startswith(b"%PDF")

    def test_are_listed_page_by_page(self, account, payer):
        Letter.objects.bulk_create(
            Letter(
                account=account, kind="NOTICE", key=f"n:{number}", on=NOW.date(), written_at=NOW,
                details={"subject": f"News {number}."},
            )
            for number in range(30)
        )  # fmt: skip
        first = payer.get(f"/my/{account.pk}/documents/")
        second = payer.get(f"/my/{account.pk}/documents/", {"before": first.context["older"]})
        assert ("News 29." in first.text, "News 4." in first.text) == (True, False)
        assert ("News 29." in second.text, "News 4." in second.text, "News 0." in second.text) == (False, True, True)
        assert second.context["older"] is None
