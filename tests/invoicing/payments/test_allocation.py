"""Which invoices a payment's money pays: put there, taken back, to the cent."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from accounts.actors import NotPermitted
from accounts.models import AuditEntry
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.ledger.operations import Side, post
from invoicing.payments.operations import MoneyRefused, allocate, apply_credit, book_payment, take_back
from invoicing.payments.queries import (
    credit_of,
    invoice_status,
    methods_of,
    payment_totals,
    payments_of,
    standing_of,
    unallocated,
    unallocated_money,
)
from tests.chaos.at_once import at_once, failures
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA, NOBODY, NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return made.customer()


def check(account, amount, reference="c1", **values):
    return book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference=reference, received_on=money.TODAY,
        actor=MIA, now=NOW, **values,
    )  # fmt: skip


def put(payment, **values):
    return allocate(payment, **({"actor": MIA, "now": NOW} | values))


def off(payment, invoice, amount=None, **values):
    given = {"actor": MIA, "now": NOW, "why": "The wrong one."} | values
    return take_back(payment, invoice, None if amount is None else Decimal(amount), **given)


class TestTakeBack:
    def test_opens_the_invoice_and_makes_it_credit(self, account):
        invoice = money.invoice(account)
        payment = check(account, "100")
        assert off(payment, invoice) == 100
        assert money.open_of(invoice) == 100
        assert unallocated(payment.pk) == 100
        assert standing_of(payment.pk) == []

    def test_of_a_part_leaves_the_rest(self, account):
        invoice = money.invoice(account)
        payment = check(account, "100")
        off(payment, invoice, "30")
        assert money.open_of(invoice) == 30
        assert standing_of(payment.pk) == [(invoice.pk, 70, 0)]

    @pytest.mark.parametrize("amount", ["100.01", "-1", "0", "0.001"])
    def test_of_more_than_stands_there_is_refused(self, account, amount):
        invoice = money.invoice(account)
        payment = check(account, "100")
        with pytest.raises(MoneyRefused):
            off(payment, invoice, amount)
        assert money.open_of(invoice) == 0

    def test_from_an_invoice_it_does_not_stand_on_is_refused(self, account):
        money.invoice(account)
        payment = check(account, "100")
        other = money.invoice(made.customer())
        with pytest.raises(MoneyRefused, match=r"USD 0\.00 of payment"):
            off(payment, other)

    def test_needs_the_permission_and_a_reason(self, account):
        invoice = money.invoice(account)
        payment = check(account, "100")
        with pytest.raises(NotPermitted):
            off(payment, invoice, actor=NOBODY)
        with pytest.raises(MoneyRefused, match="Say why"):
            off(payment, invoice, why="")


class TestAllocate:
    def test_pays_the_oldest_due_first(self, account):
        later = money.invoice(account, "60", due_on=date(2026, 3, 31))
        older = money.invoice(account, "40", due_on=date(2026, 2, 28))
        payment = check(account, "70", invoices=[later.pk])
        off(payment, later)
        assert put(payment) == {older.pk: 40, later.pk: 30}

    def test_pays_as_told(self, account):
        first, second = money.invoice(account, "60"), money.invoice(account, "60")
        payment = check(account, "60", invoices=[first.pk])
        off(payment, first)
        put(payment, invoices={second.pk: Decimal(45)})
        assert (money.open_of(first), money.open_of(second)) == (60, 15)
        assert unallocated(payment.pk) == 15

    def test_of_more_than_is_left_is_refused(self, account):
        first, second = money.invoice(account, "60"), money.invoice(account, "60")
        payment = check(account, "60", invoices=[first.pk])
        off(payment, first, "20")
        with pytest.raises(MoneyRefused, match=r"USD 20\.00 is left"):
            put(payment, invoices={second.pk: Decimal(45)})

    def test_with_nothing_left_is_refused(self, account):
        money.invoice(account)
        with pytest.raises(MoneyRefused, match="Nothing is left"):
            put(check(account, "100"))

    def test_with_nothing_owed_is_refused(self, account):
        with pytest.raises(MoneyRefused, match="owes nothing in USD"):
            put(check(account, "100"))

    def test_to_another_accounts_invoice_is_refused(self, account):
        other = money.invoice(made.customer())
        with pytest.raises(MoneyRefused, match="for this account"):
            put(check(account, "100"), invoices=[other.pk])

    def test_there_and_back_many_times_loses_no_cent(self, account):
        invoice = money.invoice(account, "33.33")
        payment = check(account, "33.33")
        for _ in range(5):
            off(payment, invoice, "11.11")
            put(payment)
        assert money.open_of(invoice) == 0
        assert unallocated(payment.pk) == 0

    def test_is_on_record(self, account):
        invoice = money.invoice(account)
        payment = check(account, "100")
        off(payment, invoice)
        put(payment, why="It was right.")
        assert AuditEntry.objects.get(action="payment.allocate").detail["invoices"] == {str(invoice.pk): "100"}


class TestCreditNotes:
    """BILL-6: what a credit note gives back of a paid invoice is the payment's money again."""

    def note(self, invoice, amount):
        manager = replace(MIA, permissions=frozenset({"invoicing.issue_credit_note"}))
        line = invoice.lines.get()
        return credit_invoice(
            invoice=invoice, actor=manager, now=NOW, reason="Not ordered.", amounts={line.pk: Decimal(amount)}
        )

    def test_of_a_paid_invoice_is_credit_of_its_payment(self, account):
        invoice = money.invoice(account)
        payment = check(account, "100")
        self.note(invoice, "30")
        assert unallocated(payment.pk) == 30
        assert standing_of(payment.pk) == [(invoice.pk, 70, 0)]
        assert invoice_status([invoice.pk])[invoice.pk].status == "PAID"

    def test_of_the_whole_is_credited(self, account):
        invoice = money.invoice(account)
        self.note(invoice, "100")
        assert invoice_status([invoice.pk])[invoice.pk].status == "CREDITED"

    def test_of_a_part_leaves_it_part_paid(self, account):
        invoice = money.invoice(account)
        self.note(invoice, "99.99")
        assert invoice_status([invoice.pk])[invoice.pk] == ("PART_PAID", Decimal("0.01"), False)


