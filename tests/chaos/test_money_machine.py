"""P4, P5: money in any order of what can happen to it: whatever came before, the books are in order after each step."""

from collections import Counter
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.actors import Actor, ActorKind, Channel
from accounts.models import Account
from invoicing.collections.models import Placement, PlacementRecord
from invoicing.collections.operations import (
    RemittanceRefused,
    WriteOffRefused,
    approve_placements,
    book_remittance,
    follow_up,
    propose,
    recall_placement,
    recover_debt,
    reverse_remittance,
    write_off,
)
from invoicing.invoices.credit_notes import CreditRefused, credit_invoice, creditable_lines
from invoicing.invoices.deposits import DepositRefused, release_deposit
from invoicing.invoices.models import Invoice, InvoiceLine
from invoicing.invoices.operations import issue_drafts
from invoicing.ledger.models import LedgerEntry
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Chargeback, Payment, PaymentMethod
from invoicing.payments.operations import (
    MoneyRefused,
    allocate,
    apply_credit,
    book_payment,
    charge,
    refund,
    resolve_open,
    take_back,
    work_off_events,
)
from invoicing.payments.queries import credit_without_payment, owing_of
from invoicing.payments.receiving import take_in
from invoicing.runs.books import differences_in_books
from invoicing.states import NotPossibleNow
from tests.chaos.results import rows
from tests.chaos.the_bank import differences_with
from tests.invoicing.factories import customer, seller
from tests.invoicing.payments.factories import NOW, bank_account, card, ship_rates

pytestmark = pytest.mark.django_db

EVERYTHING = (
    "take_payment", "book_payment", "allocate_payment", "refund_payment", "resolve_event", "issue_credit_note",
    "approve_placement", "book_remittance", "write_off",
)  # fmt: skip
MIA = Actor(
    ActorKind.STAFF, "Mia Manager", Channel.CONSOLE, permissions=frozenset(f"invoicing.{name}" for name in EVERYTHING)
)
REFUSALS = (MoneyRefused, CreditRefused, WriteOffRefused, RemittanceRefused, DepositRefused, NotPossibleNow)

UNBALANCED = "SELECT entry_id FROM invoicing_posting GROUP BY entry_id, currency HAVING sum(amount) <> 0"
IN_ALL = "SELECT currency, sum(amount) FROM invoicing_posting GROUP BY 1 HAVING sum(amount) <> 0"
OPEN_BUT_NOT_POSTED = """
    SELECT i.id, coalesce(o.amount, 0), coalesce(o.placed, 0), p.amount, p.placed
    FROM invoicing_invoice i LEFT JOIN invoicing_openinvoice o ON o.invoice_id = i.id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount) FILTER (WHERE ledger_account = 'RECEIVABLE'), 0) AS amount,
            coalesce(sum(amount) FILTER (WHERE ledger_account = 'COLLECTIONS'), 0) AS placed
        FROM invoicing_posting WHERE invoice_id = i.id
    ) p
    WHERE coalesce(o.amount, 0) <> p.amount OR coalesce(o.placed, 0) <> p.placed
"""
BELOW_ZERO = "SELECT invoice_id, amount, placed FROM invoicing_openinvoice WHERE amount < 0 OR placed < 0"
OPEN_BEYOND_ITS_TOTAL = """
    SELECT i.id, i.total, o.amount, o.placed
    FROM invoicing_invoice i JOIN invoicing_openinvoice o ON o.invoice_id = i.id
    WHERE o.amount + o.placed > i.total + coalesce((
        SELECT sum(c.total) FROM invoicing_invoice c WHERE c.corrects_id = i.id AND c.status = 'ISSUED'), 0)
"""
REFUNDED_BEYOND = """
    SELECT p.id FROM invoicing_payment p JOIN invoicing_refund r ON r.payment_id = p.id AND r.state <> 'FAILED'
    GROUP BY p.id HAVING sum(r.amount) > p.amount OR sum(r.fee) > p.fee
"""
# What came back from the bank may have been spent before; no other money is.
NEGATIVE_CREDIT = """
    SELECT p.account_id, p.payment_id, -sum(p.amount) FROM invoicing_posting p
    LEFT JOIN invoicing_payment y ON y.id = p.payment_id
    WHERE p.ledger_account = 'CUSTOMER_CREDIT' AND coalesce(y.state, '') <> 'RETURNED'
        AND NOT EXISTS (SELECT FROM invoicing_chargeback c WHERE c.payment_id = p.payment_id)
    GROUP BY 1, 2 HAVING sum(p.amount) > 0
"""
WRONG = {
    "an entry does not balance": UNBALANCED, "the accounts do not sum to zero": IN_ALL,
    "what is kept as open is not what was posted": OPEN_BUT_NOT_POSTED, "an invoice is below zero": BELOW_ZERO,
    "more is open of an invoice than it is over": OPEN_BEYOND_ITS_TOTAL,
    "more was refunded than paid": REFUNDED_BEYOND, "credit that is not there was used": NEGATIVE_CREDIT,
}  # fmt: skip

