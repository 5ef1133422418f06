"""A run's life: proposed, reviewed within bounds, issued; approved, discarded, retried, proposed again."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, command_line, schedule
from accounts.models import Account, AuditEntry
from invoicing.invoices.models import Invoice, InvoiceLine
from invoicing.ledger.models import LedgerEntry
from invoicing.runs import lifecycle
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import Run, RunItem
from invoicing.runs.operations import (
    RunRefused,
    advance,
    approve,
    discard,
    dry_run,
    open_run,
    propose_again,
    retry_parked,
    run_billing,
)
from invoicing.runs.queries import figures
from invoicing.runs.schedule import bill_what_is_due
from invoicing.sellers.models import NumberSeries
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile, Inactivity, QuantityChange, Subscription
from invoicing.subscriptions.operations import look_again
from tests.chaos.books import small_book
from tests.chaos.results import audit, result, row_hashes
from tests.invoicing.factories import (
    NOW,
    add_price,
    bill,
    customer,
    invoices_of,
    lines_of,
    one_off_charge,
    partner_with_clients,
    per_seat_company,
    plan,
    seller,
    subscription,
    terms,
)

pytestmark = pytest.mark.django_db

FEBRUARY, MARCH, APRIL = date(2026, 2, 1), date(2026, 3, 1), date(2026, 4, 1)
State, Outcome = Run.State, RunItem.Outcome
NOBODY = Actor(ActorKind.STAFF, "Nora Nobody", Channel.CONSOLE)


def staff(*permissions: str) -> Actor:
    return Actor(
        ActorKind.STAFF,
        "Mia Manager",
        Channel.CONSOLE,
        permissions=frozenset(f"invoicing.{name}" for name in permissions),
    )


MANAGER = staff("start_run", "approve_run", "retry_parked", "issue_credit_note")


def propose(on: date = MARCH, **values) -> Run:
    """The day's run by the schedule: it goes on by itself as far as the bounds let it."""
    return run_billing(seller=seller(), on=on, actor=schedule(), now=NOW, **values)


def billed_monthly(price: str = "10", quantity: str = "1", **values) -> Account:
    """A direct customer with one subscription since the first of February."""
    account = customer(**values)
    number = Account.objects.count()
    subscription(account, plan(f"mail-{number}", price), FEBRUARY, quantity)
    return account


def waiting_run(on: date = MARCH) -> Run:
    """A run that waits for review, since the terms ask for it."""
    terms("hosted-direct", approval="REVIEW")
    run = propose(on)
    assert run.state == State.REVIEW
    return run


def outcome_of(run: Run, account: Account) -> tuple[str, str]:
    item = run.items.filter(account=account).latest("sequence")
    return item.outcome, item.reason


def change_quantity(account: Account, quantity: str, from_on: date) -> None:
    held = Subscription.objects.get(account=account)
    QuantityChange.objects.create(subscription=held, from_on=from_on, quantity=Decimal(quantity))
    look_again({account.pk: from_on})


class TestTransitions:
    @pytest.mark.parametrize("to", State.values)
    @pytest.mark.parametrize("was", State.values)
    def test_between_every_pair_of_states(self, was, to):
        run = open_run(seller=seller(), on=MARCH, actor=schedule(), now=NOW)
        run.state = was
        run.save()

        if was == to or to in Run.TRANSITIONS[State(was)]:
            lifecycle.move(run, to)
            assert Run.objects.get().state == to
        else:
            with pytest.raises(RunRefused, match=f"cannot become {State(to).label.lower()}"):
                lifecycle.move(run, to)
            assert Run.objects.get().state == was

    def test_names_every_state(self):
        assert set(Run.TRANSITIONS) == set(State)

    @pytest.mark.parametrize("was", [state for state in State.values if state != State.REVIEW])
    def test_only_what_waits_is_approved_or_proposed_again(self, was):
        account = billed_monthly()
        run = open_run(seller=seller(), on=MARCH, actor=schedule(), now=NOW)
        Run.objects.update(state=was)

        with pytest.raises(RunRefused, match="does not wait for review"):
            approve(run, actor=MANAGER, now=NOW)
        with pytest.raises(RunRefused, match="does not wait for review"):
            propose_again(run, account=account, actor=MANAGER, now=NOW)

    @pytest.mark.parametrize(
        ("was", "allowed"),
        [("PROPOSING", True), ("REVIEW", True), ("ISSUING", False), ("DONE", False), ("DISCARDED", False)],
    )
    def test_only_what_issued_nothing_is_discarded(self, was, allowed):
        run = open_run(seller=seller(), on=MARCH, actor=schedule(), now=NOW)
        Run.objects.update(state=was)

        if allowed:
            assert discard(run, actor=MANAGER, now=NOW, why="A wrong price.").state == State.DISCARDED
        else:
            with pytest.raises(RunRefused):
                discard(run, actor=MANAGER, now=NOW, why="A wrong price.")
            assert Run.objects.get().state == was


