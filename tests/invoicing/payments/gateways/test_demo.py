"""The demo gateway itself: idempotency as Stripe has it, faults by script, and state that processes share."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest

from invoicing.payments.gateways.demo import DemoGateway, SetClock, demo_tokens
from invoicing.payments.gateways.faults import DONE_UNHEARD, NOTHING_DONE, Fault, Seeded, Step, Told
from invoicing.payments.gateways.protocol import GatewayRefused, NoAnswer, Outcome
from tests.invoicing.payments.gateways.demo_gateways import (
    CUSTOMER,
    NOW,
    charge_request,
    make_gateway,
    notices,
    refund_request,
)


class TestAKey:
    @pytest.mark.parametrize("does", ["card-ok", "card-decline.insufficient_funds", "card-action", "ach-ok"])
    def test_again_with_the_same_request_is_the_same_charge(self, does):
        gateway = make_gateway()

        answers = [gateway.charge(charge_request(does=does)) for _ in range(3)]

        assert answers[0] == answers[1] == answers[2]
        assert len(gateway.charges()) == 1

    def test_again_with_another_request_is_an_error_that_leaves_open_what_became_of_the_first(self):
        gateway = make_gateway()
        gateway.charge(charge_request(amount="10"))

        with pytest.raises(NoAnswer, match="same parameters"):
            gateway.charge(charge_request(amount="11"))
        assert [intent["amount"] for intent in gateway.charges()] == [1000]

    def test_is_forgotten_after_24_hours_of_the_gateways_clock(self):
        gateway = make_gateway()
        first = gateway.charge(charge_request())
        gateway.clock.advance(timedelta(hours=24))
        assert gateway.charge(charge_request()) == first

        gateway.clock.advance(timedelta(seconds=1))

        assert gateway.charge(charge_request()) != first
        assert len(gateway.charges("payment-1")) == 2, "which is why an old key is looked up and not sent again"

    def test_of_a_request_that_was_refused_may_be_used_again(self):
        gateway = make_gateway()
        with pytest.raises(GatewayRefused):
            gateway.charge(charge_request(customer_token="cus_wrong"))

        assert gateway.charge(charge_request()).outcome is Outcome.SUCCEEDED

    def test_from_sixteen_threads_at_once_is_one_charge(self, tmp_path):
        gateways = [DemoGateway(clock=SetClock(NOW), path=tmp_path / "demo.sqlite3") for _ in range(4)]

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda number: gateways[number % 4].charge(charge_request()), range(48)))

        assert len(set(answers)) == 1
        assert len(gateways[0].charges()) == 1
        for gateway in gateways:
            gateway.state.close()


class TestTokens:
    @pytest.mark.parametrize(
        ("does", "outcome"),
        [("card-ok", "SUCCEEDED"), ("card-decline.do_not_honor", "FAILED"), ("ach-return.R10", "PENDING")],
    )
    def test_may_be_given_without_a_page(self, does, outcome):
        token, customer = demo_tokens(4711, does)

        answer = make_gateway().charge(charge_request(does=does, method_token=token, customer_token=customer))

        assert answer.outcome == outcome

    @pytest.mark.parametrize("does", ["", "card", "card-cash", "cash-ok"])
    def test_say_what_a_method_does(self, does):
        with pytest.raises(ValueError, match="No demo method does"):
            demo_tokens(1, does)


class TestFaults:
    @pytest.mark.parametrize("fault", sorted(NOTHING_DONE))
    def test_before_the_charge_nothing_is_done(self, fault):
        gateway = make_gateway(faults=Told([fault]))

        with pytest.raises(NoAnswer):
            gateway.charge(charge_request())
        assert gateway.find_charge(key="payment-1", reference="", customer_token=CUSTOMER, since=NOW) is None
        assert gateway.charge(charge_request()).outcome is Outcome.SUCCEEDED

    @pytest.mark.parametrize("fault", sorted(DONE_UNHEARD))
    def test_after_the_charge_it_is_done_unheard(self, fault):
        gateway = make_gateway(faults=Told([fault]))

        with pytest.raises(NoAnswer):
            gateway.charge(charge_request())
        found = gateway.find_charge(key="payment-1", reference="", customer_token=CUSTOMER, since=NOW)
        assert gateway.charge(charge_request()) == found
        assert [notice.type for notice in notices(gateway)] == ["charge.succeeded", "payment_intent.succeeded"]

    @pytest.mark.parametrize("fault", sorted(NOTHING_DONE | DONE_UNHEARD))
    def test_of_the_line_befall_refunds_and_lookups_too(self, fault):
        gateway = make_gateway()
        charge = gateway.charge(charge_request()).reference
        gateway.stripe.faults = Told([fault], call="refund")
        with pytest.raises(NoAnswer):
            gateway.refund(refund_request(charge))
        assert gateway.refund(refund_request(charge)).amount == Decimal("12.34"), "and no more than once"

        gateway.stripe.faults = Told([fault] * 3, call="look")
        with pytest.raises(NoAnswer):
            gateway.find_charge(key="payment-1", reference="", customer_token=CUSTOMER, since=NOW)
        with pytest.raises(NoAnswer):
            gateway.find_charge(key="", reference=charge, customer_token=CUSTOMER, since=NOW)
        with pytest.raises(NoAnswer):
            gateway.find_refund(key="refund-1", reference="", charge_reference=charge)

    def test_of_the_bank_come_call_by_call_as_told(self):
        script = [Step(Fault.DECLINE, "do_not_honor"), Step(), Step(Fault.DECLINE, "lost_card"), Step(Fault.DISPUTE)]
        gateway = make_gateway(faults=Told(script))

        answers = [gateway.charge(charge_request(f"payment-{number}")) for number in range(5)]

        assert [answer.code for answer in answers] == ["do_not_honor", "", "lost_card", "", ""]
        gateway.clock.advance(timedelta(days=30))
        gateway.pass_time()
        disputed = [notice.reference for notice in notices(gateway) if notice.type == "charge.dispute.created"]
        assert disputed == [answers[3].reference]

    def test_of_debits_come_days_later(self):
        script = [Step(Fault.ACH_FAILURE, "R01"), Step(Fault.ACH_RETURN, "R29")]
        gateway = make_gateway(faults=Told(script))
        answers = [gateway.charge(charge_request(f"payment-{number}", "ach-ok")) for number in range(3)]
        gateway.clock.advance(timedelta(days=30))

        gateway.pass_time()

        told = {(notice.reference, notice.type): notice for notice in notices(gateway)}
        assert told[answers[0].reference, "payment_intent.payment_failed"].answer.code == "R01"
        assert told[answers[1].reference, "charge.dispute.created"].code == "R29"
        assert told[answers[2].reference, "payment_intent.succeeded"]
        assert all(answer.outcome is Outcome.PENDING for answer in answers)


class TestSeeded:
    def befallen(self, seed: int) -> list[Step]:
        script = Seeded(seed)
        return [script.befalls("charge") for _ in range(1000)]

    def test_is_the_same_for_the_same_seed(self):
        assert self.befallen(7) == self.befallen(7)
        assert self.befallen(7) != self.befallen(8)

    def test_brings_each_fault_among_a_thousand_charges(self):
        counts = Counter(step.fault for step in self.befallen(7))

        assert set(counts) == {None, *Fault}
        assert counts[None] > 400

    def test_brings_only_the_lines_faults_upon_lookups_and_none_upon_pages(self):
        script = Seeded(7)

        assert {script.befalls("look").fault for _ in range(1000)} == {None} | NOTHING_DONE | DONE_UNHEARD
        assert {script.befalls("other").fault for _ in range(1000)} == {None}

    def test_charges_each_key_once_however_often_it_is_asked(self):
        seed = 20261201
        gateway = make_gateway(faults=Seeded(seed))
        for number in range(300):
            request = charge_request(f"payment-{number}")
            for _ in range(20):
                try:
                    gateway.charge(request)
                    break
                except NoAnswer:
                    continue

        assert Counter(intent["metadata"]["payment_key"] for intent in gateway.charges()) == {
            f"payment-{number}": 1 for number in range(300)
        }, f"seed {seed}"


class TestEvents:
    def test_are_posted_until_they_are_taken(self):
        gateway = make_gateway()
        gateway.charge(charge_request())
        posted, answers = [], iter([500, 200, 200])

        def post(body: bytes, signature: str) -> int:
            posted.append((body, signature))
            return next(answers)

        assert [gateway.deliver(post) for _ in range(3)] == [1, 1, 0]
        assert [body for body, _ in posted] == [
            event.body for event in (*gateway.events_since(), gateway.events_since()[0])
        ]

    def test_are_signed_when_they_are_sent(self):
        gateway = make_gateway()
        gateway.charge(charge_request())
        late = gateway.clock.advance(timedelta(days=70))

        event = gateway.events_since()[0]

        assert gateway.read_notice(event.body, event.signature, now=late).made_at == NOW

    def test_are_given_from_a_number_on(self):
        gateway = make_gateway()
        gateway.charge(charge_request())
        first, second = gateway.events_since()

        assert [event.event_id for event in gateway.events_since(first.number)] == [second.event_id]


class TestTheFile:
    def test_is_what_other_processes_see(self, tmp_path):
        path = tmp_path / "var" / "demo.sqlite3"
        here, there = (DemoGateway(clock=SetClock(NOW), path=path) for _ in range(2))
        answer = here.charge(charge_request())

        assert there.find_charge(key="payment-1", reference="", customer_token=CUSTOMER, since=NOW) == answer
        assert [event.event_id for event in there.events_since()] == [event.event_id for event in here.events_since()]
        here.state.close()
        there.state.close()

    def test_of_its_own_gives_names_that_no_other_gives(self):
        names = {make_gateway().charge(charge_request()).reference for _ in range(20)}

        assert len(names) == 20

    def test_holds_no_card_number(self, tmp_path):
        gateway = make_gateway(path=tmp_path / "demo.sqlite3")
        gateway.charge(charge_request())
        gateway.state.close()

        assert b"424242424242" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
