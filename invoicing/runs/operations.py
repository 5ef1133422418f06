"""The doors' way into a run: start or join, approve, discard, retry. Each change of a run is one function here."""

import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime

from django.conf import settings
from django.db import connection, transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from invoicing.bulk import array_of, keep_to_indexes
from invoicing.invoices.operations import issue_drafts
from invoicing.runs.billables import Catalog, DueAccount
from invoicing.runs.models import Run, RunItem
from invoicing.runs.proposing import (
    PAGE_SIZE,
    count_due,
    drop_drafts,
    due_accounts,
    lock_accounts,
    proposals,
    propose_due,
    write_proposals,
)
from invoicing.runs.queries import Figures, holds, open_parked
from invoicing.runs.sharing import Cursor, share_out
from invoicing.sellers.models import NumberSeries, Seller

logger = logging.getLogger(__name__)

ISSUE_PAGE_SIZE = 5_000
State = Run.State
Outcome = RunItem.Outcome


class RunRefused(Exception):
    """The run is not in a state in which this can be done to it."""


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
        _locked(run)
        reasons = holds(run, account_id=account_id)
        if run.state != State.DISCARDED and (approve or not reasons):
            _issue_page(run, Cursor(), now=now, account_id=account_id, skip_locked=False)
            if reasons:
                record_change(
                    "approve account", subject=str(run), actor=actor, now=now, account=account_id, detail={"holds": reasons}
                )
        if run.state == State.PROPOSING:
            _hold_or_finish(run, now=now)


def _hold_or_finish(run: Run, *, now: datetime) -> None:
    if not run.items.filter(outcome=Outcome.PROPOSED).exists():
        _finish(run, now=now)
        return
    run.hold_reasons = holds(run) or ["Proposals wait that were made one account at a time."]
    run.save(update_fields=["hold_reasons"])
    _move(run, State.REVIEW)


@transaction.atomic
def open_run(*, seller: Seller, on: date, actor: Actor, now: datetime) -> Run:
    """The seller's run of that day, opened if there is none; two calls at once get the same one."""
    run, opened = Run.objects.exclude(state=State.DISCARDED).get_or_create(
        seller=seller, on=on, defaults={"opened_by": actor.name, "opened_at": now}
    )
    if opened:
        record_change("open run", subject=str(run), actor=actor, now=now)
    return run


def _locked(run: Run) -> Run:
    """The run's row, locked until the transaction ends; the caller's object takes its values."""
    Run.objects.select_for_update(no_key=True).get(pk=run.pk)
    run.refresh_from_db()
    return run


def _move(run: Run, state: str) -> None:
    """:raises RunRefused: if the lifecycle has no such step"""
    if state == run.state:
        return
    if state not in Run.TRANSITIONS[State(run.state)]:
        raise RunRefused(f"The run of {run.on} is {run.get_state_display().lower()} and cannot become {State(state).label.lower()}.")
    run.state = state
    run.save(update_fields=["state"])


@transaction.atomic
def begin_proposing(run: Run) -> bool:
    """Reopen the run for proposals if any account is due; False where there is nothing to propose, or it was discarded."""
    _locked(run)
    if run.state in (State.DISCARDED, State.ISSUING) or not count_due(run.seller_id, run.on):
        return False
    _move(run, State.PROPOSING)
    return True


@transaction.atomic
def review(run: Run, *, actor: Actor, now: datetime, approve: bool = False) -> None:
    """
    Decide how the run goes on: done where nothing is proposed, held where the bounds or the terms say so, else issued.
    """
    _locked(run)
    if run.state in (State.ISSUING, State.DISCARDED):
        return
    if not run.items.filter(outcome=Outcome.PROPOSED).exists():
        if run.state != State.DONE:
            _finish(run, now=now)
        return
    if run.state == State.DONE:
        _move(run, State.PROPOSING)
    run.hold_reasons = holds(run)
    if run.hold_reasons and not approve:
        run.save(update_fields=["hold_reasons"])
        _move(run, State.REVIEW)
        return
    _approve(run, actor=actor, now=now)


def _approve(run: Run, *, actor: Actor, now: datetime) -> None:
    run.approved_by = actor.name if run.hold_reasons else f"{actor.name}, within the bounds"
    run.approved_at = now
    run.save(update_fields=["approved_by", "approved_at", "hold_reasons"])
    _move(run, State.ISSUING)
    record_change(
        "approve run", subject=str(run), actor=actor, now=now, detail={"holds": run.hold_reasons, "on": run.on.isoformat()}
    )


