"""The Stripe adapter through Stripe's own SDK, over the demo gateway's HTTP client: no network."""

import json
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import unquote

import pytest
import stripe

from invoicing.payments.gateways.demo_bank import invalid
from invoicing.payments.gateways.demo_pages import DemoPages
from invoicing.payments.gateways.protocol import (
    Answer,
    GatewayBusy,
    GatewayRefused,
    NoAnswer,
    Outcome,
)
from invoicing.payments.gateways.stripe_gateway import StripeGateway
from tests.invoicing.payments.gateways.demo_gateways import (
    CUSTOMER,
    NOW,
    charge_request,
    make_gateway,
    refund_request,
)


class Canned(stripe.HTTPClient):
    """Answers each call with the same reply, or error, and keeps what was asked."""

    name = "canned"

    def __init__(self, status=200, body=None, error=None):
        super().__init__()
        self.reply, self.error, self.asked = (json.dumps(body or {}), status, {}), error, []

    def request(self, method, url, headers, post_data=None, **_):
        self.asked.append((method, url, dict(headers), post_data))
        if self.error:
            raise self.error
        return self.reply


def stripe_that_answers(status=200, body=None, error=None) -> tuple[StripeGateway, Canned]:
    client = Canned(status, body, error)
    return StripeGateway(secret_key="sk_test_x", webhook_secret="whsec_x", http_client=client), client


INTENT = {"id": "pi_1", "object": "payment_intent", "amount": 1234, "currency": "usd", "status": "succeeded"}


