"""
P4, P8: the matrix of the gateway's notices. Each type that we handle, as it may come: twice, in any order, 70 days
late, forged, stale, of another amount or currency, of a payment that nobody knows, of a type that nobody knows.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any, NamedTuple

import pytest

from accounts.models import Account
from invoicing.payments.gateways.demo import DemoGateway
from invoicing.payments.gateways.demo_objects import dispute_object, return_object
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.protocol import Forged
from invoicing.payments.models import Chargeback, Payment, PaymentMethod, Refund
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import charge, refund, resolve_open, work_off_events
from invoicing.runs.books import differences_in_books
from tests.chaos.results import row_hashes
from tests.chaos.the_bank import DAY, SignedEvent, clock_of, event, tell
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money
from tests.invoicing.payments.conftest import gateway
from tests.invoicing.payments.factories import MIA, NOW

__all__ = ["gateway"]
pytestmark = pytest.mark.django_db

Object = dict[str, Any]
MINUTE = timedelta(minutes=1)


class Case(NamedTuple):
    """A type of notice: how what it is about came to be, and what the books say after it."""

    type: str
    prepare: Callable[[DemoGateway, Account], Object]
    state: str
    open: str
    cash: str
    wrong: str = "PARKED"
    unknown: str = "PARKED"

    def __str__(self) -> str:
        return f"{self.type}-{self.prepare.__name__}"


def unheard(gateway: DemoGateway, account: Account, method: PaymentMethod) -> Object:
    """Charged, and the answer lost."""
    gateway.stripe.faults = Told([Fault.LOST_REPLY])
    charge(account.pk, method, actor=MIA, now=NOW)
    return gateway.charges()[0]


def paid_by_card(gateway: DemoGateway, account: Account) -> Object:
    return unheard(gateway, account, money.card(account))


def declined(gateway: DemoGateway, account: Account) -> Object:
    return unheard(gateway, account, money.card(account, "decline.insufficient_funds"))


def on_its_way(gateway: DemoGateway, account: Account) -> Object:
    return unheard(gateway, account, money.bank_account(account))


def settled(gateway: DemoGateway, account: Account) -> Object:
    """A bank's debit that arrived; our payment is pending still."""
    payment = charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
    gateway.settle(payment.gateway_reference or "")
    return gateway.charges()[0]


def cancelled(gateway: DemoGateway, account: Account) -> Object:
    return on_its_way(gateway, account) | {"status": "canceled", "cancellation_reason": "requested_by_customer"}


def given_back(gateway: DemoGateway, account: Account) -> Object:
    """A refund whose answer was lost."""
    payment = charge(account.pk, money.card(account), actor=MIA, now=NOW)
    gateway.stripe.faults = Told([Fault.LOST_REPLY], call="refund")
    refund(payment, actor=MIA, now=NOW, reason="Not wanted.")
    found: Object = gateway.state.of_charge(payment.gateway_reference or "", "refund")[0]
    return found


def not_given_back(gateway: DemoGateway, account: Account) -> Object:
    return given_back(gateway, account) | {"status": "failed", "failure_reason": "lost_or_stolen_card"}


def given_back_as_of_old(gateway: DemoGateway, account: Account) -> Object:
    """Old versions of the API put the refunds into the charge."""
    back = given_back(gateway, account)
    return {"object": "charge", "payment_intent": back["payment_intent"], "refunds": {"data": [back]}}


def disputed(gateway: DemoGateway, account: Account, status: str = "needs_response") -> Object:
    charge(account.pk, money.card(account), actor=MIA, now=NOW)
    intent = gateway.charges()[0]
    at = int(NOW.timestamp())
    return dispute_object("du_1", intent, created=at, reason="fraudulent", amount=intent["amount"]) | {"status": status}


def lost(gateway: DemoGateway, account: Account) -> Object:
    return disputed(gateway, account, "lost")


def won(gateway: DemoGateway, account: Account) -> Object:
    return disputed(gateway, account, "won")


