"""What orders wait for, read from the books."""

from collections.abc import Collection
from decimal import Decimal

from django.db.models import Exists, OuterRef, QuerySet, Sum

from accounts.models import Account
from invoicing.catalog.models import Product
from invoicing.invoices.credit_notes import creditable_lines
from invoicing.invoices.models import Invoice, InvoiceLine, OpenInvoice
from invoicing.ledger.models import LedgerAccount, Posting
from invoicing.orders.models import Order
from invoicing.subscriptions.models import BillingProfile, OneOffCharge

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
    """
    Orders that wait for a payment and whose invoice is settled to the cent.

    Reading: what was given up as bad debt, and has not come since, was not paid, and starts nothing.
    """
    given_up = (
        Posting.objects.filter(invoice_id=OuterRef("invoice_id"), ledger_account=LedgerAccount.BAD_DEBT)
        .order_by()
        .values("invoice_id")
        .annotate(total=Sum("amount"))
        .filter(total__gt=0)
    )
    return _by_settled(State.INVOICED, invoice_ids).filter(~Exists(_unsettled()), ~Exists(given_up))


def with_reopened_invoice(invoice_ids: Collection[int] | None = None) -> QuerySet[Order]:
    """Orders that might start, and whose invoice is open again: a payment was returned."""
    return _by_settled(State.PAID, invoice_ids).filter(Exists(_unsettled()))


def _by_settled(state: str, invoice_ids: Collection[int] | None) -> QuerySet[Order]:
    orders = Order.objects.filter(state=state, invoice__isnull=False)
    return orders if invoice_ids is None else orders.filter(invoice_id__in=invoice_ids)


def _unsettled() -> QuerySet[OpenInvoice]:
    return OpenInvoice.objects.filter(invoice=OuterRef("invoice"))


def left_of(order: Order) -> dict[int, Decimal]:
    """What is left to credit of an order's own lines on its invoice, before tax, by line."""
    if order.invoice is None:
        return {}
    return {
        one.line.pk: one.rest
        for one in creditable_lines(order.invoice)
        if one.rest
        and (
            (order.one_off_id and one.line.one_off_id == order.one_off_id)
            or (order.subscription_id and one.line.subscription_id == order.subscription_id)
        )
    }


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


def profile_of(account: Account) -> BillingProfile:
    """How the account, or the partner of a client, is billed, with its seller."""
    return BillingProfile.objects.select_related("seller", "account").get(account_id=account.parent_id or account.pk)
