"""The daily look at payment methods, started by a tick; safe to run twice and beside itself."""

from celery import shared_task
from django.utils import timezone

from invoicing.payments.expiring import warn_of_expiring_cards
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of


@shared_task(acks_late=True)
def warn_of_cards() -> None:
    """Tell customers whose cards end soon, on the day that it is where each seller is."""
    now = timezone.now()
    for seller in Seller.objects.order_by("pk"):
        warn_of_expiring_cards(on=today_of(seller, now=now), now=now, seller=seller)
