"""Many entries of the books and of the audit trail in one statement each, for what is done to a page of accounts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from accounts.actors import Actor
from accounts.models import AuditEntry
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.ledger.operations import Side


@dataclass(frozen=True)
class EntryDraft:
    """An entry to be posted; its sides sum to zero, or the database refuses it."""

    account_id: int
    source: str
    kind: str
    currency: str
    sides: Sequence[Side]


def post_all(drafts: Collection[EntryDraft], *, on: date, now: datetime) -> None:
    """
    Post entries in two statements, in the caller's transaction and under the locks of their accounts.

    :raises IntegrityError: if one of their sources was posted before
    """
    entries = LedgerEntry.objects.bulk_create(
        LedgerEntry(
            account_id=draft.account_id, source=draft.source, kind=draft.kind, currency=draft.currency, on=on, at=now
        )
        for draft in drafts
    )
    Posting.objects.bulk_create(
        Posting(
            entry=entry, account_id=entry.account_id, ledger_account=side.ledger_account, category=side.category,
            invoice_id=side.invoice_id, payment_id=side.payment_id, currency=entry.currency, amount=side.amount,
        )
        for entry, draft in zip(entries, drafts, strict=True)
        for side in draft.sides
    )  # fmt: skip


@dataclass(frozen=True)
class Done:
    """One change for the audit trail."""

    action: str
    account_id: int
    subject: str
    why: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def audit_all(changes: Collection[Done], *, actor: Actor, now: datetime) -> None:
    """P11: an entry a change, in one statement."""
    AuditEntry.objects.bulk_create(
        AuditEntry(
            account_id=change.account_id, action=change.action, subject=change.subject, who=actor.name[:200],
            channel=actor.channel, why=change.why, detail=dict(change.detail), at=now,
        )
        for change in changes
    )  # fmt: skip
