"""PRE-1, PRE-4: prepaid accounts in the month-start run."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from accounts.actors import command_line, schedule
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.invoices.models import Invoice, OpenInvoice
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.ledger.operations import Side, post
from invoicing.prepaid.forecast import Part
from invoicing.prepaid.models import PrepaidBalance
from invoicing.prepaid.usage import take_uses
from invoicing.prepaid.usage_reading import Use
from invoicing.runs.at_once import NotAtOnce, invoice_at_once
from invoicing.runs.awaiting import post_what_waited
from invoicing.runs.books import differences_in_books
from invoicing.runs.forecast import coming_charges
from invoicing.runs.models import RunItem
from invoicing.runs.operations import retry_parked
from invoicing.subscriptions.models import UsageTotal
from tests.invoicing import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW
APRIL_2 = datetime(2026, 4, 2, 15, tzinfo=UTC)
D = Decimal


def topped_up(account, amount, *, floor="0") -> PrepaidBalance:
    """An account whose balance is so much, with the postings that made it."""
    found, _ = PrepaidBalance.objects.get_or_create(account=account, defaults={"currency": "USD", "floor": D(floor)})
    count = LedgerEntry.objects.filter(account=account, kind="TOP_UP").count()
    post(
        account_id=account.pk,
        source=f"top-up-of-test:{account.pk}:{count}",
        kind=LedgerEntry.Kind.TOP_UP,
        currency="USD",
        on=date(2026, 3, 1),
        now=NOW,
        sides=[Side("GATEWAY_CLEARING", D(amount)), Side("PREPAID_BALANCE", -D(amount))],
    )
    found.refresh_from_db()
    found.balance += D(amount)
    found.save(update_fields=["balance"])
    return found


def used(account, plan, amount, month_on=date(2026, 3, 1)) -> UsageTotal:
    """So much was used in a month at 0.01 a unit, and deducted as it happened."""
    at = datetime(month_on.year, month_on.month, 15, tzinfo=UTC)
    key = f"{account.pk}:{plan.pk}:{month_on}"
    taken = take_uses([Use(key, account.number, plan.product.code, at, D(amount) * 100)], now=NOW)
    assert not [one for one in taken.answers if one.refusals]
    return UsageTotal.objects.get(account=account, plan=plan, month_on=month_on)


def balance_of(account) -> Decimal:
    kept = PrepaidBalance.objects.get(account=account).balance
    posted = -sum(row.amount for row in Posting.objects.filter(account=account, ledger_account="PREPAID_BALANCE"))
    assert kept == posted
    return kept


@pytest.fixture
def line():
    return factories.plan("line", "25")


@pytest.fixture
def minutes():
    return factories.plan("minutes", "0.01", charge="PER_USE")


@pytest.fixture
def account(line):
    made = factories.customer("prepaid")
    factories.subscription(made, line, date(2026, 3, 20))
    return made


class TestMonthlyCharges:
    """PRE-1."""

    def test_are_deducted_and_the_invoice_is_paid_at_once(self, account):
        topped_up(account, "100")
        run = factories.bill(date(2026, 4, 1))
        invoice = Invoice.objects.get(account=account)
        assert run.state == "DONE"
        # March, begun on the 20th and charged as a whole (BILL-3), and April.
        assert (invoice.total, balance_of(account)) == (D("50"), D("50"))
        assert not OpenInvoice.objects.filter(invoice=invoice).exists()
        assert list(differences_in_books()) == []

    def test_use_no_other_credit_of_the_customers(self, account):
        topped_up(account, "100")
        post(
            account_id=account.pk,
            source="overpaid",
            kind="PAYMENT",
            currency="USD",
            on=date(2026, 3, 1),
            now=NOW,
            sides=[Side("GATEWAY_CLEARING", D(30)), Side("CUSTOMER_CREDIT", D(-30))],
        )
        factories.bill(date(2026, 4, 1))
        assert balance_of(account) == D("50")

    def test_show_what_was_used_which_left_the_balance_before(self, account, minutes):
        topped_up(account, "100")
        total = used(account, minutes, "12.345678")
        factories.bill(date(2026, 4, 1))
        invoice = Invoice.objects.get(account=account)
        line = invoice.lines.get(kind="USAGE")
        assert (line.amount, line.quantity, line.clause) == (D("12.35"), D("1234.5678"), "PRE-1")
        assert invoice.total == D("62.35")
        assert balance_of(account) == D("100") - D("12.345678") - D("50")
        total.refresh_from_db()
        assert (total.invoiced_amount, total.invoiced_quantity) == (D("12.345678"), D("1234.5678"))
        unbilled = Posting.objects.filter(account=account, ledger_account="UNBILLED_USAGE")
        assert sum(row.amount for row in unbilled) == 0
        revenue = Posting.objects.filter(account=account, ledger_account="REVENUE")
        assert -sum(row.amount for row in revenue) == D("62.345678")
        assert list(differences_in_books()) == []

    def test_of_use_alone_are_invoiced_too(self, minutes):
        account = factories.customer("prepaid")
        topped_up(account, "5")
        used(account, minutes, "1.5")
        factories.bill(date(2026, 4, 1))
        assert Invoice.objects.get(account=account).total == D("1.50")
        assert balance_of(account) == D("3.5")

    def test_leave_the_running_months_use_for_the_next_invoice(self, account, minutes):
        topped_up(account, "100")
        used(account, minutes, "1.5", month_on=date(2026, 4, 1))
        factories.bill(date(2026, 4, 1))
        assert not Invoice.objects.get(account=account).lines.filter(kind="USAGE").exists()

    def test_are_billed_once_however_often_the_run_comes(self, account, minutes):
        topped_up(account, "100")
        used(account, minutes, "1.5")
        for _ in range(3):
            factories.bill(date(2026, 4, 1))
        assert Invoice.objects.filter(account=account).count() == 1
        assert balance_of(account) == D("48.5")


class TestAShortBalance:
    """PRE-4."""

    def test_parks_the_account_and_deducts_nothing(self, account):
        topped_up(account, "49.99")
        run = factories.bill(date(2026, 4, 1))
        item = RunItem.objects.get(run=run, account=account)
        assert item.outcome == "PARKED"
        assert "USD 0.01 is missing" in item.reason
        assert item.reason.startswith("PRE-4")
        assert balance_of(account) == D("49.99")
        kept = PrepaidBalance.objects.get(account=account)
        assert (kept.awaiting, kept.awaiting_since_on) == (D("50"), date(2026, 4, 1))
        assert not Invoice.objects.filter(account=account, status="ISSUED").exists()

    def test_parks_an_account_that_never_had_a_balance(self, account):
        factories.bill(date(2026, 4, 1))
        assert PrepaidBalance.objects.get(account=account).awaiting == D("50")

    def test_leaves_the_others_of_the_run_alone(self, account, line):
        other = factories.customer("prepaid")
        factories.subscription(other, line, date(2026, 4, 1))
        direct = factories.customer()
        factories.subscription(direct, line, date(2026, 3, 1))
        topped_up(other, "25")
        factories.bill(date(2026, 4, 1))
        assert balance_of(other) == 0
        assert Invoice.objects.filter(account=direct, status="ISSUED").exists()
        assert not Invoice.objects.filter(account=account, status="ISSUED").exists()

    def test_is_posted_when_credit_arrives(self, account):
        topped_up(account, "10")
        run = factories.bill(date(2026, 4, 1))
        topped_up(account, "40")
        retry_parked(run, actor=command_line(), now=NOW)
        assert balance_of(account) == 0
        kept = PrepaidBalance.objects.get(account=account)
        assert (kept.awaiting, kept.awaiting_since_on) == (0, None)
        run.refresh_from_db()
        assert run.state == "DONE"
        assert list(differences_in_books()) == []

    def test_waits_on_when_too_little_arrives(self, account):
        topped_up(account, "10")
        run = factories.bill(date(2026, 4, 1))
        topped_up(account, "39.99")
        retry_parked(run, actor=command_line(), now=NOW)
        assert balance_of(account) == D("49.99")
        assert RunItem.objects.get(run=run, account=account).outcome == "PARKED"

    def test_may_fall_to_the_credit_limit_and_no_further(self, account):
        account.billing_profile.terms.credit_limit = D(20)
        account.billing_profile.terms.save()
        topped_up(account, "30", floor="-20")
        factories.bill(date(2026, 4, 1))
        assert balance_of(account) == D("-20")

    def test_of_the_next_month_catches_up_with_both(self, account):
        factories.bill(date(2026, 4, 1))
        topped_up(account, "75")
        factories.bill(date(2026, 5, 1))
        assert Invoice.objects.get(account=account, status="ISSUED").total == D("75")
        assert balance_of(account) == 0


class TestCreditThatArrives:
    """PRE-4: the charge is posted when credit arrives."""

    def test_posts_what_waited(self, account):
        factories.bill(date(2026, 4, 1))
        topped_up(account, "60")
        assert post_what_waited(actor=schedule(), now=NOW) == 1
        assert balance_of(account) == D("10")
        assert post_what_waited(actor=schedule(), now=NOW) == 0

    def test_leaves_what_is_still_short(self, account):
        factories.bill(date(2026, 4, 1))
        topped_up(account, "49")
        assert post_what_waited(actor=schedule(), now=NOW) == 0
        assert balance_of(account) == D("49")


class TestAServiceWhileChargesWait:
    """SVC-1 beside PRE-4: what is asked for in between does not make the month's charges forgotten."""

    @pytest.fixture
    def charge(self, account):
        factories.bill(date(2026, 4, 1))
        topped_up(account, "20")
        return factories.one_off_charge(account, factories.plan("visit", "10", charge="ONE_OFF"), date(2026, 4, 2))

    def test_is_not_invoiced_before_them(self, account, charge):
        with pytest.raises(NotAtOnce, match="monthly charges of USD 50.00 wait for credit"):
            invoice_at_once(charge, now=APRIL_2)
        assert PrepaidBalance.objects.get(account=account).awaiting == D(50)
        assert balance_of(account) == 20

    def test_is_invoiced_once_they_are_posted(self, account, charge):
        topped_up(account, "40")
        post_what_waited(actor=schedule(), now=APRIL_2)
        assert invoice_at_once(charge, now=APRIL_2).total == 10
        assert balance_of(account) == 0
        assert list(differences_in_books()) == []

    def test_says_what_it_comes_to_where_the_balance_is_short(self, account, charge):
        topped_up(account, "35")
        post_what_waited(actor=schedule(), now=APRIL_2)
        with pytest.raises(NotAtOnce, match="comes to USD 10.00 and the prepaid balance is USD 5.00"):
            invoice_at_once(charge, now=APRIL_2)
        assert PrepaidBalance.objects.get(account=account).awaiting == 0


