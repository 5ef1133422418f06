"""
Drafts for every account whose billing date has come.

A page of accounts a transaction, a constant number of statements a page.
"""

from collections.abc import Callable
from threading import Lock

from django.db import connection, transaction

from invoicing.bulk import array_of, keep_to_indexes
from invoicing.runs.billables import DueAccount
from invoicing.runs.catalogs import Catalog
from invoicing.runs.drafting import drop_drafts, write_proposals
from invoicing.runs.due import PAGE_SIZE, START, count_due, due_accounts, lock_accounts
from invoicing.runs.models import Run, RunItem
from invoicing.runs.proposals import proposals
from invoicing.runs.sharing import Cursor, share_out, without_garbage_collection


def propose_due(
    run: Run,
    *,
    account_id: int | None = None,
    workers: int = 1,
    page_size: int = PAGE_SIZE,
    progress: Callable[[int], None] = lambda count: None,
) -> bool:
    """
    Write the drafts of every due account that has none yet; `progress` is told of each page.

    Any number of threads and processes may do this for the same run at once: pages that another holds are
    skipped, and then waited for, so that all is proposed when this returns. False where somebody took the run on to
    another state meanwhile: nothing is added to a run that is not being proposed.
    """
    catalog = Catalog(on=run.on)
    with without_garbage_collection():
        for lock in ("FOR NO KEY UPDATE OF p SKIP LOCKED", "FOR NO KEY UPDATE OF p"):
            pages = _Pages(run, catalog, account_id, lock, page_size, progress)
            share_out(pages.work, workers=workers)
            if pages.overtaken:
                return False
            if account_id is None and pages.seen >= count_due(run.seller_id, run.on):
                return True
    return True


class _Pages:
    """The pages of due accounts, taken in turn; `seen` counts the accounts that are still due after them."""

    def __init__(
        self, run: Run, catalog: Catalog, account_id: int | None, lock: str, size: int, progress: Callable[[int], None]
    ) -> None:
        self.run, self.catalog, self.account_id, self.lock = run, catalog, account_id, lock
        self.size, self.progress = size, progress
        self.cursor = Cursor(START)
        self.seen = 0
        # Not the cursor's turn: whoever has that may be waiting for rows that another page holds.
        self.counting = Lock()
        self.overtaken = False

    def work(self) -> None:
        """Propose page after page until none is left."""
        while (count := self._propose_page()) is not None:
            self.progress(count)

    @transaction.atomic
    def _propose_page(self) -> int | None:
        keep_to_indexes()
        if not _is_being_proposed(self.run):
            self.overtaken = True
            return None
        with self.cursor.turn:
            accounts = due_accounts(
                self.run.seller_id,
                self.run.on,
                after=self.cursor.after,
                limit=self.size,
                account_id=self.account_id,
                lock=self.lock,
            )
            if not accounts:
                return None
            self.cursor.after = accounts[-1].place
        fresh, sequences = _not_open_elsewhere(self.run, accounts)
        moved_on = write_proposals(self.run, proposals(fresh, self.catalog), sequences) if fresh else 0
        with self.counting:
            self.seen += len(accounts) - moved_on
        return len(fresh)


def _is_being_proposed(run: Run) -> bool:
    """Whether proposals may be added to the run; it stays so until the transaction ends. Locked before any account."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM invoicing_run WHERE id = %s FOR SHARE", [run.pk])
        found: tuple[str] = cursor.fetchone()
    return found[0] == Run.State.PROPOSING


def _not_open_elsewhere(run: Run, accounts: list[DueAccount]) -> tuple[list[DueAccount], dict[int, int]]:
    """
    The accounts that this run may propose, and which of them it billed before on this day.

    One that waits in a proposal stays there; one that an earlier run parked is taken over from it.
    """
    ids = [account.account_id for account in accounts]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, account_id, run_id, outcome, sequence, superseded_by_id FROM invoicing_runitem"
            " WHERE account_id = ANY(%s::bigint[])"
            " AND (run_id = %s OR (outcome IN ('PROPOSED', 'PARKED') AND superseded_by_id IS NULL))",
            [array_of(ids), run.pk],
        )
        rows = cursor.fetchall()
    waiting: set[int] = set()
    taken_over: list[int] = []
    sequences: dict[int, int] = {}
    for item_id, account_id, run_id, outcome, sequence, superseded in rows:
        if run_id == run.pk:
            sequences[account_id] = max(sequence, sequences.get(account_id, 0))
        if superseded is None and outcome == RunItem.Outcome.PROPOSED:
            waiting.add(account_id)
        elif superseded is None and outcome == RunItem.Outcome.PARKED:
            if run_id == run.pk:
                waiting.add(account_id)
            else:
                taken_over.append(item_id)
    if taken_over:
        items = RunItem.objects.filter(pk__in=taken_over)
        drop_drafts(list(items.exclude(invoice=None).values_list("invoice_id", flat=True)))
        items.update(superseded_by=run)
    return [account for account in accounts if account.account_id not in waiting], sequences


def replace_proposals(run: Run, page: list[DueAccount], catalog: Catalog) -> None:
    """Replace the open items of these accounts in this run by what is due now."""
    items = run.items.filter(
        outcome__in=[RunItem.Outcome.PARKED, RunItem.Outcome.PROPOSED],
        superseded_by=None,
        account_id__in=[one.account_id for one in page],
    )
    drop_drafts(list(items.exclude(invoice=None).values_list("invoice_id", flat=True)))
    sequences = {account_id: sequence - 1 for account_id, sequence in items.values_list("account_id", "sequence")}
    items.delete()
    write_proposals(run, proposals(page, catalog), sequences)


def propose_changed_again(run: Run) -> int:
    """
    Price anew the accounts that changed after they were proposed; returns how many.

    So no outdated draft is issued.
    """
    catalog = Catalog(on=run.on)
    count = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM invoicing_run WHERE id = %s FOR NO KEY UPDATE", [run.pk])
            cursor.execute(
                "SELECT i.account_id FROM invoicing_runitem i"
                " JOIN invoicing_billingprofile p ON p.account_id = i.account_id"
                " WHERE i.run_id = %s AND i.outcome = 'PROPOSED' AND i.superseded_by_id IS NULL"
                " AND p.revision <> i.profile_revision"
                " ORDER BY i.account_id LIMIT %s",
                [run.pk, PAGE_SIZE],
            )
            changed = [row[0] for row in cursor.fetchall()]
            if not changed:
                return count
            replace_proposals(run, lock_accounts(changed), catalog)
            count += len(changed)
