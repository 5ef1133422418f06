"""PRE-2: automatic top-ups and those by hand: intent, charge, credit, in that order."""

import json
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, Role, schedule
from accounts.decisions import Refused
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from invoicing.documents.models import Letter
from invoicing.ledger.models import LedgerEntry
from invoicing.ledger.operations import Side, post
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.gateways.faults import Fault, Step, Told
from invoicing.payments.gateways.protocol import Answer
from invoicing.payments.models import Payment
from invoicing.payments.operations import record_answer
from invoicing.payments.resolving import resolve_open
from invoicing.prepaid.agreements import agree_to_top_ups, end_top_ups
from invoicing.prepaid.crediting import hear_of_chargeback, hear_of_payment
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from invoicing.prepaid.topping_up import top_up, top_up_due, top_up_if_due
from tests.chaos.at_once import at_once, failures
from tests.invoicing.factories import contact_of, customer, terms
from tests.invoicing.payments.factories import balance, bank_account, card, ship_rates
from tests.invoicing.prepaid.factories import (
    NOW,
    agreement,
    balance_of,
    give,
    per_use,
    posted_balance,
    prepaid,
    take,
    unwritable_balances,
    use,
)

pytestmark = pytest.mark.django_db
D = Decimal
MAY = frozenset({"invoicing.top_up", "invoicing.take_payment"})
MIA = Actor(ActorKind.STAFF, "Mia Manager", Channel.CONSOLE, permissions=MAY)
NORA = Actor(ActorKind.STAFF, "Nora Nobody", Channel.CONSOLE)


def paid(made: TopUp | None) -> Payment:
    assert made is not None
    assert made.payment is not None
    return made.payment


def due(account, now=NOW):
    return top_up_if_due(account.pk, actor=schedule(), now=now)


def charges(gateway) -> int:
    return Payment.objects.filter(purpose="TOP_UP", state__in=["SUCCEEDED", "PENDING"]).count()


class TestTopUpIfDue:
    """PRE-2."""

    def test_charges_what_the_customer_chose_and_credits_it(self, gateway):
        account = prepaid("9.99")
        card(account)
        agreement(account)
        made = due(account)
        assert (made.state, made.amount, made.number, made.on) == ("CREDITED", D(50), 1, date(2026, 3, 2))
        assert balance_of(account) == posted_balance(account) == D("59.99")
        assert paid(made).fee == D("0.50")
        assert balance(account, "CUSTOMER_CREDIT") == 0
        assert AuditEntry.objects.filter(action="top_up.make", account=account).count() == 1

    @pytest.mark.parametrize(("left", "threshold", "awaiting", "amount"), [
        pytest.param("9.99", "10", "0", "50", id="what was chosen"),
        pytest.param("9.999999", "80", "0", "70.01", id="the gap to the threshold, rounded up"),
        pytest.param("20", "10", "95", "75", id="what waits"),
        pytest.param("5", "80", "60", "75", id="the larger of both gaps"),
    ])  # fmt: skip
    def test_closes_the_gap_in_one_charge(self, gateway, left, threshold, awaiting, amount):
        account = prepaid(left)
        card(account)
        agreement(account, threshold)
        PrepaidBalance.objects.update(awaiting=D(awaiting))
        assert due(account).amount == D(amount)
        assert due(account) is None

    @pytest.mark.parametrize("left", ["10", "10.000001", "500"])
    def test_leaves_a_balance_alone_that_is_not_below_the_threshold(self, gateway, left):
        account = prepaid(left)
        card(account)
        agreement(account)
        assert due(account) is None
        assert not Payment.objects.exists()

    def test_leaves_alone_who_did_not_agree_or_no_longer_does(self, gateway):
        stranger, former = prepaid("1"), prepaid("1")
        card(stranger)
        card(former)
        agreement(former, is_on=False)
        assert due(stranger) is None
        assert due(former) is None

    def test_is_once_a_day_where_the_seller_is(self, gateway):
        account = prepaid("1")
        card(account)
        agreement(account)
        assert due(account).number == 1
        give(account, "-50")
        assert due(account, NOW + timedelta(hours=14, minutes=59)) is None
        assert due(account, NOW + timedelta(hours=15)).on == date(2026, 3, 3)

    def test_is_as_often_a_day_as_the_terms_allow(self, gateway):
        terms("prepaid", topups_a_day=2)
        account = prepaid("1")
        card(account)
        agreement(account)
        numbers = []
        for _ in range(3):
            made = due(account)
            numbers.append(made.number if made else None)
            give(account, "-50")
        assert numbers == [1, 2, None]

    def test_counts_one_that_is_pending(self, gateway):
        terms("prepaid", topups_a_day=5)
        account = prepaid("1")
        bank_account(account)
        agreement(account)
        made = due(account)
        assert (made.state, paid(made).state) == ("INTENDED", "PENDING")
        assert due(account) is None
        assert due(account, NOW + timedelta(days=2)) is None
        assert balance_of(account) == 1

    def test_is_credited_when_the_bank_has_settled(self, gateway):
        account = prepaid("1")
        bank_account(account)
        agreement(account)
        made = due(account)
        later = NOW + timedelta(days=7)
        gateway.clock.at = later
        gateway.pass_time()
        Payment.objects.update(next_look_at=later)
        resolve_open(now=later)
        made.refresh_from_db()
        assert made.state == "CREDITED"
        assert balance_of(account) == posted_balance(account) == 51

    def test_is_never_made_anew_while_the_answer_is_lost(self, gateway):
        """Kill Bill: an unknown payment and another one, paid twice."""
        gateway.stripe.faults = Told([Fault.TIMEOUT_AFTER])
        account = prepaid("1")
        card(account)
        agreement(account)
        made = due(account)
        assert paid(made).state == "UNKNOWN"
        assert due(account, NOW + timedelta(days=1)) is None
        later = NOW + timedelta(days=2)
        resolve_open(now=later)
        made.refresh_from_db()
        assert made.state == "CREDITED"
        assert balance_of(account) == 51
        assert Payment.objects.count() == 1

    def test_rings_after_a_use_that_ran_low(self, gateway):
        per_use()
        account = prepaid("10")
        card(account)
        agreement(account)
        assert take(use(account)).to_top_up == (account.pk,)
        due(account)
        assert balance_of(account) == D("59.9")

    def test_switches_off_with_a_letter_where_no_method_is_left(self, gateway):
        account = prepaid("1")
        agreement(account)
        assert due(account) is None
        assert not TopUpAgreement.objects.get().is_on
        assert Letter.objects.get().kind == "NOTICE"


