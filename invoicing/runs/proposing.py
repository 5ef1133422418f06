"""Drafts for every account whose billing date has come: a page of accounts a transaction, a constant number of statements a page."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import repeat
from threading import Lock
from typing import Any

from django.db import DatabaseError, DataError, IntegrityError, connection, transaction

from invoicing.bulk import array_of, copy_rows, keep_to_indexes, take_ids
from invoicing.invoices.drafts import Draft, draft_of
from invoicing.invoices.holdings import Billable
from invoicing.invoices.letterheads import current_letterhead, printed_address
from invoicing.invoices.models import Invoice, InvoiceLine, LineTax
from invoicing.invoices.pricing import Unbillable, charges_due, look_from, next_look_on
from invoicing.money import ZERO, format_money
from invoicing.periods import BillingCalendar
from invoicing.runs.billables import DUE_COLUMNS, Catalog, DueAccount, Page, read_page
from invoicing.runs.models import Run, RunItem
from invoicing.runs.sharing import Cursor, share_out, without_garbage_collection
from invoicing.subscriptions.models import BillingProfile

logger = logging.getLogger(__name__)

PAGE_SIZE = 2_500

UNSETTLED = (
    "PRE-1: {amount} of monthly charges is to be deducted from the prepaid balance, and this installation keeps no "
    "prepaid balances yet. The proposal stays a draft."
)


@dataclass(frozen=True)
class Proposal:
    """What a run would do with one account, and why."""

    account: DueAccount
    outcome: str
    next_billing_on: date | None
    billed_until_on: date | None = None
    reason: str = ""
    draft: Draft | None = None
    client_names: dict[int, str] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return self.draft.total if self.draft else ZERO


def proposals(accounts: Sequence[DueAccount], catalog: Catalog, *, drafts_count: bool = True) -> list[Proposal]:
    """
    Price one page of accounts. The same for the run, the dry run and a retry; nothing is written.

    A run drops the drafts of what it prices anew; where they are left standing, they must not count as billed.
    """
    try:
        page = read_page(accounts, catalog, drafts_count=drafts_count)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("a page of %s accounts could not be read on %s, reading them one by one", len(accounts), catalog.on)
        # The catalog was read before the page: what was added to it since is no fault of the account.
        fresh = Catalog(on=catalog.on)
        return [_read_alone(account, fresh, drafts_count) for account in accounts]
    return [_proposal(account, billable, page, catalog) for account, billable in zip(accounts, page.billables, strict=True)]


def _read_alone(account: DueAccount, catalog: Catalog, drafts_count: bool) -> Proposal:
    try:
        page = read_page([account], catalog, drafts_count=drafts_count)
    except DatabaseError:
        raise
    except Exception as error:
        logger.exception("account %s could not be read on %s", account.number, catalog.on)
        following = BillingCalendar().period_of(catalog.on).end
        return Proposal(account, RunItem.Outcome.PARKED, following, reason=_internal(account, error))
    return _proposal(account, page.billables[0], page, catalog)


def _proposal(account: DueAccount, billable: Billable, page: Page, catalog: Catalog) -> Proposal:
    """
    One account's proposal. Whatever goes wrong parks this account with a sentence and leaves the others alone.
    """
    try:
        return _priced(account, billable, page, catalog)
    except Unbillable as error:
        return _parked(account, billable, catalog.on, str(error))
    except Exception as error:
        logger.exception("account %s could not be priced on %s", account.number, catalog.on)
        return _parked(account, billable, catalog.on, _internal(account, error))


def _internal(account: DueAccount, error: Exception) -> str:
    return (
        f"Internal failure while billing account {account.number} ({type(error).__name__}: {str(error).strip()[:300]}). "
        f"It is in the log under this account number; retry when it is mended."
    )


def _parked(account: DueAccount, billable: Billable, on: date, reason: str) -> Proposal:
    try:
        following = billable.calendar.period_of(on).end
    except (ValueError, TypeError):
        following = BillingCalendar().period_of(on).end
    return Proposal(account, RunItem.Outcome.PARKED, following, reason=reason)


def _priced(account: DueAccount, billable: Billable, page: Page, catalog: Catalog) -> Proposal:
    on = catalog.on
    charges = charges_due(billable, on=on)
    following = next_look_on(billable, on=on)
    until = look_from(billable, on=on)
    draft = None
    if charges:
        rates = catalog.rates_for(account.address, page.exemptions.get(account.account_id, ()))
        draft = draft_of(
            charges, rates=rates, currency=account.currency, on=on, payment_due_days=billable.terms.payment_due_days
        )
    if draft is None or not draft.total:
        still_held = any(held.ended_on is None or held.ended_on > until for held in billable.holdings) or billable.one_offs
        return Proposal(account, RunItem.Outcome.NOTHING_DUE, following if still_held else None, until)
    if billable.terms.from_balance:
        reason = UNSETTLED.format(amount=format_money(draft.total, account.currency))
        return Proposal(account, RunItem.Outcome.PARKED, following, None, reason, draft, page.client_names)
    return Proposal(account, RunItem.Outcome.PROPOSED, following, until, "", draft, page.client_names)


DUE = f"""
    SELECT {DUE_COLUMNS} FROM invoicing_billingprofile p JOIN accounts_account a ON a.id = p.account_id
    WHERE p.seller_id = %s AND p.next_billing_on <= %s AND p.account_id > %s
