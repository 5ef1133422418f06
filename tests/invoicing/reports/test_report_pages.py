"""The reports' doors: pages, downloads as they are read, and workbooks in the background."""

import csv
import io
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from openpyxl import load_workbook

from accounts.actors import NotPermitted
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from billingsite import groups
from invoicing.reports.catalog import REPORTS
from invoicing.reports.exporting import LEASE, write_pending
from invoicing.reports.models import ReportExport
from invoicing.reports.operations import request_export
from invoicing.reports.queries import page_of
from invoicing.reports.report import Asked
from invoicing.sellers.models import Seller
from tests.invoicing import factories as made
from tests.invoicing.reports.book import hand_book
from tests.invoicing.reports.factories import MIA, NOBODY, NOW, booked, day, invoice

pytestmark = pytest.mark.django_db

FEBRUARY = Asked(on=day(28), from_on=day(1), to_on=day(28), currency="USD")
QUERY = "on=2026-02-28&from_on=2026-02-01&to_on=2026-02-28&currency=USD"


@pytest.fixture(autouse=True)
def documents_root(settings, tmp_path):
    settings.DOCUMENTS_ROOT = tmp_path / "documents"
    return settings.DOCUMENTS_ROOT


@pytest.fixture
def book():
    return hand_book()


@pytest.fixture
def auditor():
    user = User.objects.create(username="auditor", is_staff=True)
    user.groups.add(Group.objects.get(name=groups.AUDITOR))
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, name: str, query: str = QUERY) -> str:
    response = client.get(f"/admin/reports/{name}/?{query}")
    assert response.status_code == 200
    return response.content.decode()


def sheet(client: Client, name: str) -> list[list[str]]:
    response = client.get(f"/admin/reports/{name}/?{QUERY}&format=csv")
    return list(csv.reader(io.StringIO(response.getvalue().decode("utf-8-sig"))))


class TestAReportsPage:
    @pytest.mark.parametrize("name", REPORTS)
    def test_shows_figures_a_chart_and_totals(self, book, auditor, name):
        shown = page(auditor, name)
        assert REPORTS[name].title in shown
        assert 'class="chart"' in shown
        assert "<tfoot>" in shown

    @pytest.mark.parametrize("name", REPORTS)
    def test_says_what_to_do_where_there_is_nothing(self, auditor, name):
        made.seller()
        shown = page(auditor, name)
        assert REPORTS[name].when_empty in shown
        assert "<tfoot>" not in shown

    def test_shows_the_totals_of_the_ledger(self, book, auditor):
        for name, total in {"cash": "680.50", "receivables": "80.00"}.items():
            shown = page(auditor, name)
            assert f">{total}<" in shown
            assert "Figures in USD" in shown

    def test_takes_nonsense_for_no_filter(self, book, auditor):
        assert page(auditor, "receivables", "on=tomorrow&currency=%27&seller=x&terms=%27")

    @pytest.mark.parametrize(
        "query", ["to_on=0001-01-05", "from_on=9999-12-31&to_on=0001-01-01", "terms=%00", "month=0001-01"]
    )
    def test_takes_days_that_no_book_has(self, book, auditor, query):
        assert page(auditor, "cash", query)

    def test_leads_to_the_account_of_a_row(self, book, auditor):
        assert f'href="/admin/accounts/account/{book.a.pk}/change/">{book.a.number}</a>' in page(auditor, "receivables")

    def test_offers_a_currency_that_only_an_account_has(self, book, auditor):
        assert '<option value="EUR">' not in page(auditor, "cash")
        made.customer(profile={"currency": "EUR"})
        assert '<option value="EUR">' in page(auditor, "cash")

    def test_begins_with_the_latest_day_that_it_is_for_a_seller(self, book, auditor, monkeypatch):
        """Tokyo is a day ahead for nine hours: what came in today is in the books, and in the report."""
        Seller.objects.update(time_zone="Asia/Tokyo")
        late = datetime(2026, 2, 28, 20, 0, tzinfo=UTC)
        monkeypatch.setattr("invoicing.reports.pages.timezone.now", lambda: late)
        assert 'name="on" value="2026-03-01"' in page(auditor, "receivables", "")

    def test_of_a_month_is_its_days(self, book, auditor):
        shown = page(auditor, "vendors", "month=2026-02")
        assert 'name="from_on" value="2026-02-01"' in shown
        assert 'name="to_on" value="2026-02-28"' in shown

    def test_offers_terms_and_currencies(self, book, auditor):
        shown = page(auditor, "revenue")
        assert '<option value="per-seat">' in shown
        assert 'name="from_on" value="2026-02-01"' in shown

    def test_takes_as_many_queries_for_fifty_rows_as_for_five(self, book, auditor, django_assert_max_num_queries):
        for _ in range(50):
            invoice(made.customer(), "9", day(1), day(28))
        with django_assert_max_num_queries(20):
            page(auditor, "receivables")

    def test_is_nobodys_without_the_permission(self, book):
        client = Client()
        client.force_login(User.objects.create(username="nora", is_staff=True))
        assert client.get("/admin/reports/cash/").status_code == 403
        assert client.get("/admin/reports/cash/?format=csv").status_code == 403
        assert client.post("/admin/reports/cash/export/").status_code == 403

    def test_stands_in_a_list_of_all(self, auditor):
        shown = auditor.get("/admin/reports/").content.decode()
        assert all(report.title in shown for report in REPORTS.values())


