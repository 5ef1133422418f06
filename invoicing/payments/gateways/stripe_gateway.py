"""
Stripe: cards and bank accounts (us_bank_account), charged while the customer is away, by Stripe's own SDK.

The SDK retries nothing by itself: a call without an answer is an attempt that the resolver asks about.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import stripe

from invoicing.payments.gateways.minor_units import NotInMinorUnits, to_minor
from invoicing.payments.gateways.protocol import (
    Answer,
    ChargeRequest,
    GatewayBusy,
    GatewayRefused,
    MethodDetails,
    NoAnswer,
    Notice,
    RefundRequest,
)
from invoicing.payments.gateways.stripe_notices import notice_of, verified
from invoicing.payments.gateways.stripe_reading import (
    ACCOUNT,
    ACH,
    SETUP,
    Object,
    account_of_setup,
    answer_of_intent,
    answer_of_refund,
    details_of_setup,
)

TIMEOUT_SECONDS = 30
KINDS = {"CARD": "card", "ACH": ACH}
# Our clock and Stripe's need not agree to the second.
CLOCKS_DIFFER = timedelta(minutes=10)
_PAGE = 100
_ABANDONED: Any = {"cancellation_reason": "abandoned"}


class StripeGateway:
    """The Gateway protocol over a StripeClient; `http_client` is where its calls go, Stripe unless told otherwise."""

    def __init__(
        self,
        *,
        secret_key: str,
        webhook_secret: str,
        name: str = "stripe",
        http_client: stripe.HTTPClient | None = None,
    ) -> None:
        self.name = name
        self._webhook_secret = webhook_secret
        self._client = stripe.StripeClient(
            secret_key,
            http_client=http_client or stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            max_network_retries=0,
        )

    def charge(self, request: ChargeRequest) -> Answer:
        """Charge once under the key; an answer that waits for the customer is cancelled, as the customer is away."""
        params: dict[str, Any] = {
            "amount": _minor(request),
            "currency": request.currency.lower(),
            "customer": request.customer_token,
            "payment_method": request.method_token,
            "payment_method_types": [KINDS[request.kind]],
            "confirm": True,
            "off_session": True,
            "description": request.description,
            "metadata": {**request.metadata, "payment_key": request.key},
        }
        try:
            options: dict[str, Any] = {"idempotency_key": request.key}
            intent = self._ask(lambda: self._client.v1.payment_intents.create(params, options))  # type: ignore[arg-type]
        except _Declined as declined:
            return answer_of_intent(declined.intent)
        return self._settled_or_cancelled(intent)

    def find_charge(self, *, key: str, reference: str, customer_token: str, since: datetime) -> Answer | None:
        """By Stripe's name for it, else among the customer's charges since then by our key in the metadata."""
        if reference:
            intent = self._found(lambda: self._client.v1.payment_intents.retrieve(reference))
            return self._settled_or_cancelled(intent) if intent else None
        listed: dict[str, Any] = {"created": {"gte": int((since - CLOCKS_DIFFER).timestamp())}, "limit": _PAGE}
        if customer_token:
            listed["customer"] = customer_token
        for intent in self._each(lambda: self._client.v1.payment_intents.list(listed)):  # type: ignore[arg-type]
            if (intent.get("metadata") or {}).get("payment_key") == key:
                return self._settled_or_cancelled(intent)
        return None

    def refund(self, request: RefundRequest) -> Answer:
        params: dict[str, Any] = {
            "payment_intent": request.charge_reference,
            "amount": _minor(request),
            "metadata": {"refund_key": request.key},
        }
        options: dict[str, Any] = {"idempotency_key": request.key}
        return answer_of_refund(self._ask(lambda: self._client.v1.refunds.create(params, options)))  # type: ignore[arg-type]

    def find_refund(self, *, key: str, reference: str, charge_reference: str) -> Answer | None:
        if reference:
            refund = self._found(lambda: self._client.v1.refunds.retrieve(reference))
            return answer_of_refund(refund) if refund else None
        listed: dict[str, Any] = {"payment_intent": charge_reference, "limit": _PAGE}
        for refund in self._each(lambda: self._client.v1.refunds.list(listed)):  # type: ignore[arg-type]
            if (refund.get("metadata") or {}).get("refund_key") == key:
                return answer_of_refund(refund)
        return None

    def page_to_add_method(self, *, account_number: str, email: str, customer_token: str, return_to: str) -> str:
        """A Checkout session that stores a method and charges nothing; it comes back with `?session=` its name."""
        joined = "&" if "?" in return_to else "?"
        params: dict[str, Any] = {
            "mode": "setup",
            "payment_method_types": list(KINDS.values()),
            "client_reference_id": account_number,
            "setup_intent_data": {"metadata": {ACCOUNT: account_number}},
            "success_url": f"{return_to}{joined}session={{CHECKOUT_SESSION_ID}}",
            "cancel_url": return_to,
        }
        if customer_token:
            params["customer"] = customer_token
        else:
            params |= {"customer_creation": "always"} | ({"customer_email": email} if email else {})
        return str(self._ask(lambda: self._client.v1.checkout.sessions.create(params))["url"])  # type: ignore[arg-type]

    def added_method(self, reference: str) -> MethodDetails | None:
        """
        By the page, or by the set-up that it made: of a bank account that is verified days after the page was left, its
        success is all that Stripe tells (https://docs.stripe.com/payments/ach-direct-debit/set-up-payment).
        """
        if reference.startswith(SETUP):
            return self._entered_by(reference)
        expanded: dict[str, Any] = {"expand": ["setup_intent.payment_method"]}
        found = self._found(lambda: self._client.v1.checkout.sessions.retrieve(reference, expanded))  # type: ignore[arg-type]
        if not found or found.get("status") != "complete":
            return None
        setup = {"customer": found.get("customer"), **(found.get("setup_intent") or {})}
        return details_of_setup(setup, account_number=found.get("client_reference_id") or "")

    def _entered_by(self, setup: str) -> MethodDetails | None:
        expanded: dict[str, Any] = {"expand": ["payment_method"]}
        found = self._found(lambda: self._client.v1.setup_intents.retrieve(setup, expanded))  # type: ignore[arg-type]
        return details_of_setup(found, account_number=account_of_setup(found)) if found else None

    def forget_method(self, token: str) -> None:
        """Detached from its customer, a method cannot be charged any more."""
        try:
            self._ask(lambda: self._client.v1.payment_methods.detach(token))
        except GatewayRefused:
            # As it does what is detached already.
            kept = self._found(lambda: self._client.v1.payment_methods.retrieve(token))
            if kept and kept.get("customer"):
                raise

    def read_notice(self, body: bytes, signature: str, *, now: datetime) -> Notice:
        return notice_of(verified(body, signature, secret=self._webhook_secret, now=now))

    def read_stored_notice(self, body: str) -> Notice:
        return notice_of(body.encode())

    def _settled_or_cancelled(self, intent: Object) -> Answer:
        """An intent left waiting for the customer could be paid weeks later, beside the next attempt."""
        if intent["status"] != "requires_action":
            return answer_of_intent(intent)
        try:
            self._ask(lambda: self._client.v1.payment_intents.cancel(intent["id"], _ABANDONED))
        except GatewayRefused:
            # It went on in the meantime, and is what it is now.
            return answer_of_intent(self._ask(lambda: self._client.v1.payment_intents.retrieve(intent["id"])))
        return answer_of_intent(intent)

    def _ask(self, call: Callable[[], Any]) -> dict[str, Any]:
        with _translated():
            return dict(call().to_dict())

    def _found(self, call: Callable[[], Any]) -> dict[str, Any] | None:
        """None where Stripe knows of no such thing."""
        with _translated():
            try:
                return dict(call().to_dict())
            except stripe.InvalidRequestError as error:
                if error.code == "resource_missing":
                    return None
                raise

    def _each(self, call: Callable[[], Any]) -> Iterator[dict[str, Any]]:
        with _translated():
            for each in call().auto_paging_iter():
                yield each.to_dict()


class _Declined(Exception):
    def __init__(self, intent: Object) -> None:
        self.intent = intent
        super().__init__("The bank declined.")


def _minor(request: ChargeRequest | RefundRequest) -> int:
    try:
        return to_minor(request.amount, request.currency)
    except NotInMinorUnits as error:
        raise GatewayRefused(str(error)) from error


@contextmanager
def _translated() -> Iterator[None]:
    """
    Stripe's errors as what they mean for money.

    Of an error that says nothing about what was done (no reply, an error of Stripe's own, the same key at work in
    another process, or used before with other figures) the answer is that there is none: a charge may exist under the
    key. Too many requests at once were not taken.
    """
    try:
        yield
    except stripe.CardError as error:
        intent = (error.json_body or {}).get("error", {}).get("payment_intent")  # type: ignore[attr-defined]
        if intent is None:
            raise GatewayRefused(_sentence(error)) from error
        raise _Declined({**intent, "last_payment_error": error.json_body["error"]}) from error  # type: ignore[index]
    except stripe.RateLimitError as error:
        raise GatewayBusy(_sentence(error)) from error
    except (stripe.InvalidRequestError, stripe.AuthenticationError, stripe.PermissionError) as error:
        raise GatewayRefused(_sentence(error)) from error
    except stripe.StripeError as error:
        raise NoAnswer(_sentence(error)) from error


def _sentence(error: stripe.StripeError) -> str:
    return f"Stripe: {error.user_message or type(error).__name__}"
