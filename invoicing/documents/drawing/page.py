"""What every printed page has: the seller's mark at the top, names and addresses, the running head and the foot."""

import io
from dataclasses import dataclass
from datetime import date
from typing import Literal

from reportlab import rl_config
from reportlab.pdfgen.canvas import Canvas

from invoicing.documents.drawing import logo
from invoicing.documents.drawing.pen import Pen, Style
from invoicing.documents.drawing.styles import FOOTER, MARGIN, PAGE_SIZES, RULE, TOP, styles
from invoicing.documents.drawing.typeface import clean, regular
from invoicing.documents.drawing.wrapping import ELLIPSIS, shortened, wrapped, wrapped_lines

# Text armour around streams, on by default, makes files a quarter larger and costs a tenth of the time.
rl_config.useA85 = 0

LOGO_ROOM = (180.0, 46.0)
RIGHT_SHARE = 0.44  # of the width, for the facts
GUTTER = 24.0
MOST_ADDRESS_LINES = 12
RUNNING_HEAD = 24.0

PageSize = Literal["A4", "LETTER"]
StyledLines = list[tuple[str, Style]]


@dataclass(frozen=True, slots=True)
class Party:
    """Who writes or is written to, as it is printed."""

    name: str
    address_lines: tuple[str, ...]
    tax_ids: tuple[str, ...] = ()
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things stand on a page of the document. Points from the lower left corner."""

    width: float
    height: float

    @property
    def right(self) -> float:
        return self.width - MARGIN

    @property
    def inner(self) -> float:
        return self.width - 2 * MARGIN

    @property
    def right_column(self) -> float:
        return self.right - self.inner * RIGHT_SHARE

    @property
    def left_width(self) -> float:
        return self.right_column - MARGIN - GUTTER


def frame_for(page_size: PageSize) -> Frame:
    """The frame for this paper."""
    return Frame(*PAGE_SIZES[page_size])


class SellerMark:
    """Top left of the first page: the logo or else the name, then how to reach the seller. Measured when made."""

    def __init__(self, seller: Party, source: bytes | None, frame: Frame) -> None:
        look = styles()
        self.logo = logo.prepared(source) if source else None
        self.lines = party_lines(seller, look.strong if self.logo else None, look.small, frame.left_width)
        self.wordmark = () if self.logo else capped(seller.name, look.wordmark, frame.left_width, most=3)
        mark = self.logo.size_within(*LOGO_ROOM)[1] + 12 if self.logo else 20 * len(self.wordmark) + 4
        self.height = mark + height_of(self.lines)

    def draw(self, pen: Pen, canvas: Canvas, top: float) -> None:
        if self.logo:
            width, height = self.logo.size_within(*LOGO_ROOM)
            logo.place(canvas, self.logo, MARGIN, top - height, width, height)
            y = top - height - 14
        else:
            y = pen.lines(MARGIN, top - 16, self.wordmark, styles().wordmark) + 4
        draw_lines(pen, y, self.lines)


def party_lines(party: Party, name: Style | None, rest: Style, width: float) -> StyledLines:
    """Name (if it has a style), address and ways to reach the party, wrapped."""
    lines = [(line, name) for line in capped(party.name, name, width, most=4)] if name else []
    said = "\n".join((*party.address_lines, party.phone, party.email))
    address = wrapped_lines(said, rest.typeface, rest.size, width)
    return lines + [(line, rest) for line in address[:MOST_ADDRESS_LINES]]


def capped(text: str, style: Style, width: float, *, most: int) -> tuple[str, ...]:
    """At most `most` lines; an ellipsis says that there was more."""
    lines = wrapped(text, style.typeface, style.size, width)
    if len(lines) <= most:
        return lines
    last = shortened(lines[most - 1] + ELLIPSIS, style.typeface, style.size, width)
    return (*lines[: most - 1], last)


def height_of(lines: StyledLines) -> float:
    return sum(style.leading for _, style in lines)


def draw_lines(pen: Pen, y: float, lines: StyledLines) -> None:
    for line, style in lines:
        pen.left(MARGIN, y, line, style)
        y -= style.leading


def draw_running_head(pen: Pen, seller: str, what: str, frame: Frame) -> None:
    """On the pages after the first: who writes, and what this is. Takes RUNNING_HEAD."""
    look, y = styles(), frame.height - TOP - 6
    what = shortened(what, look.label.typeface, look.label.size, frame.inner * RIGHT_SHARE)
    pen.right(frame.right, y, what, look.label)
    room = frame.inner - look.label.width(what) - GUTTER
    pen.left(MARGIN, y, shortened(seller, look.strong.typeface, look.strong.size, room), look.strong)
    pen.rule(MARGIN, y - 8, frame.inner, RULE)


def draw_footer(pen: Pen, seller: Party, frame: Frame, page: int, pages: int) -> None:
    """At the foot of every page: the seller in law, and which page this is."""
    look, y = styles().footer, FOOTER - 22
    pen.rule(MARGIN, y + 11, frame.inner, RULE)
    pen.right(frame.right, y, f"Page {page} of {pages}", look)
    named = "  ·  ".join((seller.name, *seller.tax_ids))
    pen.lines(MARGIN, y, capped(named, look, frame.inner - 80, most=3), look)


def new_canvas(*, frame: Frame, title: str, author: str, subject: str, on: date, language: str = "en") -> Canvas:
    """An empty PDF with its metadata; the same every time."""
    canvas = Canvas(
        io.BytesIO(),
        pagesize=(frame.width, frame.height),
        pageCompression=1,
        invariant=1,
        # Without it reportlab refers to Helvetica, which is not embedded. Its stubs take the name for a number.
        initialFontName=regular().fontName,  # type: ignore[arg-type]
        lang=language,
    )
    canvas.setTitle(clean(title))
    canvas.setAuthor(clean(author))
    canvas.setSubject(clean(subject))
    canvas.setCreator("Clausebook")
    # An unchanging date, but not the year 2000 that reportlab writes into repeatable files.
    canvas.setDateFormatter(lambda *_: f"D:{on:%Y%m%d}000000Z")
    return canvas
