"""Stripe's objects as the demo gateway makes them, and what a demo token says about itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invoicing.payments.gateways.declines import return_code
from invoicing.payments.gateways.stripe_reading import ACH

Json = dict[str, Any]

_TOKEN = re.compile(
    r"pm_demo-(?P<kind>card|ach)-(?P<does>ok|action|decline|dispute|fail|return)(?:\.(?P<code>\w+))?(?:-\w+)*"
)
_MESSAGES = {
    "authentication_required": "The bank wants the cardholder to confirm the payment.",
    "do_not_honor": "The card was declined by the bank, without a reason.",
    "expired_card": "The card has expired.",
    "insufficient_funds": "The card has insufficient funds.",
    "lost_card": "The card was declined.",
    "stolen_card": "The card was declined.",
}
# Of the bank's codes these have a name with Stripe; the others stand in the dispute as they are.
_REASONS = {
    "R01": "insufficient_funds",
    "R03": "incorrect_account_details",
    "R04": "incorrect_account_details",
    "R08": "customer_initiated",
    "R10": "debit_not_authorized",
}


@dataclass(frozen=True)
class Behaviour:
    """What the bank does with a method: `ok`, or which trouble with which code."""

    kind: str
    does: str
    code: str = ""


def behaviour_of(token: str) -> Behaviour | None:
    """
    A demo token says what comes of it: `pm_demo-card-ok-17`, `pm_demo-card-decline.insufficient_funds`,
    `pm_demo-card-action`, `pm_demo-card-dispute.fraudulent`, `pm_demo-ach-ok`, `pm_demo-ach-fail.R01`,
    `pm_demo-ach-return.R10`. What follows the last dash tells them apart and means nothing.
    """
    found = _TOKEN.fullmatch(token)
    return Behaviour(found["kind"], found["does"], found["code"] or "") if found else None


def method_object(token: str, behaviour: Behaviour, *, customer: str, created: int, shown: Mapping[str, Any]) -> Json:
    """A PaymentMethod; `shown` changes what is shown of the card or bank account."""
    body: Json = {"id": token, "object": "payment_method", "created": created, "customer": customer}
    if behaviour.kind == "ach":
        return body | {"type": ACH, ACH: {"bank_name": "FIRST HARBOR BANK", "last4": "6789"} | dict(shown)}
    card = {"brand": "visa", "last4": "4242", "funding": "credit", "exp_month": 12, "exp_year": 2034}
    return body | {"type": "card", "card": card | dict(shown)}


def intent_object(name: str, params: Mapping[str, Any], *, created: int, status: str) -> Json:
    amount = int(params["amount"])
    return {
        "id": name,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": amount if status == "succeeded" else 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "created": created,
        "currency": params["currency"],
        "customer": params["customer"],
        "description": params.get("description"),
        "last_payment_error": None,
        "latest_charge": name.replace("pi_", "ch_", 1),
        "livemode": False,
        "metadata": dict(params.get("metadata") or {}),
        "payment_method": params["payment_method"],
        "payment_method_types": list((params.get("payment_method_types") or {"0": "card"}).values()),
        "status": status,
    }


def charge_object(intent: Mapping[str, Any], *, refunded: int = 0) -> Json:
    """The charge that an intent made."""
    return {
        "id": intent["latest_charge"],
        "object": "charge",
        "amount": intent["amount"],
        "amount_refunded": refunded,
        "created": intent["created"],
        "currency": intent["currency"],
        "customer": intent["customer"],
        "metadata": intent["metadata"],
        "payment_intent": intent["id"],
        "refunded": refunded == intent["amount"],
        "status": "succeeded",
    }


def card_error(code: str, method: Json) -> Json:
    """The error of a decline, as it stands in the reply and in the intent."""
    own = code if code in {"authentication_required", "expired_card"} else "card_declined"
    message = _MESSAGES.get(code, f"The card was declined: {code.replace('_', ' ')}.")
    return {"type": "card_error", "code": own, "decline_code": code, "message": message, "payment_method": method}


def bank_error(code: str, method: Json) -> Json:
    """The error of a debit that the bank sent back before it settled."""
    return {
        "type": "invalid_request_error",
        "code": "payment_intent_payment_attempt_failed",
        "network_decline_code": return_code(code),
        "message": f"The bank returned the debit ({return_code(code)}).",
        "payment_method": method,
    }


def refund_object(
    name: str, params: Mapping[str, Any], intent: Mapping[str, Any], *, created: int, status: str
) -> Json:
    return {
        "id": name,
        "object": "refund",
        "amount": int(params["amount"]),
        "charge": intent["latest_charge"],
        "created": created,
        "currency": intent["currency"],
        "failure_reason": None,
        "metadata": dict(params.get("metadata") or {}),
        "payment_intent": intent["id"],
        "status": status,
    }


def dispute_object(name: str, intent: Mapping[str, Any], *, created: int, reason: str, amount: int) -> Json:
    """A chargeback, answered within seven days."""
    return {
        "id": name,
        "object": "dispute",
        "amount": amount,
        "charge": intent["latest_charge"],
        "created": created,
        "currency": intent["currency"],
        "evidence_details": {"due_by": created + 7 * 86_400, "has_evidence": False, "past_due": False},
        "metadata": {},
        "payment_intent": intent["id"],
        "payment_method_details": {"type": "card", "card": {"brand": "visa"}},
        "reason": reason,
        "status": "needs_response",
    }


def return_object(name: str, intent: Mapping[str, Any], *, created: int, code: str) -> Json:
    """A settled debit that the bank took back: with Stripe a dispute that is lost from the start."""
    reason = _REASONS.get(code, "bank_cannot_process")
    made = dispute_object(name, intent, created=created, reason=reason, amount=intent["amount"])
    del made["payment_method_details"]
    return made | {"status": "lost", "evidence_details": {"due_by": None}, "network_reason_code": code}
