"""The demo gateway's own page for adding a method: Stripe's Checkout session in setup mode, without Stripe."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from invoicing.payments.gateways.demo_bank import DemoBank, invalid, missing
from invoicing.payments.gateways.demo_objects import Json, behaviour_of, method_object
from invoicing.payments.gateways.demo_state import DemoState


class DemoPages:
    def __init__(self, state: DemoState, bank: DemoBank, address: str) -> None:
        self._state = state
        self._bank = bank
        self._address = address.rstrip("/")

    def open(self, params: Mapping[str, Any], *, at: datetime) -> Json:
        """A page on which nothing was entered yet."""
        if params.get("mode") != "setup":
            raise invalid("The demo gateway has pages for adding a method (mode=setup) only.")
        name = self._state.new_id("cs")
        session: Json = {
            "id": name,
            "object": "checkout.session",
            "cancel_url": params["cancel_url"],
            "client_reference_id": params.get("client_reference_id"),
            "created": int(at.timestamp()),
            "customer": params.get("customer"),
            "metadata": dict(params.get("metadata") or {}),
            "mode": "setup",
            "setup_intent": None,
            "status": "open",
            "success_url": params["success_url"],
            "url": f"{self._address}/{name}/",
        }
        self._state.put(session)
        return session

    def session(self, name: str) -> Json:
        """As Stripe gives it with `expand=setup_intent.payment_method`."""
        found = self._state.get(name)
        if found is None or found["object"] != "checkout.session":
            raise missing("checkout.session", name)
        return found

    def complete(self, name: str, *, does: str, shown: Mapping[str, Any], at: datetime) -> str:
        """
        Enter a method: `does` is the front of its token, such as `card-decline.insufficient_funds`, and `shown` what
        is shown of it. Returns the address that the customer is sent back to; a page completed before stays as it is.
        """
        session = self.session(name)
        back = str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", name)
        if session["status"] == "complete":
            return back
        token = f"pm_demo-{does}-{self._state.new_id('x').partition('demo')[2]}"
        behaviour = behaviour_of(token)
        if behaviour is None:
            raise invalid(f"The demo gateway knows no method that does “{does}”.")
        customer = session["customer"] or self._state.new_id("cus")
        created = int(at.timestamp())
        method = method_object(token, behaviour, customer=customer, created=created, shown=shown)
        self._state.put(method, customer=customer)
        setup = {"id": self._state.new_id("seti"), "object": "setup_intent", "created": created, "status": "succeeded"}
        setup |= {"customer": customer, "payment_method": token, "metadata": session["metadata"]}
        self._bank.tell("setup_intent.succeeded", setup, at=at)
        done = session | {"status": "complete", "customer": customer}
        self._bank.tell("checkout.session.completed", done | {"setup_intent": setup["id"]}, at=at)
        self._state.put(done | {"setup_intent": setup | {"payment_method": method}})
        return back
