"""Receipts, reminders, warnings and statements: written once by their key, drawn and mailed as documents."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from invoicing.documents.models import Delivery, Document, Letter
from invoicing.documents.operations import request_documents


@dataclass(frozen=True)
class LetterTable:
    """Rows under a heading; `totals` are rows in bold at its end. The last column is set right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    totals: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class LetterText:
    """
    Every word and figure of a letter, as printed: what was said is kept as it was said.

    `facts` stand beside the address (“Invoice”, “INV-000012”). `seller` and `recipient` are made by
    `invoicing.documents.parties`.
    """

    subject: str
    title: str
    seller: dict[str, Any]
    recipient: dict[str, Any]
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    table: LetterTable | None = None
    closing: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True)
class LetterDraft:
    """A letter to be written. `key` is what it is about; `copy_to` gets the same mail as the customer."""

    account_id: int
    kind: str
    key: str
    on: date
    text: LetterText
    copy_to: tuple[str, ...] = field(default=())


def write_letters(drafts: Sequence[LetterDraft], *, now: datetime) -> list[Letter]:
    """
    Write those letters whose key was not used before, and ask for their documents and mails; the rest is left alone.

    A constant number of statements in the caller's transaction, however many. Returns the letters that are new.
    """
    before = set(Letter.objects.filter(key__in=[draft.key for draft in drafts]).values_list("key", flat=True))
    fresh = {draft.key: draft for draft in drafts if draft.key not in before}
    Letter.objects.bulk_create(
        [
            Letter(
                account_id=draft.account_id,
                kind=draft.kind,
                key=draft.key,
                on=draft.on,
                details=asdict(draft.text),
                written_at=now,
            )
            for draft in fresh.values()
        ],
        ignore_conflicts=True,
    )
    # Another process may have written one of them this moment: its documents are then asked for twice, and made once.
    written = list(Letter.objects.filter(key__in=list(fresh)).order_by("pk"))
    for kind in dict.fromkeys(letter.kind for letter in written):
        of_kind = [letter for letter in written if letter.kind == kind]
        request_documents(kind, [letter.pk for letter in of_kind], [letter.account_id for letter in of_kind])
    _copy(written, fresh)
    return written


def _copy(written: Sequence[Letter], drafts: dict[str, LetterDraft]) -> None:
    """Deliveries of the same documents to those who get a copy."""
    copied = [letter for letter in written if drafts[letter.key].copy_to]
    documents = {
        (document.kind, document.subject_id): document
        for document in Document.objects.filter(subject_id__in=[letter.pk for letter in copied])
    }
    Delivery.objects.bulk_create(
        [
            Delivery(document=documents[letter.kind, letter.pk], account_id=letter.account_id, address=address.lower())
            for letter in copied
            for address in drafts[letter.key].copy_to
        ],
        ignore_conflicts=True,
    )
