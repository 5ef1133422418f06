"""Checks, wires and cash: booked once, allocated oldest due first, the rest kept as credit."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.actors import NotPermitted
from accounts.models import AuditEntry
from invoicing.documents.models import Letter
from invoicing.payments.models import Payment, PaymentTarget
from invoicing.payments.operations import MoneyRefused, book_payment
from invoicing.payments.queries import invoice_status, unallocated
from tests.chaos.at_once import at_once, failures
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA, NOBODY, NOW

pytestmark = pytest.mark.django_db


def book(account, amount="100", **values):
    given = {"kind": "CHECK", "currency": "USD", "reference": "1017", "received_on": date(2026, 3, 1), "actor": MIA}
    return book_payment(account, amount=Decimal(amount), now=NOW, **(given | values))


@pytest.fixture
def account():
    return made.customer()


class TestBookPayment:
    def test_pays_the_oldest_due_first(self, account):
        later = money.invoice(account, "60", due_on=date(2026, 3, 31))
        older = money.invoice(account, "40", due_on=date(2026, 2, 28))

        book(account, "70")

        assert money.open_of(older) == 0
        assert money.open_of(later) == 30

    def test_posts_cash_and_what_it_paid(self, account):
        money.invoice(account)
        payment = book(account)

        assert money.sources(account) == ["PAYMENT payment", "ALLOCATION allocation"]
        assert money.balance(account, "GATEWAY_CLEARING", category="MANUAL:CHECK") == 100
        assert money.balance(account, "RECEIVABLE") == 0
        assert payment.state == "SUCCEEDED"
        assert payment.made_by == "Mia Manager"
        assert payment.on == date(2026, 3, 1)

    def test_keeps_what_is_over_as_credit(self, account):
        money.invoice(account)
        payment = book(account, "130")

        assert unallocated(payment.pk) == 30
        assert money.balance(account, "CUSTOMER_CREDIT") == -30

    def test_is_used_by_the_next_invoice_when_it_is_issued(self, account):
        book(account, "130")
        after = money.invoice(account, "100")

        assert money.open_of(after) == 0
        assert money.balance(account, "CUSTOMER_CREDIT") == -30

    def test_pays_as_told(self, account):
        older = money.invoice(account, "40", due_on=date(2026, 2, 28))
        later = money.invoice(account, "60", due_on=date(2026, 3, 31))

        book(account, "50", invoices={later.pk: Decimal(50)})

        assert money.open_of(older) == 40
        assert money.open_of(later) == 10

    def test_pays_these_invoices_in_full_unless_told(self, account):
        older = money.invoice(account, "40", due_on=date(2026, 2, 28))
        later = money.invoice(account, "60", due_on=date(2026, 3, 31))

        payment = book(account, "70", invoices=[later.pk])

        assert money.open_of(older) == 40
        assert money.open_of(later) == 0
        assert unallocated(payment.pk) == 10

    def test_sends_a_receipt_and_leaves_an_audit_entry(self, account):
        invoice = money.invoice(account)
        payment = book(account, "130")

        letter = Letter.objects.get(key=f"receipt:{payment.pk}")
        assert letter.details["table"]["rows"] == [
            [f"Invoice {invoice.number}", "USD 100.00"],
            ["Kept as your credit", "USD 30.00"],
        ]
        entry = AuditEntry.objects.get(action="payment.book")
        assert (entry.who, entry.detail["reference"]) == ("Mia Manager", "1017")

    def test_pays_what_is_with_the_agency_there(self, account):
        invoice = money.invoice(account)
        money.hand_over(invoice, "100")

        book(account, "40")

        assert money.balance(account, "COLLECTIONS") == 60
        assert money.balance(account, "RECEIVABLE") == 0
        assert money.open_of(invoice) == 60

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"amount": "0"}, "is no amount"),
            ({"amount": "-5"}, "is no amount"),
            ({"amount": "NaN"}, "is no amount"),
            ({"amount": "1.005"}, "finer than USD"),
            ({"reference": "  "}, "Give the check's number"),
            ({"reference": "x" * 81}, "longer than 80"),
            ({"received_on": date(2026, 3, 3)}, "yet to come"),
            ({"currency": "EUR"}, "owes nothing in EUR"),
            ({"kind": "CARD"}, "does not come by hand"),
        ],
    )
    def test_is_refused_with_a_sentence(self, account, values, words):
        with pytest.raises(MoneyRefused, match=words):
            book(account, **values)
        assert not Payment.objects.exists()

    def test_needs_the_permission(self, account):
        with pytest.raises(NotPermitted):
            book(account, actor=NOBODY)

    def test_of_somebody_elses_invoice_is_refused(self, account):
        other = money.invoice(made.customer())
        with pytest.raises(MoneyRefused, match="for this account"):
            book(account, invoices=[other.pk])

    def test_of_more_than_is_open_of_an_invoice_is_refused(self, account):
        invoice = money.invoice(account)
        with pytest.raises(MoneyRefused, match=r"USD 100\.00 open"):
            book(account, "200", invoices={invoice.pk: Decimal(150)})

    def test_of_an_invoice_in_another_currency_is_refused(self, account):
        """InvoicePlane compared the amount and not the currency."""
        euros = made.customer(profile={"currency": "EUR"})
        invoice = money.invoice(euros)
        euros.billing_profile.currency = "USD"
        euros.billing_profile.save()
        with pytest.raises(MoneyRefused, match="is in EUR, and the payment in USD"):
            book(euros, invoices=[invoice.pk])

    def test_of_a_client_is_refused(self):
        _, (client, _) = made.partner_with_clients()
        with pytest.raises(MoneyRefused, match="Take the partner"):
            book(client)


class TestBookedTwice:
    """Kill Bill: an unknown payment and a manual one: paid twice."""

    def test_the_same_reference_and_amount_is_refused(self, account):
        first = book(account)
        with pytest.raises(MoneyRefused, match=f"by Mia Manager \\(payment {first.pk}\\)"):
            book(account, reference=" 1017 ")

    def test_another_amount_or_account_is_another_check(self, account):
        book(account)
        book(account, "90")
        book(made.customer())
        assert Payment.objects.count() == 3

    @pytest.fixture
    def unknown(self, account):
        invoice = money.invoice(account)
        payment = Payment.objects.create(
            account=account, method=money.card(account), kind="CARD", gateway="double", currency="USD", amount=100,
            state="UNKNOWN", key="open-1", made_by="schedule", on=date(2026, 3, 1), created_at=NOW,
        )  # fmt: skip
        PaymentTarget.objects.create(payment=payment, invoice=invoice, amount=100, is_open=True)
        return invoice

    def test_is_refused_while_the_gateway_may_still_take_it(self, account, unknown):
        with pytest.raises(MoneyRefused, match=r"is no answer: the gateway may still take"):
            book(account)
        assert money.open_of(unknown) == 100

    def test_is_booked_in_spite_of_it_where_somebody_says_so(self, account, unknown):
        book(account, despite_open=True)
        assert money.open_of(unknown) == 0
        assert AuditEntry.objects.get(action="payment.book").detail["despite_open"] is True

    def test_for_another_invoice_is_booked(self, account, unknown):
        other = money.invoice(account, "20")
        book(account, "20", invoices=[other.pk])
        assert money.open_of(other) == 0


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_one_check_typed_in_by_two_is_one_payment(self):
        account = made.customer()
        invoice = money.invoice(account)

        results = at_once([lambda: book(account)] * 4)

        assert len(failures(results)) == 3
        assert Payment.objects.count() == 1
        assert money.open_of(invoice) == 0

    def test_two_checks_pay_an_invoice_once(self):
        account = made.customer()
        invoice = money.invoice(account)

        results = at_once([lambda number=number: book(account, reference=f"c{number}") for number in range(3)])

        assert not failures(results)
        assert money.open_of(invoice) == 0
        assert money.balance(account, "CUSTOMER_CREDIT") == -200


class TestInvoiceStatus:
    """*Paid* only when nothing is open, to the cent."""

    def status(self, invoice, on=None):
        return invoice_status([invoice.pk], on=on)[invoice.pk].status

    def test_of_a_new_invoice_is_open_then_overdue(self, account):
        invoice = money.invoice(account, due_on=date(2026, 3, 1))
        assert self.status(invoice) == "OPEN"
        assert self.status(invoice, date(2026, 3, 1)) == "OPEN"
        assert self.status(invoice, date(2026, 3, 2)) == "OVERDUE"

    def test_is_part_paid_but_for_a_cent(self, account):
        """Invoice Ninja: any partial credit marked the invoice paid."""
        invoice = money.invoice(account)
        book(account, "99.99")
        assert self.status(invoice) == "PART_PAID"
        book(account, "0.01")
        assert self.status(invoice) == "PAID"

    def test_with_the_agency(self, account):
        invoice = money.invoice(account)
        money.hand_over(invoice, "100")
        assert self.status(invoice, date(2026, 9, 1)) == "WITH_AGENCY"

    def test_of_drafts_is_none(self, account):
        assert invoice_status([]) == {}
