"""The doors for workers. Each may come twice, late or not at all: what is due is asked from the database."""

from celery import shared_task
from django.utils import timezone

from accounts.actors import schedule
from invoicing.payments.events import work_off_events as work_off
from invoicing.payments.resolving import resolve_open
from invoicing.payments.sweeping import charge_due as charge
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of

# Some minutes each at a gateway's pace; what is left over is taken up at once by the next one.
ACCOUNTS_A_TASK = 100
LOOKS_A_TASK = 100
EVENTS_A_TASK = 200


@shared_task
def charge_due() -> None:
    """The tick: a task a seller, whose day it is where it is."""
    for seller_id in Seller.objects.order_by("pk").values_list("pk", flat=True):
        charge_seller.delay(seller_id)


@shared_task(acks_late=True)
def charge_seller(seller_id: int, after: int = 0) -> None:
    """SEAT-5: charge some accounts of a seller, and leave the rest to the next task."""
    seller, now = Seller.objects.get(pk=seller_id), timezone.now()
    done = charge(
        on=today_of(seller, now=now), now=now, actor=schedule(), seller=seller, after=after, limit=ACCOUNTS_A_TASK
    )
    if done.last_account_id is not None:
        charge_seller.delay(seller_id, done.last_account_id)


@shared_task(acks_late=True)
def resolve_payments() -> None:
    """Ask the gateways about what is open."""
    if resolve_open(now=timezone.now(), limit=LOOKS_A_TASK).looked >= LOOKS_A_TASK:
        resolve_payments.delay()


@shared_task(acks_late=True)
def work_off_events() -> None:
    """Work off what gateways told us."""
    if work_off(now=timezone.now(), limit=EVENTS_A_TASK).total() >= EVENTS_A_TASK:
        work_off_events.delay()
