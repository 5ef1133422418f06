"""Issuing a run's proposals: some thousands a transaction, set-based, by any number of threads and processes."""

from collections.abc import Callable
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection, transaction

from invoicing.bulk import array_of, keep_to_indexes
from invoicing.invoices.operations import issue_drafts
from invoicing.prepaid.settling import settle_from_balance, short_of_credit
from invoicing.runs.lifecycle import Outcome, State, finish, locked
from invoicing.runs.models import Run
from invoicing.runs.proposing import propose_changed_again
from invoicing.runs.sharing import Cursor, share_out

ISSUE_PAGE_SIZE = 5_000


def issue_approved(
    run: Run, *, now: datetime, workers: int = 1, progress: Callable[[str, int], None] = lambda stage, count: None
) -> None:
    """
    Issue a run's proposals, some thousands a transaction.

    Several workers may at once, and one may stop anywhere: the rest goes on.

    What changed after it was proposed is priced anew before it is issued, however late the change came.
    """
    while True:
        propose_changed_again(run)
        for skip_locked in (True, False):
            _issue_pages(run, now=now, skip_locked=skip_locked, workers=workers, progress=progress)
        with transaction.atomic():
            locked(run)
            if run.state != State.ISSUING:
                return
            if not run.items.filter(outcome=Outcome.PROPOSED).exists():
                finish(run, now=now)
                return


def _issue_pages(
    run: Run, *, now: datetime, skip_locked: bool, workers: int, progress: Callable[[str, int], None]
) -> None:
    cursor = Cursor(0)

    def work() -> None:
        while count := issue_page(run, cursor, now=now, account_id=None, skip_locked=skip_locked):
            progress("issued", count)

    share_out(work, workers=workers)


class Claimed(NamedTuple):
    """A proposal that is being issued, its account locked."""

    item_id: int
    invoice_id: int
    account_id: int
    kind: str
    next_billing_on: date | None
    billed_until_on: date | None
    from_balance: bool


# Locks an account before its item, as those do who propose it anew: the other way round they would wait for each other.
_CLAIM = """
    SELECT i.id, i.invoice_id, i.account_id, v.kind, i.next_billing_on, i.billed_until_on, t.settlement = 'BALANCE'
    FROM invoicing_runitem i JOIN invoicing_invoice v ON v.id = i.invoice_id
    JOIN invoicing_billingprofile p ON p.account_id = i.account_id AND p.revision = i.profile_revision
    JOIN invoicing_billingterms t ON t.id = p.terms_id
    WHERE i.run_id = %(run)s AND i.account_id > %(after)s AND i.outcome = 'PROPOSED'
        AND (%(account)s::bigint IS NULL OR i.account_id = %(account)s::bigint)
    ORDER BY i.account_id LIMIT %(limit)s FOR NO KEY UPDATE OF p, i
"""
_MOVE_ON = """
    UPDATE invoicing_billingprofile p
    SET next_billing_on = v.next_on, billed_until_on = coalesce(v.until_on, p.billed_until_on)
    FROM unnest(%s::bigint[], %s::date[], %s::date[]) AS v(account_id, next_on, until_on)
    WHERE p.account_id = v.account_id
"""


@transaction.atomic
def issue_page(run: Run, page: Cursor[int], *, now: datetime, account_id: int | None, skip_locked: bool) -> int:
    """Issue the next page of proposals, or one account's; returns how many. An outdated proposal is no part of it."""
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
    claimed = [Claimed(*row) for row in rows]
    _issue(run, _park_short(run, claimed), now=now)
    return len(claimed)


def _issue(run: Run, claimed: list[Claimed], *, now: datetime) -> None:
    """Number, post and settle what was claimed, in the transaction that claimed it."""
    if not claimed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE invoicing_runitem SET outcome = 'INVOICED' WHERE id = ANY(%s::bigint[])",
            [array_of(one.item_id for one in claimed)],
        )
        cursor.execute(
            _MOVE_ON,
            [
                array_of(one.account_id for one in claimed),
                array_of(one.next_billing_on for one in claimed),
                array_of(one.billed_until_on for one in claimed),
            ],
        )
    prepaid = [one.invoice_id for one in claimed if one.from_balance]
    drafts = [(one.invoice_id, one.account_id, one.kind) for one in claimed]
    issue_drafts(drafts, seller=run.seller, now=now, settled_elsewhere=frozenset(prepaid))
    if prepaid:
        settle_from_balance(prepaid, now=now)


def _park_short(run: Run, claimed: list[Claimed]) -> list[Claimed]:
    """
    PRE-4: park the accounts whose prepaid balance does not cover their charges, with the reason; returns the others.

    The balances are locked after the profiles, as everybody does who needs both.
    """
    prepaid = [one for one in claimed if one.from_balance]
    if not prepaid:
        return claimed
    short = short_of_credit([one.invoice_id for one in prepaid], [one.account_id for one in prepaid], on=run.on)
    if not short:
        return claimed
    reasons = {one.invoice_id: one.reason for one in short}
    parked = [one for one in claimed if one.invoice_id in reasons]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE invoicing_runitem i SET outcome = 'PARKED', reason = v.reason"
            " FROM unnest(%s::bigint[], %s::text[]) AS v(id, reason) WHERE i.id = v.id",
            [array_of(one.item_id for one in parked), [reasons[one.invoice_id] for one in parked]],
        )
        cursor.execute(
            _MOVE_ON,
            [
                array_of(one.account_id for one in parked),
                array_of(one.next_billing_on for one in parked),
                array_of(None for _ in parked),
            ],
        )
    return [one for one in claimed if one.invoice_id not in reasons]
