"""P1: no account is billed twice for one period, however many ask for it at once."""

import threading
from datetime import date
from functools import partial

import pytest

from accounts.actors import schedule
from invoicing.invoices.models import Invoice, InvoiceLine
from invoicing.runs import issuing, operations, proposing, retries, tasks
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import Run, RunItem
from invoicing.runs.operations import retry_parked, run_billing
from tests.chaos.at_once import at_once, failures, finished, manage
from tests.chaos.books import many_customers, small_book
from tests.chaos.results import due_dates, forget_runs, result, rows
from tests.invoicing.factories import NOW, add_price, plan, seller

pytestmark = pytest.mark.django_db(transaction=True)

MARCH = date(2026, 3, 1)
BILLED_TWICE = (
    "SELECT subscription_id, kind, period_start FROM invoicing_invoiceline WHERE subscription_id IS NOT NULL"
    " GROUP BY 1, 2, 3 HAVING count(*) > 1"
)


def trigger() -> Run:
    return run_billing(seller=seller(), on=MARCH, actor=schedule(), now=NOW)


@pytest.fixture
def small_pages(monkeypatch):
    """Pages of some accounts, so that a small book has many of them to be fought for."""
    monkeypatch.setattr(operations, "propose_due", partial(proposing.propose_due, page_size=3))
    monkeypatch.setattr(issuing, "ISSUE_PAGE_SIZE", 4)


def one_invoice_an_account(accounts) -> None:
    assert rows(BILLED_TWICE) == []
    assert Invoice.objects.filter(status="ISSUED").count() == len(accounts)
    assert Invoice.objects.filter(status="ISSUED").values("account").distinct().count() == len(accounts)
    assert list(differences_in_books()) == []


class TestFiftyTriggers:
    """P1. Commcare made invoices twice in July 2015 and again in July 2023, in spite of a get-or-create check."""

    def test_of_one_period_give_one_invoice_an_account(self, small_pages, monkeypatch):
        accounts = many_customers(60, plan("mail", "10"), started_on=date(2026, 2, 1))
        monkeypatch.setattr(tasks.timezone, "now", lambda: NOW.replace(day=1))
        by_command = [manage("run_billing", "--on", "2026-03-01", "--json") for _ in range(3)]

        found = at_once(
            [trigger] * 35
            + [lambda: tasks.bill_seller(seller().pk)] * 8
            + [lambda: tasks.continue_run(operations.open_run(seller=seller(), on=MARCH, actor=schedule(), now=NOW).pk)]
            * 4
        )

        assert failures(found) == []
        for process in by_command:
            finished(process)
        assert Run.objects.get().state == "DONE"
        assert RunItem.objects.count() == 60
        one_invoice_an_account(accounts)

    def test_one_account_at_a_time_and_the_whole_mixed_bill_each_once(self, small_pages):
        accounts = many_customers(30, plan("mail", "10"), started_on=date(2026, 2, 1))

        def alone(account):
            return run_billing(seller=seller(), on=MARCH, actor=schedule(), now=NOW, account=account)

        found = at_once([*(partial(alone, account) for account in accounts[::3]), *[trigger] * 8])

        assert failures(found) == []
        trigger()
        assert Run.objects.get().state == "DONE"
        one_invoice_an_account(accounts)

    def test_without_index_and_locks_would_bill_twice(self, take_away, monkeypatch):
        """The negative control: two runs read before either writes, and nothing stops them."""
        many_customers(5, plan("mail", "10"), started_on=date(2026, 2, 1))
        take_away("period_billed_once", "one_open_item_an_account", "one_item_an_account")
        overlap(monkeypatch)

        found = at_once([trigger, trigger])

        assert failures(found) == []
        assert len(rows(BILLED_TWICE)) == 5
        assert any("is billed twice" in sentence for sentence in differences_in_books())

    def test_the_index_alone_refuses_the_second_invoice(self, take_away, monkeypatch):
        """Commcare: only the unique index held. Without locks one of the two triggers fails, and nothing is doubled."""
        accounts = many_customers(5, plan("mail", "10"), started_on=date(2026, 2, 1))
        take_away("one_open_item_an_account", "one_item_an_account")
        overlap(monkeypatch)

        at_once([trigger, trigger])

        assert rows(BILLED_TWICE) == []
        assert InvoiceLine.objects.count() == len(accounts)

    def test_the_locks_alone_let_the_second_find_it_billed(self, take_away):
        accounts = many_customers(20, plan("mail", "10"), started_on=date(2026, 2, 1))
        take_away("period_billed_once", "one_open_item_an_account", "one_item_an_account")

        found = at_once([trigger] * 6)

        assert failures(found) == []
        one_invoice_an_account(accounts)


