"""Each report against a book that was added up by hand, and against the postings."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from invoicing.invoices.queries import vendor_sales
from invoicing.prepaid.models import PrepaidBalance
from invoicing.reports.catalog import REPORTS
from invoicing.reports.queries import all_rows, page_of
from invoicing.reports.report import Asked
from tests.invoicing import factories as made
from tests.invoicing.reports.book import hand_book
from tests.invoicing.reports.factories import day, invoice, paid

pytestmark = pytest.mark.django_db

FEBRUARY = Asked(on=day(28), from_on=day(1), to_on=day(28), currency="USD")


@pytest.fixture
def book():
    return hand_book()


def figures(name: str, asked: Asked = FEBRUARY) -> list[tuple[str, ...]]:
    """The rows as text, amounts with two places."""
    return [
        tuple(f"{cell:.2f}" if isinstance(cell, Decimal) else str(cell) for cell in row)
        for row in page_of(REPORTS[name], asked).rows
    ]


def total(name: str, column: str, asked: Asked = FEBRUARY) -> Decimal:
    report = REPORTS[name]
    return Decimal(page_of(report, asked).totals[report.place(column)] or 0)


def in_ledger(accounts: tuple[str, ...], asked: Asked, *, since: bool) -> Decimal:
    """What the postings sum to, read in the plainest way there is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(p.amount), 0) FROM invoicing_posting p"
            " JOIN invoicing_ledgerentry e ON e.id = p.entry_id"
            ' WHERE p.ledger_account = ANY(%s) AND p.currency = %s AND e."on" <= %s AND (NOT %s OR e."on" >= %s)',
            [list(accounts), asked.currency, asked.to_on if since else asked.on, since, asked.from_on],
        )
        return Decimal(cursor.fetchone()[0])


class TestReceivables:
    """By account: not due, 1–30, 31–60, 61–90, over 90, on no invoice, open, with the agency."""

    def test_as_of_the_end_of_february(self, book):
        assert figures("receivables") == [
            (book.a.number, "Acme", "33.00", "40.00", "0.00", "0.00", "0.00", "0.00", "73.00", "0.00"),
            (book.b.number, "Beech", "0.00", "0.00", "0.00", "0.00", "0.00", "7.00", "7.00", "0.00"),
        ]
        assert (total("receivables", "total"), total("receivables", "days_30")) == (Decimal(80), Decimal(40))

    def test_as_of_a_day_long_gone(self, book):
        january = FEBRUARY.over(on=day(31, 1))
        assert [row[2:] for row in figures("receivables", january)] == [
            ("40.00", "0.00", "0.00", "0.00", "0.00", "0.00", "40.00", "0.00"),
            ("0.00", "0.00", "0.00", "0.00", "0.00", "7.00", "7.00", "0.00"),
        ]

    def test_shows_what_is_with_the_agency_apart(self, book):
        march = FEBRUARY.over(on=day(31, 3))
        assert figures("receivables", march)[0][2:] == (
            "0.00", "0.00", "33.00", "0.00", "0.00", "0.00", "33.00", "40.00"
        )  # fmt: skip

    @pytest.mark.parametrize(("days", "column"), [(0, 2), (1, 3), (30, 3), (31, 4), (60, 4), (61, 5), (90, 5), (91, 6)])
    def test_puts_a_debt_into_its_age(self, book, days, column):
        cedar = made.customer()
        invoice(cedar, "9", day(1), day(28) - timedelta(days=days))
        (row,) = [row for row in figures("receivables") if row[0] == cedar.number]
        assert row[column] == "9.00"

    def test_can_be_asked_for_the_accounts_of_one_terms(self, book):
        assert [row[1] for row in figures("receivables", FEBRUARY.over(terms="per-seat"))] == ["Beech"]

    def test_is_empty_in_another_currency(self, book):
        assert figures("receivables", FEBRUARY.over(currency="EUR")) == []


class TestCash:
    def test_by_day_gateway_and_kind(self, book):
        assert figures("cash") == [
            ("2026-02-02", "By hand", "Wire", "1", "500.00", "0.00", "500.00"),
            ("2026-02-03", "By hand", "Check", "1", "100.00", "0.00", "100.00"),
            ("2026-02-05", "Demo gateway", "Card", "2", "60.60", "0.00", "60.60"),
            ("2026-02-09", "Demo gateway", "Card", "1", "0.00", "10.10", "-10.10"),
            ("2026-02-10", "By hand", "ACH / eCheck", "1", "20.00", "0.00", "20.00"),
            ("2026-02-20", "By hand", "ACH / eCheck", "1", "0.00", "20.00", "-20.00"),
            ("2026-02-25", "By hand", "Check", "1", "30.00", "0.00", "30.00"),
        ]
        assert total("cash", "net") == Decimal("680.50")


class TestRevenue:
    def test_by_month_product_and_terms(self, book):
        assert figures("revenue", FEBRUARY.over(from_on=day(1, 1))) == [
            ("2026-01", "Mail", "Hosted services, direct customer", "40.00", "0.00", "40.00"),
            ("2026-02", "Mail", "Hosted services, direct customer", "100.00", "5.00", "95.00"),
        ]

    def test_takes_no_deposit_for_revenue(self, book):
        assert total("revenue", "net") == Decimal(95)