class TestRunBilling:
    def test_issues_what_is_within_the_bounds_by_itself(self):
        account = billed_monthly()

        run = propose()

        assert run.state == State.DONE
        assert run.approved_by == "schedule, within the bounds"
        assert run.finished_at == NOW
        (invoice,) = invoices_of(account)
        assert (invoice.number, invoice.total, invoice.issued_on) == ("INV-000001", Decimal("10.000"), MARCH)

    def test_ends_every_account_invoiced_with_nothing_due_or_parked(self):
        book = small_book()

        run = propose()

        found = {name: outcome_of(run, account)[0] for name, account in book.items()}
        assert found == {
            "plain": "INVOICED", "taxed": "INVOICED", "partner": "INVOICED", "company": "INVOICED", "gone": "INVOICED",
            "late": "INVOICED", "free": "NOTHING_DUE", "prepaid": "PARKED", "unpriced": "PARKED",
        }  # fmt: skip
        counted = figures(run)
        assert (counted.invoiced, counted.nothing_due, counted.parked, counted.proposed) == (6, 1, 2, 0)
        assert counted.accounts == 9
        assert counted.total == {"USD": Decimal("1081.420")}
        assert list(differences_in_books()) == []

    def test_called_again_gives_the_same_figures(self):
        small_book()
        first = figures(propose()).as_json()
        books = result()

        again = figures(propose()).as_json()

        assert again == first
        assert result() == books

    def test_a_second_call_touches_nothing(self):
        small_book()
        propose()
        before = row_hashes()

        propose()

        assert row_hashes() == before

    def test_catches_up_missed_months_oldest_first(self):
        """P2, BILL-1. Lago: a clock that was down over a billing day never billed it."""
        account = billed_monthly()

        propose(date(2026, 5, 1))

        assert [(line[2], line[5]) for line in lines_of(invoices_of(account))] == [
            (FEBRUARY, Decimal("10.000")), (MARCH, Decimal("10.000")), (APRIL, Decimal("10.000")),
        ]  # fmt: skip
        assert propose(date(2026, 5, 2)).items.count() == 0

    def test_catches_up_a_partners_missed_month_with_its_own_late_service(self):
        """BILL-2: the month that begins, and what was added to the one before."""
        partner, (client, _) = partner_with_clients()
        subscription(client, plan("mail", "4.50"), date(2026, 2, 20))

        propose(MARCH)

        assert [line[2] for line in lines_of(invoices_of(partner))] == [FEBRUARY, MARCH]

    def test_a_day_late_bills_what_was_due_with_the_days_own_date(self):
        account = billed_monthly()

        propose(date(2026, 3, 4))

        (invoice,) = invoices_of(account)
        assert invoice.issued_on == date(2026, 3, 4)
        assert [line[2:4] for line in lines_of(invoice)] == [(FEBRUARY, MARCH)]

    def test_adds_what_is_bought_later_on_the_same_day_to_the_days_run(self):
        """SEAT-2: the first month at purchase, on the day of the purchase."""
        company = per_seat_company(1)
        seat = plan("seat", "30", setup_fee="10")
        subscription(company, seat, MARCH)
        first = propose()

        subscription(company, seat, MARCH)
        second = propose()

        assert second == first
        assert second.state == State.DONE
        assert [invoice.total for invoice in invoices_of(company)] == [Decimal("40.000"), Decimal("40.000")]
        assert list(second.items.order_by("sequence").values_list("sequence", "outcome")) == [
            (1, "INVOICED"), (2, "INVOICED"),
        ]  # fmt: skip

    def test_leaves_prepaid_charges_proposed_and_unissued_with_their_reason(self):
        """PRE-4."""
        account = customer("prepaid")
        subscription(account, plan("mobile", "25"), MARCH)

        run = propose()

        outcome, reason = outcome_of(run, account)
        assert outcome == Outcome.PARKED
        assert reason.startswith("PRE-4: the monthly charges come to USD 25.00 and the prepaid balance is USD 0.00")
        draft = Invoice.objects.get(account=account)
        assert (draft.status, draft.total, draft.number) == ("DRAFT", Decimal("25.000"), None)
        assert not LedgerEntry.objects.exists()
        assert figures(run).total == {}

    def test_bills_nothing_where_the_total_is_zero(self):
        account = billed_monthly(price="0")

        run = propose()

        assert outcome_of(run, account) == ("NOTHING_DUE", "")
        assert not Invoice.objects.exists()
        assert BillingProfile.objects.get(account=account).next_billing_on == APRIL

    def test_makes_a_total_below_zero_a_credit_note_in_its_own_series(self):
        """SEAT-3: a rebate after the last seat went."""
        company = per_seat_company(1, profile={"bill_from_on": date(2026, 2, 2)})
        seat = plan("seat", "30", inactive_price="12.50")
        held = subscription(company, seat, date(2025, 12, 1), ended_on=date(2026, 2, 2))
        Inactivity.objects.create(subscription=held, period_start_on=FEBRUARY)

        propose()

        (note,) = invoices_of(company)
        assert (note.kind, note.number, note.total) == ("CREDIT_NOTE", "CN-000001", Decimal("-17.500"))
        assert NumberSeries.objects.get(kind="INVOICE").next_number == 1
        postings = LedgerEntry.objects.get().postings.values_list("ledger_account", "amount")
        assert set(postings) == {("CUSTOMER_CREDIT", Decimal("-17.5")), ("REVENUE", Decimal("17.5"))}
        assert list(differences_in_books()) == []

    def test_parks_a_currency_without_a_price_in_readable_words(self):
        account = customer(profile={"currency": "EUR"})
        subscription(account, plan("mail", "4.50"), FEBRUARY, reference="M-1")

        run = propose()

        assert outcome_of(run, account) == (
            "PARKED",
            "Plan mail has no price in EUR on 2026-02-01, for subscription M-1. Add a price of the plan that is valid "
            "then, or an agreed price of the subscription.",
        )
        assert run.state == State.DONE

    def test_takes_a_parked_account_over_from_the_run_before(self):
        account = customer()
        sold = plan("mail", None)
        subscription(account, sold, FEBRUARY)
        first = propose(MARCH)
        add_price(sold, "10")

        second = propose(APRIL)

        parked = first.items.get()
        assert (parked.outcome, parked.superseded_by) == ("PARKED", second)
        assert outcome_of(second, account) == ("INVOICED", "")
        assert [line[2] for line in lines_of(invoices_of(account))] == [FEBRUARY, MARCH]

    def test_an_account_that_changed_while_its_proposal_waited_is_priced_anew(self):
        account = billed_monthly()
        run = waiting_run()
        change_quantity(account, "3", date(2026, 2, 10))

        approve(run, actor=MANAGER, now=NOW)
        advance(run, actor=MANAGER, now=NOW, approve=True)

        assert [line[4:] for line in lines_of(invoices_of(account))] == [(Decimal(3), Decimal("30.000"))]
        assert list(differences_in_books()) == []

    def test_keeps_its_day_however_late_it_is_issued(self):
        """BILL-6: `on` is frozen."""
        account = billed_monthly()
        run = waiting_run()
        add_price(Subscription.objects.get().plan, "99", valid_from_on=date(2026, 3, 2))
        later = NOW + timedelta(days=3)

        approve(run, actor=MANAGER, now=later)
        advance(run, actor=MANAGER, now=later)

        (invoice,) = invoices_of(account)
        assert (invoice.issued_on, invoice.issued_at, invoice.total) == (MARCH, later, Decimal("10.000"))
        assert LedgerEntry.objects.get().on == MARCH

    def test_bills_each_seller_by_itself(self):
        account = billed_monthly()
        other = type(seller()).objects.create(name="Another company")

        run = run_billing(seller=other, on=MARCH, actor=schedule(), now=NOW)

        assert (run.state, run.items.count()) == (State.DONE, 0)
        assert not invoices_of(account)

    def test_ends_a_run_with_nobody_due_at_once(self):
        run = propose()

        assert (run.state, figures(run).accounts) == (State.DONE, 0)


