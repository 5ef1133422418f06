"""Whether anybody does the work: the console says so instead of letting a run stand."""

import logging

from celery import current_app
from django.core.cache import cache
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

UNREACHABLE = (OSError, KombuError, OperationalError, RedisError)
_REMEMBERED_FOR = 20
_ANSWERS_WITHIN = 0.7


def worker_answers() -> bool:
    """Whether a worker answered lately. Asked at most every twenty seconds, since the answer takes a moment."""
    try:
        found = cache.get("worker answers")
        if found is None:
            found = bool(current_app.control.ping(timeout=_ANSWERS_WITHIN))
            cache.set("worker answers", found, _REMEMBERED_FOR)
        return bool(found)
    except UNREACHABLE:
        logger.warning("the broker did not answer", exc_info=True)
        return False


def hand_over(task: str, *arguments: object) -> bool:
    """
    Leave a message for the workers to do one of `tasks.py`; False where it could not be left.

    The work stays due in the database either way.
    """
    try:
        current_app.signature(f"invoicing.runs.tasks.{task}", args=arguments).apply_async(retry=False)
    except UNREACHABLE:
        logger.warning("the broker took no message", exc_info=True)
        return False
    return True
