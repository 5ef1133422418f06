"""Orders follow the books: a tick that asks the database what moved."""

from celery import shared_task
from django.utils import timezone

from invoicing.orders import lapsing, operations
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of


@shared_task
def follow_orders() -> None:
    """SVC-1, SEAT-2: invoice what was authorized, and note what is paid or came back."""
    operations.follow_orders(now=timezone.now())


@shared_task
def lapse_orders() -> None:
    """Hourly tick, SVC-1, SEAT-2: orders that nobody paid in time lapse, by the day where their seller is."""
    now = timezone.now()
    for seller in Seller.objects.all():
        lapsing.lapse_orders(on=today_of(seller, now=now), now=now, seller=seller)