class TestPermissions:
    def test_are_asked_for_by_each_operation(self):
        account = billed_monthly()
        run = waiting_run()
        starter = staff("start_run")

        for refused in (
            lambda: run_billing(seller=seller(), on=MARCH, actor=NOBODY, now=NOW),
            lambda: run_billing(seller=seller(), on=MARCH, actor=starter, now=NOW, approve=True),
            lambda: approve(run, actor=starter, now=NOW),
            lambda: discard(run, actor=starter, now=NOW, why="No."),
            lambda: retry_parked(run, actor=starter, now=NOW),
            lambda: propose_again(run, account=account, actor=starter, now=NOW),
        ):
            with pytest.raises(NotPermitted):
                refused()

        assert not invoices_of(account)
        assert Run.objects.get().state == State.REVIEW

    def test_to_start_is_enough_within_the_bounds(self):
        account = billed_monthly()

        run_billing(seller=seller(), on=MARCH, actor=staff("start_run"), now=NOW)

        assert len(invoices_of(account)) == 1


class TestReview:
    """DESIGN, section 3: safety bounds hold the run for a person."""

    @pytest.fixture
    def last_period(self):
        """Ten customers who were billed USD 10 each in the last period."""
        accounts = [billed_monthly() for _ in range(10)]
        propose(MARCH)
        return accounts

    def test_a_total_changed_by_exactly_the_share_goes_on(self, last_period):
        for account in last_period[:5]:
            change_quantity(account, "2", MARCH)

        assert propose(APRIL).state == State.DONE

    def test_a_total_changed_by_more_than_the_share_waits(self, last_period):
        for account in last_period[:6]:
            change_quantity(account, "2", MARCH)

        run = propose(APRIL)

        assert (run.state, run.hold_reasons) == (State.REVIEW, [
            "hosted-direct: the total is USD 160.00, and was USD 100.00 in the last period: a change of more than 50 %."
        ])  # fmt: skip
        assert Invoice.objects.filter(status="ISSUED").count() == 10

    def test_a_total_that_fell_waits_too(self, last_period):
        for account in last_period[:6]:
            change_quantity(account, "0", MARCH)

        run = propose(APRIL)

        assert run.hold_reasons == [
            "hosted-direct: the total is USD 40.00, and was USD 100.00 in the last period: a change of more than 50 %.",
            "hosted-direct: 4 invoices, and 10 in the last period: a change of more than 50 %.",
        ]

    def test_a_count_changed_by_more_than_the_share_waits(self, last_period):
        cheap = plan("cheap", "0.01")
        for _ in range(6):
            subscription(customer(), cheap, MARCH)

        run = propose(APRIL)

        assert run.hold_reasons == [
            "hosted-direct: 16 invoices, and 10 in the last period: a change of more than 50 %."
        ]

    def test_an_account_out_of_its_range_waits(self, last_period):
        terms("hosted-direct", hold_total_share=Decimal(1000))
        change_quantity(last_period[0], "11", MARCH)

        run = propose(APRIL)

        assert run.hold_reasons == [
            f"hosted-direct: out of the range of its account: {last_period[0].number} (USD 110.00 after USD 10.00)."
        ]

    def test_ten_times_the_last_invoice_is_within_the_range(self, last_period):
        terms("hosted-direct", hold_total_share=Decimal(1000))
        change_quantity(last_period[0], "10", MARCH)

        assert propose(APRIL).state == State.DONE

    def test_an_amount_above_the_bound_waits(self):
        account = billed_monthly(price="100000.01")

        run = propose()

        assert run.hold_reasons == [
            f"hosted-direct: out of the range of its account: {account.number} (USD 100,000.01 after USD 0.00)."
        ]

    def test_an_amount_at_the_bound_goes_on(self):
        billed_monthly(price="100000")

        assert propose().state == State.DONE

    def test_zero_is_no_bound(self):
        terms("hosted-direct", hold_amount=0, hold_account_factor=0)
        billed_monthly(price="900000")

        assert propose().state == State.DONE

    def test_terms_may_ask_for_a_review(self):
        billed_monthly()

        run = waiting_run()

        assert run.hold_reasons == ["The terms “hosted-direct” ask for a review of each run; 1 invoices wait."]
        assert figures(run).as_json()["invoiced"] == 1

    def test_terms_that_ask_for_a_review_hold_nothing_of_others(self):
        terms("hosted-partner", approval="REVIEW")
        billed_monthly()

        assert propose().state == State.DONE

    def test_what_waits_is_left_alone_by_the_tick(self):
        billed_monthly()
        waiting_run()
        before = row_hashes()

        assert bill_what_is_due(seller(), actor=schedule(), now=datetime(2026, 3, 1, 12, tzinfo=UTC)) == []
        assert row_hashes() == before

    def test_what_waits_is_not_proposed_by_the_next_days_run(self):
        account = billed_monthly()
        run = waiting_run()

        next_day = propose(date(2026, 3, 2))

        assert next_day.items.count() == 0
        assert outcome_of(run, account) == ("PROPOSED", "")
        assert InvoiceLine.objects.count() == 1


