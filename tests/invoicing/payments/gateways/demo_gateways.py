"""A demo gateway on a clock that the test sets, and requests to it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.protocol import ChargeRequest, RefundRequest

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
CUSTOMER = "cus_demo-acme"


def make_gateway(**values) -> DemoGateway:
    return DemoGateway(clock=SetClock(NOW), **values)


def charge_request(key: str = "payment-1", does: str = "card-ok", amount: str = "12.34", **values) -> ChargeRequest:
    given: dict[str, Any] = {
        "key": key,
        "amount": Decimal(amount),
        "currency": "USD",
        "kind": "ACH" if does.startswith("ach") else "CARD",
        "method_token": f"pm_demo-{does}-1",
        "customer_token": CUSTOMER,
        "description": "Invoice INV-000001",
    }
    return ChargeRequest(**(given | values))


def refund_request(charge: str, key: str = "refund-1", amount: str = "12.34") -> RefundRequest:
    return RefundRequest(key=key, charge_reference=charge, amount=Decimal(amount), currency="USD")


def notices(gateway: DemoGateway, after: int = 0) -> list:
    """What the gateway's events say, signatures checked."""
    return [
        gateway.read_notice(event.body, event.signature, now=gateway.clock()) for event in gateway.events_since(after)
    ]