class TestApplyCredit:
    @pytest.fixture
    def owing(self, account):
        invoices = [money.invoice(account, "60"), money.invoice(account, "60")]
        post(
            account_id=account.pk, source="given", kind="MIGRATION", currency="USD", on=money.TODAY, now=NOW,
            sides=[Side("CUSTOMER_CREDIT", Decimal(-70)), Side("OPENING", Decimal(70))],
        )  # fmt: skip
        return invoices

    def test_pays_the_oldest_due_first(self, account, owing):
        assert apply_credit(account, actor=MIA, now=NOW, currency="USD") == {owing[0].pk: 60, owing[1].pk: 10}
        assert money.open_of(owing[1]) == 50
        assert credit_of(account.pk, "USD") == 0

    def test_twice_is_once(self, account, owing):
        apply_credit(account, actor=MIA, now=NOW, currency="USD")
        with pytest.raises(MoneyRefused, match="no credit in USD"):
            apply_credit(account, actor=MIA, now=NOW, currency="USD")

    def test_never_uses_a_payments_money(self, account, owing):
        payment = check(account, "40", invoices=[owing[0].pk])
        off(payment, owing[0])
        apply_credit(account, actor=MIA, now=NOW, currency="USD")
        assert unallocated(payment.pk) == 40


class TestQueries:
    def test_unallocated_money_names_the_payment(self, account):
        payment = check(account, "25")
        assert unallocated_money(account_id=account.pk) == [(account.pk, account.number, payment.pk, "USD", 25)]

    def test_payments_and_totals(self, account):
        check(account, "25")
        check(account, "30", reference="c2")
        assert [payment.amount for payment in payments_of(account.pk)] == [30, 25]
        assert payment_totals(from_on=money.TODAY, to_on=date(2026, 3, 3)) == [
            ("manual", "CHECK", "SUCCEEDED", "USD", 2, 55, 0)
        ]
        assert payment_totals(from_on=date(2026, 3, 3), to_on=date(2026, 4, 1)) == []

    def test_methods_leave_out_the_removed_ones(self, account):
        first = money.card(account, is_default=False)
        default = money.card(account)
        money.card(account, is_default=False, state="REMOVED")
        assert list(methods_of(account.pk)) == [default, first]

    def test_status_of_many_is_one_query(self, account, django_assert_num_queries):
        invoices = [money.invoice(account, "5") for _ in range(5)]
        with django_assert_num_queries(1):
            assert len(invoice_status([invoice.pk for invoice in invoices])) == 5


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_money_is_allocated_once(self):
        account = made.customer()
        invoices = [money.invoice(account, "100"), money.invoice(account, "100")]
        payment = check(account, "100", invoices=[invoices[0].pk])
        off(payment, invoices[0])
        results = at_once([lambda pk=invoice.pk: put(payment, invoices=[pk]) for invoice in invoices])
        assert len(failures(results)) == 1
        assert sorted(money.open_of(invoice) for invoice in invoices) == [0, 100]
        assert unallocated(payment.pk) == 0

    def test_it_is_taken_back_once(self):
        account = made.customer()
        invoice = money.invoice(account)
        payment = check(account, "100")
        results = at_once([lambda: off(payment, invoice)] * 4)
        assert len(failures(results)) == 3
        assert unallocated(payment.pk) == 100
