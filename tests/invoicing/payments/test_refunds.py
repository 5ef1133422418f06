"""FEE-3: a refund goes back to its method with its part of the fee, and never more than was paid."""

from decimal import Decimal

import pytest

from accounts.actors import NotPermitted
from accounts.models import AuditEntry
from invoicing.documents.models import Letter
from invoicing.ledger.operations import Side, post
from invoicing.payments import refunds as module
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.protocol import Answer, Outcome
from invoicing.payments.models import Refund
from invoicing.payments.operations import (
    AnswerDiffers,
    Disputed,
    MoneyRefused,
    book_payment,
    charge,
    record_chargeback,
    record_refund_answer,
    refund,
    refundable,
)
from invoicing.payments.queries import unallocated
from invoicing.payments.queues import refund_failed
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
def invoice(account):
    return money.invoice(account)


@pytest.fixture
def payment(account, invoice):
    """A card payment of USD 100.00 with its fee of USD 1.00."""
    return charge(account.pk, money.card(account), actor=MIA, now=NOW)


def give_back(payment, amount=None, **values):
    given = {"actor": MIA, "now": NOW, "reason": "Not wanted."} | values
    return refund(payment, amount=None if amount is None else Decimal(amount), **given)


def from_check(account, amount="100", reference="c1"):
    return book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference=reference, received_on=money.TODAY,
        actor=MIA, now=NOW,
    )  # fmt: skip


