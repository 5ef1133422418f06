"""Redis is the doorbell: which balances ran low or were credited is told at once; the tick finds them anyway."""

import logging
from collections.abc import Collection

from celery import current_app
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

UNREACHABLE = (OSError, KombuError, OperationalError, RedisError)
TOP_UP = "invoicing.prepaid.tasks.top_up_account"
POST_AWAITED = "invoicing.runs.tasks.post_awaited"


def ring_for_top_ups(account_ids: Collection[int]) -> None:
    """Have a worker look at each of these accounts; what it then does, the data decides."""
    _ring(TOP_UP, account_ids)


def ring_for_credit(account_id: int) -> None:
    """Credit has arrived: have what waited for it posted (PRE-4)."""
    _ring(POST_AWAITED, [account_id])


def _ring(task: str, account_ids: Collection[int]) -> None:
    try:
        for account_id in account_ids:
            current_app.signature(task, args=(account_id,)).apply_async(retry=False)
    except UNREACHABLE:
        logger.warning("the broker took no message about a balance; the tick will find it", exc_info=True)
