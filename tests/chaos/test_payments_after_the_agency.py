"""COLL-1, BILL-6: an invoice that was paid while it was with the agency, and credited after that."""

from datetime import timedelta
from decimal import Decimal

import pytest

from invoicing.collections.operations import approve_placements, propose
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.payments.operations import MoneyRefused, book_payment, refund, refundable, take_back
from invoicing.payments.queries import unallocated
from invoicing.runs.books import differences_in_books
from tests.chaos.results import rows
from tests.chaos.test_money_machine import MIA, WRONG
from tests.invoicing.factories import customer
from tests.invoicing.payments.factories import NOW, balance, invoice, open_of

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=60)


class TestCredited:
    @pytest.fixture
    def account(self):
        return customer()

    @pytest.fixture
    def credited(self, account):
        """An invoice, and the check that paid it."""
        owed = invoice(account)
        propose(on=LATER.date(), now=LATER, actor=MIA)
        approve_placements(on=LATER.date(), now=LATER, actor=MIA)
        check = book_payment(
            account, kind="CHECK", amount=Decimal(100), currency="USD", reference="c1", received_on=LATER.date(),
            actor=MIA, now=LATER,
        )  # fmt: skip
        credit_invoice(invoice=owed, actor=MIA, now=LATER, reason="Not ordered.")
        return owed, check

    def test_its_payment_is_the_customers_again_and_stands_on_nothing(self, account, credited):
        owed, check = credited
        assert (open_of(owed), unallocated(check.pk)) == (0, 100)
        with pytest.raises(MoneyRefused, match=r"USD 0\.00 of payment"):
            take_back(check, owed, actor=MIA, now=LATER, why="The wrong one.")

    def test_its_payment_is_given_back_and_nothing_is_owed_again(self, account, credited):
        owed, check = credited
        refund(check, actor=MIA, now=LATER, reason="Credited.", reference="c2")
        assert (open_of(owed), balance(account, "CUSTOMER_CREDIT"), refundable(check).amount) == (0, 0, 0)
        assert {name: found for name, sql in WRONG.items() if (found := rows(sql))} == {}
        assert list(differences_in_books()) == []
