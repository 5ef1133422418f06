"""P3: a crash at any statement leaves no half invoice, number, document or mail; resumed, it comes to the same."""

import random
import subprocess
import sys
import time
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from django.core import mail
from django.db import connection, transaction

from accounts.actors import schedule
from accounts.models import Account, AuditEntry
from invoicing.documents.models import Delivery, Document
from invoicing.documents.policy import LEASE
from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import send_pending
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.invoices.models import Invoice
from invoicing.invoices.operations import issue_drafts
from invoicing.ledger.models import LedgerEntry
from invoicing.runs import issuing, operations, proposing
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import Run, RunItem
from invoicing.runs.operations import approve, discard, retry_parked, run_billing
from tests.chaos.at_once import environment
from tests.chaos.books import many_customers, small_book
from tests.chaos.crashing import Crashed, statements
from tests.chaos.results import audit, due_dates, forget_runs, result
from tests.invoicing.factories import NOW, add_price, customer, plan, seller, subscription, terms

pytestmark = pytest.mark.django_db(transaction=True)

FEBRUARY, MARCH = date(2026, 2, 1), date(2026, 3, 1)


def bill() -> Run:
    return run_billing(seller=seller(), on=MARCH, actor=schedule(), now=NOW)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    """Pages of three accounts, so that a small run has several."""
    monkeypatch.setattr(operations, "propose_due", partial(proposing.propose_due, page_size=3))
    monkeypatch.setattr(issuing, "ISSUE_PAGE_SIZE", 3)


def nothing_is_half_done() -> None:
    """Between a crash and the resumption: the books are in order, whatever is not done yet."""
    assert list(differences_in_books()) == []
    issued = Invoice.objects.filter(status="ISSUED").count()
    assert LedgerEntry.objects.count() == issued
    assert Document.objects.count() == issued
    assert Delivery.objects.values("document").distinct().count() == issued
    # No draft is anywhere but on an item that waits or is parked.
    waiting = RunItem.objects.filter(invoice__status="DRAFT", outcome__in=["PROPOSED", "PARKED"]).count()
    assert waiting == Invoice.objects.filter(status="DRAFT").count()


class TestACrashAtEachStatement:
    """P3."""

    @pytest.mark.slow
    def test_of_a_run_leaves_nothing_half_and_is_made_good(self, monkeypatch):
        small_book()
        before = due_dates()
        with statements(monkeypatch) as whole:
            bill()
        expected, trail = result(), audit()
        assert whole.count > 60
        assert any(sql.startswith("COPY") for sql in whole.seen)

        for at in range(1, whole.count + 1):
            forget_runs(before)
            with pytest.raises(Crashed), statements(monkeypatch, die_at=at):
                bill()
            nothing_is_half_done()
            bill()
            assert result() == expected, f"crashed at statement {at}: {whole.seen[at - 1][:200]}"
            assert audit() == trail, f"crashed at statement {at}"

    def test_of_a_run_is_made_good_by_the_tick_as_well(self, monkeypatch):
        small_book()
        before = due_dates()
        with statements(monkeypatch) as whole:
            bill()
        expected = result()

        for at in range(1, whole.count + 1, 5):
            forget_runs(before)
            with pytest.raises(Crashed), statements(monkeypatch, die_at=at):
                bill()
            nothing_is_half_done()
            operations_of_the_tick()
            assert result() == expected, f"crashed at statement {at}: {whole.seen[at - 1][:200]}"

    def test_of_a_retry_bills_each_parked_account_once(self, monkeypatch):
        sold = plan("mail", None)
        for _ in range(5):
            subscription(customer(), sold, FEBRUARY)
        run = bill()
        add_price(sold, "10")
        with transaction.atomic():
            with statements(monkeypatch) as whole:
                retry_parked(run, actor=schedule(), now=NOW)
            transaction.set_rollback(True)

        for at in range(1, whole.count + 1, 3):
            run.refresh_from_db()
            with pytest.raises(Crashed), statements(monkeypatch, die_at=at):
                retry_parked(Run.objects.get(), actor=schedule(), now=NOW)
            assert list(differences_in_books()) == []
            retry_parked(Run.objects.get(), actor=schedule(), now=NOW)
            operations_of_the_tick()
            assert Invoice.objects.filter(status="ISSUED").count() == 5
            assert Run.objects.get().state == "DONE"
            park_again(run)

    def test_of_an_approval_a_discard_and_a_credit_note_leaves_them_undone_or_done(self, monkeypatch):
        terms("hosted-direct", approval="REVIEW")
        subscription(customer(), plan("mail", "10"), FEBRUARY)
        run = bill()
        undone = result()
        for change in (
            lambda: approve(Run.objects.get(), actor=schedule(), now=NOW),
            lambda: discard(Run.objects.get(), actor=schedule(), now=NOW, why="A wrong price."),
        ):
            crash_everywhere(monkeypatch, change, undone)
        approve(run, actor=schedule(), now=NOW)
        operations_of_the_tick()
        undone = result()
        invoice = Invoice.objects.get()
        crash_everywhere(
            monkeypatch, lambda: credit_invoice(invoice=invoice, actor=schedule(), now=NOW, reason="Wrong."), undone
        )

    def test_without_a_transaction_would_leave_a_half_issued_invoice(self, monkeypatch):
        """The negative control: posted, but not numbered."""
        terms("hosted-direct", approval="REVIEW")
        subscription(customer(), plan("mail", "10"), FEBRUARY)
        bill()
        draft = Invoice.objects.get()
        monkeypatch.setattr("invoicing.invoices.operations.take_numbers", die)

        with pytest.raises(Crashed):
            issue_drafts([(draft.pk, draft.account_id, draft.kind)], seller=seller(), now=NOW)

        assert "belongs to no issued invoice" in " ".join(differences_in_books())


