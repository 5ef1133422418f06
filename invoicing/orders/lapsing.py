"""SVC-1, SEAT-2: an order is paid at once or lapses: what never started is credited, and asked for no longer."""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.actors import schedule
from invoicing.catalog.models import BillingTerms
from invoicing.collections.queries import in_the_way
from invoicing.orders.cancelling import credit_and_cancel, give_back
from invoicing.orders.models import Order
from invoicing.orders.refused import OrderRefused
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.models import Payment
from invoicing.sellers.models import Seller
from invoicing.subscriptions.operations import end_never_started

logger = logging.getLogger(__name__)


@dataclass
class Lapsed:
    """What became of the orders whose time to be paid was over."""

    lapsed: int = 0
    left: int = 0

    def __str__(self) -> str:
        left = f", {self.left} left (a dispute, a hold, a payment under way)" if self.left else ""
        return f"{self.lapsed} orders lapsed{left}"

    def as_json(self) -> dict[str, Any]:
        return {"lapsed": self.lapsed, "left": self.left}


def lapse_orders(*, on: date, now: datetime, seller: Seller | None = None, dry_run: bool = False) -> Lapsed:
    """
    Cancel the orders that were invoiced more than `order_lapses_after_days` before a day and not paid, and credit them.

    Reading: the clauses say *paid at once*, not until when. What is disputed, held, promised, with the agency or being
    paid is left alone. Of one seller, or of all; safe to run twice and beside itself. One order's trouble is logged
    with its id and leaves the others alone.
    """
    done = Lapsed()
    for order, days in _unpaid(on, seller):
        if order.invoice_id is None or in_the_way([order.invoice_id], on=on):
            done.left += 1
            continue
        why = f"Not paid within {days} days of its invoice."
        try:
            if not dry_run:
                give_back(_lapse(order, now=now, why=why), now=now, reason=why)
            done.lapsed += 1
        except OrderRefused as error:
            logger.info("order %s does not lapse: %s", order.pk, error)
            done.left += 1
        except MoneyRefused:
            logger.exception("order %s has lapsed; of what was paid for it not all went back", order.pk)
            done.lapsed += 1
        except Exception:
            logger.exception("order %s could not lapse", order.pk)
            done.left += 1
    return done


def _unpaid(on: date, seller: Seller | None) -> list[tuple[Order, int]]:
    """Orders whose days are over, with how many these were by the payer's terms; the oldest first."""
    found: list[tuple[Order, int]] = []
    for terms in BillingTerms.objects.exclude(order_lapses_after_days=None):
        days = terms.order_lapses_after_days or 0
        orders = Order.objects.filter(
            state=Order.State.INVOICED,
            invoice__account__billing_profile__terms=terms,
            invoice__issued_on__lt=on - timedelta(days=days),
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