"""


def due_accounts(run_seller_id: int, on: date, *, after: int, limit: int, account_id: int | None, lock: str) -> list[DueAccount]:
    """A page of the accounts whose billing date has come, in order of their ids; locked as `lock` says."""
    sql, parameters = DUE, [run_seller_id, on, after]
    if account_id is not None:
        sql += " AND p.account_id = %s"
        parameters.append(account_id)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY p.account_id LIMIT %s {lock}", [*parameters, limit])
        return [DueAccount(*row) for row in cursor.fetchall()]


def lock_accounts(account_ids: list[int]) -> list[DueAccount]:
    """These accounts as the page query returns them, locked, in order of their ids, whether due or not."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {DUE_COLUMNS} FROM invoicing_billingprofile p JOIN accounts_account a ON a.id = p.account_id"
            " WHERE p.account_id = ANY(%s) ORDER BY p.account_id FOR NO KEY UPDATE OF p",
            [account_ids],
        )
        return [DueAccount(*row) for row in cursor.fetchall()]


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
        self.cursor = Cursor()
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
                self.run.seller_id, self.run.on, after=self.cursor.after, limit=self.size, account_id=self.account_id,
                lock=self.lock,
            )
            if not accounts:
                return None
            self.cursor.after = accounts[-1].account_id
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


def count_due(seller_id: int, on: date) -> int:
    """How many accounts' billing date has come and is not yet dealt with."""
    return BillingProfile.objects.filter(seller_id=seller_id, next_billing_on__lte=on).count()


def _not_open_elsewhere(run: Run, accounts: list[DueAccount]) -> tuple[list[DueAccount], dict[int, int]]:
    """
    The accounts that this run may propose, and which of them it billed before on this day.

    One that waits in a proposal stays there; one that an earlier run parked is taken over from it.
    """
    ids = [account.account_id for account in accounts]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, account_id, run_id, outcome, sequence, superseded_by_id FROM invoicing_runitem"
            " WHERE account_id = ANY(%s::bigint[]) AND (run_id = %s OR (outcome IN ('PROPOSED', 'PARKED') AND superseded_by_id IS NULL))",
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


def drop_drafts(invoice_ids: list[int]) -> None:
    """Remove drafts with their lines and taxes. The database refuses it for anything issued."""
    if not invoice_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE invoicing_runitem SET invoice_id = NULL WHERE invoice_id = ANY(%(ids)s);"
            "DELETE FROM invoicing_linetax WHERE line_id IN (SELECT id FROM invoicing_invoiceline WHERE invoice_id = ANY(%(ids)s));"
            "DELETE FROM invoicing_invoiceline WHERE invoice_id = ANY(%(ids)s);"
            "DELETE FROM invoicing_invoice WHERE id = ANY(%(ids)s)",
            {"ids": invoice_ids},
        )