class TestTheSheet:
    def test_has_every_row_with_amounts_as_numbers(self, book, auditor):
        heading, first, second = sheet(auditor, "receivables")
        assert heading[-3:] == ["Open", "With the agency", "Currency"]
        assert first[1:] == ["Acme", "33.00", "40.00", "0.00", "0.00", "0.00", "0.00", "73.00", "0.00", "USD"]
        assert second[1] == "Beech"

    def test_shows_more_places_where_there_are_more(self, book, auditor):
        booked(book.p, "usage:2", "USAGE", day(5), PREPAID_BALANCE="0.376544", UNBILLED_USAGE="-0.376544")
        assert sheet(auditor, "prepaid")[1][2:5] == ["100.00", "12.876544", "87.123456"]

    def test_has_no_formula(self, auditor):
        invoice(made.customer(name='=HYPERLINK("http://evil.example")'), "9", day(1), day(28))
        assert sheet(auditor, "receivables")[1][1] == '\'=HYPERLINK("http://evil.example")'


class TestAWorkbook:
    def test_is_written_in_the_background_and_downloaded(
        self, book, auditor, django_capture_on_commit_callbacks, rings
    ):
        with django_capture_on_commit_callbacks(execute=True):
            auditor.post("/admin/reports/cash/export/", {"from_on": "2026-02-01", "to_on": "2026-02-28"})
        assert rings == [1]
        assert "Waits" in page(auditor, "cash")

        assert write_pending(clock=lambda: NOW) == 1

        export = ReportExport.objects.get()
        assert (export.state, export.rows, len(export.sha256)) == ("DONE", 7, 64)
        response = auditor.get(f"/admin/reports/exports/{export.pk}/")
        content = response.getvalue()
        rows = list(load_workbook(io.BytesIO(content)).active.values)
        assert rows[0][:3] == ("Day", "Gateway", "Kind")
        assert rows[1][1:] == ("By hand", "Wire", 1, 500, 0, 500, "USD")
        assert rows[1][0].date() == day(2)
        assert "Download (" in page(auditor, "cash")

    def test_is_the_download_of_who_asked_for_it_alone(self, book, auditor):
        other = User.objects.create(username="other", is_staff=True)
        export = request_export("cash", FEBRUARY, actor=MIA, now=NOW, user_id=other.pk)
        write_pending(clock=lambda: NOW)
        assert auditor.get(f"/admin/reports/exports/{export.pk}/").status_code == 404

    def test_has_the_rows_of_the_page_as_numbers_at_the_currencys_places(self, book, documents_root):
        export = request_export("cash", FEBRUARY, actor=MIA, now=NOW)
        write_pending(clock=lambda: NOW)
        export.refresh_from_db()
        _, *rows = load_workbook(documents_root / export.path).active.iter_rows()
        shown = page_of(REPORTS["cash"], FEBRUARY).rows
        assert [[cell.value for cell in row[3:7]] for row in rows] == [[float(one) for one in row[3:]] for row in shown]
        assert {(cell.data_type, cell.number_format) for row in rows for cell in row[4:7]} == {("n", "#,##0.00")}

    def test_waits_for_the_tick_where_the_broker_does_not_answer(
        self, book, auditor, django_capture_on_commit_callbacks, monkeypatch
    ):
        monkeypatch.setattr("invoicing.reports.pages.write_exports.apply_async", Mock(side_effect=OSError))
        with django_capture_on_commit_callbacks(execute=True):
            answer = auditor.post("/admin/reports/cash/export/", {"from_on": "2026-02-01", "to_on": "2026-02-28"})
        assert answer.status_code == 302
        assert write_pending(clock=lambda: NOW) == 1

    def test_leaves_who_asked_for_it(self):
        made.seller()
        request_export("tax", FEBRUARY, actor=MIA, now=NOW)
        entry = AuditEntry.objects.get(action="report.export")
        assert (entry.who, entry.subject, entry.detail["to_on"]) == ("Mia Manager", "report tax", "2026-02-28")

    def test_is_refused_without_the_permission_or_by_another_name(self):
        with pytest.raises(NotPermitted):
            request_export("tax", FEBRUARY, actor=NOBODY, now=NOW)
        with pytest.raises(BadValue, match="There is no report"):
            request_export("taxes", FEBRUARY, actor=MIA, now=NOW)

    def test_holds_texts_that_begin_like_formulas_as_texts(self, documents_root):
        invoice(made.customer(name="=1+1"), "9", day(1), day(28))
        export = request_export("receivables", FEBRUARY, actor=MIA, now=NOW)
        write_pending(clock=lambda: NOW)
        export.refresh_from_db()
        cell = load_workbook(documents_root / export.path).active["B2"]
        assert (cell.value, cell.data_type) == ("=1+1", "s") or cell.data_type != "f"

    def test_of_a_worker_that_died_is_written_again_after_its_lease(self, book):
        export = request_export("cash", FEBRUARY, actor=MIA, now=NOW)
        ReportExport.objects.update(state="RUNNING", attempts=1, leased_until=NOW + LEASE)
        assert write_pending(clock=lambda: NOW) == 0
        assert write_pending(clock=lambda: NOW + LEASE) == 1
        export.refresh_from_db()
        assert (export.state, export.attempts) == ("DONE", 2)

    def test_that_kills_its_workers_is_given_up(self, book):
        request_export("cash", FEBRUARY, actor=MIA, now=NOW)
        ReportExport.objects.update(state="RUNNING", attempts=3, leased_until=NOW)
        assert write_pending(clock=lambda: NOW) == 0
        export = ReportExport.objects.get()
        assert (export.state, export.error[:35]) == ("FAILED", "Its worker stopped 3 times while it")

    def test_that_cannot_be_written_says_why(self, book, documents_root):
        documents_root.mkdir()
        (documents_root / "reports").write_text("a file where the folder should be")
        request_export("cash", FEBRUARY, actor=MIA, now=NOW)
        write_pending(clock=lambda: NOW)
        export = ReportExport.objects.get()
        assert export.state == "FAILED"
        assert "Error" in export.error


@pytest.fixture
def rings(monkeypatch):
    """How often the doorbell rang."""
    heard: list[int] = []
    monkeypatch.setattr("invoicing.reports.pages.write_exports.apply_async", lambda **how: heard.append(1))
    return heard