class TestAfterADecline:
    """PRE-2: 1, 6, 24 hours; for good after a decline for good."""

    def test_waits_longer_each_time(self, gateway):
        terms("prepaid", topups_a_day=10)
        gateway.stripe.faults = Told([Step(Fault.DECLINE, "insufficient_funds")] * 3)
        account = prepaid("1")
        card(account)
        agreement(account)
        now = NOW
        for declines, hours in ((1, 1), (2, 6), (3, 24)):
            made = due(account, now)
            assert (made.state, paid(made).state) == ("FAILED", "FAILED")
            assert TopUpAgreement.objects.get().declines == declines
            assert due(account, now + timedelta(hours=hours, seconds=-1)) is None
            now += timedelta(hours=hours)
        assert due(account, now).state == "CREDITED"
        held = TopUpAgreement.objects.get()
        assert (held.declines, held.not_before_at, held.is_on) == (0, None, True)

    def test_counts_the_declined_one_for_its_day(self, gateway):
        gateway.stripe.faults = Told([Step(Fault.DECLINE, "insufficient_funds")])
        account = prepaid("1")
        card(account)
        agreement(account)
        due(account)
        assert due(account, NOW + timedelta(hours=2)) is None
        assert due(account, NOW + timedelta(hours=15)).state == "CREDITED"

    def test_for_good_is_the_end_until_the_customer_says_otherwise(self, gateway):
        account = prepaid("1")
        method = card(account, "decline.stolen_card")
        agreement(account)
        assert due(account).state == "FAILED"
        method.refresh_from_db()
        assert method.state == "BLOCKED"
        assert not TopUpAgreement.objects.get().is_on
        assert Letter.objects.filter(key__startswith="top-up-off:").count() == 1
        assert due(account, NOW + timedelta(days=10)) is None


