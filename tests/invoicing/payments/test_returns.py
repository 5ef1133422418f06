"""ACH: a return up to 60 days later takes the payment back; chargebacks likewise, and won, the money comes again."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from invoicing.documents.models import Letter
from invoicing.ledger.models import LedgerEntry
from invoicing.payments.gateways.protocol import Answer, Outcome
from invoicing.payments.models import Chargeback, PaymentMethod
from invoicing.payments.operations import (
    AnswerDiffers,
    Disputed,
    charge,
    record_answer,
    record_attempt,
    record_chargeback,
    record_return,
    refund,
)
from invoicing.payments.queries import invoice_status, unallocated
from invoicing.payments.settled import _chargeback_listeners, _payment_listeners, when_charged_back, when_settled
from tests.chaos.at_once import at_once, failures
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.factories import MIA, NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("gateway")]


@pytest.fixture
def account():
    money.ship_rates()
    return made.customer()


@pytest.fixture
def invoice(account):
    return money.invoice(account)


@pytest.fixture
def debit(account, invoice):
    """An ACH debit that settled on 6 March."""
    payment = charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
    answer = Answer(Outcome.SUCCEEDED, payment.gateway_reference, payment.amount, "USD")
    return record_answer(payment, answer, now=NOW + timedelta(days=4))


@pytest.fixture
def sale(account, invoice):
    """A card payment of USD 100.00 with its fee of USD 1.00."""
    return charge(account.pk, money.card(account), actor=MIA, now=NOW)


def come_back(payment, code="R01", days=20, **values):
    return record_return(payment, code=code, now=NOW + timedelta(days=days), **values)


class TestRecordReturn:
    def test_opens_the_invoice_again_by_reversing_entries(self, account, invoice, debit):
        assert money.open_of(invoice) == 0
        payment = come_back(debit)
        assert payment.state == "RETURNED"
        assert money.open_of(invoice) == 100
        assert invoice_status([invoice.pk])[invoice.pk].status == "OPEN"
        assert money.sources(account) == [
            "PAYMENT payment", "ALLOCATION allocation", "ALLOCATION return-taken", "RETURN return",
        ]  # fmt: skip
        assert money.balance(account, "GATEWAY_CLEARING") == 0
        assert money.balance(account, "CUSTOMER_CREDIT") == 0

    def test_twice_is_once(self, account, debit):
        come_back(debit)
        come_back(debit, "R10", days=30)
        assert money.sources(account).count("RETURN return") == 1
        debit.refresh_from_db()
        assert debit.failure_code == "R01"

    @pytest.mark.parametrize(
        ("code", "state"),
        [
            ("R01", "ACTIVE"), ("R09", "ACTIVE"), ("R02", "BLOCKED"), ("R10", "BLOCKED"), ("R29", "BLOCKED"),
            ("R77", "BLOCKED"),
        ],
    )  # fmt: skip
    def test_blocks_the_bank_account_as_the_code_says(self, debit, code, state):
        come_back(debit, code)
        assert PaymentMethod.objects.get().state == state

    def test_tells_the_customer_what_follows(self, debit):
        payment = come_back(debit, "R02")
        letter = Letter.objects.get(key=f"returned:{payment.pk}")
        assert "R02: the account is closed" in letter.details["paragraphs"][0]
        assert "another payment method" in letter.details["paragraphs"][1]

    @pytest.mark.parametrize(
        ("days_after_settling", "late"), [pytest.param(60, False, id="60th"), pytest.param(61, True, id="61st")]
    )
    def test_after_60_days_is_recorded_and_flagged(self, debit, days_after_settling, late):
        payment = come_back(debit, days=4 + days_after_settling)
        assert payment.state == "RETURNED"
        assert ("banks have 60" in payment.failure) is late

    def test_after_70_days_is_recorded_too(self, invoice, debit):
        assert come_back(debit, days=74).failure.endswith(
            "It came 70 days after it settled, and banks have 60: have our bank contest it."
        )
        assert money.open_of(invoice) == 100

    def test_before_we_heard_that_it_settled_leaves_nothing(self, account, invoice):
        """A return says that it had settled; what says so late changes nothing."""
        payment = charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
        heard = []

        def listener(payment, *, now):
            heard.append(payment.state)

        when_settled(listener)
        come_back(payment)
        _payment_listeners.remove(listener)
        for outcome in (Outcome.SUCCEEDED, Outcome.PENDING, Outcome.FAILED):
            answer = Answer(outcome, payment.gateway_reference, payment.amount, "USD")
            assert record_answer(payment, answer, now=NOW).state == "RETURNED"
        assert heard == ["RETURNED"]
        assert money.open_of(invoice) == 100
        assert money.balance(account, "GATEWAY_CLEARING") == 0
        assert not Letter.objects.filter(kind="RECEIPT").exists()

    @pytest.mark.parametrize(("amount", "currency"), [("99.99", "USD"), ("100", "EUR")])
    def test_of_another_amount_or_currency_waits_for_a_person(self, debit, amount, currency):
        with pytest.raises(AnswerDiffers):
            come_back(debit, amount=Decimal(amount), currency=currency)
        debit.refresh_from_db()
        assert debit.state == "SUCCEEDED"

    def test_with_the_agency_is_theirs_again(self, account, invoice):
        """COLL-1: what paid the agency's part is with the agency again."""
        money.hand_over(invoice, "100")
        payment = charge(account.pk, money.bank_account(account), amount=Decimal(40), actor=MIA, now=NOW)
        record_answer(payment, Answer(Outcome.SUCCEEDED, "", payment.amount, "USD"), now=NOW)
        assert money.balance(account, "COLLECTIONS") == 60
        come_back(payment)
        assert money.balance(account, "COLLECTIONS") == 100
        assert money.balance(account, "RECEIVABLE") == 0

    def test_of_a_paid_placement_is_ours_again(self, account, invoice):
        money.hand_over(invoice, "100")
        payment = charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
        record_answer(payment, Answer(Outcome.SUCCEEDED, "", payment.amount, "USD"), now=NOW)
        come_back(payment)
        assert money.balance(account, "RECEIVABLE") == 100
        assert money.balance(account, "COLLECTIONS") == 0


