"""The tick: bill what is due today where the seller is, and go on with what stopped half-way."""

import logging
from datetime import datetime

from accounts.actors import Actor
from invoicing.runs.due import call_up_used
from invoicing.runs.models import Run
from invoicing.runs.operations import advance, run_billing
from invoicing.runs.reviewing import RUNNING, is_due_unproposed
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of

logger = logging.getLogger(__name__)


def bill_what_is_due(seller: Seller, *, actor: Actor, now: datetime) -> list[Run]:
    """
    Go on with the seller's runs that stopped half-way, whatever their day, then bill what has come due by today.

    What waits for a review is left to the people who review it. Returns the runs that were taken on.
    """
    runs, failures = [], []
    for run in Run.objects.filter(seller=seller, state__in=RUNNING).order_by("on"):
        try:
            runs.append(advance(run, actor=actor, now=now))
        except Exception as failure:
            # One run that cannot go on must not keep the others from starting; it is raised when they are done.
            logger.exception("run %s of seller %s could not go on", run.on, seller.pk)
            failures.append(failure)
    today = today_of(seller, now=now)
    call_up_used(seller.pk, today)
    if is_due_unproposed(seller.pk, today):
        runs.append(run_billing(seller=seller, on=today, actor=actor, now=now))
    if failures:
        raise failures[0]
    return runs