class TestABalanceThatCannotBeWritten:
    """P9. Twilio, 2013: the card was charged before the balance could be written, again and again."""

    def test_stays_charged_and_is_credited_later_and_never_charged_again(self, gateway):
        terms("prepaid", topups_a_day=100)
        account = prepaid("1")
        card(account)
        agreement(account)
        with unwritable_balances():
            made = due(account)
            assert made.state == "CHARGED"
            for day in range(3):
                swept = top_up_due(actor=schedule(), now=NOW + timedelta(days=day))
                assert (swept.credited, swept.made, swept.errors) == (0, 0, 1)
        assert balance_of(account) == 1
        swept = top_up_due(actor=schedule(), now=NOW + timedelta(days=3))
        assert (swept.credited, swept.made, swept.errors) == (1, 0, 0)
        assert balance_of(account) == posted_balance(account) == 51
        assert Payment.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_is_charged_at_most_once_by_a_hundred_triggers(self, gateway):
        ship_rates()
        terms("prepaid", topups_a_day=100)
        account = prepaid("1")
        card(account)
        agreement(account)
        with unwritable_balances():
            for _ in range(10):
                assert not failures(at_once([lambda: due(account)] * 10))
        assert Payment.objects.count() == 1
        assert TopUp.objects.get().state == "CHARGED"
        top_up_due(actor=schedule(), now=NOW)
        assert balance_of(account) == posted_balance(account) == 51

    @pytest.mark.django_db(transaction=True)
    def test_would_be_charged_more_than_once_without_the_guards(self, gateway, monkeypatch):
        """The negative control: neither the look at what is open nor the unique index."""
        ship_rates()
        terms("prepaid", topups_a_day=100)
        account = prepaid("1")
        card(account)
        agreement(account)
        monkeypatch.setattr("invoicing.prepaid.topping_up._may_be_made", lambda *_: True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE indexname = ANY(%s)",
                           [["one_automatic_top_up_at_a_time", "automatic_top_ups_a_day"]])  # fmt: skip
            taken = cursor.fetchall()
            for name, _ in taken:
                cursor.execute(f"DROP INDEX {name}")
        try:
            with unwritable_balances():
                at_once([lambda: due(account)] * 4)
            assert Payment.objects.count() == 4
        finally:
            TopUp.objects.all().delete()
            with connection.cursor() as cursor:
                for _, definition in taken:
                    cursor.execute(definition)

    @pytest.mark.django_db(transaction=True)
    def test_the_index_alone_would_do(self, gateway, monkeypatch):
        ship_rates()
        account = prepaid("1")
        card(account)
        agreement(account)
        monkeypatch.setattr("invoicing.prepaid.topping_up._may_be_made", lambda *_: True)
        with unwritable_balances():
            assert not failures(at_once([lambda: due(account)] * 6))
        assert Payment.objects.count() == 1


class TestWhatIsTakenBack:
    def made(self, account):
        card(account)
        agreement(account)
        return due(account)

    def taken_back(self, made: TopUp, amount: str = "50") -> None:
        """As the payments room records a return: the cash goes, and the credit of the payment with it."""
        payment = paid(made)
        from_credit = [
            Side("GATEWAY_CLEARING", -D(amount), "demo", payment_id=payment.pk),
            Side("CUSTOMER_CREDIT", D(amount), payment_id=payment.pk),
        ]
        post(
            account_id=payment.account_id, source=f"return:{payment.pk}", kind="RETURN", currency="USD",
            on=NOW.date(), now=NOW, sides=from_credit,
        )  # fmt: skip
        Payment.objects.filter(pk=payment.pk).update(state="RETURNED")
        payment.refresh_from_db()
        hear_of_payment(payment, now=NOW)
        made.refresh_from_db()

    def test_leaves_the_balance_again(self, gateway):
        account = prepaid("1")
        made = self.made(account)
        self.taken_back(made)
        assert made.state == "REVERSED"
        assert balance_of(account) == posted_balance(account) == 1
        assert balance(account, "CUSTOMER_CREDIT") == 0
        hear_of_payment(paid(made), now=NOW)
        assert balance_of(account) == 1

    def test_passes_the_floor_if_it_must_and_nothing_more_is_deducted_until_credit_comes(self, gateway):
        """PRE-4: the floor goes down with the balance, and up again with credit."""
        per_use()
        account = prepaid("1")
        made = self.made(account)
        take(use(account, "500"))
        self.taken_back(made)
        kept = PrepaidBalance.objects.get()
        assert (kept.balance, kept.floor) == (D(-49), D(-49))
        assert posted_balance(account) == -49
        refused = take(use(account, "1"))
        assert refused.answers[0].outcome == "refused"
        assert not refused.accounts[0].may_go_on
        give(account, "49.50")
        kept.refresh_from_db()
        assert (kept.balance, kept.floor) == (D("0.5"), D(0))

    def test_before_it_was_credited_never_is(self, gateway):
        account = prepaid("1")
        with unwritable_balances():
            made = self.made(account)
        assert made.state == "CHARGED"
        self.taken_back(made)
        assert (made.state, made.credited_at) == ("REVERSED", None)
        assert top_up_due(actor=schedule(), now=NOW).credited == 0
        assert balance_of(account) == 1

    def test_comes_again_when_a_chargeback_is_won(self, gateway):
        account = prepaid("1")
        made = self.made(account)
        self.taken_back(made)
        post(
            account_id=account.pk, source="won:1", kind="CHARGEBACK", currency="USD", on=NOW.date(), now=NOW,
            sides=[
                Side("GATEWAY_CLEARING", D(50), "demo", payment_id=made.payment_id),
                Side("CUSTOMER_CREDIT", D(-50), payment_id=made.payment_id),
            ],
        )  # fmt: skip
        chargeback = paid(made).chargebacks.create(
            account=account, gateway_reference="dp_1", currency="USD", amount=50, state="WON", opened_at=NOW
        )
        hear_of_chargeback(chargeback, now=NOW)
        assert balance_of(account) == posted_balance(account) == 51