def _finish(run: Run, *, now: datetime) -> None:
    run.finished_at = now
    run.hold_reasons = []
    run.save(update_fields=["finished_at", "hold_reasons"])
    _move(run, State.DONE)


@transaction.atomic
def approve(run: Run, *, actor: Actor, now: datetime) -> Run:
    """
    Release a run that waits for review; its proposals are then issued (`advance`).

    :raises NotPermitted: if the actor may not approve
    :raises RunRefused: if the run does not wait for review
    """
    actor.require("invoicing.approve_run")
    _locked(run)
    if run.state != State.REVIEW:
        raise RunRefused(f"The run of {run.on} does not wait for review: it is {run.get_state_display().lower()}.")
    _approve(run, actor=actor, now=now)
    return run


@transaction.atomic
def discard(run: Run, *, actor: Actor, now: datetime, why: str) -> Run:
    """
    Drop a run's drafts; its accounts are due again as before. Nothing of it may have been issued.

    :raises NotPermitted: if the actor may not discard
    :raises RunRefused: if something was issued, or is being issued
    """
    actor.require("invoicing.approve_run")
    _locked(run)
    if run.state == State.DISCARDED:
        raise RunRefused(f"The run of {run.on} was discarded before.")
    if run.state == State.ISSUING or run.items.filter(outcome=Outcome.INVOICED).exists():
        raise RunRefused(f"Invoices of the run of {run.on} were issued; an issued invoice is corrected by a credit note (BILL-6).")
    lock_accounts(list(run.items.values_list("account_id", flat=True)))
    drop_drafts(list(run.items.exclude(invoice=None).values_list("invoice_id", flat=True)))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE invoicing_billingprofile p SET next_billing_on = least(p.next_billing_on, %s), billed_until_on = NULL"
            " FROM invoicing_runitem i WHERE i.run_id = %s AND i.account_id = p.account_id AND i.outcome <> 'PROPOSED'",
            [run.on, run.pk],
        )
    run.items.filter(outcome__in=[Outcome.PROPOSED, Outcome.PARKED]).update(superseded_by=run)
    _move(run, State.DISCARDED)
    record_change("discard run", subject=str(run), actor=actor, now=now, why=why)
    return run


def issue_approved(
    run: Run, *, now: datetime, workers: int = 1, progress: Callable[[str, int], None] = lambda stage, count: None
) -> None:
    """Issue a run's proposals, some thousands a transaction. Several workers may, and one may stop anywhere: the rest goes on."""
    for skip_locked in (True, False):
        cursor = Cursor()

        def issue_pages(cursor: Cursor = cursor, skip_locked: bool = skip_locked) -> None:
            while count := _issue_page(run, cursor, now=now, account_id=None, skip_locked=skip_locked):
                progress("issued", count)

        share_out(issue_pages, workers=workers)
    with transaction.atomic():
        _locked(run)
        if run.state == State.ISSUING and not run.items.filter(outcome=Outcome.PROPOSED).exists():
            _finish(run, now=now)


_CLAIM = """
    SELECT i.id, i.invoice_id, i.account_id, v.kind, i.next_billing_on, i.billed_until_on, i.profile_revision
    FROM invoicing_runitem i JOIN invoicing_invoice v ON v.id = i.invoice_id
    WHERE i.run_id = %(run)s AND i.account_id > %(after)s AND i.outcome = 'PROPOSED'
        AND (%(account)s::bigint IS NULL OR i.account_id = %(account)s::bigint)
    ORDER BY i.account_id LIMIT %(limit)s FOR NO KEY UPDATE OF i
"""
# An account that changed after it was proposed stays due, so that the change is looked at.
_MOVE_ON = """
    UPDATE invoicing_billingprofile p
    SET next_billing_on = v.next_on, billed_until_on = coalesce(v.until_on, p.billed_until_on)
    FROM unnest(%s::bigint[], %s::date[], %s::date[], %s::int[]) AS v(account_id, next_on, until_on, revision)
    WHERE p.account_id = v.account_id AND p.revision = v.revision
"""


