"""Ticks, each of which asks the database what is due on a seller's day; each is safe to run twice and beside itself."""

import logging
from collections.abc import Callable
from datetime import date, datetime

from celery import shared_task
from django.utils import timezone

from accounts.actors import schedule
from invoicing.collections.operations import hand_off, remind, suspend, tell_platform
from invoicing.collections.telling import BATCH
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of

# Few: each is signed with the task's moment, and the lease of the last has to outlast the calls before it.
NOTICES_A_TASK = BATCH

logger = logging.getLogger(__name__)


@shared_task(acks_late=True)
def remind_unpaid() -> None:
    """Write the reminders of the day, where each seller is."""
    _for_each_seller(lambda seller, on, now: remind(on=on, now=now, seller=seller))


@shared_task(acks_late=True)
def suspend_unpaid() -> None:
    """SUSP-1, PRE-4: warn, suspend and restore what is due today, where each seller is."""
    _for_each_seller(lambda seller, on, now: suspend(on=on, now=now, actor=schedule(), seller=seller))


@shared_task(acks_late=True)
def hand_off_unpaid() -> None:
    """COLL-1: follow up, propose, hand over what goes by itself, and write the agency's files."""
    _for_each_seller(lambda seller, on, now: hand_off(on=on, now=now, actor=schedule(), seller=seller))


def _for_each_seller(work: Callable[[Seller, date, datetime], object]) -> None:
    """One seller's trouble is not another's: it is raised when all are done."""
    now, failures = timezone.now(), []
    for seller in Seller.objects.order_by("pk"):
        try:
            work(seller, today_of(seller, now=now), now)
        except Exception as failure:
            logger.exception("a tick failed for seller %s", seller.pk)
            failures.append(failure)
    if failures:
        raise failures[0]


@shared_task(acks_late=True)
def tell_the_platform() -> None:
    """Tell the platform what waits."""
    told = tell_platform(now=timezone.now(), limit=NOTICES_A_TASK)
    if sum(told.done.values()) >= NOTICES_A_TASK:
        tell_the_platform.delay()
