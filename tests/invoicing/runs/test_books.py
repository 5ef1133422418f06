"""`manage.py check_books`: each fault is planted by raw SQL, seen, and said in one line; exit code 1."""

from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.actors import schedule
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.invoices.models import Invoice
from invoicing.ledger.models import LedgerEntry
from invoicing.ledger.operations import Side, post
from invoicing.payments.books import CHECKS as CHECKS_OF_PAYMENTS
from invoicing.prepaid.crediting import hear_of_payment
from invoicing.prepaid.models import TopUp
from invoicing.runs.books import CHECKS, differences_in_books
from invoicing.runs.books_of_collections import CHECKS_OF_COLLECTIONS
from invoicing.runs.models import RunItem
from tests.chaos.books import small_book
from tests.invoicing.factories import NOW, bill
from tests.invoicing.prepaid.factories import per_use, prepaid, take, use

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)
OPEN_DIFFERS = "Invoice INV-000001: 5.000 is kept as open and 0.000 as placed; its postings sum to -4.000000 and 0."

NO_REVENUE = "Invoice INV-000001: its lines come to 9.000 USD of revenue, and 0 was posted."


def check() -> tuple[int, str]:
    """The exit code of the command, and what it printed."""
    out = StringIO()
    try:
        call_command("check_books", stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def books(db):
    """A month billed, one invoice of it credited in part; and the triggers off, as for somebody who owns the tables."""
    accounts = small_book()
    bill(MARCH)
    invoice = Invoice.objects.get(account=accounts["plain"])
    line = invoice.lines.get()
    credit_invoice(invoice=invoice, actor=schedule(), now=NOW, reason="Not ordered.", amounts={line.pk: Decimal(4)})
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("ledgerentry", "posting", "invoice", "invoiceline", "linetax"):
            cursor.execute(f"ALTER TABLE invoicing_{table} DISABLE TRIGGER USER")
    return accounts


@pytest.fixture
def balances(books):
    """Beside them a prepaid account with two uses, one of them free, and a top-up that was credited."""
    per_use(included="10")
    account = prepaid("10")
    take(use(account, "10", key="free"), use(account, "5", key="paid"))
    payment = account.payments.create(
        kind="CARD", gateway="demo", purpose="TOP_UP", currency="USD", amount=20, state="SUCCEEDED", key="k",
        on=MARCH, created_at=NOW,
    )  # fmt: skip
    cash = [Side("GATEWAY_CLEARING", Decimal(20), "demo", payment_id=payment.pk),
            Side("CUSTOMER_CREDIT", Decimal(-20), payment_id=payment.pk)]  # fmt: skip
    post(account_id=account.pk, source=f"payment:{payment.pk}", kind="PAYMENT", currency="USD", on=MARCH, now=NOW,
         sides=cash)  # fmt: skip
    TopUp.objects.create(
        account=account, payment=payment, on=MARCH, currency="USD", amount=20, made_by="Mia", made_at=NOW
    )
    hear_of_payment(payment, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("usageevent", "topup"):
            cursor.execute(f"ALTER TABLE invoicing_{table} DISABLE TRIGGER USER")
    return account


def plant(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount > 0, "the fault was not planted"


def entry_of(account) -> LedgerEntry:
    return LedgerEntry.objects.filter(account=account, kind="INVOICE").get()


class TestCheckBooks:
    def test_finds_books_in_order_in_order(self, books):
        code, said = check()

        assert code == 0
        assert said.startswith(f"The books are in order: {len(CHECKS)} promises checked")

    def test_finds_no_fault_where_there_is_nothing(self, db):
        assert check()[0] == 0

    def test_says_with_verbose_what_it_checks(self, db):
        out = StringIO()
        call_command("check_books", "--verbose", stdout=out)

        assert out.getvalue().count("checking that ") == len(CHECKS)

    def test_sees_an_unbalanced_entry(self, books):
        entry = entry_of(books["plain"])
        plant(f"UPDATE invoicing_posting SET amount = amount + 1 WHERE entry_id = {entry.pk} AND amount < 0")

        self.said(
            f"Ledger entry {entry.pk} ({entry.source}) is unbalanced: its USD postings sum to 1.000000.",
            "Invoice INV-000001: its lines come to 9.000 USD of revenue, and 8.000000 was posted.",
        )

    def test_sees_an_entry_without_postings(self, books):
        entry = entry_of(books["plain"])
        plant(f"DELETE FROM invoicing_posting WHERE entry_id = {entry.pk}")

        self.said(
            f"Ledger entry {entry.pk} ({entry.source}) has no postings, or postings of another currency or account.",
            "Invoice INV-000001 is 9.000 USD, and 0 was posted to the account.",
            OPEN_DIFFERS,
            NO_REVENUE,
        )

    def test_sees_postings_of_another_account(self, books):
        entry = entry_of(books["plain"])
        plant(f"UPDATE invoicing_posting SET account_id = {books['late'].pk} WHERE entry_id = {entry.pk}")

        self.said(
            f"Ledger entry {entry.pk} ({entry.source}) has no postings, or postings of another currency or account."
        )

    def test_sees_an_invoice_that_is_not_the_sum_of_its_lines(self, books):
        plant("UPDATE invoicing_invoice SET subtotal = 8, total = 8 WHERE number = 'INV-000001'")

        self.said(
            "Invoice INV-000001: subtotal 8.000 and tax 0.000 USD, and its lines sum to 9.000 and 0.000.",
            "Invoice INV-000001 is 8.000 USD, and 9.000000 was posted to the account.",
        )

    def test_sees_a_line_that_is_gone(self, books):
        invoice = Invoice.objects.get(account=books["late"])
        plant(f"DELETE FROM invoicing_invoiceline WHERE invoice_id = {invoice.pk} AND position = 2")

        self.said(
            f"Invoice {invoice.number}: subtotal 9.000 and tax 0.000 USD, and its lines sum to 4.500 and 0.000.",
            "Invoice INV-000005: its lines come to 4.500 USD of revenue, and 9.000000 was posted.",
        )

    def test_sees_a_tax_that_is_not_the_sum_of_its_jurisdictions(self, books):
        plant("UPDATE invoicing_linetax SET amount = 4")

        self.said(
            "Invoice INV-000002, line 1: tax 3.920, and its jurisdictions sum to 4.000.",
            "Tax “Colorado”: 4.000 USD is on issued documents, and 3.920000 was posted.",
        )

    def test_sees_an_issued_invoice_that_was_not_posted(self, books):
        entry = entry_of(books["plain"])
        plant(f"DELETE FROM invoicing_posting WHERE entry_id = {entry.pk}")
        plant(f"DELETE FROM invoicing_ledgerentry WHERE id = {entry.pk}")

        self.said("Invoice INV-000001 is 9.000 USD, and 0 was posted to the account.", OPEN_DIFFERS, NO_REVENUE)

    def test_sees_an_invoice_posted_to_another_account(self, books):
        entry, other = entry_of(books["plain"]), books["late"].pk
        plant(f"UPDATE invoicing_ledgerentry SET account_id = {other} WHERE id = {entry.pk}")
        plant(f"UPDATE invoicing_posting SET account_id = {other} WHERE entry_id = {entry.pk}")

        self.said("Invoice INV-000001 is 9.000 USD, and 9.000000 was posted to the account.")

    def test_sees_a_posting_of_no_issued_invoice(self, books):
        entry = entry_of(books["plain"])
        plant(f"UPDATE invoicing_ledgerentry SET source = 'invoice:999999' WHERE id = {entry.pk}")

        self.said(
            "Invoice INV-000001 is 9.000 USD, and 0 was posted to the account.",
            "Ledger entry invoice:999999 belongs to no issued invoice.",
            NO_REVENUE,
        )

    def test_sees_a_gap_in_the_numbers(self, books):
        plant("UPDATE invoicing_numberseries SET next_number = next_number + 1 WHERE kind = 'INVOICE'")

        self.said(
            "Numbers INV-: 1 to 7 (not included) were given, but 5 documents hold 5 different numbers, from 1 to 5: "
            "a gap or a repeat."
        )

    def test_sees_a_number_left_out_in_the_middle(self, books):
        plant("UPDATE invoicing_invoice SET sequence = 99 WHERE number = 'INV-000003'")

        self.said(
            "Numbers INV-: 1 to 6 (not included) were given, but 5 documents hold 5 different numbers, from 1 to 99: "
            "a gap or a repeat."
        )

    def test_sees_a_number_given_twice(self, books):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE invoicing_invoice DROP CONSTRAINT invoice_sequence_once")
        plant("UPDATE invoicing_invoice SET sequence = 2 WHERE number = 'INV-000003'")

        self.said(
            "Numbers INV-: 1 to 6 (not included) were given, but 5 documents hold 4 different numbers, from 1 to 5: "
            "a gap or a repeat."
        )

    def test_sees_a_period_billed_twice(self, books):
        invoice = Invoice.objects.get(account=books["late"])
        first, second = invoice.lines.order_by("position")
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX period_billed_once")
        plant(f"UPDATE invoicing_invoiceline SET period_start = '{first.period_start}' WHERE id = {second.pk}")

        self.said(
            f"Subscription {first.subscription_id}: RECURRING of the period from 2026-01-01 is billed twice, again on "
            f"invoices [{invoice.pk}]."
        )

    def test_sees_a_period_billed_twice_in_overlapping_quantities(self, books):
        """The unique key alone would let 0 to 2 and 1 to 3 stand beside each other."""
        invoice = Invoice.objects.get(account=books["plain"], kind="INVOICE")
        line = invoice.lines.get()
        plant(
            "INSERT INTO invoicing_invoiceline (invoice_id, account_id, position, subscription_id, kind, description,"
            " period_start, quantity_from, quantity, unit_price, amount, tax_amount, clause, why)"
            f" VALUES ({invoice.pk}, {invoice.account_id}, 2, {line.subscription_id}, 'RECURRING', 'Again',"
            " '2026-02-01', 1, 2, 0, 0, 0, 'BILL-1', '{}')"
        )

        self.said(
            f"Subscription {line.subscription_id}: RECURRING of the period from 2026-02-01 is billed twice, again on "
            f"invoices [{invoice.pk}]."
        )

    def test_sees_more_credited_than_was_invoiced(self, books):
        plant("UPDATE invoicing_invoice SET subtotal = -9.01, total = -9.01 WHERE corrects_id IS NOT NULL")

        code, said = check()
        assert code == 1
        assert "Invoice INV-000001 is 9.000, and 9.010 of it was credited.\n" in said

    def test_sees_an_opening_balance_that_was_not_posted(self, books):
        number = books["plain"].number
        plant(f"UPDATE invoicing_billingprofile SET opening_balance = 5 WHERE account_id = {books['plain'].pk}")

        self.said(f"Account {number}: the opening balance kept is 5.000, and its postings sum to 0.")

    def test_sees_what_is_kept_as_open_and_was_not_posted(self, books):
        plant("UPDATE invoicing_openinvoice SET amount = amount + 1 WHERE amount = 5")

        self.said(OPEN_DIFFERS.replace("5.000", "6.000").replace("-4.000000", "5.000000"))

    def test_sees_an_invoice_paid_beyond_its_total(self, books):
        invoice = Invoice.objects.get(number="INV-000001")
        post(
            account_id=invoice.account_id, source="twice", kind=LedgerEntry.Kind.ALLOCATION, currency="USD",
            on=MARCH, now=NOW, sides=[Side("CUSTOMER_CREDIT", Decimal(6)), Side("RECEIVABLE", Decimal(-6))],
        )  # fmt: skip
        plant(f"UPDATE invoicing_posting SET invoice_id = {invoice.pk} WHERE amount = -6")
        plant(f"UPDATE invoicing_openinvoice SET amount = -1 WHERE invoice_id = {invoice.pk}")

        self.said("Invoice INV-000001 is open with -1.000 USD, and 0.000 with the agency: less than nothing.")

    def test_sees_a_deposit_used_beyond_what_was_taken(self, books):
        account = books["plain"]
        post(
            account_id=account.pk, source="deposit", kind=LedgerEntry.Kind.APPLICATION, currency="USD",
            on=MARCH, now=NOW, sides=[Side("DEPOSIT_HELD", Decimal(3)), Side("CUSTOMER_CREDIT", Decimal(-3))],
        )  # fmt: skip

        self.said(f"Account {account.number}: -3.000000 USD is held of its deposit, which is less than nothing.")

    def test_sees_an_account_of_a_finished_run_that_waits(self, books):
        item = RunItem.objects.get(account=books["prepaid"])
        plant(f"UPDATE invoicing_runitem SET outcome = 'PROPOSED' WHERE id = {item.pk}")

        self.said(f"Run of 2026-03-01: account {books['prepaid'].number} is PROPOSED, and its invoice is not issued.")

    def test_sees_an_account_said_to_be_invoiced_without_an_invoice(self, books):
        plant(f"UPDATE invoicing_runitem SET invoice_id = NULL WHERE account_id = {books['late'].pk}")

        self.said(f"Run of 2026-03-01: account {books['late'].number} is INVOICED, and its invoice is not issued.")

    def test_finds_prepaid_balances_in_order_in_order(self, balances):
        assert check()[0] == 0

    def test_sees_a_prepaid_balance_that_is_not_the_sum_of_its_postings(self, balances):
        plant(f"UPDATE invoicing_prepaidbalance SET balance = balance + 1 WHERE account_id = {balances.pk}")

        self.said(
            f"Account {balances.number}: the prepaid balance kept is 30.500000 USD, and its postings sum to 29.500000."
        )

    def test_sees_postings_of_a_prepaid_balance_that_is_gone(self, balances):
        plant(f"DELETE FROM invoicing_prepaidbalance WHERE account_id = {balances.pk}")

        self.said(f"Account {balances.number}: the prepaid balance kept is 0 USD, and its postings sum to 29.500000.")

    def test_sees_a_use_that_was_not_posted(self, balances):
        plant("UPDATE invoicing_ledgerentry SET source = 'usage:999999' WHERE kind = 'USAGE'")

        self.said(
            "Use paid cost 0.500000 USD, and 0 was posted for it.",
            "Use usage:999999 cost 0 USD, and 0.500000 was posted for it.",
        )

    def test_sees_a_month_that_is_not_the_sum_of_its_uses(self, balances):
        plant("UPDATE invoicing_usagetotal SET quantity = quantity - 1")

        self.said(
            f"Account {balances.number}, plan calls, month of 2026-03-01: the total kept is 14.000000 units for "
            "0.500000, and the uses sum to 15.000000 for 0.500000."
        )

    def test_sees_a_use_that_was_added(self, balances):
        plant(
            "INSERT INTO invoicing_usageevent (account_id, plan_id, price_id, key, at, month_on, quantity, rated,"
            " currency, amount, detail, received_at) SELECT account_id, plan_id, price_id, 'planted', at, month_on,"
            " 1, 1, currency, 0.1, '', received_at FROM invoicing_usageevent WHERE key = 'paid'"
        )

        self.said(
            "Use planted cost 0.100000 USD, and 0 was posted for it.",
            f"Account {balances.number}, plan calls, month of 2026-03-01: the total kept is 15.000000 units for "
            "0.500000, and the uses sum to 16.000000 for 0.600000.",
        )

    def test_sees_a_top_up_that_is_credited_and_was_not_posted(self, balances):
        top_up = TopUp.objects.get()
        plant(f"UPDATE invoicing_ledgerentry SET source = 'lost' WHERE source = 'top-up:{top_up.pk}'")

        self.said(f"Top-up {top_up.pk} of 20.000 USD is CREDITED, and 0 was posted to the balance.")

    def test_sees_a_top_up_that_was_posted_and_is_still_charged(self, balances):
        top_up = TopUp.objects.get()
        plant("UPDATE invoicing_topup SET state = 'CHARGED', credited_at = NULL")

        self.said(f"Top-up {top_up.pk} of 20.000 USD is CHARGED, and 20.000000 was posted to the balance.")

    def test_sees_a_credit_of_no_top_up(self, balances):
        plant("DELETE FROM invoicing_topup")
        source = LedgerEntry.objects.get(kind="TOP_UP", source__startswith="top-up:").source

        self.said(f"Top-up None of 0 USD is {source}, and 20.000000 was posted to the balance.")

    def test_sees_tax_that_was_posted_to_another_jurisdiction(self, books):
        plant("UPDATE invoicing_posting SET category = 'Elsewhere' WHERE category = 'Colorado'")

        code, said = check()
        assert code == 1
        assert "Tax “Elsewhere”: 0 USD is on issued documents, and " in said

    def test_sees_revenue_that_was_posted_as_a_deposit(self, books):
        entry = entry_of(books["plain"])
        plant(
            "UPDATE invoicing_posting SET ledger_account = 'DEPOSIT_HELD'"
            f" WHERE entry_id = {entry.pk} AND ledger_account = 'REVENUE'"
        )

        self.said(NO_REVENUE)

    def test_has_a_test_for_each_check(self):
        tests = [name for name in dir(type(self)) if name.startswith("test_sees")]

        assert len(tests) >= len(CHECKS) - len(CHECKS_OF_COLLECTIONS) - len(CHECKS_OF_PAYMENTS)

    @staticmethod
    def said(*sentences: str) -> None:
        code, said = check()
        assert said.splitlines() == list(sentences)
        assert code == 1
        assert list(differences_in_books()) == list(sentences)