class TestApprove:
    def test_issues_what_waited(self):
        account = billed_monthly()
        run = waiting_run()

        approve(run, actor=MANAGER, now=NOW)
        advance(run, actor=MANAGER, now=NOW)

        assert (run.state, run.approved_by, run.approved_at) == (State.DONE, "Mia Manager", NOW)
        assert run.hold_reasons == []
        assert len(invoices_of(account)) == 1

    def test_keeps_the_reasons_of_the_hold_on_the_audit_trail(self):
        billed_monthly()

        approve(waiting_run(), actor=MANAGER, now=NOW)

        entry = AuditEntry.objects.get(action="approve run")
        assert (entry.who, entry.channel) == ("Mia Manager", "CONSOLE")
        assert entry.detail["holds"] == ["The terms “hosted-direct” ask for a review of each run; 1 invoices wait."]

    def test_twice_is_refused(self):
        billed_monthly()
        run = waiting_run()
        approve(run, actor=MANAGER, now=NOW)

        with pytest.raises(RunRefused, match="it is issuing"):
            approve(run, actor=MANAGER, now=NOW)

    def test_goes_on_where_an_approved_run_stopped(self):
        account = billed_monthly()
        run = waiting_run()
        approve(run, actor=MANAGER, now=NOW)

        bill_what_is_due(seller(), actor=schedule(), now=NOW)

        assert len(invoices_of(account)) == 1
        assert Run.objects.get(on=MARCH).state == State.DONE


