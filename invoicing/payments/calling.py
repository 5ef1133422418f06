"""Calls to gateways about payments and refunds: never inside a transaction, and always the same for the same row."""

from django.db import transaction

from invoicing.payments.gateways.protocol import Answer, ChargeRequest, GatewayRefused, NoAnswer, RefundRequest
from invoicing.payments.gateways.registry import NoSuchGateway, gateway
from invoicing.payments.models import Payment, Refund


def charge_at_gateway(payment: Payment) -> Answer:
    """
    Have the gateway charge the payment under its key.

    :raises RuntimeError: inside a transaction
    :raises NoAnswer: if whether it did is not known
    :raises GatewayRefused: if it did not, and charged nothing
    """
    outside_transactions()
    method = payment.method
    if method is None:
        raise GatewayRefused("The payment has no method that a gateway could charge.")
    request = ChargeRequest(
        key=payment.key,
        amount=payment.amount + payment.fee,
        currency=payment.currency,
        kind=payment.kind,
        method_token=method.token,
        customer_token=method.customer_token,
        description=_description(payment),
        metadata={"account": payment.account.number, "payment": str(payment.pk)},
    )
    try:
        return gateway(payment.gateway).charge(request)
    except NoSuchGateway as error:
        raise GatewayRefused(str(error)) from error


def find_at_gateway(payment: Payment) -> Answer | None:
    """
    What the gateway knows of a payment; None: nothing.

    :raises NoAnswer: if it cannot be asked
    """
    outside_transactions()
    try:
        return gateway(payment.gateway).find_charge(
            key=payment.key,
            reference=payment.gateway_reference or "",
            customer_token=payment.method.customer_token if payment.method else "",
            since=payment.created_at,
        )
    except (NoSuchGateway, GatewayRefused) as error:
        raise NoAnswer(str(error)) from error


def refund_at_gateway(refund: Refund) -> Answer:
    """:raises NoAnswer: if whether it refunded is not known; GatewayRefused if it did not"""
    outside_transactions()
    payment = refund.payment
    request = RefundRequest(
        key=refund.key,
        charge_reference=payment.gateway_reference or "",
        amount=refund.amount + refund.fee,
        currency=refund.currency,
    )
    try:
        return gateway(payment.gateway).refund(request)
    except NoSuchGateway as error:
        raise GatewayRefused(str(error)) from error


def find_refund_at_gateway(refund: Refund) -> Answer | None:
    """:raises NoAnswer: if the gateway cannot be asked"""
    outside_transactions()
    payment = refund.payment
    try:
        return gateway(payment.gateway).find_refund(
            key=refund.key, reference=refund.gateway_reference or "", charge_reference=payment.gateway_reference or ""
        )
    except (NoSuchGateway, GatewayRefused) as error:
        raise NoAnswer(str(error)) from error


def outside_transactions() -> None:
    """
    A gateway may take half a minute, and no lock waits for it; what it did must not be rolled back here.

    :raises RuntimeError: inside a transaction (but for the one that a test runs in)
    """
    with transaction.atomic(durable=True):
        pass


def _description(payment: Payment) -> str:
    """What stands beside the charge in the gateway's books; the same each time, as the key is."""
    if payment.purpose == Payment.Purpose.TOP_UP:
        return f"Top-up of account {payment.account.number}"
    numbers = payment.targets.order_by("invoice_id").values_list("invoice__number", flat=True)
    return f"Account {payment.account.number}: {', '.join(number or '' for number in numbers)}"[:200]