class TestCharge:
    def test_sends_the_key_the_metadata_and_minor_units_once(self):
        gateway, client = stripe_that_answers(body={**INTENT, "amount": 500, "currency": "jpy"})

        answer = gateway.charge(
            charge_request("payment-7", amount="500", currency="JPY", metadata={"account_number": "B-1"})
        )

        ((method, url, headers, sent),) = client.asked
        assert (method, url) == ("post", "https://api.stripe.com/v1/payment_intents")
        assert headers["Idempotency-Key"] == "payment-7"
        assert set(sent.split("&")) >= {
            "amount=500",
            "currency=jpy",
            "confirm=true",
            "off_session=true",
            "metadata[payment_key]=payment-7",
            "metadata[account_number]=B-1",
        }
        assert answer == Answer(Outcome.SUCCEEDED, "pi_1", Decimal(500), "JPY")

    def test_succeeds(self):
        answer = make_gateway().charge(charge_request())

        assert (answer.outcome, answer.amount, answer.currency) == (Outcome.SUCCEEDED, Decimal("12.34"), "USD")
        assert answer.reference.startswith("pi_demo")

    @pytest.mark.parametrize(
        ("code", "hard"),
        [
            ("insufficient_funds", False),
            ("do_not_honor", False),
            ("a_code_of_tomorrow", False),
            ("stolen_card", True),
            ("lost_card", True),
            ("pickup_card", True),
            ("expired_card", True),
        ],
    )
    def test_a_decline_has_its_code_and_says_whether_it_is_for_good(self, code, hard):
        answer = make_gateway().charge(charge_request(does=f"card-decline.{code}"))

        assert (answer.outcome, answer.code, answer.hard) == (Outcome.FAILED, code, hard)
        assert answer.message
        assert answer.reference.startswith("pi_demo")

    def test_what_waits_for_the_customer_has_failed_and_is_cancelled(self):
        gateway = make_gateway()

        answer = gateway.charge(charge_request(does="card-action"))

        assert (answer.outcome, answer.code, answer.hard) == (Outcome.FAILED, "authentication_required", False)
        assert [intent["status"] for intent in gateway.charges()] == ["canceled"]

    def test_what_waits_for_the_customer_says_the_same_when_it_is_sent_or_looked_up_again(self):
        gateway = make_gateway()
        first = gateway.charge(charge_request(does="card-action"))

        assert gateway.charge(charge_request(does="card-action")) == first
        assert gateway.find_charge(key="payment-1", reference="", customer_token=CUSTOMER, since=NOW) == first

    def test_a_debit_is_pending_until_it_settles(self):
        gateway = make_gateway()
        answer = gateway.charge(charge_request(does="ach-ok"))
        assert answer.outcome is Outcome.PENDING

        gateway.clock.advance(timedelta(days=4))
        gateway.pass_time()

        found = gateway.find_charge(key="", reference=answer.reference, customer_token=CUSTOMER, since=NOW)
        assert found.outcome is Outcome.SUCCEEDED

    @pytest.mark.parametrize(("code", "hard"), [("R01", False), ("R09", False), ("R02", True), ("R10", True)])
    def test_a_debit_that_comes_back_before_it_settles_fails_with_the_banks_code(self, code, hard):
        gateway = make_gateway()
        answer = gateway.charge(charge_request(does="ach-ok"))

        gateway.fail_debit(answer.reference, code)

        found = gateway.find_charge(key="", reference=answer.reference, customer_token=CUSTOMER, since=NOW)
        assert (found.outcome, found.code, found.hard) == (Outcome.FAILED, code, hard)

    def test_of_a_bank_account_that_stripe_blocked_is_for_good_and_says_so_in_the_banks_code(self):
        """docs.stripe.com/payments/ach-direct-debit/blocked-bank-accounts: 402, and no debit is sent to the bank."""
        intent = {**INTENT, "status": "requires_payment_method", "payment_method_types": ["us_bank_account"]}
        error = {"type": "card_error", "code": "bank_account_unusable", "message": "Blocked.", "payment_intent": intent}
        gateway, _ = stripe_that_answers(402, {"error": error})

        answer = gateway.charge(charge_request(does="ach-ok"))

        assert (answer.outcome, answer.code, answer.hard) == (Outcome.FAILED, "R03", True)

    @pytest.mark.parametrize(
        ("status", "error", "expected"),
        [
            (400, {"type": "invalid_request_error", "message": "No such customer"}, GatewayRefused),
            (401, {"type": "invalid_request_error", "message": "Invalid API Key"}, GatewayRefused),
            (403, {"type": "invalid_request_error", "message": "Not allowed"}, GatewayRefused),
            (429, {"type": "invalid_request_error", "message": "Too many requests"}, GatewayBusy),
            (400, {"type": "idempotency_error", "message": "Other parameters"}, NoAnswer),
            (409, {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "In use"}, NoAnswer),
            (500, {"type": "api_error", "message": "An error of ours"}, NoAnswer),
            (503, {"type": "api_error", "message": "Away"}, NoAnswer),
        ],
    )
    def test_an_error_says_whether_something_may_have_been_charged(self, status, error, expected):
        gateway, client = stripe_that_answers(status, {"error": error})

        with pytest.raises(expected, match=f"Stripe: {error['message']}"):
            gateway.charge(charge_request())
        assert len(client.asked) == 1, "the resolver asks again, not the SDK"

    def test_a_dead_line_is_no_answer(self):
        gateway, _ = stripe_that_answers(error=stripe.APIConnectionError("timed out", should_retry=True))

        with pytest.raises(NoAnswer):
            gateway.charge(charge_request())

    def test_half_a_reply_is_no_answer(self):
        gateway, client = stripe_that_answers()
        client.reply = ('{"id": "pi_', 200, {})

        with pytest.raises(NoAnswer):
            gateway.charge(charge_request())

    @pytest.mark.parametrize("amount", ["12.345", "0", "-1"])
    def test_an_amount_that_cannot_be_charged_is_not_sent(self, amount):
        gateway, client = stripe_that_answers(body=INTENT)

        with pytest.raises(GatewayRefused, match="cannot be charged"):
            gateway.charge(charge_request(amount=amount))
        assert client.asked == []

    @pytest.mark.parametrize("does", ["card-ok", "ach-ok"])
    def test_a_token_of_the_other_kind_is_refused(self, does):
        other = "ACH" if does == "card-ok" else "CARD"

        with pytest.raises(GatewayRefused):
            make_gateway().charge(charge_request(does=does, kind=other))


