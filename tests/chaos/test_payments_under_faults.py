"""P4: a thousand charges under the fault script: none double, none lost, none left unknown."""

from datetime import timedelta

import pytest

from accounts.actors import schedule
from invoicing.ledger.models import Posting
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.faults import DONE_UNHEARD, FINE, NOTHING_DONE, Fault, Seeded, Step
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Chargeback, Payment
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import charge_due
from invoicing.runs.books import differences_in_books
from tests.chaos.the_bank import DAY, HOUR, Post, clock_of, differences_with, left_open, many_that_owe, pass_by
from tests.invoicing.payments.factories import NOW

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
# Minutes and hours of the first day, then the days of the retries: what is due is charged before each of them.
CHARGED = [2 * MINUTE, 30 * MINUTE, 5 * HOUR, 19 * HOUR, DAY, DAY, DAY, 2 * DAY, 2 * DAY, 3 * DAY]
# The bank takes its time: debits come back three weeks later, disputes come after two.
THEN = [4 * DAY, 7 * DAY, 7 * DAY, DAY, 7 * DAY, DAY]


class Watched(Seeded):
    """The seeded script, which keeps count of what befell charges."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.befell: dict[Fault | None, int] = {}

    def befalls(self, call: str) -> Step:
        step = super().befalls(call)
        if call == "charge":
            self.befell[step.fault] = self.befell.get(step.fault, 0) + 1
        return step


def charged_for(gateway: DemoGateway, seed: int) -> None:
    """Charge what is due again and again, as the beat does, and let the bank have its time."""
    post = Post(gateway, seed)
    for step in CHARGED:
        sweep(gateway)
        pass_by(gateway, post, step)
    for step in THEN:
        pass_by(gateway, post, step)


def sweep(gateway: DemoGateway) -> None:
    now = clock_of(gateway)()
    assert not charge_due(on=now.date(), now=now, actor=schedule()).failed


class TestCharges:
    """P4. The seed is printed: `Seeded(seed)` gives the same faults again."""

    def test_of_a_hundred_are_neither_doubled_nor_lost(self):
        self.all_are_accounted_for(100, 20260301)

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", [659742132])
    def test_of_a_thousand_are_neither_doubled_nor_lost(self, seed):
        self.all_are_accounted_for(1000, seed)

    def all_are_accounted_for(self, number: int, seed: int) -> None:
        faults = Watched(seed)
        print(f"{number} charges under {faults}")  # noqa: T201 whoever sees it fail needs the seed
        many_that_owe(number)
        gateway = DemoGateway(clock=SetClock(NOW), faults=faults)
        with installed(gateway):
            charged_for(gateway, seed)

        assert left_open() == []
        assert differences_with(gateway) == []
        assert list(differences_in_books()) == []
        assert cash_kept() == cash_at(gateway)
        assert not WebhookEvent.objects.filter(state="PARKED").exists()
        self.the_script_was_hard_enough(faults, number)

    def the_script_was_hard_enough(self, faults: Watched, number: int) -> None:
        assert sum(faults.befell.values()) >= number
        assert sum(faults.befell.get(one, 0) for one in DONE_UNHEARD) > number / 20
        assert sum(faults.befell.get(one, 0) for one in NOTHING_DONE) > number / 20
        assert faults.befell[FINE.fault] > number / 2
        assert Payment.objects.filter(state="FAILED").exists()


def cash_kept() -> int:
    """What our books say is with the gateway, in cents."""
    return sum(int(amount * 100) for amount in Posting.objects.filter(
        ledger_account="GATEWAY_CLEARING", category="demo").values_list("amount", flat=True))  # fmt: skip


def cash_at(gateway: DemoGateway) -> int:
    """What the bank has for us: what it took, less what it took back."""
    gone = set(Payment.objects.filter(state="RETURNED").values_list("gateway_reference", flat=True))
    gone |= set(Chargeback.objects.exclude(state="WON").values_list("payment__gateway_reference", flat=True))
    disputes, _ = gateway.state.listed("dispute", customer="", charge="", since=0, after="", limit=10_000_000)
    assert {dispute["payment_intent"] for dispute in disputes} == gone
    taken = sum(intent["amount"] for intent in gateway.charges() if intent["status"] == "succeeded")
    return taken - sum(dispute["amount"] for dispute in disputes)
