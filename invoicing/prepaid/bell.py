"""Redis is the doorbell: whose balance ran low is told to the workers at once; the tick finds them anyway."""

import logging
from collections.abc import Collection

from celery import current_app
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

UNREACHABLE = (OSError, KombuError, OperationalError, RedisError)
TASK = "invoicing.prepaid.tasks.top_up_account"


def ring_for_top_ups(account_ids: Collection[int]) -> None:
    """Have a worker look at each of these accounts; what it then does, the data decides."""
    try:
        for account_id in account_ids:
            current_app.signature(TASK, args=(account_id,)).apply_async(retry=False)
    except UNREACHABLE:
        logger.warning("the broker took no message about a low balance; the tick will find it", exc_info=True)
