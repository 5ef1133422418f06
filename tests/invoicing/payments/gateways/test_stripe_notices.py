"""What Stripe's events say in our words: as the demo gateway makes them, or as Stripe documents them."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from stripe import WebhookSignature

from invoicing.payments.gateways.protocol import About, Forged, Outcome
from invoicing.payments.gateways.stripe_notices import notice_of, sign, verified
from tests.invoicing.payments.gateways.demo_gateways import (
    NOW,
    charge_request,
    make_gateway,
    notices,
    refund_request,
)


def of_types(gateway, about: About, after: int = 0) -> dict:
    return {notice.type: notice for notice in notices(gateway, after) if notice.about == about}


def event(type_: str, **of) -> bytes:
    return json.dumps({"id": "evt_1", "type": type_, "created": 1_700_000_000, "data": {"object": of}}).encode()


DISPUTE = {"id": "du_1", "amount": 500, "currency": "usd", "payment_intent": "pi_1", "status": "needs_response"}


class TestAPayment:
    def test_that_succeeded_has_its_names_and_what_was_taken(self):
        gateway = make_gateway()
        answer = gateway.charge(charge_request("payment-7"))

        notice = of_types(gateway, About.PAYMENT)["payment_intent.succeeded"]

        assert (notice.reference, notice.key, notice.answer) == (answer.reference, "payment-7", answer)
        assert notice.made_at == NOW

    def test_that_was_declined_has_the_same_answer_as_the_call(self):
        gateway = make_gateway()
        answer = gateway.charge(charge_request(does="card-decline.stolen_card"))

        assert of_types(gateway, About.PAYMENT)["payment_intent.payment_failed"].answer == answer

    def test_that_waits_for_the_customer_is_cancelled_with_the_same_answer(self):
        gateway = make_gateway()
        answer = gateway.charge(charge_request(does="card-action"))

        assert of_types(gateway, About.PAYMENT)["payment_intent.canceled"].answer == answer

    def test_of_a_debit_is_pending_and_settles_days_later(self):
        gateway = make_gateway()
        gateway.charge(charge_request(does="ach-ok"))
        gateway.clock.advance(timedelta(days=5))
        gateway.pass_time()

        told = of_types(gateway, About.PAYMENT)

        assert {type_: notice.answer.outcome for type_, notice in told.items()} == {
            "payment_intent.processing": Outcome.PENDING,
            "payment_intent.succeeded": Outcome.SUCCEEDED,
        }
        assert told["payment_intent.succeeded"].made_at == NOW + timedelta(days=4), "when it happened"

    def test_of_a_debit_that_came_back_before_it_settled_fails_with_the_banks_code(self):
        gateway = make_gateway()
        gateway.charge(charge_request(does="ach-fail.R02"))
        gateway.clock.advance(timedelta(days=5))
        gateway.pass_time()

        answer = of_types(gateway, About.PAYMENT)["payment_intent.payment_failed"].answer
        assert (answer.outcome, answer.code, answer.hard) == (Outcome.FAILED, "R02", True)

    def test_that_the_network_wants_never_tried_again_is_for_good_whatever_its_code(self):
        error = {"code": "card_declined", "decline_code": "generic_decline", "advice_code": "do_not_try_again"}
        declined = {"id": "pi_1", "amount": 500, "currency": "usd", "status": "requires_payment_method"}

        notice = notice_of(event("payment_intent.payment_failed", **declined, last_payment_error=error))

        assert (notice.answer.code, notice.answer.hard) == ("generic_decline", True)

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("account_closed", "R02"), ("bank_account_invalid_details", "R03"), ("recipient_deceased", "R15"),
            ("bank_account_frozen", "R16"), ("bank_account_restricted", "R20"),
        ],
    )  # fmt: skip
    def test_with_stripes_own_name_of_a_return_has_the_banks_code(self, name, code):
        error = {"code": name, "payment_method": {"type": "us_bank_account"}, "message": "Closed."}

        notice = notice_of(
            event(
                "payment_intent.payment_failed", id="pi_1", amount=500, currency="usd",
                status="requires_payment_method", last_payment_error=error,
            )
        )  # fmt: skip

        assert (notice.answer.code, notice.answer.hard) == (code, True)

    def test_in_another_currency_has_that_currencys_places(self):
        notice = notice_of(
            event("payment_intent.succeeded", id="pi_1", amount=500, amount_received=500, currency="jpy",
                  status="succeeded")
        )  # fmt: skip

        assert (notice.answer.amount, notice.answer.currency) == (Decimal(500), "JPY")

    def test_of_which_less_was_received_says_so(self):
        notice = notice_of(
            event("payment_intent.succeeded", id="pi_1", amount=500, amount_received=400, currency="usd",
                  status="succeeded")
        )  # fmt: skip

        assert notice.answer.amount == Decimal("4.00")


class TestAReturn:
    """A debit that settled and came back: with Stripe a dispute of a bank account's reasons."""

    @pytest.mark.parametrize("code", ["R01", "R02", "R03", "R10", "R29"])
    def test_has_the_banks_code_and_the_payments_name(self, code):
        gateway = make_gateway()
        charge = gateway.charge(charge_request(does="ach-ok")).reference
        gateway.settle(charge)
        dispute = gateway.return_debit(charge, code)

        told = of_types(gateway, About.RETURN)

        assert set(told) == {
            "charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed",
        }  # fmt: skip
        for notice in told.values():
            assert (notice.reference, notice.code, notice.dispute_reference) == (charge, code, dispute)
            assert (notice.amount, notice.currency, notice.dispute_state) == (Decimal("12.34"), "USD", "LOST")

    @pytest.mark.parametrize(
        ("reason", "code"),
        [
            ("insufficient_funds", "R01"),
            ("incorrect_account_details", "R03"),
            ("customer_initiated", "R08"),
            ("debit_not_authorized", "R10"),
            ("bank_cannot_process", "R17"),
        ],
    )
    def test_has_the_code_that_fits_stripes_reason(self, reason, code):
        notice = notice_of(event("charge.dispute.created", **DISPUTE, reason=reason))

        assert (notice.about, notice.code) == (About.RETURN, code)

    def test_is_foretold_by_the_methods_token(self):
        gateway = make_gateway()
        gateway.charge(charge_request(does="ach-return.R07"))
        gateway.clock.advance(timedelta(days=60))
        gateway.pass_time()

        assert {notice.code for notice in of_types(gateway, About.RETURN).values()} == {"R07"}