def returned(gateway: DemoGateway, account: Account) -> Object:
    intent = settled(gateway, account)
    return return_object("du_1", intent, created=int(NOW.timestamp()), code="R01")


# USD 100.00 and, by card, a fee of USD 1.00 (FEE-1).
CASES = [
    Case("payment_intent.succeeded", paid_by_card, "SUCCEEDED", "0", "101"),
    Case("payment_intent.succeeded", settled, "SUCCEEDED", "0", "100"),
    Case("payment_intent.processing", on_its_way, "PENDING", "100", "0", unknown="KEPT"),
    # Of what was not taken nobody compares the amount.
    Case("payment_intent.payment_failed", declined, "FAILED", "100", "0", wrong="DONE", unknown="KEPT"),
    Case("payment_intent.canceled", cancelled, "FAILED", "100", "0", wrong="DONE", unknown="KEPT"),
    Case("charge.refunded", given_back_as_of_old, "SUCCEEDED SUCCEEDED", "100", "0"),
    Case("charge.refund.updated", given_back, "SUCCEEDED SUCCEEDED", "100", "0"),
    Case("refund.created", given_back, "SUCCEEDED SUCCEEDED", "100", "0"),
    Case("refund.updated", given_back, "SUCCEEDED SUCCEEDED", "100", "0"),
    Case("refund.failed", not_given_back, "SUCCEEDED FAILED", "0", "101", wrong="DONE", unknown="KEPT"),
    Case("charge.dispute.created", disputed, "SUCCEEDED OPEN", "100", "0"),
    Case("charge.dispute.created", returned, "RETURNED", "100", "0"),
    Case("charge.dispute.updated", disputed, "SUCCEEDED OPEN", "100", "0"),
    Case("charge.dispute.funds_withdrawn", disputed, "SUCCEEDED OPEN", "100", "0"),
    Case("charge.dispute.closed", lost, "SUCCEEDED LOST", "100", "0"),
    Case("charge.dispute.closed", won, "SUCCEEDED WON", "0", "101"),
    Case("charge.dispute.closed", returned, "RETURNED", "100", "0"),
    Case("charge.dispute.funds_reinstated", won, "SUCCEEDED WON", "0", "101"),
]  # fmt: skip
each_case = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture
def account():
    money.ship_rates()
    return made.customer()


@pytest.fixture
def invoice(account):
    return money.invoice(account)


def states() -> str:
    """Of the payment, its refund and its chargeback."""
    found = [Payment.objects.get().state, *(one.state for one in Refund.objects.all())]
    return " ".join([*found, *(one.state for one in Chargeback.objects.all())])


def as_expected(case: Case, account: Account, invoice: Any) -> None:
    assert states() == case.state
    assert money.open_of(invoice) == Decimal(case.open)
    assert money.balance(account, "GATEWAY_CLEARING") == Decimal(case.cash)
    assert list(differences_in_books()) == []


def books() -> dict[str, str | None]:
    """Every row version of ours, but for the notices themselves."""
    return {table: hashed for table, hashed in row_hashes().items() if table != "invoicing_webhookevent"}


def ended() -> list[str]:
    return list(WebhookEvent.objects.order_by("pk").values_list("state", flat=True))


def changed(of: Object, **values: Any) -> Object:
    """The same object with other values, also where it stands within another one (the refund of a charge)."""
    inner = (of.get("refunds") or {}).get("data") or []
    if inner:
        return of | {"refunds": {"data": [inner[0] | values]}}
    return of | values


def raised(of: Object) -> Object:
    """One cent more."""
    inner = (of.get("refunds") or {}).get("data") or [of]
    cents = {"amount": inner[0]["amount"] + 1}
    return changed(of, **cents, **({"amount_received": cents["amount"]} if inner[0].get("amount_received") else {}))


def of_nobody(of: Object) -> Object:
    """About a payment that we know nothing of."""
    if of["object"] == "payment_intent":
        return of | {"id": "pi_nobodys", "metadata": {}}
    return changed(of, id="x_nobodys", metadata={}) | {"payment_intent": "pi_nobodys"}


