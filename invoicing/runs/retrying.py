"""Several parked accounts tried again at once, whichever runs they stand in."""

from datetime import datetime

from django.db.models import QuerySet

from accounts.actors import Actor
from invoicing.runs.models import RunItem
from invoicing.runs.operations import retry_parked


def retry_items(items: QuerySet[RunItem], *, actor: Actor, now: datetime) -> str:
    """
    Propose these parked accounts anew, each on its own run's day; what became of them, as a sentence.

    :raises NotPermitted: if the actor may not retry
    :raises RunRefused: if a run of theirs was discarded
    """
    parked = list(items.select_related("run__seller", "account"))
    for item in parked:
        retry_parked(item.run, actor=actor, now=now, account=item.account)
    return what_became(RunItem.objects.filter(account__in=[item.account_id for item in parked]), len(parked))


def what_became(items: QuerySet[RunItem], looked_at: int) -> str:
    """How many of the accounts that were tried again are parked still."""
    still = items.filter(outcome=RunItem.Outcome.PARKED, superseded_by=None).count()
    tried = "1 account was" if looked_at == 1 else f"{looked_at} accounts were"
    if not still:
        return f"{tried} tried again, and none of them is parked any more."
    return f"{tried} tried again; {still} still cannot be billed, for the reason shown."