class TestDiscard:
    def test_drops_the_drafts_and_bills_again_the_same(self):
        book = small_book()
        terms("hosted-direct", approval="REVIEW")
        run = propose()
        proposed = lines_of(list(Invoice.objects.order_by("account_id")))

        discard(run, actor=MANAGER, now=NOW, why="The price list was wrong.")

        assert not Invoice.objects.exists()
        assert not InvoiceLine.objects.exists()
        terms("hosted-direct", approval="AUTOMATIC")
        again = propose()
        assert again != run
        assert again.state == State.DONE
        assert lines_of(list(Invoice.objects.order_by("account_id"))) == proposed
        assert figures(again).accounts == len(book)
        assert list(differences_in_books()) == []

    def test_says_why_on_the_audit_trail(self):
        billed_monthly()

        discard(waiting_run(), actor=MANAGER, now=NOW, why="The price list was wrong.")

        entry = AuditEntry.objects.get(action="discard run")
        assert (entry.who, entry.why) == ("Mia Manager", "The price list was wrong.")

    def test_is_refused_once_something_was_issued(self):
        account, _ = billed_monthly(), billed_monthly()
        run = waiting_run()
        propose(account=account, approve=False)
        run_billing(seller=seller(), on=MARCH, actor=MANAGER, now=NOW, account=account, approve=True)
        run.refresh_from_db()

        with pytest.raises(RunRefused, match=r"corrected by a credit note \(BILL-6\)"):
            discard(run, actor=MANAGER, now=NOW, why="Too late.")

        assert run.items.filter(outcome="PROPOSED").count() == 1