class TestTopUp:
    """PRE-2: by hand."""

    def test_is_for_a_billing_contact(self, gateway):
        account = prepaid("1")
        card(account)
        made = top_up(account, D(25), actor=contact_of(account, Role.BILLING), now=NOW)
        assert (made.state, made.automatic, made.number) == ("CREDITED", False, None)
        assert balance_of(account) == 26
        assert AuditEntry.objects.filter(action="top_up.make", account=account).count() == 1

    def test_is_refused_to_a_technical_contact(self, gateway):
        account = prepaid("1")
        card(account)
        with pytest.raises(Refused, match="AUTH-5"):
            top_up(account, D(25), actor=contact_of(account, Role.TECHNICAL), now=NOW)
        assert not Payment.objects.exists()

    def test_is_for_staff_with_both_permissions(self, gateway):
        account = prepaid("1")
        card(account)
        assert top_up(account, D(25), actor=MIA, now=NOW).state == "CREDITED"
        with pytest.raises(NotPermitted):
            top_up(account, D(25), actor=NORA, now=NOW)

    @pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN"])
    def test_refuses_what_is_no_amount(self, gateway, amount):
        account = prepaid("1")
        card(account)
        with pytest.raises(MoneyRefused):
            top_up(account, D(amount), actor=MIA, now=NOW)
        with pytest.raises(Refused, match="PRE-2"):
            top_up(account, D(amount), actor=contact_of(account, Role.PRIMARY), now=NOW)
        assert not TopUp.objects.exists()

    def test_refuses_accounts_without_a_balance_or_a_method(self, gateway):
        with pytest.raises(MoneyRefused, match="its terms are not prepaid"):
            top_up(customer(), D(25), actor=MIA, now=NOW)
        with pytest.raises(MoneyRefused, match="no payment method"):
            top_up(prepaid("1"), D(25), actor=MIA, now=NOW)

    def test_refuses_a_method_of_somebody_else(self, gateway):
        mine, theirs = prepaid("1"), prepaid("1")
        method = card(theirs)
        with pytest.raises(MoneyRefused, match="no such payment method"):
            top_up(mine, D(25), actor=MIA, now=NOW, method=method)

    def test_is_beside_the_automatic_ones_of_the_day(self, gateway):
        account = prepaid("1")
        card(account)
        agreement(account)
        assert due(account)
        assert top_up(account, D(25), actor=MIA, now=NOW).state == "CREDITED"

    def test_of_a_late_answer_is_credited(self, gateway):
        """A charge that we believed failed, and that the gateway reports as paid after all."""
        gateway.stripe.faults = Told([Step(Fault.DECLINE, "insufficient_funds")])
        account = prepaid("1")
        card(account)
        made = top_up(account, D(25), actor=MIA, now=NOW)
        assert made.state == "FAILED"
        answer = Answer("SUCCEEDED", paid(made).gateway_reference or "pi_late", paid(made).amount
                         + paid(made).fee, "USD")  # fmt: skip
        record_answer(paid(made), answer, now=NOW)
        made.refresh_from_db()
        assert made.state == "CREDITED"
        assert balance_of(account) == 26


