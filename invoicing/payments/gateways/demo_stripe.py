"""Stripe's API in this process, for Stripe's own SDK: idempotency keys, paging, errors, and faults on the way."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe

from invoicing.payments.gateways.demo_bank import DemoBank, Rejected, missing
from invoicing.payments.gateways.demo_objects import Json
from invoicing.payments.gateways.demo_pages import DemoPages
from invoicing.payments.gateways.demo_state import DemoState
from invoicing.payments.gateways.faults import NOTHING_DONE, Fault, FaultScript, NoFaults, Step

KEYS_ARE_KEPT = timedelta(hours=24)

Clock = Callable[[], datetime]
Reply = tuple[str, int, Mapping[str, str]]


class DemoStripe(stripe.HTTPClient):
    """Where the demo gateway's calls go instead of to Stripe. `faults` may be changed between calls."""

    name = "demo"

    def __init__(self, *, state: DemoState, clock: Clock, page_address: str, faults: FaultScript | None = None) -> None:
        super().__init__()
        self.faults: FaultScript = faults or NoFaults()
        self._state = state
        self._clock = clock
        self._bank = DemoBank(state)
        self._pages = DemoPages(state, self._bank, page_address)
        self._calls: tuple[tuple[str, str, Callable[..., tuple[int, Json]]], ...] = (
            ("post", r"/v1/payment_intents", self._charge),
            ("get", r"/v1/payment_intents", lambda params, at, step: self._list("payment_intent", params)),
            ("get", r"/v1/payment_intents/(\w+)", lambda params, at, step, name: (200, self._bank.intent(name))),
            (
                "post",
                r"/v1/payment_intents/(\w+)/cancel",
                lambda params, at, step, name: (
                    200,
                    self._bank.cancel(name, params.get("cancellation_reason", ""), at=at),
                ),
            ),
            ("post", r"/v1/refunds", lambda params, at, step: (200, self._bank.refund(params, at=at))),
            ("get", r"/v1/refunds", lambda params, at, step: self._list("refund", params)),
            ("get", r"/v1/refunds/(\w+)", lambda params, at, step, name: (200, self._get("refund", name))),
            ("post", r"/v1/checkout/sessions", lambda params, at, step: (200, self._pages.open(params, at=at))),
            ("get", r"/v1/checkout/sessions/(\w+)", lambda params, at, step, name: (200, self._pages.session(name))),
            ("get", r"/v1/setup_intents/(\w+)", lambda params, at, step, name: (200, self._pages.setup(name))),
            ("get", r"/v1/payment_methods/([\w.-]+)", lambda params, at, step, name: (200, self._pages.method(name))),
            (
                "post",
                r"/v1/payment_methods/([\w.-]+)/detach",
                lambda params, at, step, name: (200, self._pages.detach(name)),
            ),
        )

    def close(self) -> None:
        self._state.close()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> Reply:
        """
        Answer a call of the SDK.

        :raises stripe.APIConnectionError: where the fault script says that the line is dead
        """
        address = urlsplit(url)
        text = post_data.decode() if isinstance(post_data, bytes) else post_data or address.query
        step = self.faults.befalls(_call(method, address.path))
        if step.fault in NOTHING_DONE:
            return _unheard(step.fault)
        status, body = self._answer(method, address.path, text, (headers or {}).get("Idempotency-Key", ""), step)
        if step.fault in {Fault.TIMEOUT_AFTER, Fault.LOST_REPLY, Fault.ERROR_AFTER}:
            return _unheard(step.fault)
        return body, status, {"Request-Id": "req_demo"}

    def _answer(self, method: str, path: str, text: str, key: str, step: Step) -> tuple[int, str]:
        """Once a key: the same request again gets the same answer, another one under the key is an error."""
        now = self._clock()
        request = sha256(f"{method} {path} {text}".encode()).hexdigest()
        with self._state.transaction():
            if key and (kept := self._state.recall(key, since=int((now - KEYS_ARE_KEPT).timestamp()))):
                return (kept[1], kept[2]) if kept[0] == request else _other_request(key)
            status, answer = self._work(method, path, _nested(text), now, step)
            body = json.dumps(answer)
            if key and status in {200, 402}:
                self._state.remember(key, request, status, body, at=int(now.timestamp()))
        return status, body

    def _work(self, method: str, path: str, params: Json, now: datetime, step: Step) -> tuple[int, Json]:
        for verb, pattern, work in self._calls:
            if verb == method and (found := re.fullmatch(pattern, path)):
                try:
                    return work(params, now, step, *found.groups())
                except Rejected as rejected:
                    return rejected.status, {"error": rejected.error}
        message = f"Unrecognized request URL ({method.upper()}: {path})."
        return 404, {"error": {"type": "invalid_request_error", "code": "url_invalid", "message": message}}

    def _charge(self, params: Json, at: datetime, step: Step) -> tuple[int, Json]:
        return self._bank.charge(params, at=at, by_chance=step)

    def _get(self, kind: str, name: str) -> Json:
        found = self._state.get(name)
        if found is None or found["object"] != kind:
            raise missing(kind, name)
        return found

    def _list(self, kind: str, params: Json) -> tuple[int, Json]:
        data, more = self._state.listed(
            kind,
            customer=params.get("customer", ""),
            charge=params.get("payment_intent", ""),
            since=int((params.get("created") or {}).get("gte", 0)),
            after=params.get("starting_after", ""),
            limit=int(params.get("limit", 10)),
        )
        return 200, {"object": "list", "url": f"/v1/{kind}s", "has_more": more, "data": data}


def _call(method: str, path: str) -> str:
    """As fault scripts call it."""
    if method == "get":
        return "look"
    return {"/v1/payment_intents": "charge", "/v1/refunds": "refund"}.get(path, "other")


def _unheard(fault: Fault) -> Reply:
    """No reply, half a reply, or an error of Stripe's own: none says whether something was done."""
    if fault in {Fault.ERROR_BEFORE, Fault.ERROR_AFTER}:
        error = {"type": "api_error", "message": "An error occurred on our end."}
        return json.dumps({"error": error}), 500, {"Request-Id": "req_demo"}
    if fault is Fault.LOST_REPLY:
        return '{"id": "pi_', 200, {}
    raise stripe.APIConnectionError("The connection timed out.", should_retry=True)


def _other_request(key: str) -> tuple[int, str]:
    message = (
        f"Keys for idempotent requests can only be used with the same parameters they were first used with. Try using "
        f"a key other than '{key}' if you meant to execute a different request."
    )
    return 400, json.dumps({"error": {"type": "idempotency_error", "message": message}})


def _nested(text: str) -> Json:
    """`metadata[payment_key]=k` as {"metadata": {"payment_key": "k"}}."""
    found: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *others = re.findall(r"[^\[\]]+", name)
        inner, last = found, first
        for other in others:
            inner = inner.setdefault(last, {})
            last = other
        inner[last] = value
    return found