class TestRefund:
    def test_of_the_whole_gives_the_fee_back_in_full(self, account, invoice, payment, gateway):
        made_ = give_back(payment)
        assert (made_.state, made_.amount, made_.fee) == ("SUCCEEDED", 100, 1)
        assert money.open_of(invoice) == 100
        assert money.balance(account, "GATEWAY_CLEARING") == 0
        assert money.balance(account, "FEE_REVENUE") == 0
        assert money.balance(account, "CUSTOMER_CREDIT") == 0

    def test_keeps_the_gateways_name_for_it_whatever_reference_was_given(self, payment, gateway):
        """Else its answer would be about another refund than ours, and it would be given up while the money is gone."""
        made_ = give_back(payment, reference="ticket 17")
        assert made_.state == "SUCCEEDED"
        assert made_.gateway_reference == gateway.state.of_charge(payment.gateway_reference, "refund")[0]["id"]

    def test_of_a_part_gives_it_back_pro_rata(self, account, invoice, payment):
        assert give_back(payment, "25").fee == Decimal("0.25")
        assert money.open_of(invoice) == 25
        assert money.balance(account, "GATEWAY_CLEARING") == Decimal("75.75")

    def test_in_parts_sums_to_the_whole(self, account, payment):
        fees = [give_back(payment, amount).fee for amount in ("33.33", "33.33", "33.34")]
        assert sum(fees) == 1
        assert money.balance(account, "GATEWAY_CLEARING") == 0
        assert refundable(payment) == (0, 0)

    def test_takes_what_is_on_no_invoice_first(self, account, invoice):
        payment = from_check(account, "130")
        give_back(payment, "50", reference="w1")
        assert money.open_of(invoice) == 20
        assert unallocated(payment.pk) == 0

    def test_then_the_latest_invoice(self, account):
        older, later = money.invoice(account, "40"), money.invoice(account, "60")
        payment = from_check(account, "40")
        by_card = charge(account.pk, money.card(account), actor=MIA, now=NOW)
        assert (money.open_of(older), money.open_of(later)) == (0, 0)
        give_back(by_card, "60")
        assert (money.open_of(older), money.open_of(later)) == (0, 60)
        assert unallocated(payment.pk) == 0

    def test_of_a_check_is_given_back_by_hand(self, account, invoice):
        payment = from_check(account)
        with pytest.raises(MoneyRefused, match="give the reference"):
            give_back(payment)
        made_ = give_back(payment, reference="wire 7")
        assert (made_.state, made_.gateway_reference) == ("SUCCEEDED", "wire 7")
        assert money.balance(account, "GATEWAY_CLEARING", category="MANUAL:CHECK") == 0
        assert Letter.objects.filter(key=f"refund-receipt:{made_.pk}").exists()

    def test_leaves_a_receipt_and_an_audit_entry(self, account, payment):
        made_ = give_back(payment)
        rows = Letter.objects.get(key=f"refund-receipt:{made_.pk}").details["table"]["rows"]
        assert rows == [
            [f"Of your payment {payment.pk} of 2 March 2026", "USD 100.00"],
            ["Its part of the card service fee", "USD 1.00"],
        ]
        assert AuditEntry.objects.get(action="payment.refund").why == "Not wanted."

    @pytest.mark.parametrize(
        ("amount", "words"), [("100.01", r"USD 100\.00 of payment"), ("0", "is no amount"), ("-1", "is no amount")]
    )
    def test_of_more_than_was_paid_is_refused(self, payment, amount, words):
        with pytest.raises(MoneyRefused, match=words):
            give_back(payment, amount)
        assert not Refund.objects.exists()

    def test_of_more_than_is_left_is_refused(self, payment):
        give_back(payment, "60")
        with pytest.raises(MoneyRefused, match=r"USD 40\.00 of payment"):
            give_back(payment, "60")

    def test_of_a_payment_that_did_not_come_is_refused(self, account, invoice):
        declined = charge(account.pk, money.card(account, "decline.do_not_honor"), actor=MIA, now=NOW)
        with pytest.raises(MoneyRefused, match="only money that is here"):
            give_back(declined)

    def test_of_one_that_the_bank_took_back_is_refused(self, payment):
        record_chargeback(payment, Disputed("du_1", "OPEN", Decimal(101), "USD", NOW), now=NOW)
        with pytest.raises(MoneyRefused, match="would pay it twice"):
            give_back(payment)

    def test_of_what_the_bank_left_is_given_back_and_no_more(self, account, payment):
        """The cardholder disputes a part of it; of the rest they are refunded, with what is left of the fee."""
        record_chargeback(payment, Disputed("du_1", "LOST", Decimal("33.33"), "USD", NOW), now=NOW)
        assert refundable(payment) == (Decimal("67.00"), Decimal("0.67"))
        with pytest.raises(MoneyRefused, match=r"USD 67\.00 of payment"):
            give_back(payment, "67.01")
        rest = give_back(payment)
        assert (rest.amount, rest.fee) == (Decimal("67.00"), Decimal("0.67"))
        assert money.balance(account, "GATEWAY_CLEARING") == money.balance(account, "FEE_REVENUE") == 0

    def test_of_what_became_a_balance_is_refused(self, account):
        payment = charge(account.pk, money.card(account), purpose="TOP_UP", amount=Decimal(50), actor=MIA, now=NOW)
        post(
            account_id=account.pk, source="top-up:1", kind="TOP_UP", currency="USD", on=money.TODAY, now=NOW,
            sides=[
                Side("CUSTOMER_CREDIT", Decimal(50), payment_id=payment.pk), Side("PREPAID_BALANCE", Decimal(-50)),
            ],
        )  # fmt: skip
        with pytest.raises(MoneyRefused, match="went to a prepaid balance"):
            give_back(payment)
        assert not Refund.objects.exists()

    def test_needs_the_permission_and_a_reason(self, payment):
        with pytest.raises(NotPermitted):
            give_back(payment, actor=NOBODY)
        with pytest.raises(MoneyRefused, match="Say why"):
            give_back(payment, reason=" ")


