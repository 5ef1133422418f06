"""Stripe's events: whether one really comes from Stripe, and what it says. Bytes in, a `Notice` out."""

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from invoicing.payments.gateways.declines import REASONS_OF_RETURNS, return_code
from invoicing.payments.gateways.protocol import About, Forged, Notice
from invoicing.payments.gateways.stripe_reading import (
    ACH,
    Object,
    account_of_setup,
    answer_of_intent,
    answer_of_refund,
    moment,
    money,
    name_of,
)

TOLERANCE = timedelta(minutes=5)
_LONGEST_ID = 120
_OPEN, _WON, _LOST = "OPEN", "WON", "LOST"
# While a lost one is appealed, the cardholder keeps the money.
_STATES = {
    "needs_response": _OPEN,
    "under_review": _OPEN,
    "won": _WON,
    "prevented": _WON,
    "lost": _LOST,
    "appeal_needs_response": _LOST,
    "appeal_under_review": _LOST,
}


def sign(body: bytes, *, secret: str, at: datetime) -> str:
    """The `Stripe-Signature` header of a body (https://docs.stripe.com/webhooks#verify-manually)."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(body, secret, seconds)}"


def verified(body: bytes, signature: str, *, secret: str, now: datetime) -> bytes:
    """
    The body, once its signature is seen to be made with our secret and lately.

    While a secret is being changed there may be several, with commas between them: any of them will do.

    :raises Forged: if it is missing, made with another secret or over another body, or out of date
    """
    secrets = [one.strip() for one in secret.split(",") if one.strip()]
    if not secrets:
        raise Forged("There is no webhook secret to check signatures with: set STRIPE_WEBHOOK_SECRET.")
    parts = [part.partition("=") for part in signature.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 12 or not given:
        raise Forged("There is no signature as Stripe makes it: a time (t=) and at least one digest (v1=).")
    expected = [_digest(body, one, int(times[0])).encode() for one in secrets]
    if not any(hmac.compare_digest(ours, each.encode()) for ours in expected for each in given):
        raise Forged("The signature was not made over this body with our webhook secret.")
    if abs(now.timestamp() - int(times[0])) > TOLERANCE.total_seconds():
        raise Forged(f"It was signed more than {TOLERANCE.seconds // 60} minutes from now: Stripe signs as it sends.")
    return body


def _digest(body: bytes, secret: str, seconds: int) -> str:
    return hmac.new(secret.encode(), str(seconds).encode() + b"." + body, sha256).hexdigest()


def notice_of(body: bytes) -> Notice:
    """
    What a snapshot event says; of a type that we do nothing with, only which it is.

    :raises Forged: if the body is no event of Stripe
    """
    try:
        event = json.loads(body)
        event_id, type_, made_at = str(event["id"]), str(event["type"]), moment(int(event["created"]))
        of = event["data"]["object"]
        if not (event_id + type_).isprintable() or not 0 < len(event_id) <= _LONGEST_ID:
            raise ValueError(event_id)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise Forged(f"The body is no event as Stripe sends them ({type(error).__name__}).") from error
    read = _READERS.get(type_)
    try:
        said = read(of) if read else {"about": About.OTHER}
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        said = {"about": About.UNREADABLE, "reason": f"{type(error).__name__}: {error}"}
    return Notice(event_id, type_, made_at, **said)


def _of_intent(intent: Object) -> dict[str, Any]:
    return {
        "about": About.PAYMENT,
        "reference": intent["id"],
        "key": (intent.get("metadata") or {}).get("payment_key", ""),
        "answer": answer_of_intent(intent),
    }


def _of_refund(refund: Object) -> dict[str, Any]:
    return {
        "about": About.REFUND,
        "reference": name_of(refund.get("payment_intent")),
        "key": (refund.get("metadata") or {}).get("refund_key", ""),
        "answer": answer_of_refund(refund),
    }


def _of_refunded_charge(charge: Object) -> dict[str, Any]:
    """
    The charge that a refund went out of. Which refund it was stands in it with old versions of the API only; the
    refund's own events (`refund.created`, `refund.updated`) say it with every version.
    """
    refunds = (charge.get("refunds") or {}).get("data") or []
    if not refunds:
        return {"about": About.OTHER, "reference": name_of(charge.get("payment_intent"))}
    newest = max(refunds, key=lambda refund: refund.get("created", 0))
    return _of_refund({"payment_intent": charge.get("payment_intent"), **newest})


def _of_dispute(dispute: Object) -> dict[str, Any]:
    """A debit that the bank returned, or a chargeback of a card. An inquiry (`warning_…`) takes no money."""
    state = _STATES.get(dispute["status"])
    reason = str(dispute.get("reason") or "")
    said: dict[str, Any] = {
        "about": About.OTHER,
        "reference": name_of(dispute.get("payment_intent")),
        "dispute_reference": dispute["id"],
        "reason": reason,
    }
    if state is None:
        return said
    amount, currency = money(dispute)
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    said |= {"amount": amount, "currency": currency, "dispute_state": state, "code": _code_of(dispute, reason)}
    said["answer_by_at"] = moment(due_by) if due_by else None
    return said | {"about": About.RETURN if _is_return(dispute, reason) else About.CHARGEBACK}


def _is_return(dispute: Object, reason: str) -> bool:
    """As far as the dispute itself tells; whoever knows the payment knows better."""
    kind = (dispute.get("payment_method_details") or {}).get("type")
    return kind == ACH or (kind is None and reason in REASONS_OF_RETURNS)


def _code_of(dispute: Object, reason: str) -> str:
    """The bank's own code where the dispute carries it, else the one that fits the reason."""
    return str(dispute.get("network_reason_code") or return_code(reason))


def _of_session(session: Object) -> dict[str, Any]:
    """A page on which a method was entered; of other pages we know nothing. Its name finds the method."""
    about = About.METHOD if session.get("mode") == "setup" else About.OTHER
    return {"about": about, "reference": session["id"], "key": session.get("client_reference_id") or ""}


def _of_setup(setup: Object) -> dict[str, Any]:
    """A method may be charged: of a bank account that had to be verified, days after its page was left."""
    return {"about": About.METHOD, "reference": setup["id"], "key": account_of_setup(setup)}


_READERS: Mapping[str, Callable[[Object], dict[str, Any]]] = MappingProxyType({
    "payment_intent.succeeded": _of_intent,
    "payment_intent.processing": _of_intent,
    "payment_intent.payment_failed": _of_intent,
    "payment_intent.canceled": _of_intent,
    "charge.refunded": _of_refunded_charge,
    "charge.refund.updated": _of_refund,
    "refund.created": _of_refund,
    "refund.updated": _of_refund,
    "refund.failed": _of_refund,
    "charge.dispute.created": _of_dispute,
    "charge.dispute.updated": _of_dispute,
    "charge.dispute.closed": _of_dispute,
    "charge.dispute.funds_withdrawn": _of_dispute,
    "charge.dispute.funds_reinstated": _of_dispute,
    "checkout.session.completed": _of_session,
    "setup_intent.succeeded": _of_setup,
})  # fmt: skip
