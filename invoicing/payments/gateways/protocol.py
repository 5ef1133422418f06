"""What a payment gateway does for us, whichever it is. Amounts are Decimals at their currency's exponent, in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    PENDING = "PENDING"
    FAILED = "FAILED"


@dataclass(frozen=True)
class ChargeRequest:
    """
    A charge of a stored method while the customer is away.

    `key` is the idempotency key: the same key again is the same charge, and never a second one. It is kept with the
    charge as metadata too, so that the charge can be found by it when the key itself is forgotten (after 24 hours).
    """

    key: str
    amount: Decimal
    currency: str
    kind: str
    method_token: str
    customer_token: str
    description: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RefundRequest:
    """Money of a charge that goes back to where it came from; `amount` with the fee's part."""

    key: str
    charge_reference: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Answer:
    """
    What became of a charge or refund, as the gateway says it.

    `reference` is the gateway's name for it; `code` and `message` say why it failed, and `hard` that no retry of the
    same method will change that. `amount` and `currency` are what the gateway took.
    """

    outcome: Outcome
    reference: str
    amount: Decimal
    currency: str
    code: str = ""
    message: str = ""
    hard: bool = False


@dataclass(frozen=True)
class MethodDetails:
    """
    A payment method as a customer gave it on the gateway's own page: a token, and what may be shown of it.

    `is_ready` once it may be charged: a bank account may have to be verified first, by a deposit of a cent that takes
    some days.
    """

    kind: str
    token: str
    customer_token: str
    brand: str
    last_four: str
    funding: str = "UNKNOWN"
    expires_on: date | None = None
    account_number: str = ""
    is_ready: bool = True


class About(StrEnum):
    """What a gateway's notice is about."""

    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    RETURN = "RETURN"
    CHARGEBACK = "CHARGEBACK"
    METHOD = "METHOD"
    OTHER = "OTHER"
    # Signed by the gateway, and yet not as we know such an event: a person looks at it; `reason` says what is amiss.
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True)
class Notice:
    """
    A gateway's event, read: what it is about and what it says.

    `reference` and `key` name the payment (the gateway's name, and ours from the metadata); `answer` is what became
    of the payment or refund: of a refund `key` is the refund's own, and `answer.reference` its name. For a return and
    a chargeback `dispute_reference`, `dispute_state` (OPEN, WON, LOST), `amount`, `currency` and `reason` say what was
    taken back, and `code` is the bank's (R01). Of METHOD `reference` is what `added_method` takes
    (the page's session, or the set-up that it made) and `key` the account's number.
    """

    event_id: str
    type: str
    made_at: datetime
    about: About
    reference: str = ""
    key: str = ""
    answer: Answer | None = None
    code: str = ""
    amount: Decimal | None = None
    currency: str = ""
    dispute_reference: str = ""
    dispute_state: str = ""
    reason: str = ""
    answer_by_at: datetime | None = None
    method: MethodDetails | None = None


class NoAnswer(Exception):
    """Whether the gateway did what was asked is not known: no reply, a reply lost, an error of its own."""


class GatewayRefused(Exception):
    """The gateway did not take the request at all (a wrong token, a wrong set-up): nothing was charged."""


class GatewayBusy(GatewayRefused):
    """Too many requests at once: nothing was charged, and the same request with the same key may be sent again soon."""


class Forged(Exception):
    """The signature of a notice is missing, wrong or too old: it was not sent by the gateway, or not now."""


class Gateway(Protocol):
    """Every call may raise `NoAnswer`; none is made inside a transaction."""

    @property
    def name(self) -> str:
        """How rows name it: `stripe`, `demo`."""

    def charge(self, request: ChargeRequest) -> Answer:
        """:raises GatewayRefused: if the request was not taken, so that nothing was charged"""

    def find_charge(self, *, key: str, reference: str, customer_token: str, since: datetime) -> Answer | None:
        """What became of a charge, by the gateway's reference or else by our key; None where it knows of none."""

    def refund(self, request: RefundRequest) -> Answer:
        """:raises GatewayRefused: if the request was not taken, so that nothing was refunded"""

    def find_refund(self, *, key: str, reference: str, charge_reference: str) -> Answer | None:
        """What became of a refund; None where the gateway knows of none."""

    def page_to_add_method(self, *, account_number: str, email: str, customer_token: str, return_to: str) -> str:
        """The address of the gateway's own page on which a customer enters a card or bank account."""

    def added_method(self, reference: str) -> MethodDetails | None:
        """What was entered on that page, by its session or what a notice named; None while nothing was."""

    def forget_method(self, token: str) -> None:
        """
        Have the gateway never charge this method again. One that it does not know, or forgot before, is no error.

        :raises GatewayRefused: if it keeps it all the same
        """

    def read_notice(self, body: bytes, signature: str, *, now: datetime) -> Notice:
        """:raises Forged: unless the signature over the raw body is the gateway's and recent"""

    def read_stored_notice(self, body: str) -> Notice:
        """The same of a body whose signature was checked when it came; card numbers in it may be masked by now."""
