"""P4: an attempt is recorded, then sent, then its answer recorded; SEAT-5, FEE-1, FEE-3."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from accounts.actors import NotPermitted
from accounts.models import AuditEntry
from invoicing.documents.models import Letter
from invoicing.payments import charging, recording
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.protocol import Answer, Outcome
from invoicing.payments.models import Payment, PaymentMethod, PaymentTarget
from invoicing.payments.operations import (
    AlreadyUnderWay,
    ChargeRefused,
    NothingDue,
    book_payment,
    charge,
    record_answer,
    record_attempt,
    send,
)
from invoicing.payments.queries import invoice_status, unallocated
from invoicing.payments.settled import _payment_listeners, when_settled
from tests.chaos.at_once import at_once, failures
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA, NOBODY, NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]


@pytest.fixture
def account():
    money.ship_rates()
    return made.customer()


@pytest.fixture
def heard():
    """What the rooms above hear."""
    events = []

    def listener(payment, *, now):
        events.append((payment.pk, payment.state))

    when_settled(listener)
    yield events
    _payment_listeners.remove(listener)


def pay(account, method, **values):
    return charge(account.pk, method, **({"actor": MIA, "now": NOW} | values))


def said(outcome, payment, amount=None, currency=None, reference="", **values):
    whole = payment.amount + payment.fee if amount is None else Decimal(amount)
    return Answer(outcome, reference, whole, currency or payment.currency, **values)


class TestCharge:
    def test_pays_what_is_due_with_the_card_fee(self, account, gateway):
        """FEE-1: 1 % of the amount paid."""
        invoice = money.invoice(account, "250")
        payment = pay(account, money.card(account))

        assert (payment.state, payment.amount, payment.fee) == ("SUCCEEDED", 250, Decimal("2.50"))
        assert payment.fee_why["clause"] == "FEE-1"
        assert [intent["amount"] for intent in gateway.charges()] == [25250]
        assert money.open_of(invoice) == 0
        assert money.sources(account) == ["PAYMENT payment", "CARD_FEE card-fee", "ALLOCATION allocation"]
        assert money.balance(account, "FEE_REVENUE") == Decimal("-2.50")
        assert money.balance(account, "GATEWAY_CLEARING", category="demo") == Decimal("252.50")
        assert money.balance(account, "CUSTOMER_CREDIT") == 0

    def test_in_texas_carries_no_fee(self, gateway):
        """FEE-2."""
        account = made.customer(state="TX")
        money.invoice(account, "250")
        payment = pay(account, money.card(account))
        assert (payment.fee, payment.fee_why["clause"]) == (0, "FEE-2")
        assert gateway.charges()[0]["amount"] == 25000

    def test_of_several_invoices_is_one_payment(self, account):
        invoices = [money.invoice(account, "40"), money.invoice(account, "60")]
        payment = pay(account, money.card(account))
        assert payment.amount == 100
        assert [money.open_of(invoice) for invoice in invoices] == [0, 0]
        assert payment.targets.filter(is_open=False).count() == 2

    def test_takes_an_amount_for_the_oldest_due_and_never_more_than_is_open(self, account):
        older, later = money.invoice(account, "40"), money.invoice(account, "60", issued_on=money.TODAY)
        pay(account, money.card(account), amount=Decimal(70))
        assert (money.open_of(older), money.open_of(later)) == (0, 30)
        assert pay(account, PaymentMethod.objects.get(), amount=Decimal(500)).amount == 30

    def test_takes_what_is_told_of_each(self, account):
        invoice = money.invoice(account)
        pay(account, money.card(account), invoices={invoice.pk: Decimal(30)})
        assert money.open_of(invoice) == 70

    def test_leaves_a_receipt_with_the_fee_as_a_line(self, account):
        """FEE-3."""
        invoice = money.invoice(account)
        payment = pay(account, money.card(account))
        details = Letter.objects.get(key=f"receipt:{payment.pk}").details
        assert details["table"]["rows"] == [
            [f"Invoice {invoice.number}", "USD 100.00"],
            ["Card service fee of 1 % (FEE-1)", "USD 1.00"],
        ]
        assert details["table"]["totals"] == [["Total", "USD 101.00"]]
        assert "Visa ending in 4242" in details["paragraphs"][0]

    def test_is_on_record_with_who_and_what_became_of_it(self, account):
        money.invoice(account)
        pay(account, money.card(account))
        entries = AuditEntry.objects.filter(account=account).order_by("pk").values_list("action", "who")
        assert list(entries) == [("payment.charge", "Mia Manager"), ("payment.succeeded", "gateway demo")]

    def test_calls_the_gateway_outside_of_any_transaction(self, account, gateway):
        money.invoice(account)
        with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
            pay(account, money.card(account))
        assert not gateway.charges()

    def test_tells_the_rooms_above_in_the_same_transaction(self, account, heard):
        money.invoice(account)
        payment = pay(account, money.card(account))
        assert heard == [(payment.pk, "SUCCEEDED")]

    def test_needs_the_permission(self, account):
        money.invoice(account)
        with pytest.raises(NotPermitted):
            pay(account, money.card(account), actor=NOBODY)


class TestAborts:
    def test_when_nothing_is_due_any_more(self, account, gateway):
        invoice = money.invoice(account)
        method = money.card(account)
        pay(account, method)
        with pytest.raises(NothingDue):
            pay(account, method, invoices=[invoice.pk])
        assert len(gateway.charges()) == 1

    def test_for_another_accounts_invoice(self, account, gateway):
        other = money.invoice(made.customer())
        with pytest.raises(NothingDue):
            pay(account, money.card(account), invoices=[other.pk])
        assert not gateway.charges()

    def test_with_another_accounts_card(self, account, gateway):
        money.invoice(account)
        with pytest.raises(ChargeRefused, match="no such payment method"):
            pay(account, money.card(made.customer()))
        assert not gateway.charges()

    @pytest.mark.parametrize("state", ["BLOCKED", "REMOVED"])
    def test_with_a_method_that_is_not_active(self, account, state):
        money.invoice(account)
        with pytest.raises(ChargeRefused, match="Choose another payment method"):
            pay(account, money.card(account, state=state))

    def test_while_another_attempt_is_open(self, account, gateway):
        money.invoice(account)
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        assert pay(account, money.card(account)).state == "UNKNOWN"
        with pytest.raises(AlreadyUnderWay):
            pay(account, PaymentMethod.objects.get())
        assert len(gateway.charges()) == 1

    def test_by_the_index_should_the_look_be_wrong(self, account, monkeypatch):
        """The unique index, not the look before it, is the guard."""
        money.invoice(account)
        method = money.card(account)
        record_attempt(account.pk, method, actor=MIA, now=NOW)
        monkeypatch.setattr(charging, "being_paid", lambda ids: {})
        with pytest.raises(AlreadyUnderWay):
            record_attempt(account.pk, method, actor=MIA, now=NOW)

    def test_skips_only_the_invoice_that_is_under_way(self, account, gateway):
        first = money.invoice(account, "40")
        gateway.stripe.faults = Told([Fault.LOST_REPLY])
        method = money.card(account)
        pay(account, method)
        second = money.invoice(account, "60")
        payment = pay(account, method)
        assert payment.amount == 60
        assert (money.open_of(first), money.open_of(second)) == (40, 0)


class TestDeclined:
    def test_softly_leaves_the_invoice_and_the_card_as_they_are(self, account, heard):
        """FEE-3: no fee by a failed attempt."""
        invoice = money.invoice(account)
        payment = pay(account, money.card(account, "decline.insufficient_funds"))
        assert (payment.state, payment.failure_code, payment.hard) == ("FAILED", "insufficient_funds", False)
        assert money.open_of(invoice) == 100
        assert not money.sources(account)
        assert PaymentMethod.objects.get().state == "ACTIVE"
        assert not PaymentTarget.objects.filter(is_open=True).exists()
        assert heard == [(payment.pk, "FAILED")]

    def test_for_good_blocks_the_card_and_asks_for_another(self, account):
        money.invoice(account)
        payment = pay(account, money.card(account, "decline.stolen_card"))
        assert payment.hard
        assert PaymentMethod.objects.get().state == "BLOCKED"
        assert Letter.objects.get(key=f"declined:{payment.pk}").kind == "NOTICE"

    def test_until_its_holder_confirms_keeps_the_card_and_asks_the_holder(self, account):
        """Off session the bank's question reaches nobody: a page of the gateway's, where it does, is in the portal."""
        money.invoice(account)
        payment = pay(account, money.card(account, "action"))
        assert (payment.state, payment.failure_code, payment.hard) == ("FAILED", "authentication_required", False)
        assert PaymentMethod.objects.get().state == "ACTIVE"
        letter = Letter.objects.get(key=f"declined:{payment.pk}")
        assert "add the card once more in the portal" in " ".join(letter.details["paragraphs"])

    def test_may_be_charged_again_with_a_new_key(self, account):
        invoice = money.invoice(account)
        first = pay(account, money.card(account, "decline.insufficient_funds"))
        second = pay(account, money.card(account, is_default=False))
        assert first.key != second.key
        assert money.open_of(invoice) == 0

    def test_by_the_gateway_itself_is_said_so(self, account, gateway):
        money.invoice(account)
        payment = pay(account, money.card(account, token="pm_wrong"))
        assert (payment.state, payment.failure_code) == ("FAILED", "refused")
        assert "pm_wrong" in payment.failure
        assert not gateway.charges()


class TestNoAnswer:
    """P4: no answer is unknown, and never charged again."""

    @pytest.mark.parametrize(
        ("fault", "charged"),
        [(Fault.TIMEOUT_BEFORE, 0), (Fault.TIMEOUT_AFTER, 1), (Fault.LOST_REPLY, 1), (Fault.ERROR_BEFORE, 0)],
    )
    def test_leaves_it_open(self, account, gateway, fault, charged):
        invoice = money.invoice(account)
        gateway.stripe.faults = Told([fault])
        payment = pay(account, money.card(account))
        assert payment.state == "UNKNOWN"
        assert payment.next_look_at == NOW + timedelta(minutes=1)
        assert len(gateway.charges()) == charged
        assert money.open_of(invoice) == 100
        assert invoice_status([invoice.pk])[invoice.pk].status == "PENDING"

    def test_of_an_answer_that_cannot_be_written_leaves_it_for_the_resolver(self, account, gateway, monkeypatch):
        """Twilio 2013, Invoice Ninja: charged, and not marked as paid, so charged again."""
        invoice = money.invoice(account)
        method = money.card(account)

        def broken(*_, **__):
            raise IntegrityError("The disk is full.")

        with monkeypatch.context() as patch:
            patch.setattr(recording, "post_received", broken)
            with pytest.raises(IntegrityError):
                pay(account, method)

        payment = Payment.objects.get()
        assert payment.state == "CREATED"
        assert payment.next_look_at == NOW + timedelta(minutes=5)
        with pytest.raises(AlreadyUnderWay):
            pay(account, method)
        assert len(gateway.charges()) == 1
        assert money.open_of(invoice) == 100


class TestPending:
    """ACH: pending, and settled or failed days later."""

    def test_keeps_the_invoice_open_and_everybody_else_off_it(self, account):
        invoice = money.invoice(account)
        payment = pay(account, money.bank_account(account))
        assert (payment.state, payment.fee) == ("PENDING", 0)
        assert not money.sources(account)
        assert invoice_status([invoice.pk])[invoice.pk].status == "PENDING"
        with pytest.raises(AlreadyUnderWay):
            pay(account, PaymentMethod.objects.get())

    def test_is_posted_when_it_settles(self, account):
        invoice = money.invoice(account)
        payment = pay(account, money.bank_account(account))
        after = record_answer(payment, said(Outcome.SUCCEEDED, payment), now=NOW + timedelta(days=4))
        assert after.state == "SUCCEEDED"
        assert after.settled_at == NOW + timedelta(days=4)
        assert money.open_of(invoice) == 0


class TestRecordAnswer:
    """Late, doubled and shuffled answers change nothing twice; amount and currency are compared."""

    @pytest.fixture
    def payment(self, account):
        money.invoice(account)
        return record_attempt(account.pk, money.card(account), actor=MIA, now=NOW)

    def test_said_twice_posts_once(self, account, payment, heard):
        for _ in range(3):
            record_answer(payment, said(Outcome.SUCCEEDED, payment, reference="pi_1"), now=NOW)
        assert money.sources(account) == ["PAYMENT payment", "CARD_FEE card-fee", "ALLOCATION allocation"]
        assert heard == [(payment.pk, "SUCCEEDED")]
        assert Letter.objects.count() == 1

    @pytest.mark.parametrize(
        ("amount", "currency"),
        [("100.99", "USD"), ("101.01", "USD"), ("10100", "USD"), ("101", "EUR"), ("0", "USD")],
    )
    @pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.PENDING])
    def test_of_another_amount_or_currency_posts_nothing(self, account, payment, outcome, amount, currency):
        with pytest.raises(recording.AnswerDiffers, match=r"was to take USD 101\.00"):
            record_answer(payment, said(outcome, payment, amount, currency), now=NOW)
        assert not money.sources(account)

    def test_of_another_charge_posts_nothing_more(self, payment):
        record_answer(payment, said(Outcome.SUCCEEDED, payment, reference="pi_1"), now=NOW)
        with pytest.raises(recording.AnswerDiffers, match="speaks of pi_2"):
            record_answer(payment, said(Outcome.SUCCEEDED, payment, reference="pi_2"), now=NOW)

    def test_of_another_amount_stays_open_with_the_sentence(self, account, payment, monkeypatch):
        monkeypatch.setattr(charging, "charge_at_gateway", lambda _: said(Outcome.SUCCEEDED, payment, "1"))
        after = send(payment, now=NOW)
        assert after.state == "UNKNOWN"
        assert "USD 1.00" in after.failure
        assert not money.sources(account)

    def test_a_late_pending_or_failure_does_not_undo_a_payment(self, payment):
        record_answer(payment, said(Outcome.SUCCEEDED, payment), now=NOW)
        for outcome in (Outcome.PENDING, Outcome.FAILED):
            assert record_answer(payment, said(outcome, payment), now=NOW).state == "SUCCEEDED"

    def test_a_late_pending_does_not_revive_what_the_gateway_called_failed(self, payment):
        record_answer(payment, said(Outcome.FAILED, payment, reference="pi_1"), now=NOW)
        assert record_answer(payment, said(Outcome.PENDING, payment, reference="pi_1"), now=NOW).state == "FAILED"

    def test_a_payment_that_we_gave_up_is_taken_all_the_same(self, account, payment):
        """The gateway has the last word; by then the invoice may be paid otherwise, and it is credit."""
        record_answer(payment, said(Outcome.FAILED, payment, code="never_reached"), now=NOW)
        book_payment(
            account, kind="WIRE", amount=Decimal(100), currency="USD", reference="w1", received_on=money.TODAY,
            actor=MIA, now=NOW,
        )  # fmt: skip
        record_answer(payment, said(Outcome.SUCCEEDED, payment, reference="pi_1"), now=NOW)
        assert unallocated(payment.pk) == 100
        assert money.balance(account, "CUSTOMER_CREDIT") == -100

    def test_of_what_we_gave_up_pending_holds_the_invoice_again(self, payment):
        record_answer(payment, said(Outcome.FAILED, payment, code="never_reached"), now=NOW)
        after = record_answer(payment, said(Outcome.PENDING, payment, reference="pi_1"), now=NOW)
        assert after.state == "PENDING"
        assert payment.targets.get().is_open

    def test_pays_only_what_is_still_open(self, account, payment):
        """What was paid by hand in spite of the open attempt makes the rest credit."""
        book_payment(
            account, kind="CHECK", amount=Decimal(70), currency="USD", reference="c1", received_on=money.TODAY,
            actor=MIA, now=NOW, despite_open=True,
        )  # fmt: skip
        record_answer(payment, said(Outcome.SUCCEEDED, payment), now=NOW)
        assert unallocated(payment.pk) == 70
        assert money.balance(account, "RECEIVABLE") == 0

    def test_with_a_room_above_that_fails_is_not_recorded(self, account, payment):
        def broken(payment, *, now):
            raise ValueError("The balance cannot be written.")

        when_settled(broken)
        try:
            with pytest.raises(ValueError, match="balance"):
                record_answer(payment, said(Outcome.SUCCEEDED, payment), now=NOW)
        finally:
            _payment_listeners.remove(broken)
        payment.refresh_from_db()
        assert payment.state == "CREATED"
        assert not money.sources(account)


class TestTopUp:
    """PRE-2: the charge of a balance; it is credit, of which the room above makes a balance."""

    def test_is_for_an_amount_and_no_invoice(self, account):
        invoice = money.invoice(account)
        payment = pay(account, money.card(account), purpose="TOP_UP", amount=Decimal(50))
        assert (payment.amount, payment.fee, payment.targets.count()) == (50, Decimal("0.50"), 0)
        assert unallocated(payment.pk) == 50
        assert money.open_of(invoice) == 100
        rows = Letter.objects.get(key=f"receipt:{payment.pk}").details["table"]["rows"]
        assert rows[0] == ["Top-up of your prepaid balance", "USD 50.00"]


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """P4: never applied twice."""

    def test_four_charges_of_one_invoice_are_one(self, account, gateway):
        invoice = money.invoice(account)
        method = money.card(account)
        results = at_once([lambda: pay(account, method)] * 4)
        assert len(failures(results)) == 3
        assert len(gateway.charges()) == 1
        assert money.open_of(invoice) == 0

    def test_without_the_index_and_the_lock_would_be_several(self, account, gateway, monkeypatch):
        """The negative control of the test above."""
        invoice = money.invoice(account)
        method = money.card(account)
        monkeypatch.setattr(charging, "being_paid", lambda ids: {})
        monkeypatch.setattr(charging, "_open_targets", lambda payment, targets: None)
        first = record_attempt(account.pk, method, actor=MIA, now=NOW)
        second = record_attempt(account.pk, method, actor=MIA, now=NOW)
        for payment in (first, second):
            send(payment, now=NOW)
        assert len(gateway.charges()) == 2
        assert money.open_of(invoice) == 100

    def test_one_answer_from_four_sides_is_posted_once(self, account):
        money.invoice(account)
        payment = record_attempt(account.pk, money.card(account), actor=MIA, now=NOW)
        answer = said(Outcome.SUCCEEDED, payment, reference="pi_1")
        results = at_once([lambda: record_answer(payment, answer, now=NOW)] * 4)
        assert not failures(results)
        assert money.balance(account, "GATEWAY_CLEARING") == 101
        assert money.sources(account).count("PAYMENT payment") == 1