def said(state, *, amount="101", reference="du_1", day=10, currency="USD"):
    return Disputed(reference, state, Decimal(amount), currency, NOW + timedelta(days=day), "fraudulent")


class TestChargeback:
    def test_opened_takes_the_money_out_with_its_fee(self, account, invoice, sale):
        kept = record_chargeback(sale, said("OPEN"), now=NOW)
        assert (kept.state, kept.amount) == ("OPEN", 101)
        assert money.open_of(invoice) == 100
        assert money.balance(account, "GATEWAY_CLEARING") == 0
        assert money.balance(account, "FEE_REVENUE") == 0
        assert money.balance(account, "CUSTOMER_CREDIT") == 0
        sale.refresh_from_db()
        assert sale.state == "SUCCEEDED"
        assert LedgerEntry.objects.filter(source="chargeback:du_1", kind="CHARGEBACK").exists()

    def test_won_comes_again_and_pays_the_same_invoice(self, account, invoice, sale):
        record_chargeback(sale, said("OPEN"), now=NOW)
        kept = record_chargeback(sale, said("WON", day=20), now=NOW)
        assert kept.state == "WON"
        assert kept.closed_at == NOW + timedelta(days=20)
        assert money.open_of(invoice) == 0
        assert money.balance(account, "GATEWAY_CLEARING") == 101
        assert money.balance(account, "FEE_REVENUE") == -1

    def test_lost_is_closed_and_stays_open_on_the_invoice(self, account, invoice, sale):
        record_chargeback(sale, said("OPEN"), now=NOW)
        assert record_chargeback(sale, said("LOST", day=20), now=NOW).state == "LOST"
        assert money.open_of(invoice) == 100
        assert money.balance(account, "GATEWAY_CLEARING") == 0

    @pytest.mark.parametrize("order", ["OPEN WON", "WON OPEN", "WON", "OPEN OPEN WON WON", "WON WON OPEN WON"])
    def test_in_any_order_is_won_once(self, account, invoice, sale, order):
        days = {"OPEN": 10, "WON": 20}
        for state in order.split():
            record_chargeback(sale, said(state, day=days[state]), now=NOW)
        assert Chargeback.objects.get().state == "WON"
        assert money.open_of(invoice) == 0
        assert money.balance(account, "GATEWAY_CLEARING") == 101
        assert LedgerEntry.objects.filter(kind="CHARGEBACK").count() == 2

    @pytest.mark.parametrize("order", ["OPEN WON LOST", "LOST WON OPEN", "WON LOST LOST", "LOST OPEN WON"])
    def test_of_two_decisions_the_later_counts(self, account, invoice, sale, order):
        days = {"OPEN": 10, "WON": 20, "LOST": 30}
        for state in order.split():
            record_chargeback(sale, said(state, day=days[state]), now=NOW)
        assert Chargeback.objects.get().state == "LOST"
        assert money.open_of(invoice) == 100
        assert money.balance(account, "GATEWAY_CLEARING") == 0

    def test_won_lost_and_won_again(self, account, invoice, sale):
        for day, state in enumerate(["OPEN", "WON", "LOST", "WON"]):
            record_chargeback(sale, said(state, day=day), now=NOW)
        assert money.open_of(invoice) == 0
        assert money.balance(account, "GATEWAY_CLEARING") == 101

    def test_of_a_part_takes_the_fee_pro_rata(self, account, invoice, sale):
        record_chargeback(sale, said("OPEN", amount="50.50"), now=NOW)
        assert money.open_of(invoice) == 50
        assert money.balance(account, "FEE_REVENUE") == Decimal("-0.50")

    def test_of_what_a_refund_left_takes_what_is_left_of_the_fee(self, account, sale):
        refund(sale, actor=MIA, now=NOW, reason="Too much.", amount=Decimal("49.50"))
        assert money.balance(account, "FEE_REVENUE") == Decimal("-0.50"), "0.495 went back, rounded"
        record_chargeback(sale, said("OPEN", amount="51.00"), now=NOW)
        assert money.balance(account, "FEE_REVENUE") == 0
        assert money.balance(account, "GATEWAY_CLEARING") == 0

    def test_in_parts_sums_to_the_whole_and_each_comes_again_as_it_went(self, account, invoice, sale):
        for number, amount in enumerate(["33.33", "33.33", "34.34"]):
            record_chargeback(sale, said("OPEN", amount=amount, reference=f"du_{number}"), now=NOW)
        assert money.balance(account, "FEE_REVENUE") == money.balance(account, "GATEWAY_CLEARING") == 0
        for number, amount in enumerate(["33.33", "33.33", "34.34"]):
            record_chargeback(sale, said("WON", amount=amount, day=20, reference=f"du_{number}"), now=NOW)
        assert (money.balance(account, "FEE_REVENUE"), money.open_of(invoice)) == (-1, 0)

    def test_of_another_amount_than_before_waits_for_a_person(self, account, sale):
        record_chargeback(sale, said("OPEN"), now=NOW)
        with pytest.raises(AnswerDiffers, match=r"took USD 101\.00 back, and now the gateway speaks of USD 50\.50"):
            record_chargeback(sale, said("WON", amount="50.50", day=20), now=NOW)
        assert money.balance(account, "GATEWAY_CLEARING") == 0

    def test_beside_another_of_the_whole_waits_for_a_person(self, account, sale):
        record_chargeback(sale, said("LOST"), now=NOW)
        with pytest.raises(AnswerDiffers, match="it would be more than was paid"):
            record_chargeback(sale, said("OPEN", reference="du_2"), now=NOW)
        assert money.balance(account, "GATEWAY_CLEARING") == 0

    def test_won_after_it_was_paid_otherwise_is_credit(self, account, invoice, sale):
        record_chargeback(sale, said("OPEN"), now=NOW)
        charge(account.pk, money.card(account, is_default=False), actor=MIA, now=NOW)
        record_chargeback(sale, said("WON", day=20), now=NOW)
        assert money.open_of(invoice) == 0
        assert unallocated(sale.pk) == 100

    @pytest.mark.parametrize(("amount", "currency"), [("101.01", "USD"), ("101", "EUR"), ("0", "USD")])
    def test_of_more_or_another_currency_waits_for_a_person(self, account, sale, amount, currency):
        with pytest.raises(AnswerDiffers):
            record_chargeback(sale, said("OPEN", amount=amount, currency=currency), now=NOW)
        assert not Chargeback.objects.exists()

    def test_before_we_heard_that_it_was_paid_is_the_same(self, account, invoice):
        payment = record_attempt(account.pk, money.card(account), actor=MIA, now=NOW)
        record_chargeback(payment, said("OPEN"), now=NOW)
        record_answer(payment, Answer(Outcome.SUCCEEDED, "pi_9", Decimal(101), "USD"), now=NOW)
        assert money.open_of(invoice) == 100
        assert money.balance(account, "GATEWAY_CLEARING") == 0

    def test_tells_the_rooms_above(self, sale):
        heard = []

        def listener(chargeback, *, now):
            heard.append((chargeback.payment_id, chargeback.state))

        when_charged_back(listener)
        record_chargeback(sale, said("OPEN"), now=NOW)
        record_chargeback(sale, said("OPEN"), now=NOW)
        record_chargeback(sale, said("LOST", day=20), now=NOW)
        _chargeback_listeners.remove(listener)
        assert heard == [(sale.pk, "OPEN"), (sale.pk, "LOST")]

    def test_lost_twice_and_won_in_between_is_lost_also_when_the_win_comes_last(self, account, invoice, sale):
        """Of the decisions the latest counts, and one that says the same again is later too."""
        record_chargeback(sale, said("LOST", day=12), now=NOW)
        record_chargeback(sale, said("LOST", day=20), now=NOW)
        kept = record_chargeback(sale, said("WON", day=15), now=NOW)
        assert (kept.state, money.open_of(invoice)) == ("LOST", 100)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_one_return_from_four_sides_is_booked_once(self, account, invoice, debit):
        results = at_once([lambda: come_back(debit)] * 4)
        assert not failures(results)
        assert money.sources(account).count("RETURN return") == 1
        assert money.open_of(invoice) == 100

    def test_opening_and_winning_is_booked_once_each(self, account, invoice, sale):
        works = [lambda state=state, day=day: record_chargeback(sale, said(state, day=day), now=NOW)
                 for state, day in (("OPEN", 10), ("WON", 20), ("OPEN", 10), ("WON", 20))]  # fmt: skip
        results = at_once(works)
        assert not failures(results)
        assert money.balance(account, "GATEWAY_CLEARING") == 101
        assert money.open_of(invoice) == 0
        assert date(2026, 3, 2) == LedgerEntry.objects.get(source="chargeback-won:du_1").on
