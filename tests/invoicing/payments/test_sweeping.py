"""SEAT-5: what is invoiced is charged on the billing date, tried again on the terms' days, and never overlapping."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from accounts.actors import schedule
from invoicing.invoices.models import Invoice
from invoicing.payments import excluding, sweeping
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.models import Payment
from invoicing.payments.operations import book_payment, charge, charge_due, record_return, refund, take_back
from invoicing.payments.tasks import charge_seller
from invoicing.subscriptions.models import BillingProfile
from tests.chaos.at_once import at_once, failures
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]

FIRST = date(2026, 3, 5)


@pytest.fixture
def company():
    """A company under `per-seat` terms, which charge on the billing date and try again after 3, 5 and 7 days."""
    money.ship_rates()
    return made.per_seat_company(5)


def at(day):
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def sweep(on=FIRST, **values):
    return charge_due(on=on, now=at(on), actor=schedule(), **values)


def skipped(on=FIRST):
    return [why for _, why in sweep(on).skipped]


def attempts():
    return list(Payment.objects.order_by("pk").values_list("on", "attempt", "state"))


class TestChargeDue:
    def test_charges_on_the_billing_date_and_not_before(self, company):
        invoice = money.invoice(company, issued_on=FIRST)
        money.card(company)
        assert not sweep(FIRST - timedelta(days=1)).charged
        (tried,) = sweep().charged
        assert (tried.account, tried.amount, tried.fee, tried.state) == (company.number, 100, 1, "SUCCEEDED")
        payment = Payment.objects.get()
        assert (payment.automatic, payment.on, payment.made_by) == (True, FIRST, "schedule")
        assert money.open_of(invoice) == 0

    def test_charges_all_that_is_due_with_one_payment(self, company):
        for total in ("40", "60"):
            money.invoice(company, total, issued_on=FIRST)
        money.bank_account(company)
        (tried,) = sweep().charged
        assert (tried.amount, tried.fee, tried.state) == (100, 0, "PENDING")

    def test_again_charges_nothing(self, company):
        money.invoice(company, issued_on=FIRST)
        money.card(company)
        sweep()
        again = sweep()
        assert (again.charged, again.skipped, again.failed) == ([], [], [])

    @pytest.mark.parametrize(
        ("terms", "own", "charged"),
        [(True, None, 1), (True, False, 0), (False, True, 1), (False, None, 0), (False, False, 0)],
    )
    def test_as_the_account_says_or_else_its_terms(self, terms, own, charged):
        """Kazoo charged disabled accounts because a boolean was read the other way round."""
        made.terms("per-seat", auto_charge=terms)
        company = made.per_seat_company(5, profile={"auto_charge": own})
        money.invoice(company, issued_on=FIRST)
        money.card(company)
        assert len(sweep().charged) == charged
        assert Payment.objects.count() == charged

    def test_in_a_dry_run_says_what_it_would_charge(self, company, gateway):
        money.invoice(company, issued_on=FIRST)
        money.card(company)
        (tried,) = sweep(dry_run=True).charged
        assert (tried.amount, tried.fee, tried.state) == (100, 1, "")
        assert not Payment.objects.exists()
        assert not gateway.charges()

    def test_of_one_account_that_fails_charges_the_others(self, company, monkeypatch):
        other = made.per_seat_company(5)
        for one in (company, other):
            money.invoice(one, issued_on=FIRST)
            money.card(one)
        real = sweeping.charge

        def broken(account_id, *args, **values):
            if account_id == company.pk:
                raise ValueError("a bug")
            return real(account_id, *args, **values)

        monkeypatch.setattr(sweeping, "charge", broken)
        done = sweep()
        assert [tried.account for tried in done.charged] == [other.number]
        assert done.failed == [(company.number, "ValueError: a bug")]

    def test_of_one_currency_that_is_refused_charges_the_other(self, company, monkeypatch):
        money.card(company)
        for currency in ("USD", "EUR"):
            BillingProfile.objects.filter(account=company).update(currency=currency)
            company.billing_profile.refresh_from_db()
            money.invoice(company, issued_on=FIRST)
        real = sweeping.charge

        def picky(account_id, *args, invoices, **values):
            if Invoice.objects.get(pk=invoices[0]).currency == "EUR":
                raise MoneyRefused("Not in euros.")
            return real(account_id, *args, invoices=invoices, **values)

        monkeypatch.setattr(sweeping, "charge", picky)
        done = sweep()
        assert done.skipped == [(company.number, "Not in euros.")]
        assert [(tried.currency, tried.amount) for tried in done.charged] == [("USD", 100)]

    def test_goes_on_where_it_stopped(self, company):
        companies = [company, made.per_seat_company(5), made.per_seat_company(5)]
        for one in companies:
            money.invoice(one, issued_on=FIRST)
            money.card(one)
        first = sweep(limit=2)
        assert (len(first.charged), first.last_account_id) == (2, companies[1].pk)
        rest = sweep(limit=2, after=first.last_account_id)
        assert (len(rest.charged), rest.last_account_id) == (1, None)


class TestLeftOut:
    """Each with its reason."""

    @pytest.fixture
    def invoice(self, company):
        return money.invoice(company, issued_on=FIRST)

    def test_without_a_method(self, invoice):
        assert skipped() == ["There is no payment method that may be charged."]

    def test_with_a_blocked_method(self, company, invoice):
        money.card(company, state="BLOCKED")
        assert skipped() == ["There is no payment method that may be charged."]

    def test_while_an_attempt_is_open(self, company, invoice, gateway):
        """An open attempt and the next one never overlap."""
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        money.card(company)
        sweep()
        payment = Payment.objects.get()
        assert skipped() == [f"Invoice {invoice.number}: Payment {payment.pk} for it is under way."]
        assert len(gateway.charges()) == 1

    def test_with_the_agency(self, company, invoice):
        """COLL-1: card retries stop."""
        money.card(company)
        money.hand_over(invoice, "60")
        assert skipped() == [f"Invoice {invoice.number}: It is with the agency (COLL-1)."]

    def test_as_a_room_above_says(self, company, invoice):
        money.card(company)

        def disputed(invoice_ids, *, on):
            return dict.fromkeys(invoice_ids, "It is in dispute.")

        excluding.exclude(disputed)
        try:
            assert skipped() == [f"Invoice {invoice.number}: It is in dispute."]
        finally:
            excluding._filters.remove(disputed)

    def test_after_a_refund(self, company, invoice):
        """What was given back is not taken again by itself."""
        money.card(company)
        sweep()
        refund(Payment.objects.get(), actor=MIA, now=at(FIRST), reason="Not wanted.")
        assert skipped() == [f"Invoice {invoice.number}: It was paid, and given or taken back: a person decides."]

    def test_while_money_of_the_account_is_on_no_invoice(self, company, invoice):
        money.card(company)
        sweep()
        take_back(Payment.objects.get(), invoice, actor=MIA, now=at(FIRST), why="The wrong one.")
        assert skipped() == ["USD 100.00 of the account's own money is on no invoice: allocate it first."]

    def test_when_nothing_is_due_any_more(self, company, invoice):
        money.card(company)
        book_payment(
            company, kind="CHECK", amount=Decimal(100), currency="USD", reference="c1", received_on=FIRST, actor=MIA,
            now=at(FIRST),
        )  # fmt: skip
        assert not sweep().charged


class TestRetries:
    """On the days of the terms, counted from the first attempt."""

    def days(self, company, does, days):
        money.invoice(company, issued_on=FIRST)
        money.card(company, does)
        for day in range(days):
            sweep(FIRST + timedelta(days=day))
        return [(on.day, attempt, state) for on, attempt, state in attempts()]

    def test_on_the_third_fifth_and_seventh_day(self, company):
        assert self.days(company, "decline.insufficient_funds", 20) == [
            (5, 1, "FAILED"), (8, 2, "FAILED"), (10, 3, "FAILED"), (12, 4, "FAILED"),
        ]  # fmt: skip
        assert skipped(FIRST + timedelta(days=30))[0].endswith("Every attempt was made: 4.")

    def test_never_after_a_hard_decline(self, company):
        assert self.days(company, "decline.stolen_card", 20) == [(5, 1, "FAILED")]

    def test_on_the_day_only_once(self, company):
        money.invoice(company, issued_on=FIRST)
        money.card(company, "decline.insufficient_funds")
        for _ in range(3):
            sweep()
        assert len(attempts()) == 1
        assert skipped()[0].endswith("Attempt 2 is due on 8 March 2026.")

    def test_of_a_missed_day_is_made_up_for(self, company):
        """BillaBear: a retry lost for good when the scheduler was down."""
        money.invoice(company, issued_on=FIRST)
        money.card(company, "decline.insufficient_funds")
        sweep()
        sweep(date(2026, 3, 9))
        assert attempts()[1][:2] == (date(2026, 3, 9), 2)

    def test_with_another_card_begin_anew(self, company):
        invoice = money.invoice(company, issued_on=FIRST)
        money.card(company, "decline.stolen_card")
        sweep()
        money.card(company)
        sweep(FIRST + timedelta(days=1))
        assert money.open_of(invoice) == 0

    def test_of_a_returned_debit_twice_at_most(self, company):
        """R01: retry at most twice."""
        made.terms("per-seat", retry_days=[3, 5, 7, 9])
        money.invoice(company, issued_on=FIRST)
        money.bank_account(company)
        day = FIRST
        for _ in range(6):
            done = sweep(day)
            for tried in done.charged:
                record_return(Payment.objects.get(pk=tried.payment_id), code="R01", now=at(day + timedelta(days=5)))
            day += timedelta(days=10)
        assert [attempt for _, attempt, _ in attempts()] == [1, 2, 3]

    def test_of_a_debit_that_was_not_authorized_never_come(self, company):
        invoice = money.invoice(company, issued_on=FIRST)
        money.bank_account(company)
        sweep()
        record_return(Payment.objects.get(), code="R10", now=at(FIRST))
        assert not sweep(FIRST + timedelta(days=30)).charged
        assert money.open_of(invoice) == 100

    def test_are_not_made_of_a_charge_by_hand(self, company):
        """Staff's own attempt does not use up the schedule's."""
        money.invoice(company, issued_on=FIRST)
        method = money.card(company, "decline.insufficient_funds")
        charge(company.pk, method, actor=MIA, now=at(FIRST))
        assert sweep().charged[0].state == "FAILED"
        assert attempts()[1][1] == 1


class TestCommand:
    def test_prints_the_figures_as_json(self, company, capsys):
        money.invoice(company, issued_on=FIRST)
        money.card(company)
        call_command("charge_due", "--on", "2026-03-05", "--json")
        told = json.loads(capsys.readouterr().out)
        assert told["totals"] == {"USD": {"SUCCEEDED": {"count": 1, "amount": "100.00", "fee": "1.00"}}}
        assert told["charged"][0]["account"] == company.number

    def test_says_them_in_words(self, company, capsys):
        money.invoice(company, issued_on=FIRST)
        money.card(company)
        call_command("charge_due", "--on", "2026-03-05", "--dry-run", "--account", company.number)
        assert "1 would be charged: USD 100.00, card fees USD 1.00." in capsys.readouterr().out
        assert not Payment.objects.exists()

    def test_with_nothing_due_says_so(self, capsys):
        call_command("charge_due", "--on", "2026-03-05")
        assert capsys.readouterr().out == "Nothing is due on 2026-03-05.\n"


def test_the_tick_charges_a_sellers_accounts(company):
    money.invoice(company, issued_on=FIRST)
    money.card(company)
    charge_seller(made.seller().pk)
    assert Payment.objects.get().state == "SUCCEEDED"


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_four_sweeps_charge_once(self, company, gateway):
        invoice = money.invoice(company, issued_on=FIRST)
        money.card(company)
        results = at_once([sweep] * 4)
        assert not failures(results)
        assert sum(len(result.charged) for result in results) == 1
        assert len(gateway.charges()) == 1
        assert money.open_of(invoice) == 0
