"""The demo gateway's own page for adding a method: Stripe's Checkout session in setup mode, without Stripe."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from invoicing.payments.gateways.demo_bank import DemoBank, invalid, missing
from invoicing.payments.gateways.demo_objects import Json, behaviour_of, method_object
from invoicing.payments.gateways.demo_state import DemoState

# Of a method that is charged by its name, without a page, the customer is whoever the charge names.
CUSTOMER_OF_ANY = "cus_demo"


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
            "setup_intent_data": dict(params.get("setup_intent_data") or {}),
            "status": "open",
            "success_url": params["success_url"],
            "url": f"{self._address}/{name}/",
        }
        self._state.put(session)
        return session

    def session(self, name: str) -> Json:
        """As Stripe gives it with `expand=setup_intent.payment_method`."""
        return self._found("checkout.session", name)

    def setup(self, name: str) -> Json:
        """As Stripe gives it with `expand=payment_method`."""
        return self._found("setup_intent", name)

    def method(self, name: str) -> Json:
        """One that was entered on a page, or that says by its name what it does."""
        if self._state.get(name) is None and (behaviour := behaviour_of(name)):
            return method_object(name, behaviour, customer=CUSTOMER_OF_ANY, created=0, shown={})
        return self._found("payment_method", name, called="PaymentMethod")

    def detach(self, name: str) -> Json:
        """Take a method from its customer: it cannot be charged any more."""
        method = self.method(name)
        if method["customer"] is None:
            raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
        method["customer"] = None
        self._state.put(method)
        return method

    def _found(self, kind: str, name: str, *, called: str = "") -> Json:
        found = self._state.get(name)
        if found is None or found["object"] != kind:
            raise missing(called or kind, name)
        return found

    def complete(self, name: str, *, does: str, shown: Mapping[str, Any], at: datetime, verified: bool = True) -> str:
        """
        Enter a method: `does` is the front of its token, such as `card-decline.insufficient_funds`, and `shown` what
        is shown of it. Returns the address that the customer is sent back to; a page completed before stays as it is.

        One that is not `verified` waits for `verify`, as a bank account does whose owner did not sign in to the bank.
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
        status = "succeeded" if verified else "requires_action"
        setup = {"id": self._state.new_id("seti"), "object": "setup_intent", "created": created, "status": status}
        setup |= {"customer": customer, "payment_method": token}
        setup["metadata"] = dict(session.get("setup_intent_data", {}).get("metadata") or {})
        if verified:
            self._bank.tell("setup_intent.succeeded", setup, at=at)
        done = session | {"status": "complete", "customer": customer}
        self._bank.tell("checkout.session.completed", done | {"setup_intent": setup["id"]}, at=at)
        self._keep(done, setup | {"payment_method": method})
        return back

    def verify(self, name: str, *, at: datetime) -> None:
        """The customer of a completed page has told the code of the cent that came to the bank account."""
        session = self.session(name)
        setup = session["setup_intent"] | {"status": "succeeded"}
        self._keep(session, setup)
        self._bank.tell("setup_intent.succeeded", setup | {"payment_method": setup["payment_method"]["id"]}, at=at)

    def _keep(self, session: Json, setup: Json) -> None:
        self._state.put(setup)
        self._state.put(session | {"setup_intent": setup})