class TestAChargeback:
    def test_is_opened_and_won(self):
        gateway = make_gateway()
        charge = gateway.charge(charge_request()).reference
        dispute = gateway.open_dispute(charge, "fraudulent", amount=Decimal("5"))
        opened = of_types(gateway, About.CHARGEBACK)["charge.dispute.created"]
        gateway.close_dispute(dispute, won=True)

        assert (opened.reference, opened.dispute_reference, opened.dispute_state) == (charge, dispute, "OPEN")
        assert (opened.amount, opened.currency, opened.reason) == (Decimal("5.00"), "USD", "fraudulent")
        assert opened.answer_by_at == NOW + timedelta(days=7)
        told = of_types(gateway, About.CHARGEBACK)
        assert told["charge.dispute.closed"].dispute_state == "WON"
        assert told["charge.dispute.funds_reinstated"].dispute_state == "WON"

    def test_is_lost(self):
        gateway = make_gateway()
        gateway.close_dispute(gateway.open_dispute(gateway.charge(charge_request()).reference), won=False)

        told = of_types(gateway, About.CHARGEBACK)
        assert told["charge.dispute.closed"].dispute_state == "LOST"
        assert "charge.dispute.funds_reinstated" not in told

    def test_of_a_card_is_none_of_a_bank_account_whatever_its_reason(self):
        card = {"payment_method_details": {"type": "card"}, "reason": "insufficient_funds"}

        assert notice_of(event("charge.dispute.created", **DISPUTE, **card)).about is About.CHARGEBACK

    @pytest.mark.parametrize("status", ["warning_needs_response", "warning_under_review", "warning_closed"])
    def test_is_no_inquiry_which_takes_no_money(self, status):
        inquiry = {**DISPUTE, "status": status, "reason": "fraudulent"}

        assert notice_of(event("charge.dispute.created", **inquiry)).about is About.OTHER

    def test_that_is_appealed_is_lost_until_it_is_won(self):
        appealed = {**DISPUTE, "status": "appeal_under_review", "reason": "fraudulent"}

        assert notice_of(event("charge.dispute.updated", **appealed)).dispute_state == "LOST"


