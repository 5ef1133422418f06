"""Writing a page's proposals: drafts with their lines and taxes by COPY, and what became of each account."""

import json
import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction

from invoicing.bulk import array_of, copy_rows, take_ids
from invoicing.invoices.drafts import Draft
from invoicing.invoices.fee_note import KEY
from invoicing.invoices.models import Invoice, InvoiceLine, LineTax
from invoicing.payments.fee_quotes import FeeQuotes
from invoicing.prepaid.settling import await_credit, await_nothing
from invoicing.runs.billables import DueAccount
from invoicing.runs.models import Run, RunItem
from invoicing.runs.proposals import Proposal, internal_failure
from invoicing.sellers.addresses import printed_address
from invoicing.sellers.letterheads import current_letterhead

logger = logging.getLogger(__name__)


def drop_drafts(invoice_ids: list[int]) -> None:
    """Remove drafts with their lines and taxes. The database refuses it for anything issued."""
    if not invoice_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE invoicing_runitem SET invoice_id = NULL WHERE invoice_id = ANY(%(ids)s);"
            "DELETE FROM invoicing_linetax"
            " WHERE line_id IN (SELECT id FROM invoicing_invoiceline WHERE invoice_id = ANY(%(ids)s));"
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
        reason = internal_failure(proposal.account, error)
        return _save(
            run,
            [Proposal(proposal.account, RunItem.Outcome.PARKED, proposal.next_billing_on, reason=reason)],
            sequences,
        )


INVOICE_COLUMNS = (
    "id",
    "account_id",
    "seller_id",
    "kind",
    "status",
    "issued_on",
    "due_on",
    "currency",
    "terms_code",
    "subtotal",
    "tax_total",
    "total",
    "period_start",
    "period_end",
    "buyer",
    "reason",
    "letterhead_id",
)
LINE_COLUMNS = (
    "invoice_id",
    "account_id",
    "position",
    "client_id",
    "subscription_id",
    "one_off_id",
    "kind",
    "plan_id",
    "description",
    "period_start",
    "period_end",
    "quantity_from",
    "quantity",
    "unit_price",
    "amount",
    "tax_amount",
    "clause",
    "why",
)
TAX_COLUMNS = ("account_id", "line_id", "rate_id", "name", "rate_percent", "base", "amount")
ITEM_COLUMNS = (
    "run_id",
    "account_id",
    "sequence",
    "outcome",
    "reason",
    "invoice_id",
    "currency",
    "total",
    "next_billing_on",
    "billed_until_on",
    "profile_revision",
)


def save_drafts(run: Run, drafted: Sequence[Proposal]) -> dict[int, int]:
    """
    Write the drafts of proposals with their lines and taxes by COPY; the invoice's id by account.

    `run` says of which seller and day they are.
    """
    invoice_ids = dict(zip((p.account.account_id for p in drafted), take_ids(Invoice, len(drafted)), strict=True))
    # Only taxes refer to their line; without any, the lines take their keys as they go in.
    taxed = any(line.taxes for p in drafted if p.draft for line in p.draft.lines)
    count = sum(len(p.draft.lines) for p in drafted if p.draft)
    line_ids: Iterator[int | None] = iter(take_ids(InvoiceLine, count) if taxed else repeat(None, count))
    # Known already when the draft is made, so that issuing need not have the reference checked a second time.
    letterhead_id = current_letterhead(run.seller).pk if drafted else 0
    lines: list[Sequence[Any]] = []
    taxes: list[Sequence[Any]] = []
    quotes = FeeQuotes(on=run.on)
    invoices = []
    for proposal in drafted:
        invoice_id = invoice_ids[proposal.account.account_id]
        invoices.append(_invoice_row(run, proposal, invoice_id, letterhead_id, quotes))
        _add_line_rows(proposal, invoice_id, line_ids, lines, taxes)
    copy_rows(Invoice, INVOICE_COLUMNS, invoices)
    if taxed:
        copy_rows(InvoiceLine, ("id", *LINE_COLUMNS), lines)
    else:
        copy_rows(InvoiceLine, LINE_COLUMNS, (line[1:] for line in lines))
    if taxes:
        copy_rows(LineTax, TAX_COLUMNS, taxes)
    return invoice_ids


def _save(run: Run, found: list[Proposal], sequences: dict[int, int]) -> int:
    invoice_ids = save_drafts(run, [proposal for proposal in found if proposal.draft])
    copy_rows(RunItem, ITEM_COLUMNS, [_item_row(run, p, invoice_ids, sequences) for p in found])
    if awaited := {p.account.account_id: p.awaited for p in found if p.awaited}:
        await_credit(awaited, on=run.on)
    if done := [p.account.account_id for p in found if p.outcome == RunItem.Outcome.NOTHING_DUE]:
        await_nothing(done)
    dealt_with = [p for p in found if p.outcome != RunItem.Outcome.PROPOSED]
    move_on(dealt_with)
    return len(dealt_with)


def _invoice_row(run: Run, proposal: Proposal, invoice_id: int, letterhead_id: int, quotes: FeeQuotes) -> Sequence[Any]:
    account, draft = proposal.account, proposal.draft
    assert draft is not None
    buyer = buyer_of(account, _clients_on(proposal), home=run.seller.country)
    buyer[KEY] = quotes.kept_for(country=account.country, state=account.state, terms_id=account.terms_id)
    reason = "Rebates and credits exceed the charges (SEAT-3)." if draft.kind == "CREDIT_NOTE" else ""
    return (
        invoice_id,
        account.account_id,
        run.seller_id,
        draft.kind,
        "DRAFT",
        run.on,
        draft.due_on,
        account.currency,
        _terms_code(draft),
        draft.subtotal,
        draft.tax_total,
        draft.total,
        draft.period_start,
        draft.period_end,
        json.dumps(buyer),
        reason,
        letterhead_id,
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
    proposal: Proposal,
    invoice_id: int,
    line_ids: Iterator[int | None],
    lines: list[Sequence[Any]],
    taxes: list[Sequence[Any]],
) -> None:
    account_id = proposal.account.account_id
    assert proposal.draft is not None
    for position, (charge, line_taxes, tax_amount) in enumerate(proposal.draft.lines, start=1):
        line_id = next(line_ids)
        start, end = (charge.period.start, charge.period.end) if charge.period else (None, None)
        lines.append(
            (
                line_id,
                invoice_id,
                account_id,
                position,
                charge.client_id,
                charge.subscription_id,
                charge.one_off_id,
                charge.kind,
                charge.plan.id,
                charge.description[:400],
                start,
                end,
                charge.quantity_from,
                charge.quantity,
                charge.unit_price,
                charge.amount,
                tax_amount,
                charge.clause,
                _reasons(tuple(charge.why.items())),
            )
        )
        for tax in line_taxes:
            taxes.append((account_id, line_id, tax.rate_id, tax.name, tax.rate_percent, tax.base, tax.amount))


@lru_cache(maxsize=10_000)
def _reasons(why: tuple[tuple[str, Any], ...]) -> str:
    """The reasons of a line as JSON; most lines of a run share theirs with thousands of others."""
    return json.dumps(dict(why))


def _item_row(run: Run, proposal: Proposal, invoice_ids: dict[int, int], sequences: dict[int, int]) -> Sequence[Any]:
    account = proposal.account
    return (
        run.pk,
        account.account_id,
        sequences.get(account.account_id, 0) + 1,
        proposal.outcome,
        proposal.reason,
        invoice_ids.get(account.account_id),
        account.currency,
        proposal.total,
        proposal.next_billing_on,
        proposal.billed_until_on,
        account.revision,
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
