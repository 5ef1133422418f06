"""What the bank and Stripe do in the demo: charges, what comes of them in time, refunds, disputes, and their events."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from invoicing.payments.gateways.demo_objects import (
    Behaviour,
    Json,
    bank_error,
    behaviour_of,
    card_error,
    charge_object,
    dispute_object,
    intent_object,
    method_object,
    refund_object,
    return_object,
)
from invoicing.payments.gateways.demo_state import DemoState
from invoicing.payments.gateways.faults import FINE, Fault, Step

SETTLES_AFTER = timedelta(days=4)
FAILS_AFTER = timedelta(days=2)
RETURNED_AFTER = timedelta(days=21)
DISPUTED_AFTER = timedelta(days=14)
REFUNDED_AFTER = timedelta(days=3)
_BY_CHANCE = {
    Fault.DECLINE: ("card", "decline"),
    Fault.DISPUTE: ("card", "dispute"),
    Fault.ACH_FAILURE: ("ach", "fail"),
    Fault.ACH_RETURN: ("ach", "return"),
}


class Rejected(Exception):
    """A request that is not taken: an HTTP status, and the error as Stripe words it."""

    def __init__(self, status: int, error: Json) -> None:
        self.status = status
        self.error = error
        super().__init__(error["message"])


def invalid(message: str, code: str = "parameter_invalid", status: int = 400) -> Rejected:
    return Rejected(status, {"type": "invalid_request_error", "code": code, "message": message})


def missing(what: str, name: str) -> Rejected:
    return invalid(f"No such {what}: '{name}'", "resource_missing", 404 if what != "PaymentMethod" else 400)


class DemoBank:
    """Every function works inside a transaction of the state, at a moment of the demo's own clock."""

    def __init__(self, state: DemoState) -> None:
        self._state = state

    def tell(self, type_: str, of: Mapping[str, Any], *, at: datetime) -> None:
        """Make an event about an object as it is now."""
        self._state.tell({
            "id": self._state.new_id("evt"),
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(at.timestamp()),
            "data": {"object": dict(of)},
            "livemode": False,
            "pending_webhooks": 1,
            "type": type_,
        })  # fmt: skip

    def charge(self, params: Mapping[str, Any], *, at: datetime, by_chance: Step = FINE) -> tuple[int, Json]:
        """Create and confirm a payment intent; the method's token says what comes of it, or else chance."""
        method, behaviour = self._method(params)
        does = _BY_CHANCE.get(by_chance.fault) if by_chance.fault else None
        if does and does[0] == behaviour.kind and behaviour.does == "ok":
            behaviour = Behaviour(behaviour.kind, does[1], by_chance.code)
        created = int(at.timestamp())
        name = self._state.new_id("pi")
        if behaviour.does == "decline":
            return self._declined(name, params, method, behaviour.code or "do_not_honor", at=at)
        status = "requires_action" if behaviour.does == "action" else "processing"
        status = "succeeded" if behaviour.kind == "card" and status != "requires_action" else status
        intent = intent_object(name, params, created=created, status=status)
        self._keep(intent)
        if status == "succeeded":
            self.tell("charge.succeeded", charge_object(intent), at=at)
        self.tell(f"payment_intent.{status}", intent, at=at)
        self._plan(name, behaviour, at)
        return 200, intent

    def _method(self, params: Mapping[str, Any]) -> tuple[Json, Behaviour]:
        token, customer = str(params.get("payment_method", "")), str(params.get("customer", ""))
        if not customer.startswith("cus_demo"):
            raise missing("customer", customer)
        behaviour = behaviour_of(token)
        if behaviour is None:
            raise missing("PaymentMethod", token)
        kept = self._state.get(token)
        if kept and kept["customer"] != customer:
            raise invalid("The customer does not have a payment method with this ID.", "resource_missing")
        method = kept or method_object(token, behaviour, customer=customer, created=0, shown={})
        if method["type"] not in (params.get("payment_method_types") or {}).values():
            raise invalid(f"The PaymentMethod is of the type {method['type']}, which is not among those allowed.")
        return method, behaviour

    def _declined(
        self, name: str, params: Mapping[str, Any], method: Json, code: str, *, at: datetime
    ) -> tuple[int, Json]:
        error = card_error(code, method)
        intent = intent_object(name, params, created=int(at.timestamp()), status="requires_payment_method")
        intent["last_payment_error"] = error
        self._keep(intent)
        self.tell("payment_intent.payment_failed", intent, at=at)
        return 402, {"error": {**error, "payment_intent": intent}}

    def _plan(self, name: str, behaviour: Behaviour, at: datetime) -> None:
        """What the token foretells."""
        match behaviour.kind, behaviour.does:
            case "card", "dispute":
                self._state.plan(at + DISPUTED_AFTER, "dispute", name, behaviour.code or "fraudulent")
            case "ach", "fail":
                self._state.plan(at + FAILS_AFTER, "fail", name, behaviour.code or "R01")
            case "ach", "return":
                self._state.plan(at + SETTLES_AFTER, "settle", name)
                self._state.plan(at + RETURNED_AFTER, "return", name, behaviour.code or "R10")
            case "ach", _:
                self._state.plan(at + SETTLES_AFTER, "settle", name)

    def pass_time(self, now: datetime) -> int:
        """Do what is due by now, each at its own moment; how many were done."""
        due = self._state.take_due(now)
        for when, what, name, code in due:
            self._do(what, name, code, at=datetime.fromtimestamp(when, tz=now.tzinfo))
        return len(due)

    def _do(self, what: str, name: str, code: str, *, at: datetime) -> None:
        match what:
            case "settle":
                self.settle(name, at=at)
            case "fail":
                self.fail(name, code, at=at)
            case "return":
                self.take_back(name, code, at=at)
            case "dispute":
                self.dispute(name, code, at=at)
            case "refunded":
                self.end_refund(name, "succeeded", at=at)

    def settle(self, name: str, *, at: datetime) -> None:
        """A debit arrives."""
        intent = self.intent(name)
        if intent["status"] != "processing":
            return
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        self._keep(intent)
        self.tell("charge.succeeded", charge_object(intent), at=at)
        self.tell("payment_intent.succeeded", intent, at=at)

    def fail(self, name: str, code: str, *, at: datetime) -> None:
        """A debit comes back before it settled, with the bank's code."""
        intent = self.intent(name)
        if intent["status"] != "processing":
            return
        method = self._state.get(intent["payment_method"]) or {
            "id": intent["payment_method"],
            "type": "us_bank_account",
        }
        intent |= {"status": "requires_payment_method", "last_payment_error": bank_error(code, method)}
        self._keep(intent)
        self.tell("payment_intent.payment_failed", intent, at=at)

    def take_back(self, name: str, code: str, *, at: datetime) -> str:
        """A settled debit comes back, with the bank's code; the name of the dispute that says so."""
        intent = self._paid(name)
        made = return_object(self._state.new_id("du"), intent, created=int(at.timestamp()), code=code)
        self._state.put(made, customer=intent["customer"], charge=name)
        for what in ("created", "funds_withdrawn", "closed"):
            self.tell(f"charge.dispute.{what}", made, at=at)
        return str(made["id"])

    def dispute(self, name: str, reason: str, *, at: datetime, amount: int | None = None) -> str:
        """A cardholder disputes the charge, or `amount` of it in minor units; the dispute's name."""
        intent = self._paid(name)
        made = dispute_object(
            self._state.new_id("du"),
            intent,
            created=int(at.timestamp()),
            reason=reason,
            amount=intent["amount"] if amount is None else amount,
        )
        self._state.put(made, customer=intent["customer"], charge=name)
        self.tell("charge.dispute.created", made, at=at)
        self.tell("charge.dispute.funds_withdrawn", made, at=at)
        return str(made["id"])

    def close_dispute(self, name: str, *, won: bool, at: datetime) -> None:
        found = self._state.get(name)
        if found is None:
            raise missing("dispute", name)
        found["status"] = "won" if won else "lost"
        self._state.put(found)
        self.tell("charge.dispute.closed", found, at=at)
        if won:
            self.tell("charge.dispute.funds_reinstated", found, at=at)

    def cancel(self, name: str, reason: str, *, at: datetime) -> Json:
        intent = self.intent(name)
        if intent["status"] in {"succeeded", "processing", "canceled"}:
            raise invalid(
                f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
                "payment_intent_unexpected_state",
            )
        intent |= {"status": "canceled", "canceled_at": int(at.timestamp()), "cancellation_reason": reason}
        self._keep(intent)
        self.tell("payment_intent.canceled", intent, at=at)
        return intent

    def refund(self, params: Mapping[str, Any], *, at: datetime) -> Json:
        """Give money of a charge back, never more than is left of it."""
        intent = self._paid(str(params.get("payment_intent", "")))
        refunded = self._refunded(intent["id"])
        if refunded + int(params["amount"]) > intent["amount"]:
            code = "charge_already_refunded" if refunded == intent["amount"] else "amount_too_large"
            raise invalid("The refund is greater than what is left of the charge.", code)
        if self._state.of_charge(intent["id"], "dispute"):
            raise invalid("This charge was taken back by the bank and cannot be refunded.", "charge_disputed")
        pending = "us_bank_account" in intent["payment_method_types"]
        made = refund_object(
            self._state.new_id("re"),
            params,
            intent,
            created=int(at.timestamp()),
            status="pending" if pending else "succeeded",
        )
        self._state.put(made, customer=intent["customer"], charge=intent["id"])
        if pending:
            self._state.plan(at + REFUNDED_AFTER, "refunded", made["id"])
        self.tell("refund.created", made, at=at)
        self.tell("charge.refunded", charge_object(intent, refunded=self._refunded(intent["id"])), at=at)
        return made

    def end_refund(self, name: str, status: str, *, at: datetime) -> None:
        """What became of a refund: `succeeded`, or `failed` as of an account that is closed by now."""
        found = self._state.get(name)
        if found is None:
            raise missing("refund", name)
        if found["status"] == "failed":
            return
        found |= {"status": status, "failure_reason": "lost_or_stolen_card" if status == "failed" else None}
        self._state.put(found)
        self.tell("refund.failed" if status == "failed" else "refund.updated", found, at=at)

    def intent(self, name: str) -> Json:
        found = self._state.get(name)
        if found is None or found["object"] != "payment_intent":
            raise missing("payment_intent", name)
        return found

    def _paid(self, name: str) -> Json:
        intent = self.intent(name)
        if intent["status"] != "succeeded":
            raise invalid(f"This PaymentIntent ({name}) has no successful charge.", "payment_intent_unexpected_state")
        return intent

    def _refunded(self, name: str) -> int:
        return sum(made["amount"] for made in self._state.of_charge(name, "refund") if made["status"] != "failed")

    def _keep(self, intent: Json) -> None:
        self._state.put(intent, customer=intent["customer"], charge=intent["id"])