which = st.integers(0, 60)
cents = st.integers(1, 15_000)


def amount_of(cents: int) -> Decimal:
    return Decimal(cents) / 100


class MoneyIn(RuleBasedStateMachine):
    """Two customers, their invoices, and everything that money can do; a refusal in words changes nothing."""

    done: Counter[str] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.kept = ExitStack()
        self.whole = transaction.atomic()
        # Charging refuses to be in a transaction, but for the one that a test runs in: this is it.
        self.whole._from_testcase = True  # type: ignore[attr-defined]
        self.whole.__enter__()
        self.clock = SetClock(NOW)
        self.gateway = DemoGateway(clock=self.clock)
        self.kept.enter_context(installed(self.gateway))
        self.numbers = count(1)

    def teardown(self) -> None:
        try:
            for days in (1, 1, 5, 5, 5):
                self.days_go_by(days)
            assert list(differences_in_books()) == []
            assert differences_with(self.gateway, in_parts=True) == []
        finally:
            transaction.set_rollback(True)
            self.whole.__exit__(None, None, None)
            self.kept.close()

    @property
    def now(self) -> datetime:
        return self.clock.at

    @property
    def today(self) -> date:
        return self.now.date()

    @initialize()
    def begin(self) -> None:
        """Something of each kind is there from the start: hypothesis leaves some rules out of each example."""
        ship_rates()
        self.accounts = [customer(), customer(state="TX", city="Austin")]
        for account in self.accounts:
            self._issue(account, [("ONE_OFF", Decimal(80))])
            charge(account.pk, card(account), actor=MIA, now=self.now)
            self._issue(account, [("ONE_OFF", Decimal(70))])
            charge(account.pk, bank_account(account, is_default=False), actor=MIA, now=self.now)
            self._issue(account, [("ONE_OFF", Decimal(60))])
        self.days_go_by(5)
        for account in self.accounts:
            self._issue(account, [("ONE_OFF", Decimal(90)), ("DEPOSIT", Decimal(50))])

    def done_or_refused(self, name: str, act) -> None:
        """Try it; what is refused leaves nothing."""
        try:
            act()
        except REFUSALS:
            self.done[f"{name}, refused"] += 1
        else:
            self.done[name] += 1

    def told(self) -> None:
        """What the bank has to say comes in and is worked off."""
        take_in(self.gateway)
        work_off_events(now=self.now)

    def invoice_of(self, which: int) -> Invoice | None:
        return self.one_of(Invoice.objects.filter(kind="INVOICE", status="ISSUED"), which)

    def payment_of(self, which: int, **values) -> Payment | None:
        return self.one_of(Payment.objects.filter(**values), which)

    def one_of(self, found, which: int):
        every = list(found.order_by("-pk"))
        return every[which % len(every)] if every else None

    # What is owed

    @rule(which=st.integers(0, 1), cents=cents)
    def an_invoice_is_issued(self, which: int, cents: int) -> None:
        self._issue(self.accounts[which], [("ONE_OFF", amount_of(cents))])
        self.done["issue"] += 1

    @transaction.atomic
    def _issue(self, account: Account, parts: list[tuple[str, Decimal]]) -> None:
        total = sum((amount for _, amount in parts), Decimal(0))
        draft = Invoice.objects.create(
            account=account, seller=seller(), issued_on=self.today, due_on=self.today, currency="USD",
            terms_code="hosted-direct", subtotal=total, tax_total=0, total=total, buyer={"name": account.name},
        )  # fmt: skip
        for position, (kind, amount) in enumerate(parts, start=1):
            InvoiceLine.objects.create(
                invoice=draft, account=account, position=position, kind=kind, description=kind, quantity=1,
                unit_price=amount, amount=amount, clause="SVC-1",
            )  # fmt: skip
        issue_drafts([(draft.pk, account.pk, "INVOICE")], seller=seller(), now=self.now)

    @rule(which=which, percent=st.sampled_from([0, 10, 50, 90]))
    def an_invoice_is_credited(self, which: int, percent: int) -> None:
        invoice = self.invoice_of(which)
        if invoice is None:
            return
        amounts = {
            one.line.pk: (one.rest * percent / 100).quantize(Decimal("0.01"))
            for one in creditable_lines(invoice)
            if one.line.kind != "DEPOSIT"
        }
        self.done_or_refused("credit", lambda: credit_invoice(
            invoice=invoice, actor=MIA, now=self.now, reason="Not ordered.", amounts=amounts if percent else None,
        ))  # fmt: skip

    # Money that comes

    @rule(which=which, part=st.none() | cents, fault=st.none() | st.sampled_from(sorted(Fault)[:5]))
    def a_method_is_charged(self, which: int, part: int | None, fault: Fault | None) -> None:
        method = self.one_of(PaymentMethod.objects.filter(state="ACTIVE"), which)
        if method is None:
            return
        if not owing_of(method.account_id):
            self._issue(method.account, [("ONE_OFF", Decimal(120))])
        self.gateway.stripe.faults = Told([fault] if fault in set(Fault) else [])
        amount = None if part is None else amount_of(part)
        self.done_or_refused("charge", lambda: charge(
            method.account_id, method, actor=MIA, now=self.now, amount=amount))  # fmt: skip

    @rule(which=st.integers(0, 1), cents=cents, despite_open=st.booleans())
    def a_check_comes(self, which: int, cents: int, despite_open: bool) -> None:
        self.done_or_refused("check", lambda: book_payment(
            self.accounts[which], kind="CHECK", amount=amount_of(cents), currency="USD",
            reference=f"c{next(self.numbers)}", received_on=self.today, actor=MIA, now=self.now,
            despite_open=despite_open,
        ))  # fmt: skip

    @rule(days=st.sampled_from([1, 5, 35]))
    def days_go_by(self, days: int) -> None:
        self.gateway.stripe.faults = Told([])
        self.clock.advance(timedelta(days=days))
        self.gateway.pass_time()
        self.told()
        resolve_open(now=self.now)

    # Where it stands

    @rule(which=which)
    def a_payment_is_allocated(self, which: int) -> None:
        if payment := self.payment_of(which, state="SUCCEEDED"):
            self.done_or_refused("allocate", lambda: allocate(payment, actor=MIA, now=self.now))

    @rule(which=which, cents=st.none() | cents)
    def an_allocation_is_taken_back(self, which: int, cents: int | None) -> None:
        payment = self.payment_of(which, state="SUCCEEDED")
        target = payment.targets.first() if payment else None
        if payment is None or target is None:
            return
        amount = None if cents is None else amount_of(cents)
        self.done_or_refused("take back", lambda: take_back(
            payment, target.invoice, amount, actor=MIA, now=self.now, why="The wrong one."))  # fmt: skip

    @precondition(lambda self: any(credit_without_payment(one.pk, "USD") for one in self.accounts))
    @rule(which=st.integers(0, 1))
    def credit_is_applied(self, which: int) -> None:
        self.done_or_refused("apply credit", lambda: apply_credit(
            self.accounts[which], actor=MIA, now=self.now, currency="USD"))  # fmt: skip

    @rule(which=st.integers(0, 1))
    def a_deposit_is_released(self, which: int) -> None:
        self.done_or_refused("release a deposit", lambda: release_deposit(
            account=self.accounts[which], actor=MIA, now=self.now, reason="Left."))  # fmt: skip

    # Money that goes back

    @rule(which=which, cents=st.none() | cents)
    def a_payment_is_refunded(self, which: int, cents: int | None) -> None:
        payment = self.payment_of(which, state="SUCCEEDED")
        if payment is None:
            return
        amount = None if cents is None else amount_of(cents)
        self.done_or_refused("refund", lambda: refund(
            payment, actor=MIA, now=self.now, reason="Not wanted.", amount=amount,
            reference=f"c{next(self.numbers)}" if payment.gateway == "manual" else "",
        ))  # fmt: skip
        self.told()

    @rule(which=which, code=st.sampled_from(["R01", "R10"]))
    def a_debit_comes_back(self, which: int, code: str) -> None:
        if payment := self.payment_of(which, state="SUCCEEDED", kind="ACH", chargebacks=None):
            self.gateway.return_debit(payment.gateway_reference or "", code)
            self.told()
            self.done["return"] += 1

    @rule(which=which, share=st.sampled_from([None, 2, 3]))
    def a_card_payment_is_disputed(self, which: int, share: int | None) -> None:
        payment = self.payment_of(which, state="SUCCEEDED", kind="CARD", chargebacks=None)
        if payment is None:
            return
        whole = payment.amount + payment.fee
        part = None if share is None else max((whole / share).quantize(Decimal("0.01")), Decimal("0.01"))
        self.gateway.open_dispute(payment.gateway_reference or "", amount=part)
        self.told()
        self.done["chargeback"] += 1

    @precondition(lambda self: Chargeback.objects.exists())
    @rule(which=which, won=st.booleans())
    def a_dispute_is_decided(self, which: int, won: bool) -> None:
        if dispute := self.one_of(Chargeback.objects.all(), which):
            self.clock.advance(timedelta(minutes=1))
            self.gateway.close_dispute(dispute.gateway_reference, won=won)
            self.told()
            self.done["won" if won else "lost"] += 1

    # Not paid

    @rule()
    def the_unpaid_is_handed_over(self) -> None:
        self.clock.advance(timedelta(days=35))
        propose(on=self.today, now=self.now, actor=MIA)
        swept = approve_placements(on=self.today, now=self.now, actor=MIA)
        assert not swept.failed
        self.done["hand over"] += swept.done["placed"]

    @precondition(lambda self: Placement.objects.filter(state="PLACED").exists())
    @rule()
    def the_agency_is_followed_up(self) -> None:
        assert not follow_up(on=self.today, now=self.now, actor=MIA).failed

    @precondition(lambda self: Placement.objects.exclude(placed_on=None).exists())
    @rule(which=which, cents=cents, over=st.booleans())
    def the_agency_remits(self, which: int, cents: int, over: bool) -> None:
        if placement := self.one_of(Placement.objects.exclude(placed_on=None), which):
            collected = amount_of(cents)
            self.done_or_refused("remittance", lambda: book_remittance(
                placement=placement, collected=collected, commission=(collected / 4).quantize(Decimal("0.01")),
                reference=f"r{next(self.numbers)}", on=self.today, actor=MIA, now=self.now, rest_is_credit=over,
            ))  # fmt: skip

    @precondition(lambda self: Placement.objects.filter(state="PLACED").exists())
    @rule(which=which)
    def the_agency_gives_it_back(self, which: int) -> None:
        if placement := self.one_of(Placement.objects.filter(state="PLACED"), which):
            self.done_or_refused("recall", lambda: recall_placement(
                placement=placement, why="Asked.", actor=MIA, now=self.now))  # fmt: skip

    @rule(which=which, cents=st.none() | cents)
    def an_invoice_is_written_off(self, which: int, cents: int | None) -> None:
        if invoice := self.invoice_of(which):
            amount = None if cents is None else amount_of(cents)
            self.done_or_refused("write off", lambda: write_off(
                invoice=invoice, why="Bankrupt.", actor=MIA, now=self.now, amount=amount))  # fmt: skip

    @precondition(lambda self: PlacementRecord.objects.filter(kind="REMITTANCE").exists())
    @rule(which=which)
    def a_remittance_is_reversed(self, which: int) -> None:
        if remittance := self.one_of(PlacementRecord.objects.filter(kind="REMITTANCE"), which):
            self.done_or_refused("reverse", lambda: reverse_remittance(
                remittance=remittance, why="Booked by mistake.", actor=MIA, now=self.now))  # fmt: skip

    @rule(which=which, cents=cents)
    def what_was_written_off_is_paid_after_all(self, which: int, cents: int) -> None:
        given_up = LedgerEntry.objects.filter(kind="WRITE_OFF").values("postings__invoice_id")
        if invoice := self.one_of(Invoice.objects.filter(pk__in=given_up), which):
            check = book_payment(
                invoice.account, kind="CHECK", amount=amount_of(cents), currency=invoice.currency, invoices=[],
                reference=f"w{next(self.numbers)}", received_on=self.today, actor=MIA, now=self.now,
            )  # fmt: skip
            self.done_or_refused("recover", lambda: recover_debt(
                invoice=invoice, payment=check, why="It came.", actor=MIA, now=self.now))  # fmt: skip

    @invariant()
    def the_books_are_in_order(self) -> None:
        assert {name: found for name, sql in WRONG.items() if (found := rows(sql))} == {}


class TestMoneyInAnyOrder:
    """P5: hypothesis prints the steps that fail, and `--hypothesis-seed` gives the same run again."""

    def test_keeps_the_books_in_order(self):
        run_state_machine_as_test(MoneyIn, settings=self.as_many(10, 30))

    @pytest.mark.slow
    def test_keeps_them_for_long(self):
        MoneyIn.done = Counter()
        run_state_machine_as_test(MoneyIn, settings=self.as_many(60, 40))
        for name in (
            "issue", "credit", "charge", "check", "allocate", "take back", "refund", "return",
            "chargeback", "won", "lost", "hand over", "remittance", "write off", "recall",
            "reverse", "recover",
        ):  # fmt: skip
            assert MoneyIn.done[name], f"“{name}” never happened: {MoneyIn.done}"

    @staticmethod
    def as_many(examples: int, steps: int) -> settings:
        return settings(
            # The same examples each time: a seed of one's own is given by taking this away.
            derandomize=True,
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None, print_blob=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
