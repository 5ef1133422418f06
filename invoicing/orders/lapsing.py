"""SVC-1, SEAT-2: an order is paid at once or lapses: what never started is credited, and asked for no longer."""

import logging
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import InterfaceError, OperationalError, transaction

from accounts.actors import schedule
from invoicing.catalog.models import BillingTerms
from invoicing.collections.queries import in_the_way
from invoicing.collections.sweeping import Swept
from invoicing.orders.cancelling import credit_and_cancel, give_back
from invoicing.orders.models import Order
from invoicing.orders.refused import OrderRefused
from invoicing.payments.models import Payment
from invoicing.sellers.models import Seller
from invoicing.subscriptions.operations import end_never_started

logger = logging.getLogger(__name__)


def lapse_orders(*, on: date, now: datetime, seller: Seller | None = None, dry_run: bool = False) -> Swept:
    """
    Cancel the orders whose invoice was due more than `order_lapses_after_days` before a day, unpaid, and credit them.

    Reading: the clauses say *paid at once*, not until when. What is disputed, held, promised, with the agency or being
    paid is left alone. Of one seller, or of all; safe to run twice and beside itself. One order's trouble is logged and
    told with its id, and leaves the others alone.

    :raises OperationalError: and InterfaceError, where the database is gone, which is no order's fault
    """
    swept, unpaid = Swept(), _unpaid(on, seller)
    left_alone = in_the_way([order.invoice_id for order, _ in unpaid if order.invoice_id], on=on)
    for order, days in unpaid:
        if order.invoice_id in left_alone:
            swept.done["left"] += 1
            continue
        why = f"Not paid within {days} days of when it was due."
        try:
            if not dry_run:
                give_back(_lapse(order, now=now, why=why), now=now, reason=why)
            swept.done["lapsed"] += 1
        except (OperationalError, InterfaceError):
            raise
        except OrderRefused as refused:
            logger.info("order %s does not lapse: %s", order.pk, refused)
            swept.done["left"] += 1
        except Exception as trouble:  # whatever is wrong with one order is told, and the others are done
            logger.exception("order %s could not lapse", order.pk)
            swept.failed.append(f"Order {order.pk} of account {order.account.number}: {trouble}")
    return swept


def _unpaid(on: date, seller: Seller | None) -> list[tuple[Order, int]]:
    """Orders whose days are over, with how many these were by the payer's terms; the oldest first."""
    found: list[tuple[Order, int]] = []
    for terms in BillingTerms.objects.exclude(order_lapses_after_days=None):
        days = terms.order_lapses_after_days or 0
        orders = Order.objects.filter(
            state=Order.State.INVOICED,
            invoice__account__billing_profile__terms=terms,
            invoice__due_on__lt=on - timedelta(days=days),
        )
        if seller is not None:
            orders = orders.filter(invoice__seller=seller)
        found += [(order, days) for order in orders.select_related("account", "subscription__account").order_by("pk")]
    return found


@transaction.atomic
def _lapse(order: Order, *, now: datetime, why: str) -> list[tuple[Payment, Decimal]]:
    """Credited, cancelled and held no longer, all or nothing; what had been paid in part is to go back."""
    freed = credit_and_cancel(order, actor=schedule(), now=now, reason=why)
    if order.subscription is not None:
        end_never_started(order.subscription, now=now, why=f"SEAT-2: {why}")
    return freed
