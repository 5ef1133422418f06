"""Proposing accounts anew: what was parked, or what changed while a run waits."""

from datetime import datetime

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from invoicing.runs.catalogs import Catalog
from invoicing.runs.due import PAGE_SIZE, lock_accounts
from invoicing.runs.issuing import issue_approved
from invoicing.runs.lifecycle import RunRefused, State, locked, move, review
from invoicing.runs.models import Run
from invoicing.runs.proposing import replace_proposals
from invoicing.runs.queries import open_parked


def retry_parked(run: Run, *, actor: Actor, now: datetime, account: Account | None = None) -> int:
    """
    Propose a run's parked accounts anew, one or all, on the run's own day; those that are well again go the way
    of every proposal. Returns how many were looked at.

    :raises NotPermitted: if the actor may not retry
    :raises RunRefused: if the run was discarded
    """
    actor.require("invoicing.retry_parked")
    if run.state == State.DISCARDED:
        raise RunRefused(f"The run of {run.on} was discarded.")
    if run.state == State.ISSUING:
        issue_approved(run, now=now)
    looked_at = after = 0
    catalog = Catalog(on=run.on)
    while True:
        with transaction.atomic():
            ids = _parked_ids(run, after=after, account=account)
            if not ids:
                break
            after = ids[-1]
            if count := _retry_page(run, ids, catalog):
                looked_at += count
                record_change(
                    "retry parked", subject=str(run), actor=actor, now=now, account=account, detail={"accounts": count}
                )
    if not looked_at:
        return 0
    review(run, actor=actor, now=now)
    if run.state == State.ISSUING:
        issue_approved(run, now=now)
    return looked_at


def _parked_ids(run: Run, *, after: int, account: Account | None) -> list[int]:
    items = open_parked(run).filter(account_id__gt=after)
    if account is not None:
        items = items.filter(account=account)
    return list(items.order_by("account_id").values_list("account_id", flat=True)[:PAGE_SIZE])


def _retry_page(run: Run, ids: list[int], catalog: Catalog) -> int:
    """Locks the run before the accounts, as proposing does; what another retry dealt with meanwhile is left out."""
    locked(run)
    if run.state == State.DISCARDED:
        raise RunRefused(f"The run of {run.on} was discarded.")
    accounts = lock_accounts(ids)
    still = set(open_parked(run).filter(account_id__in=ids).values_list("account_id", flat=True))
    page = [one for one in accounts if one.account_id in still]
    if page:
        replace_proposals(run, page, catalog)
        if run.state == State.DONE:
            # Proposals in a finished run would be looked for by nobody, should this process stop here.
            move(run, State.PROPOSING)
    return len(page)


@transaction.atomic
def propose_again(run: Run, *, account: Account, actor: Actor, now: datetime) -> None:
    """
    Price one proposed account anew, after its book was mended while the run waits for review.

    :raises NotPermitted: if the actor may not retry
    :raises RunRefused: if the run does not wait for review
    """
    actor.require("invoicing.retry_parked")
    locked(run)
    if run.state != State.REVIEW:
        raise RunRefused(f"The run of {run.on} does not wait for review: it is {run.get_state_display().lower()}.")
    replace_proposals(run, lock_accounts([account.pk]), Catalog(on=run.on))
    record_change("propose again", subject=str(run), actor=actor, now=now, account=account)
    review(run, actor=actor, now=now)
