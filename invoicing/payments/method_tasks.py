"""The ticks that look at payment methods; safe to run twice and beside themselves."""

from celery import shared_task
from django.utils import timezone

from invoicing.payments.expiring import warn_of_expiring_cards
from invoicing.payments.forgetting import forget_removed
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of


@shared_task(acks_late=True)
def warn_of_cards() -> None:
    """Tell customers whose cards end soon, on the day that it is where each seller is."""
    now = timezone.now()
    for seller in Seller.objects.order_by("pk"):
        warn_of_expiring_cards(on=today_of(seller, now=now), now=now, seller=seller)


@shared_task(acks_late=True)
def forget_removed_methods() -> None:
    """Have gateways that did not answer forget what was removed."""
    forget_removed(now=timezone.now())
