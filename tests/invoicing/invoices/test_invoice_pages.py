"""The pages of invoices and credit notes: what they show, and what may be done there."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actors import command_line
from invoicing.documents.composers import register
from invoicing.documents.models import Delivery, Document
from invoicing.documents.rendering import render_pending
from invoicing.invoices.composing import InvoiceComposer
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.invoices.models import CreditNote, Invoice
from invoicing.tax.models import TaxRate
from tests.invoicing import factories as make
from tests.invoicing.staff import AGENT, AUDITOR, MANAGER, NO_GROUP, signed_in

pytestmark = pytest.mark.django_db

DECEMBER = date(2026, 12, 1)


@pytest.fixture(autouse=True)
def documents_root(settings, tmp_path) -> Path:
    settings.DOCUMENTS_ROOT = tmp_path / "documents"
    for kind in Document.Kind.values:
        register(kind, InvoiceComposer())
    return settings.DOCUMENTS_ROOT


def issued(quantity: str = "2", *, lines: int = 1, approve: bool = True) -> Invoice:
    """An invoice of so many lines of USD 10 each unit, with 8 % tax; without approval, its draft."""
    TaxRate.objects.get_or_create(
        name="New York State", country="US", state="NY", valid_from_on=date(2020, 1, 1),
        defaults={"rate_percent": Decimal(8)},
    )  # fmt: skip
    if not approve:
        make.terms("hosted-direct", approval="REVIEW")
    account = make.customer()
    for _ in range(lines):
        make.subscription(account, make.plan(f"pbx-{make.Plan.objects.count()}"), date(2026, 11, 1), quantity)
    make.bill(DECEMBER, approve=approve)
    return Invoice.objects.get(account=account)


def address(name: str, invoice: Invoice, model: str = "invoice") -> str:
    return reverse(f"admin:invoicing_{model}_{name}", args=[invoice.pk])


def said(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def queries(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


class TestInvoicePage:
    def test_says_why_each_line_is_there(self):
        text = signed_in().get(address("change", issued())).content.decode()
        assert "2 × USD 10.00 for 1 to 30 November 2026, never prorated" in text
        assert ">BILL-1</span>" in text

    def test_shows_the_tax_per_rate_and_the_total(self):
        text = signed_in().get(address("change", issued())).content.decode()
        assert "New York State, 8 % of USD 20.00" in text
        assert "USD 21.60" in text

    def test_shows_a_partners_lines_by_client(self):
        partner, (first, second) = make.partner_with_clients("Riverside", "Summit")
        plan = make.plan("pbx")
        for client in (first, second):
            make.subscription(client, plan, date(2026, 11, 1))
        make.bill(DECEMBER)
        invoice = Invoice.objects.filter(account=partner).latest("pk")
        text = signed_in().get(address("change", invoice)).content.decode()
        assert f"{first.number} Riverside" in text
        assert f"{second.number} Summit" in text

    def test_shows_what_was_posted(self):
        text = signed_in().get(address("change", issued())).content.decode()
        assert "Receivable" in text
        assert "Tax payable" in text

    def test_shows_a_draft_as_a_draft(self):
        text = signed_in().get(address("change", issued(approve=False))).content.decode()
        assert "A draft: it has no number, is in no books and is mailed to nobody." in text
        assert "Credit…" not in text

    def test_lists_its_credit_notes_and_they_name_it(self):
        invoice = issued()
        note = credit_invoice(invoice=invoice, actor=command_line(), now=make.NOW, reason="Never delivered")
        client = signed_in()
        assert f">{note.number}</a>" in client.get(address("change", invoice)).content.decode()
        text = client.get(address("change", note, "creditnote")).content.decode()
        assert f">{invoice.number}</a>" in text
        assert "Never delivered" in text

    def test_takes_as_many_queries_for_fifty_lines_as_for_five(self):
        few, many = issued(lines=5), issued(lines=50)
        client = signed_in()
        assert queries(client, address("change", few)) == queries(client, address("change", many))
        assert queries(client, address("credit", few)) == queries(client, address("credit", many))


class TestInvoiceList:
    LIST = "/admin/invoicing/invoice/"

    def test_takes_as_many_queries_for_fifty_rows_as_for_five(self):
        client = signed_in()
        for _ in range(5):
            issued()
        few = queries(client, self.LIST)
        plan = make.plan("many")
        for _ in range(45):
            make.subscription(make.customer(), plan, date(2026, 11, 1))
        make.bill(DECEMBER)
        assert Invoice.objects.count() == 50
        assert queries(client, self.LIST) == few

    def test_is_searched_by_number_account_and_name(self):
        invoice, other = issued(), issued()
        client = signed_in()
        for words in (invoice.number, invoice.number.lower(), invoice.account.number, invoice.account.name.upper()):
            text = client.get(self.LIST, {"q": words}).content.decode()
            assert (f">{invoice.number}</a>" in text, f">{other.number}</a>" in text) == (True, False)

    def test_is_filtered_by_date_terms_status_and_kind(self):
        invoice = issued()
        client = signed_in()
        for asked, found in [
            ({"issued_on_from": "2026-12-01", "issued_on_to": "2026-12-01"}, True),
            ({"issued_on_from": "2026-12-02"}, False),
            ({"terms_code": "hosted-direct"}, True),
            ({"terms_code": "per-seat"}, False),
            ({"status__exact": "DRAFT"}, False),
            ({"kind__exact": "INVOICE"}, True),
        ]:
            assert (f">{invoice.number}</a>" in client.get(self.LIST, asked).content.decode()) is found, asked

    def test_shows_the_worst_of_the_last_mails(self):
        invoice = issued()
        Delivery.objects.update(state="PARKED", error="550 no such mailbox")
        assert "Parked" in signed_in().get(self.LIST).content.decode()
        document = Document.objects.get(subject_id=invoice.pk)
        again = Delivery.objects.get()
        Delivery.objects.create(
            document=document, account=again.account, address=again.address, sequence=2, state="SENT", sent_at=make.NOW
        )
        assert "Parked</span>" not in signed_in().get(self.LIST).content.decode().replace("\n", "")

    def test_says_what_to_do_while_it_is_empty(self):
        assert "Start a run: its drafts are listed here" in signed_in().get(self.LIST).content.decode()


class TestPdf:
    def test_is_shown_and_saved_under_its_number(self):
        invoice = issued()
        render_pending(limit=10, now=timezone.now())
        client = signed_in(AUDITOR)
        shown = client.get(address("pdf", invoice))
        assert (shown.headers["Content-Type"], shown.content[:5]) == ("application/pdf", b"%PDF-")
        assert shown.headers["Content-Disposition"] == f'inline; filename="{invoice.number}.pdf"'
        saved = client.get(address("pdf", invoice), {"download": "1"})
        assert saved.headers["Content-Disposition"] == f'attachment; filename="{invoice.number}.pdf"'

    def test_says_so_while_it_is_not_drawn(self):
        assert "cannot be shown now" in signed_in().get(address("pdf", issued())).content.decode()

    def test_is_not_found_for_a_draft_or_another_id(self):
        client = signed_in()
        draft = issued(approve=False)
        assert client.get(address("pdf", draft)).status_code == 404
        draft.pk = 999
        assert client.get(address("pdf", draft)).status_code == 404

    def test_of_an_invoice_is_not_found_among_the_credit_notes(self):
        """InvoiceShelf: the role was checked, the object was not."""
        invoice = issued()
        render_pending(limit=10, now=timezone.now())
        assert signed_in().get(address("pdf", invoice, "creditnote")).status_code == 404
        assert signed_in().get(address("change", invoice, "creditnote")).status_code == 404


class TestSendAgain:
    def test_goes_to_the_addresses_chosen_and_typed(self):
        invoice = issued()
        sent = {"address": invoice.account.invoice_emails, "other": "Boss@Example.com; cfo@example.com"}
        response = signed_in(AGENT).post(address("send", invoice), sent)
        assert "boss@example.com, cfo@example.com" in said(response)
        assert Delivery.objects.filter(sequence=2).count() == 3

    @pytest.mark.parametrize("typed", ["", "nobody", "a@b@c.example"])
    def test_refuses_what_is_no_address_in_a_sentence(self, typed):
        response = signed_in().post(address("send", issued()), {"other": typed})
        assert said(response)
        assert not Delivery.objects.filter(sequence=2).exists()

    def test_is_not_an_auditors(self):
        response = signed_in(AUDITOR).post(address("send", issued()), {"other": "a@example.com"})
        assert "may not do this" in said(response)
        assert not Delivery.objects.filter(sequence=2).exists()


class TestCredit:
    """BILL-6."""

    def part(self, invoice: Invoice, amount: str, **button: str) -> dict[str, str]:
        return {"extent": "part", f"amount_{invoice.lines.get().pk}": amount, "reason": "Half a month down", **button}

    def test_shows_what_it_would_hold_before_it_is_issued(self):
        invoice = issued()
        text = signed_in().post(address("credit", invoice), self.part(invoice, "5", preview="1")).content.decode()
        assert "Issue the credit note over USD 5.40" in text
        assert not CreditNote.objects.exists()

    def test_issues_a_part(self):
        invoice = issued()
        response = signed_in().post(address("credit", invoice), self.part(invoice, "5", issue="1"))
        note = CreditNote.objects.get()
        assert said(response) == f"Credit note {note.number} is issued and will be mailed like the invoice."
        assert (note.total, note.reason, note.corrects_id) == (Decimal("-5.40"), "Half a month down", invoice.pk)

    def test_issues_the_whole(self):
        invoice = issued()
        signed_in().post(address("credit", invoice), {"extent": "whole", "reason": "Never delivered", "issue": "1"})
        assert CreditNote.objects.get().total == -invoice.total

    def test_twice_is_refused_beyond_the_rest(self):
        invoice = issued()
        client = signed_in()
        client.post(address("credit", invoice), self.part(invoice, "15", issue="1"))
        response = client.post(address("credit", invoice), self.part(invoice, "15", issue="1"))
        assert "Line 1 has USD 5.00 left to credit, and USD 15.00 was asked for." in response.content.decode()
        assert CreditNote.objects.count() == 1

    @pytest.mark.parametrize(
        ("amount", "sentence"),
        [
            ("ten", "“ten” is not an amount"),
            ("NaN", "is not an amount"),
            ("1e999999", "is not an amount"),
            ("-5", "left to credit"),
            ("0.001", "finer than USD can be paid"),
            ("", "Nothing of invoice"),
        ],
    )
    def test_refuses_an_amount_in_a_sentence(self, amount, sentence):
        invoice = issued()
        text = signed_in().post(address("credit", invoice), self.part(invoice, amount, issue="1")).content.decode()
        assert sentence in text
        assert not CreditNote.objects.exists()

    def test_asks_for_the_reason(self):
        invoice = issued()
        text = signed_in().post(address("credit", invoice), {"extent": "whole", "preview": "1"}).content.decode()
        assert "Give the reason that the customer is to read." in text

    def test_of_a_draft_is_refused(self):
        draft = issued(approve=False)
        text = signed_in().post(address("credit", draft), {"reason": "x", "preview": "1"}).content.decode()
        assert "only an issued invoice is credited (BILL-6)" in text

    @pytest.mark.parametrize("group", [AGENT, AUDITOR, NO_GROUP])
    def test_is_a_managers_alone(self, group):
        invoice = issued()
        client = signed_in(group)
        assert client.get(address("credit", invoice)).status_code == 403
        assert client.post(address("credit", invoice), {"reason": "x", "issue": "1"}).status_code == 403
        assert not CreditNote.objects.exists()


class TestPermissions:
    @pytest.mark.parametrize("model", ["invoice", "creditnote"])
    @pytest.mark.parametrize(("group", "status"), [(MANAGER, 200), (AGENT, 200), (AUDITOR, 200), (NO_GROUP, 403)])
    def test_of_what_is_shown(self, model, group, status):
        invoice = issued()
        if model == "creditnote":
            invoice = credit_invoice(invoice=invoice, actor=command_line(), now=make.NOW, reason="Never delivered")
        assert signed_in(group).get(address("change", invoice, model)).status_code == status
        assert signed_in(group).get(f"/admin/invoicing/{model}/").status_code == status

    @pytest.mark.parametrize("name", ["change", "pdf", "send", "credit"])
    def test_sends_those_who_are_no_staff_to_the_sign_in(self, name):
        path = address(name, issued())
        for client in (Client(), signed_in(MANAGER, is_staff=False)):
            assert "login" in client.post(path).headers["Location"]

    @pytest.mark.parametrize("name", ["change", "pdf", "send", "credit"])
    def test_finds_no_other_id(self, name):
        invoice = issued()
        invoice.pk = 999
        client = signed_in()
        assert (client.post if name == "send" else client.get)(address(name, invoice)).status_code == 404

    def test_refuses_get_where_something_would_be_sent(self):
        assert signed_in().get(address("send", issued())).status_code == 405

    @pytest.mark.parametrize("model", ["invoice", "creditnote"])
    def test_offers_no_form_to_change_a_row(self, model):
        invoice = issued()
        client = signed_in()
        assert client.get(f"/admin/invoicing/{model}/add/").status_code == 403
        assert client.post(f"/admin/invoicing/{model}/{invoice.pk}/delete/", {"post": "yes"}).status_code in (403, 302)
        assert Invoice.objects.filter(pk=invoice.pk).exists()
