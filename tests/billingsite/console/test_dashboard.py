from datetime import date
from decimal import Decimal

import pytest
from django.utils.timezone import localdate

from billingsite.console.figures import billed_by_month, receivables_by_age
from invoicing.ledger.operations import Side, post
from tests.billingsite.console.seed import AT, person, waiting_charge
from tests.invoicing import factories as make
from tests.invoicing.console_seed import seed_console
from tests.invoicing.documents.factories import line, make_invoice


def owe(amount: str, due_on: date) -> None:
    invoice = make_invoice(lines=[line(amount)], issued_on=date(2026, 6, 1), due_on=due_on)
    sides = [Side("RECEIVABLE", Decimal(amount), invoice_id=invoice.pk), Side("REVENUE", -Decimal(amount))]
    post(
        account_id=invoice.account_id, source=f"invoice:{invoice.pk}", kind="INVOICE", currency="USD",
        on=date(2026, 6, 1), now=AT, sides=sides,
    )  # fmt: skip


class TestReceivablesByAge:
    @pytest.mark.parametrize(
        ("due_on", "age"),
        [
            pytest.param(date(2026, 11, 20), "Not due yet", id="due today"),
            pytest.param(date(2026, 11, 19), "1–30 days", id="a day late"),
            pytest.param(date(2026, 10, 21), "1–30 days", id="30 days late"),
            pytest.param(date(2026, 10, 20), "31–60 days", id="31 days late"),
            pytest.param(date(2026, 9, 21), "31–60 days", id="60 days late"),
            pytest.param(date(2026, 9, 20), "61–90 days", id="61 days late"),
            pytest.param(date(2026, 8, 22), "61–90 days", id="90 days late"),
            pytest.param(date(2026, 8, 21), "Over 90 days", id="91 days late"),
        ],
    )
    def test_counts_from_the_day_after_the_due_date(self, db, due_on, age):
        owe("100", due_on)
        ages = receivables_by_age(date(2026, 11, 20))["USD"]
        assert [(label, amount, count) for label, amount, count in ages if count] == [(age, Decimal(100), 1)]

    def test_is_never_behind_the_books(self, db):
        owe("100", date(2026, 11, 1))
        receivables_by_age(date(2026, 11, 20))
        owe("50", date(2026, 11, 1))
        assert sum(amount for _, amount, _ in receivables_by_age(date(2026, 11, 20))["USD"]) == 150


class TestBilledByMonth:
    def test_adds_up_by_month_and_terms(self, db):
        make_invoice(lines=[line("10")], issued_on=date(2026, 10, 1), terms_code="hosted-direct")
        make_invoice(lines=[line("5")], issued_on=date(2026, 10, 31), terms_code="hosted-direct")
        make_invoice(lines=[line("3")], issued_on=date(2025, 11, 30), terms_code="hosted-direct")
        billed = billed_by_month(date(2026, 11, 20))["USD"]
        assert (billed.months[0], billed.months[-1]) == (date(2025, 12, 1), date(2026, 11, 1))
        assert billed.totals == [0] * 10 + [15, 0]


class TestDashboard:
    def test_shows_what_needs_doing(self, manager):
        seed_console()
        page = manager.get("/admin/").content.decode()
        for title in ("Runs to review", "Parked accounts", "Failed deliveries", "Accounts without a Primary Contact"):
            assert title in page

    def test_says_when_a_charge_waits_for_an_authorization(self, manager):
        account = make.customer()
        person(account)
        waiting_charge(account)
        assert "One-off charges that wait" in manager.get("/admin/").content.decode()

    def test_says_that_all_is_done_and_what_comes_next(self, manager):
        person(make.customer(profile={"next_billing_on": localdate() + date.resolution}))
        page = manager.get("/admin/").content.decode()
        assert "All is done. Next, 1 account is billed on" in page

    def test_shows_each_chart_as_a_table_too(self, manager):
        seed_console()
        page = manager.get("/admin/").content.decode()
        assert page.count("<canvas") == page.count("The figures as a table") == 2

    def test_is_empty_for_somebody_without_a_group(self, client, django_user_model):
        client.force_login(django_user_model.objects.create(username="new", is_staff=True))
        page = client.get("/admin/").content.decode()
        assert "Ask a billing manager to put you in a group." in page
        assert "Receivables" not in page
