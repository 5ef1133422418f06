"""The mail that brings a letter."""

from collections.abc import Iterator

from django.template.loader import render_to_string

from invoicing.documents.composers import MailText
from invoicing.documents.drawing.figures import day
from invoicing.documents.headers import one_line, sender
from invoicing.documents.printed_letter import PrintedLetter, PrintedTable

# A longer table stands in the PDF alone.
MOST_ROWS = 20
_BETWEEN = "  "


def mail_text(letter: PrintedLetter) -> MailText:
    """What the letter says, as text and as a page; all of it again in the PDF."""
    table = letter.table if letter.table and len(letter.table.rows) <= MOST_ROWS else None
    told = {
        "title": letter.title,
        "seller": letter.seller.name,
        "seller_phone": letter.seller.phone,
        "recipient": letter.recipient.name,
        "facts": [("To", letter.recipient.name), *_facts(letter)],
        "paragraphs": letter.paragraphs,
        "table": table,
        "table_lines": list(_as_text(table)) if table else [],
        "table_is_long": letter.table is not None and table is None,
        "closing": letter.closing,
        "clauses": letter.clauses,
    }
    return MailText(
        subject=one_line(letter.subject),
        text=render_to_string("invoicing/mail/letter.txt", told),
        html=render_to_string("invoicing/mail/letter.html", told),
        sender=sender(letter.seller.name, letter.seller.email),
    )


def _facts(letter: PrintedLetter) -> list[tuple[str, str]]:
    """The account and the date, unless they are among the letter's own facts, and these."""
    said = {label for label, _ in letter.facts}
    always = (("Account", letter.account_number), ("Date", day(letter.on)))
    return [(label, value) for label, value in always if label not in said and value] + [
        (label, value) for label, value in letter.facts if value
    ]


def _as_text(table: PrintedTable) -> Iterator[str]:
    """The table in columns of a fixed width, the last one set right."""
    rows = [_filled(row, len(table.columns)) for row in (table.columns, *table.rows, *table.totals)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        yield _BETWEEN.join([*cells, row[-1].rjust(widths[-1])]).rstrip()
        if number in (0, len(table.rows)):
            yield "-" * (sum(widths) + len(_BETWEEN) * (len(widths) - 1))


def _filled(row: tuple[str, ...], count: int) -> tuple[str, ...]:
    return (*row, *[""] * (count - len(row)))
