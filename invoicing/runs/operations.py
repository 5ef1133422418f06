"""The doors' way into a run: start or join, go on, approve, discard, retry, rehearse."""

from collections.abc import Callable
from datetime import date, datetime

from django.conf import settings
from django.db import connection, transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from invoicing.runs.drafting import drop_drafts
from invoicing.runs.due import PAGE_SIZE, call_up_used, count_due, lock_accounts
from invoicing.runs.issuing import issue_approved, issue_page
from invoicing.runs.lifecycle import (
    Outcome,
    RunRefused,
    State,
    begin_proposing,
    hold_or_finish,
    locked,
    move,
    open_run,
    release,
    review,
)
from invoicing.runs.models import Run
from invoicing.runs.proposing import propose_changed_again, propose_due
from invoicing.runs.queries import holds
from invoicing.runs.rehearsal import dry_run
from invoicing.runs.retries import propose_again, retry_parked
from invoicing.runs.sharing import Cursor
from invoicing.sellers.models import Seller

__all__ = [
    "RunRefused",
    "advance",
    "approve",
    "begin_proposing",
    "discard",
    "dry_run",
    "issue_approved",
    "open_run",
    "propose_again",
    "retry_parked",
    "review",
    "run_billing",
]


def run_billing(
    *,
    seller: Seller,
    on: date,
    actor: Actor,
    now: datetime,
    account: Account | None = None,
    approve: bool = False,
    workers: int | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Run:
    """
    Bill a seller's accounts whose billing date has come by `on`: propose, review within the bounds, issue.

    Twice, late, at once or after a crash it comes to the same: a second call joins the day's run and goes on where
    it stands. With `approve`, what the bounds or the terms would hold is issued as well. `workers` threads share a
    large run out; by default as many as the setting RUN_WORKERS says.

    :raises NotPermitted: if the actor may not start, or not approve, a run
    """
    actor.require("invoicing.start_run")
    if approve:
        actor.require("invoicing.approve_run")
    call_up_used(seller.pk, on)
    run = open_run(seller=seller, on=on, actor=actor, now=now)
    return advance(run, actor=actor, now=now, account=account, approve=approve, workers=workers, progress=progress)


def advance(
    run: Run,
    *,
    actor: Actor,
    now: datetime,
    account: Account | None = None,
    approve: bool = False,
    workers: int | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Run:
    """Take a run as far as it goes: finish issuing what was approved, propose what is due, review, and issue."""
    tell = progress or (lambda stage, count: None)
    account_id = account.pk if account else None
    if workers is None:
        workers = settings.RUN_WORKERS if count_due(run.seller_id, run.on) > PAGE_SIZE else 1
    if run.state == State.ISSUING:
        issue_approved(run, now=now, workers=workers, progress=tell)
    while begin_proposing(run):
        if propose_due(run, account_id=account_id, workers=workers, progress=lambda count: tell("proposed", count)):
            break
    if run.state != State.DISCARDED:
        propose_changed_again(run)
    if account_id is not None:
        _issue_one_account(run, account_id, actor=actor, now=now, approve=approve)
        return run
    review(run, actor=actor, now=now, approve=approve)
    if run.state == State.ISSUING:
        issue_approved(run, now=now, workers=workers, progress=tell)
    return run


def _issue_one_account(run: Run, account_id: int, *, actor: Actor, now: datetime, approve: bool) -> None:
    """Issue one account's proposal, where the bounds or the approval let it; the others' proposals wait as before."""
    with transaction.atomic():
        locked(run)
        reasons = holds(run, account_id=account_id)
        if run.state != State.DISCARDED and (approve or not reasons):
            issue_page(run, Cursor(0), now=now, account_id=account_id, skip_locked=False)
            if reasons:
                record_change(
                    "approve account",
                    subject=str(run),
                    actor=actor,
                    now=now,
                    account=account_id,
                    detail={"holds": reasons},
                )
        if run.state == State.PROPOSING:
            hold_or_finish(run, now=now)


@transaction.atomic
def approve(run: Run, *, actor: Actor, now: datetime) -> Run:
    """
    Release a run that waits for review; its proposals are then issued (`advance`).

    :raises NotPermitted: if the actor may not approve
    :raises RunRefused: if the run does not wait for review
    """
    actor.require("invoicing.approve_run")
    locked(run)
    if run.state != State.REVIEW:
        raise RunRefused(f"The run of {run.on} does not wait for review: it is {run.get_state_display().lower()}.")
    release(run, actor=actor, now=now)
    return run


@transaction.atomic
def discard(run: Run, *, actor: Actor, now: datetime, why: str) -> Run:
    """
    Drop a run's drafts; its accounts are due again as before. Nothing of it may have been issued.

    :raises NotPermitted: if the actor may not discard
    :raises RunRefused: if something was issued, or is being issued
    """
    actor.require("invoicing.approve_run")
    locked(run)
    if run.state == State.DISCARDED:
        raise RunRefused(f"The run of {run.on} was discarded before.")
    if run.state == State.ISSUING or run.items.filter(outcome=Outcome.INVOICED).exists():
        raise RunRefused(
            f"Invoices of the run of {run.on} were issued; an issued invoice is corrected by a credit note (BILL-6)."
        )
    lock_accounts(list(run.items.values_list("account_id", flat=True)))
    drop_drafts(list(run.items.exclude(invoice=None).values_list("invoice_id", flat=True)))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE invoicing_billingprofile p"
            " SET next_billing_on = least(p.next_billing_on, %s), billed_until_on = NULL"
            " FROM invoicing_runitem i WHERE i.run_id = %s AND i.account_id = p.account_id AND i.outcome <> 'PROPOSED'",
            [run.on, run.pk],
        )
    run.items.filter(outcome__in=[Outcome.PROPOSED, Outcome.PARKED]).update(superseded_by=run)
    move(run, State.DISCARDED)
    record_change("discard run", subject=str(run), actor=actor, now=now, why=why)
    return run