def overlap(monkeypatch) -> None:
    """Have two runs price the same accounts, unlocked, before either of them writes."""
    began, priced = Meeting(), Meeting()
    begin, due, price = operations.begin_proposing, proposing.due_accounts, proposing.proposals
    monkeypatch.setattr(operations, "begin_proposing", lambda run: began.after(begin(run)))
    monkeypatch.setattr(proposing, "proposals", lambda *given, **named: priced.after(price(*given, **named)))
    monkeypatch.setattr(proposing, "due_accounts", lambda *given, **named: due(*given, **(named | {"lock": ""})))


class Meeting:
    """The first two who come wait for each other; who comes later goes through."""

    def __init__(self) -> None:
        self.both = threading.Barrier(2)
        self.places = [True, True]

    def after(self, value):
        """The value, once both have theirs."""
        if self.places and self.places.pop():
            self.both.wait(30)
        return value


class TestEachMessageThreeTimes:
    def test_gives_the_same_books(self, monkeypatch):
        """P1: each message delivered three times."""
        small_book()
        before = due_dates()
        monkeypatch.setattr(tasks.timezone, "now", lambda: NOW.replace(day=1))
        tasks.bill_seller(seller().pk)
        once = result()
        forget_runs(before)

        for _ in range(3):
            tasks.bill_seller(seller().pk)
            tasks.continue_run(Run.objects.get().pk)

        assert result() == once

    def test_at_once_gives_the_same_books(self, monkeypatch):
        small_book()
        before = due_dates()
        monkeypatch.setattr(tasks.timezone, "now", lambda: NOW.replace(day=1))
        tasks.bill_seller(seller().pk)
        once = result()
        forget_runs(before)

        found = at_once([lambda: tasks.bill_seller(seller().pk)] * 3)

        assert failures(found) == []
        assert result() == once


class TestRetriesAtOnce:
    @pytest.fixture
    def parked(self):
        """A run with twelve parked accounts whose price is there by now."""
        sold = plan("mail", None)
        self.accounts = many_customers(12, sold, started_on=date(2026, 2, 1))
        run = trigger()
        assert run.items.filter(outcome="PARKED").count() == 12
        add_price(sold, "10")
        return run

    @staticmethod
    def retry():
        return retry_parked(Run.objects.get(), actor=schedule(), now=NOW)

    def test_bill_each_parked_account_once(self, parked):
        found = at_once([self.retry] * 6)

        assert failures(found) == []
        one_invoice_an_account(self.accounts)
        assert parked.items.count() == 12

    def test_without_a_second_look_under_the_lock_would_stumble_over_each_other(self, parked, monkeypatch):
        """The negative control: the later one proposes what the earlier one has billed, and fails."""
        meeting, parked_ids = Meeting(), retries._parked_ids

        def without_looking(run, ids, catalog):
            retries.replace_proposals(run, retries.lock_accounts(ids), catalog)
            retries.review(run, actor=schedule(), now=NOW)
            issuing.issue_approved(run, now=NOW)
            return len(ids)

        monkeypatch.setattr(retries, "_parked_ids", lambda *given, **named: meeting.after(parked_ids(*given, **named)))
        monkeypatch.setattr(retries, "_retry_page", without_looking)

        assert failures(at_once([self.retry] * 2))


class TestDiscardWhileProposing:
    @pytest.fixture
    def race(self, monkeypatch):
        """A run of twelve accounts in pages of three, which somebody discards after the first page."""
        self.accounts = many_customers(12, plan("mail", "10"), started_on=date(2026, 2, 1))
        monkeypatch.setattr(operations, "propose_due", partial(proposing.propose_due, page_size=3))
        page_written, discarded = threading.Event(), threading.Event()

        def wait_for_the_discard(stage, count):
            page_written.set()
            discarded.wait(30)

        def proposer():
            return run_billing(
                seller=seller(), on=MARCH, actor=schedule(), now=NOW, workers=1, progress=wait_for_the_discard
            )

        def discarder():
            page_written.wait(30)
            operations.discard(Run.objects.get(), actor=schedule(), now=NOW, why="Too early.")
            discarded.set()

        return lambda: at_once([proposer, discarder])

    def test_leaves_no_account_waiting_in_a_discarded_run(self, race):
        """P2: a proposal added to a run that somebody discards meanwhile would be billed by no run ever after."""
        assert failures(race()) == []

        assert not RunItem.objects.filter(outcome="PROPOSED", superseded_by=None).exists()
        trigger()
        one_invoice_an_account(self.accounts)

    def test_without_asking_for_its_state_would_leave_nine_of_them(self, race, monkeypatch):
        """The negative control."""
        monkeypatch.setattr(proposing, "_is_being_proposed", lambda run: True)

        race()

        stuck = RunItem.objects.filter(run__state="DISCARDED", outcome="PROPOSED", superseded_by=None)
        assert stuck.count() == 9
        trigger()
        assert Invoice.objects.filter(status="ISSUED").count() == 3
