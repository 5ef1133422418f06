"""
What gateways tell us: checked, stored once, and answered at once. It is worked off later (`tasks.work_off_events`).

A notice whose signature is wrong leaves a line in the log and a count, and nothing else.
"""

from datetime import date, datetime, timedelta

import structlog
from celery import current_app
from django.core.cache import cache
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from invoicing.payments.card_numbers import mask_card_numbers, mask_json
from invoicing.payments.gateways.demo import DemoGateway
from invoicing.payments.gateways.protocol import Forged
from invoicing.payments.gateways.registry import gateway
from invoicing.payments.notices import WebhookEvent

WORK_OFF = "invoicing.payments.tasks.work_off_events"
COUNTS_ARE_KEPT = timedelta(days=40)
log = structlog.get_logger(__name__)


def receive(*, gateway_name: str, body: bytes, signature: str, now: datetime) -> bool:
    """
    Store a notice unless it is here already; whether it was new. Whoever works notices off is told after the commit.

    :raises NoSuchGateway: if no gateway of that name is set up
    :raises Forged: if the signature over the raw body is missing, wrong or out of date
    """
    try:
        notice = gateway(gateway_name).read_notice(body, signature, now=now)
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Forged("The body is not in UTF-8.") from error
    except Forged as forged:
        _count_refused(gateway_name, str(forged), now=now)
        raise
    with transaction.atomic():
        _, is_new = WebhookEvent.objects.get_or_create(
            gateway=gateway_name,
            event_id=notice.event_id,
            defaults={
                "type": mask_card_numbers(notice.type)[:80],
                "body": mask_json(text),
                "made_at": notice.made_at,
                "received_at": now,
            },
        )
        if is_new:
            transaction.on_commit(_ring)
    return is_new


def take_in(gateway: DemoGateway) -> int:
    """What the demo gateway has to tell, as if it had been posted, its signatures checked; how many notices it was."""

    def post(body: bytes, signature: str) -> int:
        receive(gateway_name=gateway.name, body=body, signature=signature, now=gateway.clock())
        return 200

    return gateway.deliver(post)


def refused_notices(gateway_name: str, *, on: date) -> int:
    """How many notices were refused as forged or out of date on a day."""
    try:
        return int(cache.get(_counter(gateway_name, on), 0))
    except (RedisError, OSError):
        log.warning("the count of refused notices cannot be read: Redis does not answer", gateway=gateway_name)
        return 0


def _ring() -> None:
    """Have it worked off now. Without Redis the tick does so later: the row is what counts."""
    try:
        current_app.send_task(WORK_OFF, retry=False, ignore_result=True)
    except (OperationalError, RedisError, OSError):
        log.warning("a notice waits for the tick: Redis does not answer")


def _count_refused(gateway_name: str, why: str, *, now: datetime) -> None:
    log.warning("a notice was refused", gateway=gateway_name, why=why)
    counter = _counter(gateway_name, now.date())
    try:
        cache.add(counter, 0, timeout=int(COUNTS_ARE_KEPT.total_seconds()))
        cache.incr(counter)
    except (RedisError, OSError, ValueError):
        # A ValueError says that it was forgotten between the two steps.
        log.warning("a refused notice was not counted: Redis does not answer", gateway=gateway_name)


def _counter(gateway_name: str, on: date) -> str:
    return f"refused-notices:{gateway_name}:{on:%Y-%m-%d}"
