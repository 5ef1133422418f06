"""P5: the ledger sums to zero, and a balance is the sum of its postings, always."""

import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from accounts.actors import command_line, schedule
from accounts.models import Account
from invoicing.book.operations import import_book, read_book
from invoicing.bulk import copy_rows
from invoicing.invoices.credit_notes import CreditRefused, credit_invoice, creditable_lines
from invoicing.invoices.models import Invoice
from invoicing.ledger.balances import owed_by
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.ledger.operations import Side, Unbalanced, post
from invoicing.periods import billing_date_after
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import Run
from invoicing.runs.operations import discard, retry_parked, run_billing
from invoicing.subscriptions.models import QuantityChange, Subscription
from invoicing.subscriptions.operations import look_again
from invoicing.tax.models import TaxRate
from tests.chaos.results import rows
from tests.invoicing.factories import NOW, add_price, customer, per_seat_company, plan, seller, subscription

pytestmark = pytest.mark.django_db

UNBALANCED = "SELECT entry_id FROM invoicing_posting GROUP BY entry_id, currency HAVING sum(amount) <> 0"
# What each account owes as its documents say it: invoices less what was credited, and what it owed before.
OPEN = """
    SELECT a.id, coalesce(sum(i.total), 0)
        + coalesce((SELECT opening_balance FROM invoicing_billingprofile p WHERE p.account_id = a.id), 0)
    FROM accounts_account a LEFT JOIN invoicing_invoice i ON i.account_id = a.id AND i.status = 'ISSUED'
    GROUP BY a.id ORDER BY a.id
"""
POSTED = """
    SELECT a.id, coalesce(sum(p.amount), 0) FROM accounts_account a
    LEFT JOIN invoicing_posting p ON p.account_id = a.id AND p.ledger_account IN ('RECEIVABLE', 'CUSTOMER_CREDIT')
    GROUP BY a.id ORDER BY a.id
"""
OPEN_INVOICES = """
    SELECT i.id, i.total + coalesce((
        SELECT sum(c.total) FROM invoicing_invoice c WHERE c.corrects_id = i.id AND c.status = 'ISSUED'), 0)
    FROM invoicing_invoice i WHERE i.kind = 'INVOICE' AND i.status = 'ISSUED' ORDER BY i.id
"""
POSTED_INVOICES = """
    SELECT i.id, coalesce(sum(p.amount), 0) FROM invoicing_invoice i
    LEFT JOIN invoicing_posting p ON p.invoice_id = i.id AND p.ledger_account = 'RECEIVABLE'
    WHERE i.kind = 'INVOICE' AND i.status = 'ISSUED' GROUP BY i.id ORDER BY i.id
"""