def write_proposals(run: Run, found: list[Proposal], sequences: dict[int, int]) -> int:
    """
    Save a page's proposals; returns how many of the accounts are no longer due.

    Where the database refuses the page, each account is saved by itself, and parked if it is the one refused.
    """
    try:
        with transaction.atomic():
            return _save(run, found, sequences)
    except (IntegrityError, DataError):
        logger.warning("run %s: a page of %s accounts was refused, saving them one by one", run.on, len(found))
        return sum(_save_or_park(run, proposal, sequences) for proposal in found)


def _save_or_park(run: Run, proposal: Proposal, sequences: dict[int, int]) -> int:
    try:
        with transaction.atomic():
            return _save(run, [proposal], sequences)
    except (IntegrityError, DataError) as error:
        logger.exception("run %s: account %s was refused by the database", run.on, proposal.account.number)
        reason = _internal(proposal.account, error)
        return _save(run, [Proposal(proposal.account, RunItem.Outcome.PARKED, proposal.next_billing_on, reason=reason)], sequences)


INVOICE_COLUMNS = (
    "id", "account_id", "seller_id", "kind", "status", "issued_on", "due_on", "currency", "terms_code", "subtotal",
    "tax_total", "total", "period_start", "period_end", "buyer", "reason", "letterhead_id",
)
LINE_COLUMNS = (
    "invoice_id", "account_id", "position", "client_id", "subscription_id", "one_off_id", "kind", "plan_id",
    "description", "period_start", "period_end", "quantity_from", "quantity", "unit_price", "amount", "tax_amount", "clause", "why",
)
TAX_COLUMNS = ("account_id", "line_id", "rate_id", "name", "rate_percent", "base", "amount")
ITEM_COLUMNS = (
    "run_id", "account_id", "sequence", "outcome", "reason", "invoice_id", "currency", "total", "next_billing_on",
    "billed_until_on", "profile_revision",
)


def _save(run: Run, found: list[Proposal], sequences: dict[int, int]) -> int:
    drafted = [proposal for proposal in found if proposal.draft]
    invoice_ids = dict(zip((p.account.account_id for p in drafted), take_ids(Invoice, len(drafted)), strict=True))
    # Only taxes refer to their line; without any, the lines take their keys as they go in.
    taxed = any(line.taxes for p in drafted if p.draft for line in p.draft.lines)
    count = sum(len(p.draft.lines) for p in drafted if p.draft)
    line_ids: Iterator[int | None] = iter(take_ids(InvoiceLine, count) if taxed else repeat(None, count))
    # Known already when the draft is made, so that issuing need not have the reference checked a second time.
    letterhead_id = current_letterhead(run.seller).pk if drafted else 0
    lines: list[Sequence[Any]] = []
    taxes: list[Sequence[Any]] = []
    invoices = []
    for proposal in drafted:
        invoice_id = invoice_ids[proposal.account.account_id]
        invoices.append(_invoice_row(run, proposal, invoice_id, letterhead_id))
        _add_line_rows(proposal, invoice_id, line_ids, lines, taxes)
    copy_rows(Invoice, INVOICE_COLUMNS, invoices)
    if taxed:
        copy_rows(InvoiceLine, ("id", *LINE_COLUMNS), lines)
    else:
        copy_rows(InvoiceLine, LINE_COLUMNS, (line[1:] for line in lines))
    if taxes:
        copy_rows(LineTax, TAX_COLUMNS, taxes)
    copy_rows(RunItem, ITEM_COLUMNS, [_item_row(run, p, invoice_ids, sequences) for p in found])
    dealt_with = [p for p in found if p.outcome != RunItem.Outcome.PROPOSED]
    move_on(dealt_with)
    return len(dealt_with)


