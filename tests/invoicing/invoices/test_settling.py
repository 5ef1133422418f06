"""What an account has to its credit meets what it owes."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.actors import command_line
from invoicing.collections.operations import write_off
from invoicing.invoices.credit_notes import CreditRefused, credit_invoice
from invoicing.invoices.deposits import DepositRefused, deposit_held, release_deposit
from invoicing.invoices.models import Invoice, InvoiceLine, OpenInvoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side, post
from tests.invoicing import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW
D = Decimal


def credit(account, amount, *, payment_id=None, source="credit") -> None:
    """Money of the customer's that is on no invoice."""
    post(
        account_id=account.pk,
        source=f"{source}:{account.pk}:{payment_id}",
        kind=LedgerEntry.Kind.PAYMENT,
        currency="USD",
        on=date(2026, 1, 1),
        now=NOW,
        sides=[
            Side(LedgerAccount.GATEWAY_CLEARING, D(amount), payment_id=payment_id),
            Side(LedgerAccount.CUSTOMER_CREDIT, -D(amount), payment_id=payment_id),
        ],
    )


def pay(invoice, amount, *, payment_id) -> None:
    """A payment that is allocated to the invoice."""
    credit(invoice.account, amount, payment_id=payment_id)
    post(
        account_id=invoice.account_id,
        source=f"allocation:{payment_id}:{invoice.pk}",
        kind=LedgerEntry.Kind.ALLOCATION,
        currency="USD",
        on=date(2026, 4, 2),
        now=NOW,
        sides=[
            Side(LedgerAccount.CUSTOMER_CREDIT, D(amount), invoice_id=invoice.pk, payment_id=payment_id),
            Side(LedgerAccount.RECEIVABLE, -D(amount), invoice_id=invoice.pk, payment_id=payment_id),
        ],
    )


def open_of(invoice) -> Decimal:
    row = OpenInvoice.objects.filter(invoice=invoice).first()
    return row.amount if row else D(0)


def credit_left(account, payment_id=None) -> Decimal:
    rows = Posting.objects.filter(account=account, ledger_account="CUSTOMER_CREDIT", payment_id=payment_id)
    return -sum((row.amount for row in rows), D(0))


def billed(account, price="30", on=date(2026, 4, 1), **plan_values) -> Invoice:
    plan = factories.plan(f"plan-{account.number.lower()}-{on}", price, **plan_values)
    factories.subscription(account, plan, date(2026, 3, 1))
    factories.bill(on)
    return Invoice.objects.filter(account=account, kind="INVOICE").latest("pk")


class TestAnInvoiceThatIsIssued:
    def test_without_credit_is_open_in_full(self):
        invoice = billed(factories.customer())
        assert open_of(invoice) == D("30.00")

    def test_uses_what_the_account_has_to_its_credit(self):
        account = factories.customer()
        credit(account, "12.50")
        invoice = billed(account)
        assert open_of(invoice) == D("17.50")
        assert credit_left(account) == 0

    def test_leaves_what_it_does_not_need(self):
        account = factories.customer()
        credit(account, "45")
        invoice = billed(account)
        assert not OpenInvoice.objects.filter(invoice=invoice).exists()
        assert credit_left(account) == D("15")

    def test_uses_the_oldest_money_first_and_says_which(self):
        account = factories.customer()
        credit(account, "20", payment_id=901)
        credit(account, "20", payment_id=902)
        invoice = billed(account)
        assert open_of(invoice) == 0
        assert (credit_left(account, 901), credit_left(account, 902)) == (0, D("10"))
        used = Posting.objects.filter(invoice_id=invoice.pk, ledger_account="RECEIVABLE", amount__lt=0)
        assert {(row.payment_id, row.amount) for row in used} == {(901, D("-20")), (902, D("-10"))}

    def test_leaves_another_currency_and_another_account_alone(self):
        other, account = factories.customer(), factories.customer()
        credit(other, "100")
        post(
            account_id=account.pk,
            source="euro",
            kind=LedgerEntry.Kind.PAYMENT,
            currency="EUR",
            on=date(2026, 1, 1),
            now=NOW,
            sides=[Side("GATEWAY_CLEARING", D(50)), Side("CUSTOMER_CREDIT", D(-50))],
        )
        assert open_of(billed(account)) == D("30.00")
        assert credit_left(other) == D("100")

    def test_shares_credit_over_several_invoices_of_a_run_once(self):
        accounts = [factories.customer() for _ in range(3)]
        for account, amount in zip(accounts, ("10", "30", "50"), strict=True):
            credit(account, amount)
        plan = factories.plan("mail", "30")
        for account in accounts:
            factories.subscription(account, plan, date(2026, 3, 1))
        factories.bill(date(2026, 4, 1))
        opened = [open_of(Invoice.objects.get(account=account)) for account in accounts]
        assert opened == [D("20"), 0, 0]
        assert [credit_left(account) for account in accounts] == [0, 0, D("20")]


