"""Orders follow the books: a tick that asks the database what moved."""

from celery import shared_task
from django.utils import timezone

from invoicing.orders import operations


@shared_task
def follow_orders() -> None:
    """SVC-1, SEAT-2: invoice what was authorized, and note what is paid or came back."""
    operations.follow_orders(now=timezone.now())