class TestRetryParked:
    @pytest.fixture
    def parked(self):
        """Two parked accounts and the plan whose price is missing; one account is billed."""
        billed_monthly()
        sold = plan("mail", None)
        accounts = [customer(), customer()]
        for account in accounts:
            subscription(account, sold, FEBRUARY)
        return propose(), accounts, sold

    def test_all_bills_each_once(self, parked):
        run, accounts, sold = parked
        add_price(sold, "10")

        assert retry_parked(run, actor=MANAGER, now=NOW) == 2
        assert retry_parked(run, actor=MANAGER, now=NOW) == 0

        assert [len(invoices_of(account)) for account in accounts] == [1, 1]
        run.refresh_from_db()
        assert run.state == State.DONE
        assert figures(run).as_json()["invoiced"] == 3

    def test_one_leaves_the_others_parked(self, parked):
        run, (first, second), sold = parked
        add_price(sold, "10")

        assert retry_parked(run, actor=MANAGER, now=NOW, account=second) == 1

        assert outcome_of(run, first)[0] == "PARKED"
        assert outcome_of(run, second) == ("INVOICED", "")

    def test_what_is_still_wrong_stays_parked_with_its_reason(self, parked):
        run, (first, _), _ = parked
        reason = outcome_of(run, first)

        retry_parked(run, actor=MANAGER, now=NOW)

        assert outcome_of(run, first) == reason
        assert run.items.filter(account=first).count() == 1

    def test_bills_on_the_runs_own_day(self, parked):
        run, (first, _), sold = parked
        add_price(sold, "10")

        retry_parked(run, actor=MANAGER, now=NOW + timedelta(days=9))

        (invoice,) = invoices_of(first)
        assert invoice.issued_on == MARCH
        assert BillingProfile.objects.get(account=first).next_billing_on == APRIL

    def test_waits_for_review_where_the_terms_ask_for_it(self, parked):
        run, (first, _), sold = parked
        add_price(sold, "10")
        terms("hosted-direct", approval="REVIEW")

        retry_parked(run, actor=MANAGER, now=NOW)

        run.refresh_from_db()
        assert run.state == State.REVIEW
        assert not invoices_of(first)

    def test_of_a_discarded_run_is_refused(self, parked):
        run, _, _ = parked
        Run.objects.update(state="DISCARDED")
        run.refresh_from_db()

        with pytest.raises(RunRefused, match="was discarded"):
            retry_parked(run, actor=MANAGER, now=NOW)

    def test_is_on_the_audit_trail(self, parked):
        run, _, _ = parked

        retry_parked(run, actor=MANAGER, now=NOW)

        entry = AuditEntry.objects.get(action="retry parked")
        assert (entry.who, entry.detail) == ("Mia Manager", {"accounts": 2})

    def test_after_a_retry_bought_the_same_day_is_billed_too(self):
        company = per_seat_company(1)
        sold = plan("seat", None)
        subscription(company, sold, MARCH)
        run = propose()
        add_price(sold, "30")
        retry_parked(run, actor=MANAGER, now=NOW)

        subscription(company, sold, MARCH)
        propose()

        assert [invoice.total for invoice in invoices_of(company)] == [Decimal("30.000"), Decimal("30.000")]


class TestProposeAgain:
    def test_prices_one_account_anew_while_the_run_waits(self):
        account, other = billed_monthly(), billed_monthly()
        run = waiting_run()
        Subscription.objects.filter(account=account).update(unit_price=Decimal(7))

        propose_again(run, account=account, actor=MANAGER, now=NOW)

        assert {item.account: item.total for item in run.items.all()} == {
            account: Decimal("7.000"), other: Decimal("10.000"),
        }  # fmt: skip
        assert run.state == State.REVIEW
        assert Invoice.objects.count() == 2
        assert audit()[-1] == ("propose again", "run 2026-03-01")

    def test_may_find_nothing_due_any_more(self):
        account = billed_monthly()
        run = waiting_run()
        Subscription.objects.filter(account=account).update(unit_price=Decimal(0))

        propose_again(run, account=account, actor=MANAGER, now=NOW)

        assert outcome_of(run, account) == ("NOTHING_DUE", "")
        assert (run.state, Invoice.objects.count()) == (State.DONE, 0)