class TestAgreements:
    """AUTH-5, PRE-2."""

    def test_are_set_by_a_billing_contact_and_found_by_the_sweep(self, gateway):
        account = prepaid()
        card(account)
        contact = contact_of(account, Role.BILLING)
        agree_to_top_ups(account, threshold=D(10), amount=D(40), actor=contact, now=NOW)
        assert top_up_due(actor=schedule(), now=NOW).made == 1
        assert balance_of(account) == 40

    def test_begin_afresh_when_they_are_set_again(self, gateway):
        account = prepaid("1")
        method = card(account)
        agreement(account, is_on=False, declines=3, not_before_at=NOW)
        held = agree_to_top_ups(
            account, threshold=D(0), amount=D(40), method=method, actor=contact_of(account, Role.PRIMARY), now=NOW
        )
        assert (held.is_on, held.declines, held.not_before_at, held.method) == (True, 0, None, method)
        assert AuditEntry.objects.get(action="top_up.agree").detail["before"]["is_on"] is False

    def test_are_ended_by_the_customer(self, gateway):
        account = prepaid("1")
        card(account)
        agreement(account)
        end_top_ups(account, actor=contact_of(account, Role.PRIMARY), now=NOW)
        end_top_ups(account, actor=contact_of(account, Role.BILLING), now=NOW)
        assert due(account) is None
        assert AuditEntry.objects.filter(action="top_up.end").count() == 1

    def test_are_not_set_by_others(self, gateway):
        account = prepaid("1")
        for actor in (contact_of(account, Role.TECHNICAL), MIA, contact_of(prepaid(), Role.PRIMARY)):
            with pytest.raises(Refused, match="AUTH-5"):
                agree_to_top_ups(account, threshold=D(10), amount=D(40), actor=actor, now=NOW)
            with pytest.raises(Refused, match="AUTH-5"):
                end_top_ups(account, actor=actor, now=NOW)
        assert not TopUpAgreement.objects.exists()

    @pytest.mark.parametrize("values", [
        {"amount": D(0)}, {"amount": D(-5)}, {"amount": D("0.001")}, {"amount": D("NaN")}, {"threshold": D(-1)},
        {"threshold": D(10) ** 13},
    ])  # fmt: skip
    def test_have_amounts_that_can_be_paid(self, values):
        account = prepaid("1")
        with pytest.raises(BadValue):
            agree_to_top_ups(
                account, **({"threshold": D(10), "amount": D(40)} | values),
                actor=contact_of(account, Role.PRIMARY), now=NOW,
            )  # fmt: skip

    def test_are_for_prepaid_accounts_and_their_own_methods(self):
        invoiced, mine = customer(), prepaid("1")
        with pytest.raises(Refused, match="PRE-2"):
            agree_to_top_ups(invoiced, threshold=D(10), amount=D(40), actor=contact_of(invoiced, Role.PRIMARY), now=NOW)
        with pytest.raises(BadValue, match="no such payment method"):
            agree_to_top_ups(
                mine, threshold=D(10), amount=D(40), method=card(prepaid()), now=NOW,
                actor=contact_of(mine, Role.PRIMARY),
            )  # fmt: skip


class TestTheCommand:
    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("top_up", *arguments, stdout=out)
        return out.getvalue()

    def test_tops_up_for_a_day(self, gateway):
        account = prepaid("1")
        card(account)
        agreement(account)
        assert json.loads(self.run("--on", "2026-03-05", "--dry-run", "--json")) == {
            "dry_run": True, "credited": 0, "made": 1, "errors": 0,
        }  # fmt: skip
        assert not TopUp.objects.exists()
        assert self.run("--on", "2026-03-05") == (
            "0 charged before and credited now; 1 low balances topped up; 0 errors.\n"
        )
        assert TopUp.objects.get().on == date(2026, 3, 5)
        assert LedgerEntry.objects.filter(source=f"top-up:{TopUp.objects.get().pk}").count() == 1
