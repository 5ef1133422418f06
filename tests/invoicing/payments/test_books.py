"""`manage.py check_books` on payments: each fault is planted by raw SQL, seen, and said in one line."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection

from invoicing.payments.books import CHECKS
from invoicing.payments.operations import Disputed, charge, record_chargeback, record_return, refund
from invoicing.runs.books import differences_in_books
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA, NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]


def paid(**values):
    account = made.customer()
    invoice = money.invoice(account)
    return charge(account.pk, money.card(account), actor=MIA, now=NOW, **values), invoice


@pytest.fixture
def books():
    """A payment, one refunded in part, one charged back and won, one charged back, a returned debit and a decline."""
    money.ship_rates()
    plain, invoice = paid()
    refunded, _ = paid()
    given_back = refund(refunded, amount=Decimal(40), actor=MIA, now=NOW, reason="Not wanted.")
    won, _ = paid()
    for day, state in enumerate(("OPEN", "WON")):
        said = Disputed("du_won", state, Decimal(101), "USD", NOW + timedelta(days=day))
        record_chargeback(won, said, now=NOW)
    charged_back, _ = paid()
    record_chargeback(charged_back, Disputed("du_open", "OPEN", Decimal(101), "USD", NOW), now=NOW)
    debtor = made.customer()
    money.invoice(debtor)
    debit = charge(debtor.pk, money.bank_account(debtor), actor=MIA, now=NOW)
    returned = record_return(debit, code="R01", now=NOW)
    declined_of = made.customer()
    money.invoice(declined_of)
    declined = charge(declined_of.pk, money.card(declined_of, "decline.do_not_honor"), actor=MIA, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("ledgerentry", "posting", "payment", "refund", "chargeback"):
            cursor.execute(f"ALTER TABLE invoicing_{table} DISABLE TRIGGER USER")
    return SimpleNamespace(
        plain=plain, invoice=invoice, refunded=refunded, given_back=given_back, returned=returned, declined=declined
    )


def plant(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount > 0, "the fault was not planted"


def said():
    return list(differences_in_books())


class TestCheckBooks:
    def test_finds_books_in_order_in_order(self, books):
        assert said() == []

    def test_sees_a_payment_posted_otherwise(self, books):
        plant(f"UPDATE invoicing_payment SET amount = 90 WHERE id = {books.plain.pk}")
        assert said() == [
            f"Payment {books.plain.pk} took 90.000 and a fee of 1.000 USD, and 100.000000 and 1.000000 were posted."
        ]

    def test_sees_a_payment_that_is_not_posted(self, books):
        plant(f"UPDATE invoicing_payment SET state = 'SUCCEEDED' WHERE id = {books.declined.pk}")
        assert said() == [f"Payment {books.declined.pk} took 100.000 and a fee of 1.000 USD, and 0 and 0 were posted."]

    def test_sees_what_is_posted_of_a_payment_that_did_not_come(self, books):
        plant(f"UPDATE invoicing_payment SET state = 'FAILED' WHERE id = {books.plain.pk}")
        assert said() == [
            f"Ledger entry card-fee:{books.plain.pk} is of a payment that is FAILED.",
            f"Ledger entry payment:{books.plain.pk} is of a payment that is FAILED.",
        ]

    def test_sees_a_return_that_was_not_taken_back(self, books):
        plant(f"UPDATE invoicing_ledgerentry SET source = 'lost' WHERE source = 'return:{books.returned.pk}'")
        assert said() == [
            f"Payment {books.returned.pk} of 100.000 USD was returned: 0 was taken back, "
            "and 0 of it still stands on invoices."
        ]

    def test_sees_a_refund_posted_otherwise(self, books):
        plant(f"UPDATE invoicing_refund SET state = 'FAILED' WHERE id = {books.given_back.pk}")
        assert said() == [f"Refund {books.given_back.pk} of 40.400 USD is FAILED, and 40.400000 went out by it."]

    def test_sees_more_given_back_than_was_paid(self, books):
        plant(f"UPDATE invoicing_refund SET amount = 140 WHERE id = {books.given_back.pk}")
        assert said()[1:] == [
            f"Payment {books.refunded.pk} took 100.000 and a fee of 1.000 USD, "
            "and 140.000 and 0.400 of them were given back."
        ]

    def test_sees_a_chargeback_whose_money_is_elsewhere(self, books):
        plant("UPDATE invoicing_chargeback SET state = 'LOST' WHERE gateway_reference = 'du_won'")
        plant("UPDATE invoicing_chargeback SET state = 'WON' WHERE gateway_reference = 'du_open'")
        assert said() == [
            "Chargeback du_open of 101.000 USD is WON, and 101.000000 went out by it.",
            "Chargeback du_won of 101.000 USD is LOST, and 0.000000 went out by it.",
        ]

    def test_sees_an_invoice_held_by_a_payment_that_has_ended(self, books):
        plant(f"UPDATE invoicing_paymenttarget SET is_open = true WHERE payment_id = {books.plain.pk}")
        assert said() == [
            f"Payment {books.plain.pk} is SUCCEEDED, and it keeps others from paying invoice {books.invoice.number}."
        ]

    def test_has_a_test_for_each_check(self):
        assert len([name for name in dir(type(self)) if name.startswith("test_sees")]) >= len(CHECKS)