class TestOneAccount:
    """`--account`: that account alone."""

    def test_is_issued_while_the_others_are_not_touched(self):
        account, other = billed_monthly(), billed_monthly()

        run = propose(account=account)

        assert len(invoices_of(account)) == 1
        assert not run.items.filter(account=other).exists()
        assert figures(run, account_id=account.pk).as_json()["accounts"] == 1

    def test_then_the_whole_bills_the_others_in_the_same_run(self):
        account, other = billed_monthly(), billed_monthly()
        first = propose(account=account)

        whole = propose()

        assert whole == first
        assert whole.state == State.DONE
        assert [len(invoices_of(one)) for one in (account, other)] == [1, 1]
        assert figures(whole).as_json()["invoiced"] == 2

    def test_is_issued_out_of_a_run_that_waits(self):
        account, other = billed_monthly(), billed_monthly()
        run = waiting_run()

        run_billing(seller=seller(), on=MARCH, actor=MANAGER, now=NOW, account=account, approve=True)

        run.refresh_from_db()
        assert len(invoices_of(account)) == 1
        assert outcome_of(run, other) == ("PROPOSED", "")
        assert run.state == State.REVIEW
        assert run.hold_reasons == ["The terms “hosted-direct” ask for a review of each run; 1 invoices wait."]

    def test_is_held_by_the_bounds_like_the_whole(self):
        account = billed_monthly(price="100001")

        run = propose(account=account)

        assert not invoices_of(account)
        assert (run.state, len(run.hold_reasons)) == (State.REVIEW, 1)

    def test_the_last_that_waited_ends_the_run(self):
        account = billed_monthly()
        run = waiting_run()

        run_billing(seller=seller(), on=MARCH, actor=MANAGER, now=NOW, account=account, approve=True)

        run.refresh_from_db()
        assert run.state == State.DONE

    def test_what_was_approved_beyond_the_bounds_is_audited(self):
        account = billed_monthly(price="100001")

        run_billing(seller=seller(), on=MARCH, actor=MANAGER, now=NOW, account=account, approve=True)

        assert AuditEntry.objects.get(action="approve account").account == account


class TestDryRun:
    def test_equals_the_run_and_writes_nothing(self):
        book = small_book()
        before = row_hashes("accounts_", "invoicing_", "auth_", "django_")

        dry = dry_run(seller=seller(), on=MARCH).as_json()

        assert row_hashes("accounts_", "invoicing_", "auth_", "django_") == before
        assert (dry.pop("state"), dry["accounts"]) == ("DRY_RUN", len(book))
        wet = figures(propose()).as_json()
        assert wet.pop("state") == "DONE"
        assert dry == wet

    def test_of_one_account_equals_that_accounts_run(self):
        account = small_book()["taxed"]

        dry = dry_run(seller=seller(), on=MARCH, account=account).as_json()

        wet = figures(propose(account=account), account_id=account.pk).as_json()
        assert dry | {"state": "DONE"} == wet | {"state": "DONE"}
        assert dry["total"] == {"USD": "513.92"}

    def test_counts_what_waits_for_review_as_the_run_will(self):
        billed_monthly()
        run = waiting_run()

        dry = dry_run(seller=seller(), on=MARCH)

        assert (dry.proposed, dry.total) == (1, {"USD": Decimal("10.000")})
        assert dry.as_json()["total"] == figures(run).as_json()["total"]

    def test_leaves_out_what_waits_in_another_days_run(self):
        billed_monthly()
        waiting_run()

        assert dry_run(seller=seller(), on=date(2026, 3, 2)).accounts == 0

    def test_looks_at_what_an_earlier_run_parked_as_the_next_run_will(self):
        account = customer("prepaid")
        subscription(account, plan("mobile", "25"), MARCH)
        propose(MARCH)

        dry = dry_run(seller=seller(), on=APRIL)

        assert (dry.parked, dry.nothing_due) == (1, 0)
        assert outcome_of(propose(APRIL), account)[1].startswith("PRE-4: the monthly charges come to USD 50.00")


