"""SVC-2: what vendors are owed."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command

from accounts.actors import command_line
from accounts.models import Account
from invoicing.catalog.models import Plan, Vendor
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.invoices.models import Invoice
from invoicing.invoices.queries import vendor_sales
from tests.invoicing import factories as make
from tests.invoicing.staff import AUDITOR, NO_GROUP, signed_in

pytestmark = pytest.mark.django_db

NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


@pytest.fixture
def backup() -> Plan:
    """USD 12.75 or EUR 11.10 a unit, of which Stratus is owed 62.5 %."""
    plan = make.plan("backup", "12.75")
    make.add_price(plan, "11.10", currency="EUR")
    plan.product.vendor = Vendor.objects.create(name="Stratus Backup", share_percent=Decimal("62.5"))
    plan.product.save()
    return plan


def sold(plan: Plan, quantity: str, currency: str = "USD") -> Account:
    account = make.customer(profile={"currency": currency})
    make.subscription(account, plan, NOVEMBER, quantity)
    return account


def figures(month: date) -> list[tuple[str, ...]]:
    return [(one.currency, f"{one.invoiced:.2f}", f"{one.credited:.2f}", str(one.owed)) for one in vendor_sales(month)]


class TestVendorSales:
    def test_are_by_currency_and_rounded_once(self, backup):
        sold(backup, "1")
        sold(backup, "2")
        sold(backup, "3", "EUR")
        make.bill(DECEMBER)
        assert figures(DECEMBER) == [("EUR", "33.30", "0.00", "20.81"), ("USD", "38.25", "0.00", "23.91")]

    def test_are_less_by_what_was_credited_in_the_month(self, backup):
        account = sold(backup, "2")
        make.bill(DECEMBER)
        invoice = Invoice.objects.get(account=account)
        in_december = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)
        amounts = {invoice.lines.get().pk: Decimal("5.50")}
        credit_invoice(invoice=invoice, actor=command_line(), now=in_december, reason="Down", amounts=amounts)
        assert figures(DECEMBER) == [("USD", "25.50", "5.50", "12.50")]

    def test_may_be_negative_in_the_month_after(self, backup):
        account = sold(backup, "2")
        make.bill(DECEMBER)
        invoice = Invoice.objects.get(account=account)
        in_january = datetime(2027, 1, 9, 12, 0, tzinfo=UTC)
        credit_invoice(invoice=invoice, actor=command_line(), now=in_january, reason="Never delivered")
        assert figures(date(2027, 1, 1)) == [("USD", "0.00", "25.50", "-15.94")]

    def test_do_not_count_drafts_or_other_products(self, backup):
        make.terms("hosted-direct", approval="REVIEW")
        sold(backup, "1")
        sold(make.plan("pbx"), "1")
        make.bill(DECEMBER, approve=False)
        assert figures(DECEMBER) == []


class TestReport:
    PAGE = "/admin/reports/vendors/"

    def test_page_shows_a_month(self, backup):
        sold(backup, "3")
        make.bill(DECEMBER)
        text = signed_in(AUDITOR).get(self.PAGE, {"month": "2026-12"}).content.decode()
        assert "Stratus Backup" in text
        assert ">23.91<" in text
        assert "Figures in USD" in text

    @pytest.mark.parametrize("month", ["", "soon", "2026-13", "0000-01"])
    def test_page_shows_the_last_months_where_none_is_named(self, month):
        make.seller()
        assert "Nothing was invoiced or credited" in signed_in().get(self.PAGE, {"month": month}).content.decode()

    def test_sheet_is_safe_from_formulas(self, backup):
        """OTRS: formulas in CSV exports."""
        Vendor.objects.update(name="=1+1")
        sold(backup, "3")
        make.bill(DECEMBER)
        response = signed_in().get(self.PAGE, {"month": "2026-12", "format": "csv"})
        lines = b"".join(response.streaming_content).decode().splitlines()
        assert lines[1] == "2026-12,'=1+1,38.25,0.00,38.25,62.500,23.91,USD"

    def test_is_not_for_those_who_may_not_see_invoices(self):
        assert signed_in(NO_GROUP).get(self.PAGE).status_code == 403

    def test_command_prints_the_same(self, backup):
        sold(backup, "3")
        make.bill(DECEMBER)
        out = StringIO()
        call_command("report_vendors", "--month", "2026-12", "--json", stdout=out)
        assert json.loads(out.getvalue()) == {
            "month": "2026-12",
            "vendors": [
                {
                    "vendor": "Stratus Backup", "currency": "USD", "share_percent": "62.500", "invoiced": "38.25",
                    "credited": "0.00", "net": "38.25", "owed": "23.91",
                }
            ],
        }  # fmt: skip
        out = StringIO()
        call_command("report_vendors", "--month", "2026-12", stdout=out)
        assert "62.5 % of USD 38.25 is owed: USD 23.91." in out.getvalue()