class TestARefund:
    def test_has_its_own_key_and_the_payments_name(self):
        gateway = make_gateway()
        charge = gateway.charge(charge_request()).reference
        answer = gateway.refund(refund_request(charge, "refund-9", "4"))

        notice = of_types(gateway, About.REFUND)["refund.created"]

        assert (notice.reference, notice.key, notice.answer) == (charge, "refund-9", answer)

    def test_that_failed_says_why(self):
        gateway = make_gateway()
        charge = gateway.charge(charge_request()).reference
        gateway.fail_refund(gateway.refund(refund_request(charge)).reference)

        answer = of_types(gateway, About.REFUND)["refund.failed"].answer
        assert (answer.outcome, answer.code) == (Outcome.FAILED, "lost_or_stolen_card")
        assert answer.message == "The refund failed: lost or stolen card."

    def test_of_a_charge_is_known_by_the_charges_event_where_that_names_it(self):
        refund = {"id": "re_1", "amount": 100, "currency": "usd", "status": "succeeded", "created": 5}
        older = {**refund, "id": "re_0", "created": 4}

        named = notice_of(event("charge.refunded", id="ch_1", payment_intent="pi_1", refunds={"data": [older, refund]}))
        bare = notice_of(event("charge.refunded", id="ch_1", payment_intent="pi_1", amount_refunded=100))

        assert (named.about, named.reference, named.answer.reference) == (About.REFUND, "pi_1", "re_1")
        assert bare.about is About.OTHER, "the refund's own event says it"


class TestOthers:
    def test_a_method_was_added_on_a_page_of_ours(self):
        gateway = make_gateway()
        page = gateway.page_to_add_method(account_number="B-1", email="", customer_token="", return_to="https://x/")
        session = page.rstrip("/").rpartition("/")[2]
        gateway.complete_page(session)

        told = of_types(gateway, About.METHOD)

        assert (told["checkout.session.completed"].reference, told["checkout.session.completed"].key) == (
            session,
            "B-1",
        )
        # A bank account that had to be verified is told of by nothing else.
        assert (told["setup_intent.succeeded"].reference[:5], told["setup_intent.succeeded"].key) == ("seti_", "B-1")

    def test_a_set_up_that_is_none_of_ours_names_no_account(self):
        assert notice_of(event("setup_intent.succeeded", id="seti_1", metadata={})).key == ""

    def test_a_page_that_took_a_payment_is_none_of_ours(self):
        assert notice_of(event("checkout.session.completed", id="cs_1", mode="payment")).about is About.OTHER

    @pytest.mark.parametrize("type_", ["charge.succeeded", "payment_intent.created", "something.of.tomorrow"])
    def test_any_other_type_says_only_which_it_is(self, type_):
        notice = notice_of(event(type_, surprise=1))

        assert (notice.about, notice.type, notice.event_id) == (About.OTHER, type_, "evt_1")
        assert notice.made_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)

    @pytest.mark.parametrize(
        "of", [{}, {"id": "pi_1"}, {"id": "pi_1", "status": "succeeded", "amount": "x", "currency": "usd"}]
    )
    def test_a_known_type_of_another_shape_is_said_to_be_unreadable(self, of):
        notice = notice_of(event("payment_intent.succeeded", **of))

        assert notice.about is About.UNREADABLE
        assert notice.reason


class TestTheSignature:
    def test_is_stripes_own(self):
        """As `stripe.WebhookSignature` makes and checks it."""
        from_stripe = "t=1700000000,v1=" + "7a04f1e1a1f76ce4cbd6c1c8a6ec7a8b2c1f3d5e9b7a6c5d4e3f2a1b0c9d8e7f"
        body, secret = b'{"a": "\xc3\xa9"}', "whsec_1"
        at = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)

        ours = sign(body, secret=secret, at=at)

        assert ours == WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=1_700_000_000)
        assert verified(body, ours, secret=secret, now=at) == body
        with pytest.raises(Forged):
            verified(body, from_stripe, secret=secret, now=at)

    def test_may_be_made_with_the_old_secret_or_the_new_one_while_it_is_changed(self):
        body, both = event("x"), "whsec_old, whsec_new"

        for secret in ("whsec_old", "whsec_new"):
            assert verified(body, sign(body, secret=secret, at=NOW), secret=both, now=NOW) == body
        for secret in ("whsec_other", "", both):
            with pytest.raises(Forged, match="not made over this body"):
                verified(body, sign(body, secret=secret, at=NOW), secret=both, now=NOW)
        with pytest.raises(Forged, match="set STRIPE_WEBHOOK_SECRET"):
            verified(body, sign(body, secret="", at=NOW), secret=" , ", now=NOW)

    def test_stays_with_its_body_to_the_byte(self):
        body = event("x")
        signature = sign(body, secret="whsec_1", at=NOW)

        with pytest.raises(Forged, match="not made over this body"):
            verified(body + b" ", signature, secret="whsec_1", now=NOW)

    def test_a_stored_notice_says_the_same_without_it(self):
        gateway = make_gateway()
        gateway.charge(charge_request())
        sent = gateway.events_since()[-1]

        told = gateway.read_notice(sent.body, sent.signature, now=NOW)

        assert gateway.read_stored_notice(sent.body.decode()) == told
