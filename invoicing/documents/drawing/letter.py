"""From a `PrintedLetter` to the bytes of its PDF: the invoice's letterhead, and text and a table below it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reportlab.pdfgen.canvas import Canvas

from invoicing.documents.drawing import figures
from invoicing.documents.drawing.flow import Gap, Row, TextLine
from invoicing.documents.drawing.letter_table import rows_of
from invoicing.documents.drawing.page import (
    RIGHT_SHARE,
    RUNNING_HEAD,
    Frame,
    SellerMark,
    capped,
    draw_footer,
    draw_lines,
    draw_running_head,
    frame_for,
    height_of,
    new_canvas,
    party_lines,
)
from invoicing.documents.drawing.pen import Pen, Style
from invoicing.documents.drawing.styles import FOOTER, MARGIN, TOP, styles
from invoicing.documents.drawing.wrapping import wrapped_lines
from invoicing.documents.printed_letter import PrintedLetter

FACT_LEADING = 12.5
FACT_GAP = 10.0
ABOVE_TEXT = 26.0
BETWEEN_PARAGRAPHS = 8.0
AROUND_TABLE = 6.0
ABOVE_CLAUSES = 16.0


def render_letter(letter: PrintedLetter) -> bytes:
    """The PDF of a letter: the same bytes for the same letter, on every machine."""
    frame = frame_for(letter.page_size)
    head = _Head(letter, frame)
    body = frame.height - TOP - FOOTER
    pages = _paginated(_rows(letter, frame), first=body - head.height, following=body - RUNNING_HEAD)
    canvas = new_canvas(
        frame=frame,
        title=letter.title,
        author=letter.seller.name,
        subject=f"{letter.subject}, account {letter.account_number}",
        on=letter.on,
    )
    pen = Pen(canvas)
    for number, page in enumerate(pages, start=1):
        if number == 1:
            head.draw(pen, canvas)
        else:
            draw_running_head(pen, letter.seller.name, f"{letter.title}  ·  {figures.day(letter.on)}", frame)
        top = frame.height - TOP - (head.height if number == 1 else RUNNING_HEAD)
        for row in page.rows:
            row.draw(pen, top)
            top -= row.height
        draw_footer(pen, letter.seller, frame, number, len(pages))
        pen.finish()
    return bytes(canvas.getpdfdata())


class _Head:
    """Who writes, to whom, and the facts; measured when made."""

    def __init__(self, letter: PrintedLetter, frame: Frame) -> None:
        look = styles()
        self.letter, self.frame = letter, frame
        self.seller = SellerMark(letter.seller, letter.seller_logo, frame)
        self.recipient = party_lines(letter.recipient, look.name, look.body, frame.left_width)
        width = frame.inner * RIGHT_SHARE
        self.title = capped(letter.title, _title(), width, most=2)
        self.facts = _facts(letter, width)
        facts = sum(len(value) for _, value in self.facts) * FACT_LEADING + 18 + 28 * len(self.title)
        self.lower = self.seller.height + 20
        self.height = max(self.lower + 14 + height_of(self.recipient), facts) + ABOVE_TEXT

    def draw(self, pen: Pen, canvas: Canvas) -> None:
        look, frame, top = styles(), self.frame, self.frame.height - TOP
        self.seller.draw(pen, canvas, top)
        y = top - 20
        for line in self.title:
            pen.right(frame.right, y, line, _title())
            y -= 26
        for label, value in self.facts:
            pen.left(frame.right_column, y, label, look.label)
            for line in value:
                pen.right(frame.right, y, line, look.body)
                y -= FACT_LEADING
        pen.left(MARGIN, top - self.lower - 8, "TO", look.heading)
        draw_lines(pen, top - self.lower - 22, self.recipient)


def _title() -> Style:
    look = styles().title
    return Style(look.typeface, 20, 24, look.ink)


def _facts(letter: PrintedLetter, width: float) -> list[tuple[str, tuple[str, ...]]]:
    """The date and the account, unless they are among the letter's own facts, and these."""
    look, said = styles(), {label for label, _ in letter.facts}
    always = (("Date", figures.day(letter.on)), ("Account", letter.account_number))
    facts = [(label, value) for label, value in always if label not in said and value]
    facts += [(label, value) for label, value in letter.facts if value]
    shown = []
    for label, value in facts:
        label = capped(label, look.label, width * 0.5, most=1)[0]
        room = max(width - look.label.width(label) - FACT_GAP, width * 0.4)
        shown.append((label, capped(value, look.body, room, most=6)))
    return shown


def _rows(letter: PrintedLetter, frame: Frame) -> list[Row]:
    """Everything below the head, from top to bottom."""
    look = styles()
    text = Style(look.body.typeface, 9.2, 13, look.body.ink)
    rows: list[Row] = _text(letter.paragraphs, text, frame.inner)
    if letter.table:
        rows += [Gap(AROUND_TABLE), *rows_of(letter.table, frame), Gap(AROUND_TABLE + BETWEEN_PARAGRAPHS)]
    rows += _text(letter.closing, text, frame.inner)
    if letter.clauses:
        rows += [Gap(ABOVE_CLAUSES - BETWEEN_PARAGRAPHS), *_text(letter.clauses, look.small, frame.inner, between=3)]
    return rows


def _text(paragraphs: Sequence[str], style: Style, width: float, *, between: float = BETWEEN_PARAGRAPHS) -> list[Row]:
    """Paragraphs in lines; the first two and the last two lines of one stay together."""
    rows: list[Row] = []
    for paragraph in paragraphs:
        lines = wrapped_lines(paragraph, style.typeface, style.size, width)
        last = len(lines) - 1
        for number, line in enumerate(lines):
            rows.append(TextLine(line, style, glued=number < last and number in (0, last - 1)))
        rows.append(Gap(between))
    return rows


@dataclass(slots=True)
class _Page:
    rows: list[Row] = field(default_factory=list)


def _paginated(rows: Sequence[Row], *, first: float, following: float) -> list[_Page]:
    """Fill pages; glued rows move together, and a table that goes on repeats its heading."""
    pages, room = [_Page()], first
    for clump in _clumps(rows, most=following / 2):
        height = sum(row.height for row in clump)
        if height > room and pages[-1].rows:
            if isinstance(clump[0], Gap):
                continue
            pages.append(_Page())
            heading = clump[0].heading
            if heading and heading is not clump[0]:
                clump = [heading, *clump]
                height += heading.height
            room = following
        pages[-1].rows += clump
        room -= height
    return pages


def _clumps(rows: Sequence[Row], *, most: float) -> list[list[Row]]:
    """Rows that stand together; one by one where together they are higher than `most`."""
    clumps: list[list[Row]] = [[]]
    for row in rows:
        clumps[-1].append(row)
        if not row.glued:
            clumps.append([])
    found: list[list[Row]] = []
    for clump in filter(None, clumps):
        found += [clump] if sum(row.height for row in clump) <= most else [[row] for row in clump]
    return found
