"""The reports' door for workers. It may come twice, late or not at all: what waits is asked from the database."""

from celery import shared_task
from django.utils import timezone

from invoicing.reports.exporting import write_pending


@shared_task(acks_late=True)
def write_exports() -> None:
    """Write the workbooks that were asked for."""
    write_pending(clock=timezone.now)