class TestTax:
    def test_by_jurisdiction_and_rate(self, book):
        assert figures("tax") == [("New York sales tax", "8.00", "1", "100.00", "8.00")]


class TestCardFees:
    """FEE-1, FEE-3."""

    def test_by_month(self, book):
        assert figures("card-fees") == [("2026-02", "FEE-1", "None", "1", "0.60", "0.10", "0.50")]


class TestDeposits:
    """SEAT-1."""

    def test_as_of_a_day(self, book):
        assert figures("deposits") == [(book.b.number, "Beech", "500.00", "0.00", "500.00")]
        assert figures("deposits", FEBRUARY.over(on=day(31, 1))) == []


class TestPrepaid:
    def test_the_lowest_first(self, book):
        (row,) = figures("prepaid")
        assert row == (book.p.number, "Poplar", "100.00", "12.50", "87.50", "0.00", "0.00", "None")

    def test_as_of_a_day_before_the_last_use(self, book):
        (row,) = figures("prepaid", FEBRUARY.over(on=day(3)))
        assert row[2:5] == ("100.00", "0.00", "100.00")

    def test_has_who_never_paid_anything_in(self, book):
        quiet = made.customer("prepaid", name="Quince")
        PrepaidBalance.objects.create(account=quiet, currency="USD", awaiting=Decimal(40))
        assert figures("prepaid")[0][1:] == ("Quince", "0.00", "0.00", "0.00", "0.00", "40.00", "None")
        assert [row[1] for row in figures("prepaid", FEBRUARY.over(currency="EUR"))] == []


class TestVendors:
    """SVC-2."""

    def test_are_owed_their_share_of_each_month(self, book):
        assert figures("vendors", FEBRUARY.over(from_on=day(1, 1))) == [
            ("2026-01", "Contoso", "40.00", "0.00", "40.00", "62.50", "25.00"),
            ("2026-02", "Contoso", "100.00", "5.00", "95.00", "62.50", "59.38"),
        ]

    def test_are_owed_what_the_command_says(self, book):
        (row,) = figures("vendors")
        (sold,) = vendor_sales(day(1))
        assert row[2:] == tuple(f"{one:.2f}" for one in (*sold[2:4], sold.net, *sold[4:]))


class TestUnallocated:
    def test_by_payment_and_credit(self, book):
        last = book.a.payments.latest("pk")
        assert figures("unallocated") == [
            (book.a.number, "Acme", "Credit", "", "", "2026-02-21", "5.00"),
            (book.a.number, "Acme", f"Payment {last.pk}", "Check", "1042", "2026-02-25", "5.00"),
        ]


# The column that the postings of these ledger accounts sum to, and the sign that credits have there.
EQUALS = {
    "receivables": ("total", ("RECEIVABLE",), 1, False),
    "cash": ("net", ("GATEWAY_CLEARING",), 1, True),
    "revenue": ("net", ("REVENUE",), -1, True),
    "tax": ("tax", ("TAX_PAYABLE",), -1, True),
    "deposits": ("held", ("DEPOSIT_HELD",), -1, False),
    "prepaid": ("balance", ("PREPAID_BALANCE",), -1, False),
    "card-fees": ("net", ("FEE_REVENUE",), -1, True),
    "vendors": ("net", ("REVENUE",), -1, True),  # all that is sold in this book is a vendor's
    "unallocated": ("amount", ("CUSTOMER_CREDIT",), -1, False),
}


class TestEveryReport:
    @pytest.mark.parametrize("name", REPORTS)
    @pytest.mark.parametrize(
        "on", [day(31, 12 - 11), day(1), day(9), day(20), day(28), day(2, 3), day(31, 3)], ids=date.isoformat
    )
    def test_equals_the_ledger(self, book, name, on):
        column, accounts, sign, since = EQUALS[name]
        asked = FEBRUARY.over(on=on, from_on=day(1, 1), to_on=on)
        assert total(name, column, asked) == sign * in_ledger(accounts, asked, since=since)

    @pytest.mark.parametrize("name", REPORTS)
    def test_sums_all_its_rows_though_it_shows_some(self, book, name, monkeypatch):
        monkeypatch.setattr("invoicing.reports.queries.MOST_ROWS", 1)
        found, report = page_of(REPORTS[name], FEBRUARY), REPORTS[name]
        rows = list(all_rows(report, FEBRUARY))
        assert (len(found.rows), found.row_count) == (1, len(rows))
        for place, column in enumerate(report.columns):
            if column.is_summed:
                assert found.totals[place] == sum(row[place] or 0 for row in rows) or (found.totals[place] is None)

    @pytest.mark.parametrize("name", REPORTS)
    def test_takes_one_query_however_many_rows(self, book, name, django_assert_num_queries):
        for number in range(20):
            paid(book.a, "1", day(26), reference=f"{number}")
        with django_assert_num_queries(1):
            page_of(REPORTS[name], FEBRUARY)

    @pytest.mark.parametrize("name", REPORTS)
    def test_charts_what_it_shows(self, book, name):
        chart = page_of(REPORTS[name], FEBRUARY).chart
        assert chart
        assert all(len(amounts) == len(chart.labels) for amounts in chart.series.values())