class TestFailed:
    def test_by_the_gateway_is_booked_back_and_pays_its_invoice_again(self, account, invoice, payment, monkeypatch):
        monkeypatch.setattr(
            module, "refund_at_gateway", lambda _: Answer(Outcome.FAILED, "re_1", Decimal(101), "USD", "expired")
        )
        made_ = give_back(payment)
        assert (made_.state, made_.failure) == ("FAILED", "expired")
        assert money.open_of(invoice) == 0
        assert money.balance(account, "GATEWAY_CLEARING") == 101
        assert refundable(payment) == (100, 1)

    def test_after_it_succeeded_is_booked_back_once(self, account, invoice, payment):
        """The customer's account was closed by the time it arrived."""
        made_ = give_back(payment)
        failed = Answer(Outcome.FAILED, made_.gateway_reference, Decimal(101), "USD", "lost_or_stolen_card")
        for _ in range(2):
            record_refund_answer(made_, failed, now=NOW)
        late = Answer(Outcome.SUCCEEDED, made_.gateway_reference, Decimal(101), "USD")
        assert record_refund_answer(made_, late, now=NOW).state == "FAILED"
        assert money.balance(account, "GATEWAY_CLEARING") == 101
        assert money.open_of(invoice) == 0

    def test_after_it_succeeded_is_told_to_the_customer_and_waits_for_a_person(self, payment, gateway):
        made_ = give_back(payment)
        assert not refund_failed().exists()
        gateway.fail_refund(made_.gateway_reference)
        failed = Answer(Outcome.FAILED, made_.gateway_reference, Decimal(101), "USD", "lost_or_stolen_card")
        record_refund_answer(made_, failed, now=NOW)
        letter = Letter.objects.get(key=f"refund-failed:{made_.pk}")
        assert letter.details["subject"] == "Your refund of USD 101.00 did not arrive"
        assert list(refund_failed()) == [payment]
        give_back(payment)
        assert not refund_failed().exists(), "it was given back after all"

    def test_may_be_given_back_by_hand_instead(self, account, payment, gateway):
        """The card is closed: no refund of the gateway's would ever arrive."""
        with pytest.raises(MoneyRefused, match="is refunded to the method it came from"):
            give_back(payment, by_hand="CHECK", reference="c-9")
        made_ = give_back(payment)
        gateway.fail_refund(made_.gateway_reference)
        failed = Answer(Outcome.FAILED, made_.gateway_reference, Decimal(101), "USD", "lost_or_stolen_card")
        record_refund_answer(made_, failed, now=NOW)
        with pytest.raises(MoneyRefused, match="give the reference"):
            give_back(payment, by_hand="CHECK")
        with pytest.raises(MoneyRefused, match="no way to give money back by hand"):
            give_back(payment, by_hand="CARD", reference="c-9")

        again = give_back(payment, by_hand="CHECK", reference="c-9")

        assert (again.state, again.amount, again.fee, again.gateway_reference) == ("SUCCEEDED", 100, 1, "c-9")
        assert money.balance(account, "GATEWAY_CLEARING", category="demo") == 101, "where it came to"
        assert money.balance(account, "GATEWAY_CLEARING", category="MANUAL:CHECK") == -101, "where it went from"
        assert refundable(payment) == (0, 0)
        assert not refund_failed().exists()

    def test_at_once_is_told_to_staff_alone(self, payment, monkeypatch):
        monkeypatch.setattr(
            module, "refund_at_gateway", lambda _: Answer(Outcome.FAILED, "re_1", Decimal(101), "USD", "expired")
        )
        made_ = give_back(payment)
        assert not Letter.objects.filter(key=f"refund-failed:{made_.pk}").exists()
        assert list(refund_failed()) == [payment]

    def test_no_answer_leaves_it_open(self, payment, gateway):
        gateway.stripe.faults = Told([Fault.LOST_REPLY], call="refund")
        made_ = give_back(payment)
        assert made_.state == "UNKNOWN"
        assert made_.next_look_at is not None

    @pytest.mark.parametrize(("amount", "currency"), [("100", "USD"), ("101", "EUR")])
    def test_another_amount_or_currency_waits_for_a_person(self, payment, gateway, amount, currency):
        gateway.stripe.faults = Told([Fault.TIMEOUT_BEFORE], call="refund")
        made_ = give_back(payment)
        with pytest.raises(AnswerDiffers):
            record_refund_answer(made_, Answer(Outcome.SUCCEEDED, "re_1", Decimal(amount), currency), now=NOW)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_four_refunds_of_the_whole_are_one(self, account, payment):
        results = at_once([lambda: give_back(payment)] * 4)
        assert len(failures(results)) == 3
        assert money.balance(account, "GATEWAY_CLEARING") == 0

    def test_counted_wrongly_would_be_stopped_by_the_ledger(self, account, payment, monkeypatch):
        """The second guard: what is not there as credit is not given back."""
        left = refundable(payment)
        give_back(payment)
        monkeypatch.setattr(module, "refundable", lambda _: left)
        with pytest.raises(MoneyRefused, match="is no credit any more"):
            give_back(payment)