@transaction.atomic
def _issue_page(run: Run, page: Cursor, *, now: datetime, account_id: int | None, skip_locked: bool) -> int:
    keep_to_indexes()
    with page.turn, connection.cursor() as cursor:
        cursor.execute("SELECT state FROM invoicing_run WHERE id = %s FOR SHARE", [run.pk])
        if account_id is None and cursor.fetchone() != (State.ISSUING,):
            return 0
        cursor.execute(
            _CLAIM + (" SKIP LOCKED" if skip_locked else ""),
            {"run": run.pk, "account": account_id, "after": page.after, "limit": ISSUE_PAGE_SIZE},
        )
        rows = cursor.fetchall()
        if not rows:
            return 0
        page.after = rows[-1][2]
    with connection.cursor() as cursor:
        ids, invoice_ids, account_ids, kinds, next_on, until_on, revisions = map(list, zip(*rows, strict=True))
        cursor.execute("UPDATE invoicing_runitem SET outcome = 'INVOICED' WHERE id = ANY(%s::bigint[])", [array_of(ids)])
        cursor.execute(_MOVE_ON, [array_of(values) for values in (account_ids, next_on, until_on, revisions)])
    issue_drafts(list(zip(invoice_ids, account_ids, kinds, strict=True)), seller=run.seller, now=now)
    return len(rows)


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
    _locked(run)
    if run.state == State.DISCARDED:
        raise RunRefused(f"The run of {run.on} was discarded.")
    accounts = lock_accounts(ids)
    still = set(open_parked(run).filter(account_id__in=ids).values_list("account_id", flat=True))
    page = [one for one in accounts if one.account_id in still]
    if page:
        _propose_again(run, page, catalog)
        if run.state == State.DONE:
            # Proposals in a finished run would be looked for by nobody, should this process stop here.
            _move(run, State.PROPOSING)
    return len(page)


def _propose_again(run: Run, page: list[DueAccount], catalog: Catalog) -> None:
    """Replace the open items of these accounts in this run by what is due now."""
    items = run.items.filter(
        outcome__in=[Outcome.PARKED, Outcome.PROPOSED], superseded_by=None, account_id__in=[one.account_id for one in page]
    )
    drop_drafts(list(items.exclude(invoice=None).values_list("invoice_id", flat=True)))
    sequences = {account_id: sequence - 1 for account_id, sequence in items.values_list("account_id", "sequence")}
    items.delete()
    write_proposals(run, proposals(page, catalog), sequences)


@transaction.atomic
def propose_again(run: Run, *, account: Account, actor: Actor, now: datetime) -> None:
    """
    Price one proposed account anew, after its book was mended while the run waits for review.

    :raises NotPermitted: if the actor may not retry
    :raises RunRefused: if the run does not wait for review
    """
    actor.require("invoicing.retry_parked")
    _locked(run)
    if run.state != State.REVIEW:
        raise RunRefused(f"The run of {run.on} does not wait for review: it is {run.get_state_display().lower()}.")
    _propose_again(run, lock_accounts([account.pk]), Catalog(on=run.on))
    record_change("propose again", subject=str(run), actor=actor, now=now, account=account)
    review(run, actor=actor, now=now)


def dry_run(*, seller: Seller, on: date, account: Account | None = None) -> Figures:
    """
    What `run_billing` would come to, priced by the same code; nothing is written, and no number is taken.

    What waits in the day's own run counts as it was proposed; what waits in another day's run is not this one's.
    """
    found = Figures(on, "DRY_RUN")
    catalog = Catalog(on=on)
    after = invoices = 0
    while accounts := due_accounts(
        seller.pk, on, after=after, limit=PAGE_SIZE, account_id=account.pk if account else None, lock=""
    ):
        after = accounts[-1].account_id
        waiting = _waiting_of(accounts)
        for item in waiting.values():
            if item.run.on == on:
                found.count(item.outcome, 1, item.total, item.currency)
                invoices += item.total > 0
        fresh = [one for one in accounts if one.account_id not in waiting]
        for proposal in proposals(fresh, catalog, drafts_count=False):
            found.count(proposal.outcome, 1, proposal.total, proposal.account.currency)
            if proposal.outcome == Outcome.PROPOSED and proposal.draft and proposal.draft.kind == "INVOICE":
                invoices += 1
    if invoices:
        series = NumberSeries.objects.get(seller=seller, kind=NumberSeries.Kind.INVOICE)
        found.first_number = series.number(series.next_number)
        found.last_number = series.number(series.next_number + invoices - 1)
    return found


def _waiting_of(accounts: Sequence[DueAccount]) -> dict[int, RunItem]:
    """The proposals that wait for these accounts, by account."""
    items = RunItem.objects.filter(
        account_id__in=[one.account_id for one in accounts], outcome=Outcome.PROPOSED, superseded_by=None
    )
    return {item.account_id: item for item in items.select_related("run")}
