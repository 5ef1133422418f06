"""P6: posted entries, issued invoices and the audit trail never change: raw SQL is refused, by right and by trigger."""

from datetime import date
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from accounts.actors import schedule
from accounts.authority import Action
from accounts.decisions import decide
from accounts.models import Account
from billingsite.roles import is_append_only
from invoicing.catalog.models import Price
from invoicing.invoices.models import Invoice
from invoicing.tax.models import TaxRate
from tests.invoicing.factories import NOW, bill, customer, plan, subscription, terms

pytestmark = pytest.mark.django_db

APPEND_ONLY = sorted(model._meta.db_table for model in apps.get_models() if is_append_only(model))
NAMED = [
    "accounts_auditentry",
    "accounts_decision",
    "invoicing_ledgerentry",
    "invoicing_letterhead",
    "invoicing_posting",
]
EVENTS = [table for table in APPEND_ONLY if table not in NAMED]
STATEMENTS = ["UPDATE {table} SET {column} = {column}", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"]


@pytest.fixture
def book(db):
    """One issued invoice with tax and one draft, and a row in each append-only table."""
    TaxRate.objects.create(
        country="US", state="NY", name="New York", rate_percent=Decimal("4"), valid_from_on=date(2020, 1, 1)
    )
    account = customer()
    subscription(account, plan("mail", "10"), date(2026, 2, 1))
    bill(date(2026, 3, 1))
    decide(Action.ASK_WHOM_TO_TURN_TO, account, actor=schedule(), now=NOW)
    terms("hosted-direct", approval="REVIEW")
    subscription(account, plan("crm", "30"), date(2026, 2, 1))
    bill(date(2026, 4, 1), approve=False)
    for model in (Account, Price):
        model.objects.first().save()
    assert (Invoice.objects.filter(status="ISSUED").count(), Invoice.objects.filter(status="DRAFT").count()) == (1, 1)
    connection.check_constraints()
    return account


def execute(sql: str, *, as_site: bool = False) -> int:
    """Run raw SQL, as the owner of the tables or as the role that the site works as; returns the rows touched."""
    with transaction.atomic(), connection.cursor() as cursor:
        # What the tests' own settings let through, to empty tables after themselves, is shut here.
        cursor.execute("SET LOCAL billing.tables_may_be_emptied = 'no'; SET CONSTRAINTS ALL IMMEDIATE")
        if as_site:
            cursor.execute("SET LOCAL ROLE billing_app")
        cursor.execute(sql)
        touched = cursor.rowcount
        if as_site:
            cursor.execute("RESET ROLE")
        return touched


def first_column(table: str) -> str:
    return next(str(model._meta.pk.column) for model in apps.get_models() if model._meta.db_table == table)


class TestAsTheSite:
    """The lock: a role from which the rights are taken."""

    def test_every_table_that_must_not_change_is_named(self):
        assert set(NAMED) <= set(APPEND_ONLY)
        assert len(EVENTS) >= 10, "the histories of accounts, contacts, prices, terms and taxes"

    @pytest.mark.parametrize("statement", STATEMENTS)
    @pytest.mark.parametrize("table", APPEND_ONLY)
    def test_nothing_append_only_is_changed(self, book, table, statement):
        with pytest.raises(DatabaseError, match="permission denied"):
            execute(statement.format(table=table, column=first_column(table)), as_site=True)

    @pytest.mark.parametrize("table", ["invoicing_invoice", "invoicing_invoiceline", "invoicing_linetax"])
    def test_issued_invoices_are_not_emptied(self, book, table):
        with pytest.raises(DatabaseError, match="permission denied"):
            execute(f"TRUNCATE {table} CASCADE", as_site=True)

    def test_the_control_the_owner_could_where_no_trigger_stands(self, book):
        """The negative control: without trigger and revoked right the same statement goes through."""
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE invoicing_posting DISABLE TRIGGER USER")

        assert execute("UPDATE invoicing_posting SET amount = amount + 1") > 0


class TestAsTheOwner:
    """The guard rail: triggers refuse it to the owner of the tables, too."""

    @pytest.mark.parametrize("statement", STATEMENTS)
    @pytest.mark.parametrize("table", NAMED)
    def test_nothing_append_only_is_changed(self, book, table, statement):
        with pytest.raises(DatabaseError, match="append-only"):
            execute(statement.format(table=table, column=first_column(table)))


CHANGES = {
    "the invoice's total": "UPDATE invoicing_invoice SET subtotal = subtotal + 1, total = total + 1"
    " WHERE status = 'ISSUED'",
    "the invoice's date": "UPDATE invoicing_invoice SET issued_on = '2027-01-01' WHERE status = 'ISSUED'",
    "the invoice back to a draft": "UPDATE invoicing_invoice SET status = 'DRAFT', number = NULL, sequence = NULL"
    " WHERE status = 'ISSUED'",
    "the invoice itself": "DELETE FROM invoicing_invoice WHERE status = 'ISSUED'",
    "a line's amount": "UPDATE invoicing_invoiceline l SET amount = 0 FROM invoicing_invoice i"
    " WHERE i.id = l.invoice_id AND i.status = 'ISSUED'",
    "a tax's row": "DELETE FROM invoicing_linetax t USING invoicing_invoiceline l, invoicing_invoice i"
    " WHERE t.line_id = l.id AND i.id = l.invoice_id AND i.status = 'ISSUED'",
    "a line": "DELETE FROM invoicing_invoiceline l USING invoicing_invoice i"
    " WHERE i.id = l.invoice_id AND i.status = 'ISSUED'",
    "a line to another invoice": "UPDATE invoicing_invoiceline l SET invoice_id = d.id, position = 99"
    " FROM invoicing_invoice i, invoicing_invoice d"
    " WHERE i.id = l.invoice_id AND i.status = 'ISSUED' AND d.status = 'DRAFT'",
    "a tax": "UPDATE invoicing_linetax t SET amount = 0 FROM invoicing_invoiceline l, invoicing_invoice i"
    " WHERE t.line_id = l.id AND i.id = l.invoice_id AND i.status = 'ISSUED'",
    "a line more": "INSERT INTO invoicing_invoiceline (invoice_id, account_id, position, kind, description,"
    " quantity_from, quantity, unit_price, amount, tax_amount, clause, why)"
    " SELECT id, account_id, 9, 'ONE_OFF', 'More', 0, 1, 1, 1, 0, 'BILL-6', '{}' FROM invoicing_invoice"
    " WHERE status = 'ISSUED'",
    "a tax more": "INSERT INTO invoicing_linetax (account_id, line_id, rate_id, name, rate_percent, base, amount)"
    " SELECT t.account_id, t.line_id, t.rate_id, 'More', 1, 1, 1 FROM invoicing_linetax t"
    " JOIN invoicing_invoiceline l ON l.id = t.line_id JOIN invoicing_invoice i ON i.id = l.invoice_id"
    " WHERE i.status = 'ISSUED'",
    "a draft's line to the issued invoice": "UPDATE invoicing_invoiceline l SET invoice_id = i.id,"
    " position = 90 + l.position"
    " FROM invoicing_invoice i, invoicing_invoice d"
    " WHERE d.id = l.invoice_id AND i.status = 'ISSUED' AND d.status = 'DRAFT'",
    "a draft's tax to the issued invoice": "UPDATE invoicing_linetax t SET line_id = to_line.id"
    " FROM invoicing_invoiceline l, invoicing_invoice d, invoicing_invoiceline to_line, invoicing_invoice i"
    " WHERE t.line_id = l.id AND d.id = l.invoice_id AND d.status = 'DRAFT'"
    " AND i.id = to_line.invoice_id AND i.status = 'ISSUED'",
}


class TestAnIssuedInvoice:
    """BILL-6: once issued it never changes, whoever asks."""

    @pytest.mark.parametrize("as_site", [False, True], ids=["as the owner", "as the site"])
    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_keeps(self, book, change, as_site):
        # A taxed line is kept by what refers to it before the trigger is asked.
        with pytest.raises(DatabaseError, match="BILL-6|still referenced"):
            execute(change, as_site=as_site)

    def test_while_a_draft_may_change(self, book):
        changed = execute("UPDATE invoicing_invoice SET due_on = '2027-01-01' WHERE status = 'DRAFT'", as_site=True)

        assert changed == 1

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_without_the_triggers_would_change(self, book, change):
        """The negative control: each of these statements finds rows, and is stopped by the trigger alone."""
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in ("invoicing_invoice", "invoicing_invoiceline", "invoicing_linetax"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")

        try:
            touched = execute(change)
        except DatabaseError as refused:
            # What other rows refer to cannot go; the database had to find the row to say so.
            if "foreign key" not in str(refused):
                raise
        else:
            assert touched > 0