class TestACreditNote:
    """Over what the balance has paid: it is on the balance again, and not a credit that nothing ever uses."""

    def test_goes_back_to_the_balance(self, account):
        topped_up(account, "100")
        factories.bill(date(2026, 4, 1))
        invoice = Invoice.objects.get(account=account)
        line = invoice.lines.order_by("position")[0]
        credit_invoice(
            invoice=invoice, actor=command_line(), now=NOW, reason="Not held in March.", amounts={line.pk: D(25)}
        )
        assert balance_of(account) == D(75)
        credit = Posting.objects.filter(account=account, ledger_account="CUSTOMER_CREDIT")
        assert sum(row.amount for row in credit) == 0
        assert list(differences_in_books()) == []

    def test_posts_what_waited(self, account):
        topped_up(account, "50")
        factories.bill(date(2026, 4, 1))
        factories.bill(date(2026, 5, 1))
        kept = PrepaidBalance.objects.get(account=account)
        assert (kept.balance, kept.awaiting) == (0, D(25))
        credit_invoice(invoice=Invoice.objects.get(status="ISSUED"), actor=command_line(), now=NOW, reason="Goodwill.")
        post_what_waited(actor=schedule(), now=NOW)
        assert balance_of(account) == D(25)


class TestTheForecast:
    """PRE-3 asks what the coming 1st will cost."""

    def test_is_what_the_run_then_charges(self, account):
        topped_up(account, "100")
        amount, parts = coming_charges([account.pk], date(2026, 4, 1))[account.pk]
        assert (amount, parts) == (D("50"), (Part("Line", D("25")), Part("Line", D("25"))))
        factories.bill(date(2026, 4, 1))
        assert balance_of(account) == D("100") - amount

    def test_leaves_out_what_was_used_already(self, account, minutes):
        topped_up(account, "100")
        used(account, minutes, "12")
        assert coming_charges([account.pk], date(2026, 4, 1))[account.pk].amount == D("50")

    def test_leaves_out_accounts_with_nothing_due(self):
        account = factories.customer("prepaid")
        assert coming_charges([account.pk], date(2026, 4, 1)) == {}