class TestCommand:
    """`manage.py run_billing`."""

    KEYS = ["on", "state", "accounts", "invoiced", "nothing_due", "parked", "total", "first_number", "last_number"]

    @staticmethod
    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("run_billing", "--on", "2026-03-01", *arguments, stdout=out)
        return out.getvalue()

    def test_prints_the_keys_of_the_issue_as_json(self):
        small_book()

        found = json.loads(self.run("--json"))

        assert list(found) == self.KEYS
        assert found == {
            "on": "2026-03-01", "state": "DONE", "accounts": 9, "invoiced": 6, "nothing_due": 1, "parked": 2,
            "total": {"USD": "1081.42"}, "first_number": "INV-000001", "last_number": "INV-000005",
        }  # fmt: skip

    def test_dry_prints_the_same_keys_and_figures(self):
        small_book()

        dry = json.loads(self.run("--json", "--dry-run"))

        assert list(dry) == self.KEYS
        assert dry["state"] == "DRY_RUN"
        assert json.loads(self.run("--json")) == dry | {"state": "DONE"}

    def test_of_one_account_prints_its_figures(self):
        account = small_book()["taxed"]

        found = json.loads(self.run("--json", "--account", account.number))

        assert (found["accounts"], found["invoiced"], found["total"]) == (1, 1, {"USD": "513.92"})
        assert found["first_number"] == found["last_number"] == "INV-000001"

    def test_approves_what_the_terms_would_hold(self):
        billed_monthly()
        waiting_run()

        assert json.loads(self.run("--json", "--approve"))["state"] == "DONE"

    def test_says_why_a_run_waits(self):
        billed_monthly()
        terms("hosted-direct", approval="REVIEW")

        said = self.run()

        assert "held: The terms “hosted-direct” ask for a review" in said
        assert "1 proposed" in said

    def test_refuses_an_unknown_account_and_a_client(self):
        _, (client, _) = partner_with_clients()

        with pytest.raises(CommandError, match="There is no account with the number 'X-1'"):
            self.run("--account", "X-1")
        with pytest.raises(CommandError, match="is a client of"):
            self.run("--account", client.number)

    def test_acts_as_the_command_line(self):
        billed_monthly()

        self.run()

        assert set(AuditEntry.objects.values_list("who", "channel")) == {("command line", "COMMAND")}
        assert Run.objects.get().opened_by == command_line().name


class TestDays:
    """A billing date is read in the seller's time zone. Lago compared the wrong day for customers ahead of UTC."""

    def test_ahead_of_utc_the_first_begins_earlier(self):
        issuer = seller(time_zone="Pacific/Auckland")
        account = billed_monthly()
        still_february = datetime(2026, 2, 28, 10, 59, tzinfo=UTC)

        assert bill_what_is_due(issuer, actor=schedule(), now=still_february) == []
        bill_what_is_due(issuer, actor=schedule(), now=still_february + timedelta(minutes=1))

        assert [invoice.issued_on for invoice in invoices_of(account)] == [MARCH]

    def test_ahead_of_utc_nobody_is_billed_again_when_utc_comes_after(self):
        issuer = seller(time_zone="Pacific/Auckland")
        account = billed_monthly()

        for hour in range(48):
            bill_what_is_due(issuer, actor=schedule(), now=datetime(2026, 2, 28, tzinfo=UTC) + timedelta(hours=hour))

        assert [invoice.issued_on for invoice in invoices_of(account)] == [MARCH]
        assert Run.objects.count() == 1

    def test_behind_utc_the_first_begins_later(self):
        issuer = seller(time_zone="America/Los_Angeles")
        account = billed_monthly()
        utc_march = datetime(2026, 3, 1, 7, 59, tzinfo=UTC)

        assert today_of(issuer, now=utc_march) == date(2026, 2, 28)
        assert bill_what_is_due(issuer, actor=schedule(), now=utc_march) == []
        bill_what_is_due(issuer, actor=schedule(), now=utc_march + timedelta(minutes=1))

        assert [invoice.issued_on for invoice in invoices_of(account)] == [MARCH]

    def test_a_tick_after_days_of_silence_bills_what_was_missed(self):
        """BillaBear: a retry lost for good when the scheduler was down for a minute."""
        account = billed_monthly()

        bill_what_is_due(seller(), actor=schedule(), now=datetime(2026, 4, 17, 8, 0, tzinfo=UTC))

        assert [line[2] for line in lines_of(invoices_of(account))] == [FEBRUARY, MARCH]

    def test_one_off_work_is_billed_with_its_month(self):
        account = customer()
        one_off_charge(account, plan("work", "150", charge="ONE_OFF"), date(2026, 2, 28))

        bill(MARCH)

        assert lines_of(invoices_of(account)) == [
            ("ONE_OFF", "work", date(2026, 2, 28), MARCH, Decimal(1), Decimal("150.000"))
        ]
