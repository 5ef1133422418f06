"""
The demo gateway: the Stripe adapter itself, over a Stripe of our own that lives in this process and moves no money.

What comes of a charge is in the method's token (`demo_objects.behaviour_of`) or in a fault script; what happens later
(a debit settles or comes back, a dispute) happens when the demo's clock has come to it and `pass_time` is called.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from invoicing.payments.gateways.demo_bank import DemoBank
from invoicing.payments.gateways.demo_objects import behaviour_of
from invoicing.payments.gateways.demo_pages import DemoPages
from invoicing.payments.gateways.demo_state import DemoState
from invoicing.payments.gateways.demo_stripe import Clock, DemoStripe
from invoicing.payments.gateways.faults import FaultScript
from invoicing.payments.gateways.minor_units import to_minor
from invoicing.payments.gateways.stripe_gateway import StripeGateway
from invoicing.payments.gateways.stripe_notices import sign

NAME = "demo"
PAGE = "/demo-gateway"


def demo_tokens(name: int, does: str = "card-ok") -> tuple[str, str]:
    """
    The tokens of a method and its customer that need not be added on a page first: for a book of many accounts.

    `name` tells them apart, such as an account's id; `does` is what comes of charging the method
    (`demo_objects.behaviour_of`).

    :raises ValueError: for what no demo method does
    """
    token = f"pm_demo-{does}-{name}"
    if behaviour_of(token) is None:
        raise ValueError(f"No demo method does “{does}”. There is card-ok, card-decline.lost_card, ach-ok and others.")
    return token, f"cus_demo-{name}"


@dataclass
class SetClock:
    """A clock that stands until it is set."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> datetime:
        self.at += by
        return self.at


@dataclass(frozen=True)
class SignedEvent:
    """A webhook as it is sent: the raw body, and the signature over it."""

    number: int
    event_id: str
    body: bytes
    signature: str


class DemoGateway(StripeGateway):
    """`stripe` is where its calls go. `clock` and `stripe.faults` may be set at any time."""

    def __init__(
        self,
        *,
        clock: Clock,
        path: Path | None = None,
        webhook_secret: str = "whsec_demo",
        faults: FaultScript | None = None,
        page_address: str = PAGE,
    ) -> None:
        self.clock = clock
        self.state = DemoState(path)
        self.stripe = DemoStripe(state=self.state, clock=lambda: self.clock(), page_address=page_address, faults=faults)
        self._bank = DemoBank(self.state)
        self._pages = DemoPages(self.state, self._bank, page_address)
        super().__init__(secret_key="sk_test_demo", webhook_secret=webhook_secret, name=NAME, http_client=self.stripe)

    def events_since(self, number: int = 0) -> list[SignedEvent]:
        """The events after a number, in their order, each signed now."""
        return [self._signed(*event) for event in self.state.events(after=number)]

    def deliver(self, post: Callable[[bytes, str], int]) -> int:
        """
        Post each event that was not taken yet (`post` gets body and signature and gives the HTTP status); how many
        were taken. One answered otherwise than 2xx is posted again the next time.
        """
        taken = 0
        for event in [self._signed(*event) for event in self.state.events(after=0, undelivered=True)]:
            if 200 <= post(event.body, event.signature) < 300:
                self.state.delivered(event.number)
                taken += 1
        return taken

    def _signed(self, number: int, event_id: str, text: str) -> SignedEvent:
        body = text.encode()
        return SignedEvent(number, event_id, body, sign(body, secret=self._webhook_secret, at=self.clock()))

    def pass_time(self) -> int:
        """Do what was to happen by now; how many things did."""
        with self.state.transaction():
            return self._bank.pass_time(self.clock())

    def settle(self, reference: str) -> None:
        """A pending debit arrives now."""
        with self.state.transaction():
            self._bank.settle(reference, at=self.clock())

    def fail_debit(self, reference: str, code: str) -> None:
        """A pending debit comes back now, with the bank's code, such as R01."""
        with self.state.transaction():
            self._bank.fail(reference, code, at=self.clock())

    def return_debit(self, reference: str, code: str) -> str:
        """A settled debit comes back now; the name of the dispute that says so."""
        with self.state.transaction():
            return self._bank.take_back(reference, code, at=self.clock())

    def open_dispute(self, reference: str, reason: str = "fraudulent", *, amount: Decimal | None = None) -> str:
        """The cardholder's bank takes a charge back, or part of it; the dispute's name."""
        with self.state.transaction():
            currency = str(self._bank.intent(reference)["currency"]).upper()
            minor = None if amount is None else to_minor(amount, currency)
            return self._bank.dispute(reference, reason, at=self.clock(), amount=minor)

    def close_dispute(self, dispute: str, *, won: bool) -> None:
        with self.state.transaction():
            self._bank.close_dispute(dispute, won=won, at=self.clock())

    def fail_refund(self, refund: str) -> None:
        """A refund does not reach the customer, whose account is closed by now."""
        with self.state.transaction():
            self._bank.end_refund(refund, "failed", at=self.clock())

    def page(self, session: str) -> Mapping[str, Any]:
        """What the page for adding a method shows."""
        return self._pages.session(session)

    def complete_page(self, session: str, does: str = "card-ok", **shown: Any) -> str:
        """Enter a method on the page, such as `card-decline.insufficient_funds`; the address to go back to."""
        with self.state.transaction():
            return self._pages.complete(session, does=does, shown=shown, at=self.clock())

    def complete_unverified(self, session: str) -> str:
        """Enter a bank account on the page, which waits for `verify_method` before it may be charged."""
        with self.state.transaction():
            return self._pages.complete(session, does="ach-ok", shown={}, at=self.clock(), verified=False)

    def verify_method(self, session: str) -> None:
        """The owner of the bank account entered on a page has told the code of the cent that came to it."""
        with self.state.transaction():
            self._pages.verify(session, at=self.clock())

    def charges(self, key: str = "") -> list[dict[str, Any]]:
        """Every payment intent, or those of one of our keys: what the gateway did, whatever it answered."""
        found, _ = self.state.listed("payment_intent", customer="", charge="", since=0, after="", limit=10_000_000)
        return [intent for intent in found if not key or intent["metadata"].get("payment_key") == key]
