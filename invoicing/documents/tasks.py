"""Sweeps, started by a tick; each is safe to run twice and beside itself."""

from celery import shared_task
from django.utils import timezone

from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import send_pending

# Some tens of seconds each; what is left over is taken up at once by the next one.
DOCUMENTS_A_TASK = 2000
DELIVERIES_A_TASK = 100


@shared_task(acks_late=True)
def render_documents() -> None:
    """Draw the documents that wait."""
    done = render_pending(limit=DOCUMENTS_A_TASK, now=timezone.now())
    if done.drawn + done.parked >= DOCUMENTS_A_TASK:
        render_documents.delay()


@shared_task(acks_late=True)
def send_deliveries() -> None:
    """Send the mails that are due."""
    done = send_pending(limit=DELIVERIES_A_TASK, now=timezone.now())
    if done.sent + done.parked >= DELIVERIES_A_TASK:
        send_deliveries.delay()