class TestFindCharge:
    @pytest.mark.parametrize("customer", [CUSTOMER, ""])
    def test_finds_it_by_our_key_among_hundreds(self, customer):
        gateway = make_gateway()
        first = gateway.charge(charge_request("payment-0"))
        for number in range(1, 250):
            gateway.charge(charge_request(f"payment-{number}"))

        found = gateway.find_charge(key="payment-0", reference="", customer_token=customer, since=NOW)

        assert found == first

    def test_none_where_there_is_none(self):
        gateway = make_gateway()
        gateway.charge(charge_request("payment-1"))

        assert gateway.find_charge(key="payment-2", reference="", customer_token=CUSTOMER, since=NOW) is None
        assert gateway.find_charge(key="", reference="pi_none", customer_token=CUSTOMER, since=NOW) is None

    def test_looks_no_further_back_than_asked_to_but_for_clocks_that_differ(self):
        gateway = make_gateway()
        gateway.charge(charge_request())

        def found(since):
            return gateway.find_charge(key="payment-1", reference="", customer_token=CUSTOMER, since=since)

        assert found(NOW + timedelta(minutes=9))
        assert found(NOW + timedelta(minutes=11)) is None

    def test_a_decline_is_found_with_its_code(self):
        gateway = make_gateway()
        answer = gateway.charge(charge_request(does="card-decline.lost_card"))

        assert gateway.find_charge(key="payment-1", reference="", customer_token=CUSTOMER, since=NOW) == answer


class TestRefund:
    def test_goes_back_in_parts_and_never_more_than_was_paid(self):
        gateway = make_gateway()
        charge = gateway.charge(charge_request(amount="10")).reference

        answer = gateway.refund(refund_request(charge, "refund-1", "4"))
        assert (answer.outcome, answer.amount, answer.currency) == (Outcome.SUCCEEDED, Decimal("4.00"), "USD")
        assert gateway.refund(refund_request(charge, "refund-1", "4")) == answer, "the same key again"
        with pytest.raises(GatewayRefused, match="greater than what is left"):
            gateway.refund(refund_request(charge, "refund-2", "6.01"))
        assert gateway.refund(refund_request(charge, "refund-3", "6")).outcome is Outcome.SUCCEEDED

    def test_of_a_debit_is_pending_for_some_days(self):
        gateway = make_gateway()
        charge = gateway.charge(charge_request(does="ach-ok")).reference
        gateway.settle(charge)
        answer = gateway.refund(refund_request(charge))
        assert answer.outcome is Outcome.PENDING

        gateway.clock.advance(timedelta(days=4))
        gateway.pass_time()

        found = gateway.find_refund(key="", reference=answer.reference, charge_reference=charge)
        assert found.outcome is Outcome.SUCCEEDED

    def test_one_that_fails_is_found_by_our_key_with_its_reason(self):
        gateway = make_gateway()
        charge = gateway.charge(charge_request()).reference
        gateway.fail_refund(gateway.refund(refund_request(charge)).reference)

        found = gateway.find_refund(key="refund-1", reference="", charge_reference=charge)

        assert (found.outcome, found.code) == (Outcome.FAILED, "lost_or_stolen_card")
        assert gateway.find_refund(key="refund-2", reference="", charge_reference=charge) is None

    def test_of_a_charge_that_was_taken_back_is_refused(self):
        gateway = make_gateway()
        charge = gateway.charge(charge_request()).reference
        gateway.open_dispute(charge)

        with pytest.raises(GatewayRefused, match="taken back"):
            gateway.refund(refund_request(charge))


