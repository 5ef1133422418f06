"""PRE-4: monthly charges that waited for credit are posted when it arrives."""

import logging
from datetime import datetime

from django.db.models import F

from accounts.actors import Actor
from invoicing.prepaid.models import PrepaidBalance
from invoicing.runs.models import RunItem
from invoicing.runs.operations import retry_parked

logger = logging.getLogger(__name__)


def post_what_waited(*, actor: Actor, now: datetime, account_id: int | None = None) -> int:
    """
    Bill the accounts whose balance covers by now what was awaited; returns how many were looked at.

    Each by itself, so that one account's trouble is not another's. Twice is once: the awaited amount is gone with the
    first.

    :raises NotPermitted: if the actor may not retry parked accounts
    """
    limit = F("account__billing_profile__terms__credit_limit")
    covered = PrepaidBalance.objects.filter(awaiting__gt=0, balance__gte=F("awaiting") - limit)
    if account_id is not None:
        covered = covered.filter(account_id=account_id)
    items = RunItem.objects.filter(
        account_id__in=covered.values("account_id"), outcome=RunItem.Outcome.PARKED, superseded_by=None
    ).select_related("run__seller", "account")
    looked_at = 0
    for item in items:
        try:
            looked_at += retry_parked(item.run, actor=actor, now=now, account=item.account)
        except Exception:
            logger.exception("what account %s awaited could not be posted", item.account.number)
    return looked_at