@each_case
class TestANotice:
    def test_says_what_became_of_it(self, case, account, invoice, gateway):
        tell(gateway, event(gateway, case.type, case.prepare(gateway, account)))
        work_off_events(now=NOW)
        as_expected(case, account, invoice)
        assert ended() == ["DONE"]

    def test_that_comes_twice_changes_nothing_twice(self, case, account, invoice, gateway):
        said = case.prepare(gateway, account)
        again, anew = event(gateway, case.type, said), event(gateway, case.type, said, name="evt_2")
        tell(gateway, again)
        work_off_events(now=NOW)
        before, whole = books(), row_hashes()
        assert tell(gateway, again) == [False]
        work_off_events(now=NOW)
        assert row_hashes() == whole
        # The gateway may also say the same under another name.
        assert tell(gateway, anew) == [True]
        work_off_events(now=NOW)
        assert books() == before
        assert ended() == ["DONE", "DONE"]

    def test_that_comes_seventy_days_late_counts_all_the_same(self, case, account, invoice, gateway):
        said = case.prepare(gateway, account)
        clock_of(gateway).advance(70 * DAY)
        tell(gateway, event(gateway, case.type, said, made=-70 * DAY))
        work_off_events(now=gateway.clock())
        as_expected(case, account, invoice)

    def test_that_is_forged_leaves_nothing(self, case, account, invoice, gateway):
        said = case.prepare(gateway, account)
        true = event(gateway, case.type, said)
        other = event(gateway, case.type, said, name="evt_2")
        before = row_hashes()
        for forged in (
            SignedEvent(0, "", true.body + b" ", true.signature),
            SignedEvent(0, "", true.body, ""),
            SignedEvent(0, "", true.body, other.signature),
            SignedEvent(0, "", true.body, true.signature.partition(",")[0]),
            event(gateway, case.type, said, secret="whsec_of_somebody_else"),
            event(gateway, case.type, said, secret=""),
        ):  # fmt: skip
            with pytest.raises(Forged):
                tell(gateway, forged)
        work_off_events(now=NOW)
        assert row_hashes() == before

    def test_that_is_stale_or_signed_ahead_leaves_nothing(self, case, account, invoice, gateway):
        said = case.prepare(gateway, account)
        before = row_hashes()
        for minutes in (-6, 6):
            with pytest.raises(Forged):
                tell(gateway, event(gateway, case.type, said, signed=minutes * MINUTE))
        assert row_hashes() == before
        tell(gateway, event(gateway, case.type, said, signed=-4 * MINUTE))
        work_off_events(now=NOW)
        as_expected(case, account, invoice)

    @pytest.mark.parametrize("wrong", [raised, lambda of: changed(of, currency="eur")], ids=["amount", "currency"])
    def test_of_another_amount_or_currency_waits_for_a_person(self, case, account, invoice, gateway, wrong):
        said = case.prepare(gateway, account)
        before = books()
        tell(gateway, event(gateway, case.type, wrong(said)))
        work_off_events(now=NOW)
        assert ended() == [case.wrong]
        if case.wrong == "DONE":
            as_expected(case, account, invoice)
        else:
            assert books() == before

    def test_of_an_unknown_payment_is_shown_and_posts_nothing(self, case, account, invoice, gateway):
        said = case.prepare(gateway, account)
        before = books()
        tell(gateway, event(gateway, case.type, of_nobody(said)))
        work_off_events(now=NOW)
        assert ended() == [case.unknown]
        assert books() == before

    def test_of_an_unknown_type_is_kept_and_posts_nothing(self, case, account, invoice, gateway):
        said = case.prepare(gateway, account)
        before = books()
        tell(gateway, event(gateway, f"{case.type}.of_tomorrow", said))
        work_off_events(now=NOW)
        assert ended() == ["KEPT"]
        assert books() == before


