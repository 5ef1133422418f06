"""What the page of a run shows: how far it is, what it comes to by terms, and who changed most."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum

from accounts.models import AuditEntry
from invoicing.runs.due import count_due
from invoicing.runs.models import Run, RunItem
from invoicing.runs.queries import Difference, Figures, differences, figures
from invoicing.subscriptions.models import BillingProfile

RUNNING = (Run.State.PROPOSING, Run.State.ISSUING)


@dataclass(frozen=True)
class Progress:
    """How far a run is: accounts, then the documents drawn and mails sent for what it issued."""

    figures: Figures
    done: int
    total: int
    documents: dict[str, int] = field(default_factory=dict)
    mails: dict[str, int] = field(default_factory=dict)

    @property
    def documents_total(self) -> int:
        return sum(self.documents.values())

    @property
    def documents_drawn(self) -> int:
        return self.documents.get("RENDERED", 0)

    @property
    def mails_total(self) -> int:
        return sum(self.mails.values())

    @property
    def mails_sent(self) -> int:
        return self.mails.get("SENT", 0)

    @property
    def failed(self) -> int:
        """Documents and mails that wait for a person."""
        return self.documents.get("PARKED", 0) + self.mails.get("PARKED", 0) + self.mails.get("UNCERTAIN", 0)

    @property
    def is_delivering(self) -> bool:
        """Whether workers still have something of this run to draw or send."""
        waiting = self.documents.get("PENDING", 0) + self.mails.get("PENDING", 0) + self.mails.get("SENDING", 0)
        return waiting > 0


_DOCUMENTS = """
    SELECT d.state, count(*) FROM invoicing_runitem i
    JOIN invoicing_document d ON d.subject_id = i.invoice_id AND d.kind IN ('INVOICE', 'CREDIT_NOTE')
    WHERE i.run_id = %s AND i.outcome = 'INVOICED' GROUP BY 1
"""
_MAILS = """
    SELECT m.state, count(*) FROM invoicing_runitem i
    JOIN invoicing_document d ON d.subject_id = i.invoice_id AND d.kind IN ('INVOICE', 'CREDIT_NOTE')
    JOIN invoicing_delivery m ON m.document_id = d.id
    WHERE i.run_id = %s AND i.outcome = 'INVOICED' GROUP BY 1
"""


def progress(run: Run) -> Progress:
    """How far the run is, in six queries whatever its size."""
    found = figures(run)
    settled = found.invoiced + found.nothing_due + found.parked
    if run.state == Run.State.PROPOSING:
        done, total = found.accounts, max(found.accounts, settled + count_due(run.seller_id, run.on))
    else:
        done, total = settled, found.accounts
    if not found.invoiced:
        return Progress(found, done, total)
    return Progress(found, done, total, _counted(_DOCUMENTS, run), _counted(_MAILS, run))


def _counted(sql: str, run: Run) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [run.pk])
        return dict(cursor.fetchall())


class ByTerms(NamedTuple):
    """What a run comes to under one set of terms in one currency."""

    terms: str
    currency: str
    invoiced: int
    proposed: int
    nothing_due: int
    parked: int
    total: Decimal


_BY_TERMS = """
    SELECT t.name, i.currency,
        count(*) FILTER (WHERE i.outcome = 'INVOICED'), count(*) FILTER (WHERE i.outcome = 'PROPOSED'),
        count(*) FILTER (WHERE i.outcome = 'NOTHING_DUE'), count(*) FILTER (WHERE i.outcome = 'PARKED'),
        coalesce(sum(i.total) FILTER (WHERE i.outcome IN ('INVOICED', 'PROPOSED')), 0)
    FROM invoicing_runitem i
    JOIN invoicing_billingprofile p ON p.account_id = i.account_id JOIN invoicing_billingterms t ON t.id = p.terms_id
    WHERE i.run_id = %s GROUP BY 1, 2 ORDER BY 1, 2
"""


def totals_by_terms(run: Run) -> list[ByTerms]:
    """The run's accounts and total by the terms and currency of its accounts."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_TERMS, [run.pk])
        return [ByTerms(*row) for row in cursor.fetchall()]


def timeline(run: Run) -> QuerySet[AuditEntry]:
    """What people and the schedule did to the run, the latest first."""
    return AuditEntry.objects.filter(subject=str(run), at__gte=run.opened_at).order_by("-at", "-pk")[:50]


def figures_of(runs: Sequence[Run]) -> dict[int, Figures]:
    """The figures of several runs without their numbers, in one query."""
    found = {run.pk: Figures(run.on, run.state) for run in runs}
    rows = RunItem.objects.filter(run__in=found).values("run_id", "outcome", "currency")
    for row in rows.annotate(accounts=Count("id"), total=Sum("total")).order_by():
        found[row["run_id"]].count(row["outcome"], row["accounts"], row["total"], row["currency"])
    return found


def bars(by_reason: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The changes by reason with the length of each bar, in percent of the longest of its currency."""
    rows = [dict(row) for row in by_reason]
    longest: dict[str, Decimal] = {}
    for row in rows:
        longest[row["currency"]] = max(abs(row["change"]), longest.get(row["currency"], Decimal(0)))
    for row in rows:
        row["percent"] = int(abs(row["change"]) * 100 / longest[row["currency"]]) if longest[row["currency"]] else 0
    return rows


class Changed(NamedTuple):
    """A page of the accounts that changed; `has_more` tells whether another one follows."""

    rows: list[Difference]
    has_more: bool


def changed_accounts(run: Run, *, page: int, reason: str, search: str, page_size: int = 25) -> Changed:
    """One page of the accounts that changed, counted from 1; one row more is read to know whether a page follows."""
    rows = differences(run, limit=page_size + 1, offset=(page - 1) * page_size, reason=reason, search=search)
    return Changed(rows[:page_size], len(rows) > page_size)


def is_due_unproposed(seller_id: int, on: date) -> bool:
    """Whether an account's billing date has come that waits in no proposal: what a run would still have to look at."""
    waiting = RunItem.objects.filter(
        account_id=OuterRef("account_id"), outcome=RunItem.Outcome.PROPOSED, superseded_by=None
    )
    due = BillingProfile.objects.filter(seller_id=seller_id, next_billing_on__lte=on)
    return due.exclude(Exists(waiting)).exists()
