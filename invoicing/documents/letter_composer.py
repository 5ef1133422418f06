"""From the rows of letters to what is printed and mailed. Only what was kept when they were written is read."""

from collections.abc import Mapping, Sequence
from typing import Any

from invoicing.documents.composers import MailText
from invoicing.documents.drawing.letter import render_letter
from invoicing.documents.drawing.page import Party
from invoicing.documents.letter_mail import mail_text
from invoicing.documents.models import Letter
from invoicing.documents.printed_letter import PrintedLetter, PrintedTable
from invoicing.sellers.models import Letterhead

FOLDERS = {"RECEIPT": "receipts", "REMINDER": "reminders", "NOTICE": "notices", "STATEMENT": "statements"}


class LetterComposer:
    """Letters of one kind; registered for each of them."""

    draw = staticmethod(render_letter)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def pdf_inputs(self, subject_ids: Sequence[int]) -> Mapping[int, PrintedLetter]:
        """The letters of this kind among them as plain values, in two queries."""
        letters = list(Letter.objects.filter(pk__in=subject_ids, kind=self.kind).order_by("pk"))
        return {one.id: one for one in printed(letters)}

    def drawn_unsaved(self, letter: Letter) -> bytes:
        """The PDF of a letter that is neither kept nor sent, such as a statement that is looked at."""
        head = letter.details["seller"].get("letterhead_id")
        return self.draw(_printed(letter, dict(Letterhead.objects.filter(pk=head).values_list("pk", "logo"))))

    def path(self, letter: PrintedLetter) -> str:
        """Such as `receipts/2026-12/receipt-2026-12-03-17.pdf`."""
        name = f"{letter.kind.lower()}-{letter.on:%Y-%m-%d}-{letter.id}.pdf"
        return f"{FOLDERS[letter.kind]}/{letter.on:%Y-%m}/{name}"

    def mail(self, letter: PrintedLetter) -> MailText:
        return mail_text(letter)


def printed(letters: Sequence[Letter]) -> list[PrintedLetter]:
    """Letters as plain values, in one query; those that are not kept have the number 0."""
    heads = {letter.details["seller"].get("letterhead_id") for letter in letters}
    logos = dict(Letterhead.objects.filter(pk__in=heads - {None}).values_list("pk", "logo"))
    return [_printed(letter, logos) for letter in letters]


def _printed(letter: Letter, logos: Mapping[int, Any]) -> PrintedLetter:
    said = letter.details
    seller, recipient = said["seller"], said["recipient"]
    logo = logos.get(seller.get("letterhead_id"))
    return PrintedLetter(
        id=letter.pk or 0,
        kind=letter.kind,
        on=letter.on,
        subject=said["subject"],
        title=said["title"],
        seller=Party(
            seller["name"],
            tuple(seller["address_lines"]),
            tuple(seller["tax_ids"]),
            seller["email"],
            seller["phone"],
        ),
        seller_logo=bytes(logo) if logo else None,
        recipient=Party(recipient["name"], tuple(recipient["lines"])),
        account_number=recipient["account_number"],
        facts=tuple((label, value) for label, value in said["facts"]),
        paragraphs=tuple(said["paragraphs"]),
        table=_table(said["table"]),
        closing=tuple(said["closing"]),
        clauses=tuple(said["clauses"]),
        page_size=seller["page_size"],
    )


def _table(said: Mapping[str, Any] | None) -> PrintedTable | None:
    if said is None:
        return None
    rows, totals = (tuple(tuple(row) for row in said[part]) for part in ("rows", "totals"))
    return PrintedTable(tuple(said["columns"]), rows, totals)
