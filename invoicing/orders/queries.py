"""What orders wait for, read from the books."""

from collections.abc import Collection

from django.db.models import Exists, OuterRef, QuerySet

from invoicing.catalog.models import Product
from invoicing.invoices.models import Invoice, InvoiceLine, OpenInvoice
from invoicing.orders.models import Order
from invoicing.subscriptions.models import OneOffCharge

State = Order.State


def charges_without_order() -> QuerySet[OneOffCharge]:
    """SVC-1: charges for professional services that nobody has made an order of, and no invoice carries."""
    return OneOffCharge.objects.filter(
        ~Exists(Order.objects.filter(one_off=OuterRef("pk"))),
        plan__product__invoiced_at_once=True,
        plan__product__charge=Product.Charge.ONE_OFF,
        billed_on=None,
    ).select_related("account", "plan")


def to_invoice() -> QuerySet[Order]:
    """Orders whose charge may be invoiced, or whose seat stands on an invoice by now."""
    return Order.objects.filter(state__in=[State.REQUESTED, State.AUTHORIZED]).select_related(
        "one_off__account", "account"
    )


def with_settled_invoice(invoice_ids: Collection[int] | None = None) -> QuerySet[Order]:
    """Orders that wait for a payment and whose invoice is settled to the cent."""
    return _by_settled(State.INVOICED, invoice_ids).filter(~Exists(_unsettled()))


def with_reopened_invoice(invoice_ids: Collection[int] | None = None) -> QuerySet[Order]:
    """Orders that might start, and whose invoice is open again: a payment was returned."""
    return _by_settled(State.PAID, invoice_ids).filter(Exists(_unsettled()))


def _by_settled(state: str, invoice_ids: Collection[int] | None) -> QuerySet[Order]:
    orders = Order.objects.filter(state=state, invoice__isnull=False)
    return orders if invoice_ids is None else orders.filter(invoice_id__in=invoice_ids)


def _unsettled() -> QuerySet[OpenInvoice]:
    return OpenInvoice.objects.filter(invoice=OuterRef("invoice"))


def invoice_of_seat(order: Order) -> Invoice | None:
    """SEAT-2: the issued invoice that carries the seat's first month."""
    line = (
        InvoiceLine.objects.filter(subscription=order.subscription_id, invoice__status=Invoice.Status.ISSUED)
        .exclude(kind=InvoiceLine.Kind.CREDIT)
        .select_related("invoice")
        .order_by("pk")
        .first()
    )
    return line.invoice if line else None