class TestADeposit:
    """SEAT-1."""

    @pytest.fixture
    def company(self):
        return factories.per_seat_company(billing_day=1)

    def first_invoice(self, company) -> Invoice:
        plan = factories.plan("evaluation", "100", deposit="500")
        factories.subscription(company, plan, date(2026, 3, 1))
        factories.bill(date(2026, 3, 1))
        return Invoice.objects.get(account=company)

    def next_invoice(self, company, on=date(2026, 4, 1)) -> Invoice:
        factories.bill(on)
        return Invoice.objects.filter(account=company).latest("pk")

    def test_is_no_revenue_and_never_pays_its_own_invoice(self, company):
        invoice = self.first_invoice(company)
        assert (invoice.total, open_of(invoice)) == (D("600"), D("600"))
        assert deposit_held(company.pk) == {"USD": D("500")}

    def test_is_not_used_before_it_is_paid(self, company):
        self.first_invoice(company)
        assert open_of(self.next_invoice(company)) == D("100")

    def test_that_was_given_up_unpaid_pays_nothing(self, company):
        """What never came is no money of the customer's."""
        invoice = self.first_invoice(company)
        write_off(invoice=invoice, why="Bankrupt.", actor=command_line(), now=NOW)
        bad_debt = Posting.objects.get(invoice_id=invoice.pk, ledger_account="BAD_DEBT")
        assert (deposit_held(company.pk), bad_debt.amount) == ({}, D("100"))
        assert open_of(self.next_invoice(company)) == D("100")

    def test_of_which_a_part_was_paid_keeps_that_part(self, company):
        invoice = self.first_invoice(company)
        pay(invoice, "400", payment_id=7)
        write_off(invoice=invoice, why="Bankrupt.", actor=command_line(), now=NOW)
        assert deposit_held(company.pk) == {"USD": D("300")}

    def test_is_applied_to_later_invoices_once_paid(self, company):
        pay(self.first_invoice(company), "600", payment_id=7)
        assert open_of(self.next_invoice(company)) == 0
        assert deposit_held(company.pk) == {"USD": D("400")}

    def test_comes_after_the_customers_own_credit(self, company):
        pay(self.first_invoice(company), "600", payment_id=7)
        credit(company, "30")
        assert open_of(self.next_invoice(company)) == 0
        assert credit_left(company) == 0
        assert deposit_held(company.pk) == {"USD": D("430")}

    def test_the_rest_goes_back_through_the_payment_that_brought_it(self, company):
        pay(self.first_invoice(company), "600", payment_id=7)
        self.next_invoice(company)
        release_deposit(account=company, actor=command_line(), now=NOW, reason="The company left.")
        assert deposit_held(company.pk) == {}
        assert credit_left(company, 7) == D("400")

    def test_is_released_once(self, company):
        pay(self.first_invoice(company), "600", payment_id=7)
        release_deposit(account=company, actor=command_line(), now=NOW, reason="The company left.")
        with pytest.raises(DepositRefused, match="holds no deposit"):
            release_deposit(account=company, actor=command_line(), now=NOW, reason="Again.")

    def test_is_not_released_before_it_is_paid(self, company):
        self.first_invoice(company)
        with pytest.raises(DepositRefused, match="is not paid"):
            release_deposit(account=company, actor=command_line(), now=NOW, reason="The company left.")

    def write_off(self, invoice, amount):
        post(
            account_id=invoice.account_id, source=f"write-off:{invoice.pk}", kind="WRITE_OFF", currency="USD",
            on=invoice.issued_on, now=NOW,
            sides=[
                Side("BAD_DEBT", Decimal(amount), invoice_id=invoice.pk),
                Side("RECEIVABLE", -Decimal(amount), invoice_id=invoice.pk),
            ],
        )  # fmt: skip

    def test_of_an_invoice_that_was_written_off_pays_nothing_and_is_not_given_back(self, company):
        """It was never paid: its invoice is closed, and there is no money behind it."""
        first = self.first_invoice(company)
        self.write_off(first, open_of(first))
        later = self.next_invoice(company)
        assert open_of(later) == later.total
        with pytest.raises(DepositRefused, match="was written off"):
            release_deposit(account=company, actor=command_line(), now=NOW, reason="They leave.")

    def test_of_an_invoice_that_was_written_off_in_part_pays_what_was_paid_of_it(self, company):
        first = self.first_invoice(company)
        self.write_off(first, "480")
        pay(first, open_of(first), payment_id=7)
        later = self.next_invoice(company)
        assert later.total > 20
        assert open_of(later) == later.total - 20

    def test_credited_in_full_is_held_no_more(self, company):
        invoice = self.first_invoice(company)
        credit_invoice(invoice=invoice, actor=command_line(), now=NOW, reason="Ordered by mistake.")
        assert deposit_held(company.pk) == {}
        assert open_of(invoice) == 0

    def test_is_not_credited_beyond_what_is_held(self, company):
        invoice = self.first_invoice(company)
        pay(invoice, "600", payment_id=7)
        self.next_invoice(company)
        line = InvoiceLine.objects.get(invoice=invoice, kind="DEPOSIT")
        with pytest.raises(CreditRefused, match="SEAT-1"):
            credit_invoice(invoice=invoice, actor=command_line(), now=NOW, reason="Back.", amounts={line.pk: D("450")})
        assert deposit_held(company.pk) == {"USD": D("400")}