def _invoice_row(run: Run, proposal: Proposal, invoice_id: int, letterhead_id: int) -> Sequence[Any]:
    account, draft = proposal.account, proposal.draft
    assert draft is not None
    reason = "Rebates and credits exceed the charges (SEAT-3)." if draft.kind == "CREDIT_NOTE" else ""
    return (
        invoice_id, account.account_id, run.seller_id, draft.kind, "DRAFT", run.on, draft.due_on, account.currency,
        _terms_code(draft), draft.subtotal, draft.tax_total, draft.total, draft.period_start, draft.period_end,
        json.dumps(buyer_of(account, _clients_on(proposal), home=run.seller.country)), reason, letterhead_id,
    )


def _clients_on(proposal: Proposal) -> dict[int, str]:
    if not proposal.client_names or proposal.draft is None:
        return {}
    named = {line.charge.client_id for line in proposal.draft.lines if line.charge.client_id is not None}
    return {client_id: proposal.client_names[client_id] for client_id in sorted(named)}


def _terms_code(draft: Draft) -> str:
    return str(draft.lines[0].charge.why["terms"])


def buyer_of(account: DueAccount, client_names: dict[int, str], *, home: str) -> dict[str, Any]:
    """
    The account as it is printed on the invoice, kept with it; the country where it is not the seller's.

    A partner's clients stand there by the names they had.
    """
    clients = {"clients": {str(client_id): name for client_id, name in client_names.items()}} if client_names else {}
    return clients | {
        "name": account.name,
        "lines": printed_address(
            account.address_line, account.city, account.state, account.postal_code, account.country, home=home
        ),
        "account_number": account.number,
        "purchase_order": account.purchase_order,
    }


def _add_line_rows(
    proposal: Proposal, invoice_id: int, line_ids: Iterator[int | None], lines: list[Sequence[Any]], taxes: list[Sequence[Any]]
) -> None:
    account_id = proposal.account.account_id
    assert proposal.draft is not None
    for position, (charge, line_taxes, tax_amount) in enumerate(proposal.draft.lines, start=1):
        line_id = next(line_ids)
        start, end = (charge.period.start, charge.period.end) if charge.period else (None, None)
        lines.append((
            line_id, invoice_id, account_id, position, charge.client_id, charge.subscription_id, charge.one_off_id,
            charge.kind, charge.plan.id, charge.description[:400], start, end, charge.quantity_from, charge.quantity,
            charge.unit_price, charge.amount, tax_amount, charge.clause, _reasons(tuple(charge.why.items())),
        ))
        for tax in line_taxes:
            taxes.append((account_id, line_id, tax.rate_id, tax.name, tax.rate_percent, tax.base, tax.amount))


@lru_cache(maxsize=10_000)
def _reasons(why: tuple[tuple[str, Any], ...]) -> str:
    """The reasons of a line as JSON; most lines of a run share theirs with thousands of others."""
    return json.dumps(dict(why))


def _item_row(run: Run, proposal: Proposal, invoice_ids: dict[int, int], sequences: dict[int, int]) -> Sequence[Any]:
    account = proposal.account
    return (
        run.pk, account.account_id, sequences.get(account.account_id, 0) + 1, proposal.outcome, proposal.reason,
        invoice_ids.get(account.account_id), account.currency, proposal.total, proposal.next_billing_on,
        proposal.billed_until_on, account.revision,
    )


def move_on(found: list[Proposal]) -> None:
    """Set when accounts with nothing due, or parked, are looked at next. What they owe stays open to the look back."""
    if not found:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE invoicing_billingprofile p"
            " SET next_billing_on = v.next_on, billed_until_on = coalesce(v.until_on, p.billed_until_on)"
            " FROM unnest(%s::bigint[], %s::date[], %s::date[]) AS v(account_id, next_on, until_on)"
            " WHERE p.account_id = v.account_id",
            [
                array_of(p.account.account_id for p in found),
                array_of(p.next_billing_on for p in found),
                array_of(p.billed_until_on for p in found),
            ],
        )