def die(*given):
    raise Crashed


def operations_of_the_tick() -> None:
    """What the beat tick does next: go on with what stands half-way, then what is due."""
    for run in Run.objects.filter(state__in=["PROPOSING", "ISSUING"]):
        operations.advance(run, actor=schedule(), now=NOW)
    bill()


def park_again(run: Run) -> None:
    """The five accounts parked as before, and nothing issued."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE invoicing_invoice, invoicing_invoiceline, invoicing_linetax, invoicing_ledgerentry,"
            " invoicing_posting, invoicing_openinvoice, invoicing_document, invoicing_delivery, invoicing_runitem"
            " CASCADE"
        )
        cursor.execute("UPDATE invoicing_numberseries SET next_number = first_number")
        cursor.execute("UPDATE invoicing_billingprofile SET billed_until_on = NULL, next_billing_on = '2026-04-01'")
    RunItem.objects.bulk_create(
        RunItem(run=run, account=account, outcome="PARKED", reason="No price.", currency="USD")
        for account in Account.objects.all()
    )


def crash_everywhere(monkeypatch, change, undone) -> None:
    """Crash at each statement of a change; after each, nothing of it is there, its audit entry neither."""
    trail = audit()
    with transaction.atomic():
        with statements(monkeypatch) as whole:
            change()
        transaction.set_rollback(True)
    for at in range(1, whole.count + 1):
        with pytest.raises(Crashed), statements(monkeypatch, die_at=at):
            change()
        assert result() == undone, f"crashed at statement {at}: {whole.seen[at - 1][:200]}"
        assert audit() == trail


class TestACrashWhileDocumentsAreDrawnAndMailed:
    def test_leaves_no_mail_sent_twice_and_none_forgotten(self, monkeypatch, settings, tmp_path):
        """Waldur's second mail: what may have gone out is left to a person, and nothing goes out twice."""
        settings.DOCUMENTS_ROOT = tmp_path / "documents"
        for _ in range(2):
            subscription(customer(), plan(f"mail-{_}", "10"), FEBRUARY)
        bill()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept AS SELECT * FROM invoicing_document")
            cursor.execute("CREATE TABLE kept_deliveries AS SELECT * FROM invoicing_delivery")
        try:
            whole = 1
            at = 0
            while at < whole:
                at += 1
                begin_again()
                died_at = self.draw_and_send(monkeypatch, at)
                whole = at + 1 if died_at else at
                later = NOW + 2 * LEASE
                render_pending(limit=100, now=later)
                send_pending(limit=100, now=later)
                assert Document.objects.filter(state="RENDERED").count() == 2, f"crashed at statement {at}"
                states = list(Delivery.objects.values_list("state", flat=True))
                assert set(states) <= {"SENT", "UNCERTAIN"}, f"crashed at statement {at}"
                sent = [message.to[0] for message in mail.outbox]
                assert len(sent) == len(set(sent)), f"crashed at statement {at}"
                assert states.count("SENT") <= len(sent)
            assert whole > 15
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE kept, kept_deliveries")

    @staticmethod
    def draw_and_send(monkeypatch, at: int) -> bool:
        with statements(monkeypatch, die_at=at) as counted:
            try:
                render_pending(limit=100, now=NOW)
                send_pending(limit=100, now=NOW)
            except Crashed:
                return True
        return counted.count >= at


def begin_again() -> None:
    """The documents wait to be drawn, and the mails to be sent, as after the issue."""
    mail.outbox.clear()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM invoicing_delivery; DELETE FROM invoicing_document")
        cursor.execute("INSERT INTO invoicing_document SELECT * FROM kept")
        cursor.execute("INSERT INTO invoicing_delivery SELECT * FROM kept_deliveries")


@pytest.mark.slow
class TestWorkersKilled:
    """P3: a run of 2,000 accounts, its workers killed by `kill -9` at random."""

    def test_at_random_and_started_again_come_to_the_same(self):
        seed = random.randrange(10_000)
        print(f"seed {seed}")  # noqa: T201 a random test says its seed
        moments = random.Random(seed)
        many_customers(2000, plan("mail", "10"), started_on=FEBRUARY)
        before = due_dates()
        bill()
        expected = result(with_numbers=False)
        forget_runs(before)

        killed, states = 0, set()
        for _ in range(200):
            if Run.objects.filter(state="DONE").exists():
                break
            workers = [start_worker() for _ in range(2)]
            for worker in workers:
                assert worker.stdout.readline().strip() == "ready", worker.stderr.read()
            time.sleep(moments.uniform(0.05, 0.8))
            for worker in workers:
                killed += worker.poll() is None
                worker.kill()
                worker.communicate()
            states.add(tuple(Run.objects.values_list("state", flat=True)))
            nothing_is_half_done()
        bill()

        assert killed >= 4, "the workers were done before they could be killed"
        assert {("PROPOSING",), ("ISSUING",)} & states
        found = result(with_numbers=False)
        for part, lines in expected.items():
            assert found[part] == lines, part
        assert sorted(AuditEntry.objects.values_list("action", flat=True)) == ["approve run", "open run"]


def start_worker() -> "subprocess.Popen[str]":
    command = [sys.executable, str(Path(__file__).with_name("a_run.py")), "2026-03-01"]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