class TestAMethod:
    """What was entered on the gateway's own page, told twice, late, forged and of nobody."""

    def session(self, gateway: DemoGateway, account: Account) -> Object:
        page = gateway.page_to_add_method(
            account_number=account.number, email="", customer_token="", return_to="https://portal.example/methods"
        )
        name = page.rstrip("/").rpartition("/")[2]
        gateway.complete_page(name)
        return {"id": name, "object": "checkout.session", "mode": "setup", "client_reference_id": account.number}

    @pytest.mark.parametrize("late", [timedelta(0), 70 * DAY], ids=["at once", "70 days late"])
    def test_is_kept_once(self, account, gateway, late):
        said = self.session(gateway, account)
        clock_of(gateway).advance(late)
        for name in ("evt_1", "evt_1", "evt_2"):
            tell(gateway, event(gateway, "checkout.session.completed", said, name=name, made=-late))
            work_off_events(now=gateway.clock())
        assert PaymentMethod.objects.count() == 1
        assert ended() == ["DONE", "DONE"]

    def test_of_a_page_that_nobody_knows_adds_nothing(self, account, gateway):
        said = self.session(gateway, account)
        for name, type_ in (("evt_1", "checkout.session.completed"), ("evt_2", "setup_intent.succeeded")):
            tell(gateway, event(gateway, type_, said | {"id": "cs_nobodys"}, name=name))
        work_off_events(now=NOW)
        assert not PaymentMethod.objects.exists()
        assert "DONE" not in ended()

    def test_that_is_forged_adds_nothing(self, account, gateway):
        said = self.session(gateway, account)
        with pytest.raises(Forged):
            tell(gateway, event(gateway, "checkout.session.completed", said, secret="whsec_of_somebody_else"))
        assert not WebhookEvent.objects.exists()


class Story(NamedTuple):
    """Up to four notices of one payment, and the states that each set of them comes to, in whatever order."""

    name: str
    prepare: Callable[[DemoGateway, Account], Object]
    notices: Callable[[DemoGateway, Object], list[SignedEvent]]
    state: Callable[[frozenset[int]], str]

    def __str__(self) -> str:
        return self.name


def pending_debit(gateway: DemoGateway, account: Account) -> Object:
    charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
    return gateway.charges()[0]


def of_a_debit(gateway: DemoGateway, intent: Object) -> list[SignedEvent]:
    paid = intent | {"status": "succeeded", "amount_received": intent["amount"]}
    back = return_object("du_1", paid, created=int(NOW.timestamp()), code="R01")
    return [
        event(gateway, "payment_intent.processing", intent, name="evt_1"),
        event(gateway, "payment_intent.succeeded", paid, name="evt_2", made=MINUTE),
        event(gateway, "charge.dispute.created", back, name="evt_3", made=2 * MINUTE),
        event(gateway, "charge.dispute.closed", back, name="evt_4", made=3 * MINUTE),
    ]


def after_a_debit(heard: frozenset[int]) -> str:
    return "RETURNED" if heard & {2, 3} else "SUCCEEDED" if 1 in heard else "PENDING"


def of_attempts(gateway: DemoGateway, intent: Object) -> list[SignedEvent]:
    """A debit that fails, is cancelled, and is reported as paid after all: the gateway has the last word."""
    failed = intent | {"status": "requires_payment_method"}
    paid = intent | {"status": "succeeded", "amount_received": intent["amount"]}
    return [
        event(gateway, "payment_intent.processing", intent, name="evt_1"),
        event(gateway, "payment_intent.payment_failed", failed, name="evt_2", made=MINUTE),
        event(gateway, "payment_intent.canceled", failed | {"status": "canceled"}, name="evt_3", made=2 * MINUTE),
        event(gateway, "payment_intent.succeeded", paid, name="evt_4", made=3 * MINUTE),
    ]


def after_attempts(heard: frozenset[int]) -> str:
    return "SUCCEEDED" if 3 in heard else "FAILED" if heard & {1, 2} else "PENDING"


def paid_at_once(gateway: DemoGateway, account: Account) -> Object:
    charge(account.pk, money.card(account), actor=MIA, now=NOW)
    return gateway.charges()[0]


