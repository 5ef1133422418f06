"""Telling the platform: rows are claimed, called outside any transaction and settled; late or again, never lost."""

import json
import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from invoicing.collections.models import PlatformNotice
from invoicing.collections.outbound import CallFailed, post_signed
from invoicing.collections.policy import TELLING_LEASE, tell_again_after
from invoicing.collections.sweeping import Swept

BATCH = 10

logger = logging.getLogger(__name__)
State = PlatformNotice.State


def tell_platform(*, now: datetime, limit: int = 200) -> Swept:
    """
    Tell the platform what waits and is due. Not from inside a transaction.

    An account's notices go out in their order: a suspension that has to be tried again is not overtaken by the
    restoration after it. What was told and not written down is told again, under the same id.
    """
    swept, after = Swept(), 0
    while limit > 0 and (claimed := _claim(after, min(limit, BATCH), now)):
        limit -= len(claimed)
        after = claimed[-1].pk
        for notice in claimed:
            swept.done[_tell(notice, now)] += 1
    return swept


@transaction.atomic
def _claim(after: int, limit: int, now: datetime) -> list[PlatformNotice]:
    """The next due ones that nobody else is at, by id; the next attempt's time is the lease."""
    before = PlatformNotice.objects.filter(
        account=OuterRef("account"), endpoint=OuterRef("endpoint"), state=State.PENDING, pk__lt=OuterRef("pk")
    )
    due = PlatformNotice.objects.filter(
        ~Exists(before),
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=now),
        state=State.PENDING,
        endpoint__is_on=True,
        pk__gt=after,
    )
    next_ones = due.select_related("endpoint").order_by("pk")[:limit]
    claimed = list(next_ones.select_for_update(of=("self",), skip_locked=True, no_key=True))
    PlatformNotice.objects.filter(pk__in=[notice.pk for notice in claimed]).update(
        next_attempt_at=now + TELLING_LEASE, attempts=F("attempts") + 1
    )
    for notice in claimed:
        notice.attempts += 1
    return claimed


def _tell(notice: PlatformNotice, now: datetime) -> str:
    endpoint = notice.endpoint
    assert endpoint is not None, "a notice without an endpoint is never claimed"
    body = json.dumps(notice.payload, sort_keys=True, separators=(",", ":")).encode()
    try:
        post_signed(endpoint.url, body, secret=endpoint.secret, at=now, may_be_local=settings.PLATFORM_MAY_BE_LOCAL)
    except CallFailed as failed:
        return _put_off(notice, str(failed), now)
    ours = PlatformNotice.objects.filter(pk=notice.pk, state=State.PENDING)
    ours.update(state=State.TOLD, told_at=now, error="", next_attempt_at=None)
    return "told"


def _put_off(notice: PlatformNotice, error: str, now: datetime) -> str:
    wait = tell_again_after(notice.attempts)
    logger.warning("notice %s was not told: %s", notice.key, error)
    ours = PlatformNotice.objects.filter(pk=notice.pk, state=State.PENDING)
    if wait is None:
        ours.update(state=State.PARKED, error=error, next_attempt_at=None)
        return "parked"
    ours.update(error=error, next_attempt_at=now + wait)
    return "waiting"