class TestACreditNoteOverAPaidInvoice:
    def test_gives_the_money_back_to_the_customers_credit(self):
        account = factories.customer()
        invoice = billed(account)
        pay(invoice, "30", payment_id=5)
        credit_invoice(invoice=invoice, actor=command_line(), now=NOW, reason="Never delivered.")
        assert not OpenInvoice.objects.filter(invoice=invoice).exists()
        assert credit_left(account, 5) == D("30")

    def test_takes_what_is_open_first_and_the_latest_payment_next(self):
        account = factories.customer()
        invoice = billed(account)
        pay(invoice, "15", payment_id=5)
        pay(invoice, "10", payment_id=6)
        credit_invoice(invoice=invoice, actor=command_line(), now=NOW, reason="Never delivered.")
        assert open_of(invoice) == 0
        assert (credit_left(account, 5), credit_left(account, 6)) == (D("15"), D("10"))

    def test_of_part_leaves_the_rest_paid(self):
        account = factories.customer()
        invoice = billed(account)
        pay(invoice, "15", payment_id=5)
        pay(invoice, "15", payment_id=6)
        line = invoice.lines.get()
        credit_invoice(invoice=invoice, actor=command_line(), now=NOW, reason="Too much.", amounts={line.pk: D("18")})
        assert open_of(invoice) == 0
        assert (credit_left(account, 5), credit_left(account, 6)) == (D("3"), D("15"))

    def test_of_what_was_paid_by_credit_is_credit_again(self):
        account = factories.customer()
        credit(account, "30")
        invoice = billed(account)
        credit_invoice(invoice=invoice, actor=command_line(), now=NOW, reason="Never delivered.")
        assert credit_left(account) == D("30")