def of_a_dispute(gateway: DemoGateway, intent: Object) -> list[SignedEvent]:
    """Opened, lost, won on appeal, and lost for good: of two decisions the later counts."""
    said = dispute_object(
        "du_1", intent, created=int(NOW.timestamp()), reason="fraudulent", amount=intent["amount"]
    )  # fmt: skip
    return [
        event(gateway, f"charge.dispute.{type_}", said | {"status": status}, name=f"evt_{nth}", made=nth * MINUTE)
        for nth, (type_, status) in enumerate(
            [("created", "needs_response"), ("closed", "lost"), ("closed", "won"), ("closed", "lost")]
        )
    ]


def after_a_dispute(heard: frozenset[int]) -> str:
    return "SUCCEEDED " + ("OPEN", "LOST", "WON", "LOST")[max(heard)]


def refunded_debit(gateway: DemoGateway, account: Account) -> Object:
    payment = charge(account.pk, money.bank_account(account), actor=MIA, now=NOW)
    gateway.settle(payment.gateway_reference or "")
    resolve_open(now=NOW + 2 * DAY)
    refund(Payment.objects.get(), actor=MIA, now=NOW + 2 * DAY, reason="Not wanted.")
    found: Object = gateway.state.of_charge(payment.gateway_reference or "", "refund")[0]
    return found


def of_a_refund(gateway: DemoGateway, back: Object) -> list[SignedEvent]:
    failed = back | {"status": "failed", "failure_reason": "lost_or_stolen_card"}
    charge_of = {"object": "charge", "payment_intent": back["payment_intent"], "refunds": {"data": [back]}}
    return [
        event(gateway, "refund.created", back, name="evt_1"),
        event(gateway, "refund.updated", back | {"status": "succeeded"}, name="evt_2", made=MINUTE),
        event(gateway, "charge.refunded", charge_of, name="evt_3", made=MINUTE),
        event(gateway, "refund.failed", failed, name="evt_4", made=2 * MINUTE),
    ]


def after_a_refund(heard: frozenset[int]) -> str:
    return "SUCCEEDED " + ("FAILED" if 3 in heard else "SUCCEEDED" if 1 in heard else "PENDING")


STORIES = [
    Story("a debit that comes back", pending_debit, of_a_debit, after_a_debit),
    Story("an attempt that fails and is paid after all", pending_debit, of_attempts, after_attempts),
    Story("a dispute lost, won and lost", paid_at_once, of_a_dispute, after_a_dispute),
    Story("a refund that fails", refunded_debit, of_a_refund, after_a_refund),
]
# Every order of every one to four of four notices: 64.
ORDERS = [order for length in range(1, 5) for order in permutations(range(4), length)]
# Whether the money is with us in each state that a story may end in, and its invoice settled therefore.
WITH_US = {
    "PENDING": False, "SUCCEEDED": True, "FAILED": False, "RETURNED": False, "SUCCEEDED OPEN": False,
    "SUCCEEDED LOST": False, "SUCCEEDED WON": True, "SUCCEEDED PENDING": False, "SUCCEEDED SUCCEEDED": False,
    "SUCCEEDED FAILED": True,
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join(map(str, order)))
@pytest.mark.parametrize("story", STORIES, ids=str)
class TestInAnyOrder:
    def test_comes_to_the_same(self, story, order, account, invoice, gateway):
        notices = story.notices(gateway, story.prepare(gateway, account))
        for nth in order:
            tell(gateway, notices[nth])
            work_off_events(now=NOW + DAY)
        state = story.state(frozenset(order))
        assert states() == state
        paid = Payment.objects.get()
        assert money.open_of(invoice) == (0 if WITH_US[state] else 100)
        assert money.balance(account, "GATEWAY_CLEARING") == (paid.amount + paid.fee if WITH_US[state] else 0)
        assert money.balance(account, "CUSTOMER_CREDIT") == 0
        assert set(ended()) == {"DONE"}
        assert list(differences_in_books()) == []
        before = books()
        tell(gateway, *(notices[nth] for nth in reversed(order)))
        work_off_events(now=NOW + 2 * DAY)
        assert books() == before