class TestAddingAMethod:
    def page(self, gateway, **values):
        given = {"account_number": "B-1", "email": "ap@acme.example", "customer_token": ""}
        address = gateway.page_to_add_method(**(given | values), return_to="https://billing.example/methods/")
        return address.rstrip("/").rpartition("/")[2]

    def test_nothing_is_added_while_nothing_was_entered(self):
        gateway = make_gateway()

        assert gateway.added_method(self.page(gateway)) is None
        assert gateway.added_method("cs_none") is None

    def test_a_card_is_a_token_and_what_may_be_shown_of_it(self):
        gateway = make_gateway()
        session = self.page(gateway)

        back = gateway.complete_page(
            session, brand="mastercard", last4="4444", funding="debit", exp_year=2028, exp_month=2
        )

        added = gateway.added_method(session)
        assert back == f"https://billing.example/methods/?session={session}"
        assert (added.kind, added.brand, added.last_four, added.funding) == ("CARD", "Mastercard", "4444", "DEBIT")
        assert (added.expires_on, added.account_number) == (date(2028, 2, 29), "B-1")
        assert added.customer_token.startswith("cus_demo")
        paid = gateway.charge(charge_request(method_token=added.token, customer_token=added.customer_token))
        assert paid.outcome is Outcome.SUCCEEDED

    def test_a_bank_account_is_added_for_the_same_customer(self):
        gateway = make_gateway()
        session = self.page(gateway, customer_token=CUSTOMER)

        gateway.complete_page(session, "ach-ok", bank_name="HARBOR BANK", last4="0042")

        added = gateway.added_method(session)
        assert (added.kind, added.brand, added.last_four, added.customer_token) == (
            "ACH", "HARBOR BANK", "0042", CUSTOMER,
        )  # fmt: skip

    def test_a_bank_account_that_is_still_to_be_verified_is_not_ready(self):
        """The page is complete when the owner has typed a number in; the cent with the code comes days later."""
        gateway = make_gateway()
        session = self.page(gateway)
        gateway.complete_unverified(session)
        setup = gateway.page(session)["setup_intent"]["id"]

        assert not gateway.added_method(session).is_ready
        assert not gateway.added_method(setup).is_ready
        gateway.verify_method(session)
        assert gateway.added_method(session).is_ready
        assert gateway.added_method(setup) == gateway.added_method(session)

    def test_carries_the_accounts_number_on_what_it_sets_up(self):
        """Of a page's own metadata the set-up that it makes has nothing (SessionCreateParams.setup_intent_data)."""
        session = {"id": "cs_1", "object": "checkout.session", "url": "https://checkout.example/cs_1"}
        gateway, client = stripe_that_answers(body=session)

        self.page(gateway)

        ((_, _, _, sent),) = client.asked
        assert "setup_intent_data[metadata][account_number]=B-1" in unquote(sent)

    def test_a_set_up_that_is_none_of_ours_is_no_accounts(self):
        gateway = make_gateway()

        assert gateway.added_method("seti_none") is None

    def test_another_customers_method_is_refused(self):
        gateway = make_gateway()
        session = self.page(gateway)
        gateway.complete_page(session)
        token = gateway.added_method(session).token

        with pytest.raises(GatewayRefused, match="does not have a payment method"):
            gateway.charge(charge_request(method_token=token))

    def test_charges_nothing(self):
        """FEE-3."""
        gateway = make_gateway()
        gateway.complete_page(self.page(gateway))

        assert gateway.charges() == []


class TestForgettingAMethod:
    def test_is_charged_no_more(self):
        gateway = make_gateway()
        gateway.charge(charge_request())

        gateway.forget_method("pm_demo-card-ok-1")

        with pytest.raises(GatewayRefused, match="does not have a payment method"):
            gateway.charge(charge_request("payment-2"))

    @pytest.mark.parametrize("token", ["pm_demo-card-ok-1", "pm_of_nobody"])
    def test_again_or_of_one_that_is_not_there_is_no_error(self, token):
        gateway = make_gateway()
        gateway.forget_method("pm_demo-card-ok-1")

        gateway.forget_method(token)

    def test_one_that_stays_attached_is_said_to_be_kept(self, monkeypatch):
        gateway = make_gateway()
        monkeypatch.setattr(DemoPages, "detach", lambda self, name: _refuse())

        with pytest.raises(GatewayRefused, match="Not now"):
            gateway.forget_method("pm_demo-card-ok-1")


def _refuse():
    raise invalid("Not now.")