class Books(RuleBasedStateMachine):
    """A year of a small provider in any order of what can happen to its books so far."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = transaction.atomic()
        self.whole.__enter__()
        self.on = date(2026, 1, 1)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.whole.__exit__(None, None, None)

    @property
    def now(self) -> datetime:
        return datetime(self.on.year, self.on.month, self.on.day, 9, tzinfo=UTC)

    @initialize()
    def begin(self) -> None:
        TaxRate.objects.create(
            country="US", state="CO", name="Colorado", rate_percent=Decimal("2.9"), valid_from_on=date(2020, 1, 1)
        )
        TaxRate.objects.create(
            country="US", state="CO", city="Denver", name="Denver", rate_percent=Decimal("4.81"),
            valid_from_on=date(2020, 1, 1),
        )  # fmt: skip
        mail = plan("mail", "4.355", inactive_price="1")
        seat = plan("seat", "30", setup_fee="10", deposit="500", inactive_price="12.50")
        self.unpriced = plan("unpriced", None)
        self.accounts = [customer(), customer(state="CO", city="Denver"), per_seat_company(1)]
        for account, of_plan in zip(self.accounts, (mail, mail, seat), strict=True):
            subscription(account, of_plan, date(2026, 1, 1), "3")

    @rule()
    def a_month_goes_by_and_is_billed(self) -> None:
        self.on = billing_date_after(self.on, 1)
        run_billing(seller=seller(), on=self.on, actor=schedule(), now=self.now, approve=True)

    @rule(which=st.integers(0, 2), quantity=st.integers(0, 9), day=st.integers(0, 27))
    def a_quantity_changes(self, which: int, quantity: int, day: int) -> None:
        held = Subscription.objects.filter(account=self.accounts[which]).first()
        from_on = self.on + timedelta(days=day)
        QuantityChange.objects.update_or_create(
            subscription=held, from_on=from_on, defaults={"quantity": Decimal(quantity)}
        )
        look_again({self.accounts[which].pk: from_on})

    @rule(which=st.integers(0, 50))
    def an_invoice_is_credited_whole(self, which: int) -> None:
        self._credit(which, None)

    @rule(which=st.integers(0, 50), line=st.integers(0, 5), percent=st.integers(1, 100))
    def a_part_of_a_line_is_credited(self, which: int, line: int, percent: int) -> None:
        invoice = self._invoice(which)
        if invoice is None:
            return
        lines = [one for one in creditable_lines(invoice) if one.rest > 0]
        if not lines:
            return
        chosen = lines[line % len(lines)]
        amount = (chosen.rest * percent / 100).quantize(Decimal("0.01"))
        if amount:
            self._credit(which, {chosen.line.pk: amount})

    def _invoice(self, which: int) -> Invoice | None:
        invoices = list(Invoice.objects.filter(kind="INVOICE", status="ISSUED").order_by("pk"))
        return invoices[which % len(invoices)] if invoices else None

    def _credit(self, which: int, amounts: dict[int, Decimal] | None) -> None:
        invoice = self._invoice(which)
        if invoice is None:
            return
        try:
            with transaction.atomic():
                credit_invoice(invoice=invoice, actor=schedule(), now=self.now, reason="Not ordered.", amounts=amounts)
        except CreditRefused as refused:
            if "left to credit" not in str(refused) and "nothing to credit" not in str(refused):
                raise

    @rule(which=st.integers(0, 2), cents=st.integers(-100_000, 100_000))
    def an_opening_balance_is_imported(self, which: int, cents: int) -> None:
        account = self.accounts[which]
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "accounts.csv").write_text(
                f"number,name,opening_balance\n{account.number},{account.name},{Decimal(cents) / 100}\n"
            )
            import_book(read_book(Path(folder)), actor=command_line(), now=self.now)

    @rule(which=st.integers(0, 2))
    def something_without_a_price_is_added_parked_and_retried(self, which: int) -> None:
        subscription(self.accounts[which], self.unpriced, self.on)
        self.a_month_goes_by_and_is_billed()
        if not self.unpriced.prices.exists():
            add_price(self.unpriced, "7.77")
        for run in Run.objects.exclude(state="DISCARDED"):
            retry_parked(run, actor=schedule(), now=self.now)

    @rule()
    def a_run_is_discarded(self) -> None:
        self.on = billing_date_after(self.on, 1)
        run = run_billing(seller=seller(), on=self.on, actor=schedule(), now=self.now)
        if run.state == "REVIEW" and not run.items.filter(outcome="INVOICED").exists():
            discard(run, actor=schedule(), now=self.now, why="A wrong price.")

    @invariant()
    def the_books_are_in_order(self) -> None:
        assert rows(UNBALANCED) == []
        assert rows(OPEN) == rows(POSTED)
        assert rows(OPEN_INVOICES) == rows(POSTED_INVOICES)
        assert list(differences_in_books()) == []
        owed = owed_by(list(Account.objects.values_list("pk", flat=True)))
        assert {pk: total for pk, total in rows(POSTED) if total} == {pk: of["USD"] for pk, of in owed.items()}


class TestAnyOrderOfEvents:
    """P5: hypothesis prints the steps that fail, and the seed with `--hypothesis-seed`."""

    def test_keeps_every_entry_balanced_and_every_balance_the_sum_of_its_postings(self):
        run_state_machine_as_test(Books, settings=self.as_many(12, 15))

    @pytest.mark.slow
    def test_keeps_it_for_long(self):
        run_state_machine_as_test(Books, settings=self.as_many(30, 20))

    @staticmethod
    def as_many(examples: int, steps: int) -> settings:
        return settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None, print_blob=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip


class TestUnbalanced:
    """P5: whoever posts, an entry that does not balance is refused by the database."""

    @pytest.fixture
    def entry(self):
        account = customer()
        return LedgerEntry.objects.create(
            account=account, source="test:1", kind="OPENING", currency="USD", on=date(2026, 1, 1), at=NOW
        )

    COLUMNS = ("entry_id", "account_id", "ledger_account", "category", "invoice_id", "currency", "amount")

    def sides(self, entry, *amounts: str, currency: str = "USD"):
        return [(entry.pk, entry.account_id, "RECEIVABLE", "", None, currency, Decimal(amount)) for amount in amounts]

    def test_copied_in_is_refused(self, entry):
        with (
            pytest.raises(DatabaseError, match=r"does not balance: its USD postings sum to 0\.01"),
            transaction.atomic(),
        ):
            copy_rows(Posting, self.COLUMNS, self.sides(entry, "10.01", "-10.00"))

    def test_inserted_is_refused(self, entry):
        with (
            pytest.raises(DatabaseError, match="does not balance"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "INSERT INTO invoicing_posting (entry_id, account_id, ledger_account, category, currency, amount)"
                " VALUES (%s, %s, 'RECEIVABLE', '', 'USD', 5)",
                [entry.pk, entry.account_id],
            )

    def test_in_two_currencies_is_refused(self, entry):
        mixed = [*self.sides(entry, "10"), *self.sides(entry, "-10", currency="EUR")]

        with pytest.raises(DatabaseError, match="does not balance"), transaction.atomic():
            copy_rows(Posting, self.COLUMNS, mixed)

    def test_among_many_that_balance_is_refused(self, entry):
        other = LedgerEntry.objects.create(
            account=entry.account, source="test:2", kind="OPENING", currency="USD", on=date(2026, 1, 1), at=NOW
        )

        with pytest.raises(DatabaseError, match="does not balance"), transaction.atomic():
            copy_rows(Posting, self.COLUMNS, [*self.sides(entry, "1", "-1"), *self.sides(other, "2")])

    def test_by_the_operation_is_refused_in_words(self):
        with pytest.raises(Unbalanced, match=r"The postings of test:3 differ by 1 USD"):
            post(
                account_id=customer().pk, source="test:3", kind="OPENING", currency="USD", on=date(2026, 1, 1), now=NOW,
                sides=[Side("RECEIVABLE", Decimal(2)), Side("OPENING", Decimal(-1))],
            )  # fmt: skip

    def test_what_balances_is_taken(self, entry):
        copy_rows(Posting, self.COLUMNS, self.sides(entry, "10.01", "-10.01"))

        assert Posting.objects.count() == 2

    def test_without_the_trigger_would_be_taken(self, entry):
        """The negative control; check_books sees what came of it."""
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE invoicing_posting DISABLE TRIGGER USER")

        copy_rows(Posting, self.COLUMNS, self.sides(entry, "10.01", "-10.00"))

        assert list(differences_in_books()) == [
            f"Ledger entry {entry.pk} (test:1) is unbalanced: its USD postings sum to 0.010000.",
            f"Account {entry.account.number}: the opening balance kept is 0.000, and its postings sum to 0.010000.",
        ]


class TestASource:
    """DESIGN, section 4: each entry carries a unique source, so a retry is a no-op."""

    def test_posted_twice_is_posted_once(self):
        account = customer()

        def again():
            return post(
                account_id=account.pk, source="test:1", kind="OPENING", currency="USD", on=date(2026, 1, 1), now=NOW,
                sides=[Side("RECEIVABLE", Decimal(2)), Side("OPENING", Decimal(-2))],
            )  # fmt: skip

        assert again() == again()
        assert Posting.objects.count() == 2
