"""The invoice's table: where its columns stand and how each kind of row is measured and drawn. Points throughout."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Protocol

from invoicing.documents.drawing import figures
from invoicing.documents.drawing.pen import Pen
from invoicing.documents.drawing.styles import ACCENT, MARGIN, PAGE_SIZES, RULE, TINT, styles
from invoicing.documents.drawing.wrapping import shortened, wrapped
from invoicing.invoices.document import DocumentLine, InvoiceDocument, TaxRow

GAP = 14.0  # between columns
INSET = 6.0  # of text from the table's edges
PADDING = 3.2
HEADER_HEIGHT = 20.0
BAND_HEIGHT = 22.0
TAX_BAND_GAP = 6.0
TALLEST_TITLE = BAND_HEIGHT + TAX_BAND_GAP
CONTINUED = " (continued)"
TAX_MARK_WIDTH = 62.0
# A description of more lines than this may break over pages.
MOST_LINES = 30


@dataclass(frozen=True, slots=True)
class Columns:
    """Right edges of the columns of numbers, and the room for descriptions."""

    left: float
    width: float
    description_width: float
    quantity: float
    price: float
    tax: float
    amount: float
    has_quantities: bool
    has_tax_marks: bool


class Row(Protocol):
    """What stands in the body: `glued` rows stay on the page of the row that follows."""

    height: float
    glued: bool
    in_table: ClassVar[bool]

    def continuation(self, columns: Columns) -> "Row | None":
        """The title to repeat when this row begins a page."""

    def draw(self, pen: Pen, columns: Columns, top: float) -> None:
        """Draw the row below `top`."""


def columns_for(document: InvoiceDocument) -> Columns:
    """Columns as wide as their widest number, the rest for the descriptions."""
    body, strong, exponent = styles().body, styles().strong, document.exponent
    lines = [line for section in document.sections for line in section.lines]
    amounts = {line.amount for line in lines} | {section.subtotal or Decimal(0) for section in document.sections}
    amounts |= {row.amount for row in document.taxes}
    prices = {line.unit_price for line in lines if line.unit_price is not None}
    quantities = {line.quantity for line in lines if line.quantity is not None}
    bases = {row.base for row in document.taxes}
    widest_amount = max((strong.width(figures.money(amount, exponent)) for amount in amounts), default=0)
    widest_price = max(
        [body.width(figures.rate(price, exponent)) for price in prices]
        + [body.width(figures.money(base, exponent)) for base in bases],
        default=0,
    )
    widest_quantity = max((body.width(figures.quantity(quantity)) for quantity in quantities), default=0)
    widest_mark = max((body.width(_mark(line)) for line in lines), default=0)

    left, width = MARGIN, PAGE_SIZES[document.page_size][0] - 2 * MARGIN
    amount = left + width - INSET
    tax = amount - max(widest_amount, styles().heading.width(f"Amount ({document.currency})")) - GAP
    price = tax - (max(widest_mark, 16) + GAP) * bool(widest_mark)
    quantity = price - max(widest_price, 44) - GAP
    described = quantity - max(widest_quantity, 36) - GAP if prices or quantities else price
    return Columns(
        left=left, width=width, description_width=described - left - INSET, quantity=quantity, price=price, tax=tax,
        amount=amount, has_quantities=bool(prices or quantities), has_tax_marks=bool(widest_mark),
    )  # fmt: skip


def _mark(line: DocumentLine) -> str:
    body = styles().body
    return shortened(line.tax_mark, body.typeface, body.size, TAX_MARK_WIDTH)


def draw_header(pen: Pen, columns: Columns, top: float, currency: str) -> None:
    """Draw the names of the columns; takes HEADER_HEIGHT."""
    heading, y = styles().heading, top - 13
    pen.left(columns.left + INSET, y, "Description", heading)
    if columns.has_quantities:
        pen.right(columns.quantity, y, "Quantity", heading)
        pen.right(columns.price, y, "Unit price", heading)
    if columns.has_tax_marks:
        pen.right(columns.tax, y, "Tax", heading)
    pen.right(columns.amount, y, f"Amount ({currency})", heading)
    pen.rule(columns.left, top - HEADER_HEIGHT, columns.width, ACCENT, 1)


class Band:
    """A section's title on a tinted ground."""

    in_table: ClassVar[bool] = True
    height = BAND_HEIGHT
    glued = True

    def __init__(self, section: str, columns: Columns, *, continued: bool = False) -> None:
        strong = styles().strong
        ending = CONTINUED if continued else ""
        room = columns.width - 2 * INSET - strong.width(ending)
        self.text = shortened(section, strong.typeface, strong.size, room) + ending

    def continuation(self, columns: Columns) -> Row | None:
        return None

    def draw(self, pen: Pen, columns: Columns, top: float) -> None:
        pen.box(columns.left, top - BAND_HEIGHT + 1, columns.width, BAND_HEIGHT - 4, TINT)
        pen.left(columns.left + INSET, top - 15, self.text, styles().strong)


class LineRow:
    """One line: numbers on its first row of text, the detail small below."""

    in_table: ClassVar[bool] = True

    def __init__(
        self, line: DocumentLine, text: tuple[str, ...], detail: tuple[str, ...], section: str, exponent: int,
        *, numbers: bool = True,
    ) -> None:  # fmt: skip
        self.line, self.text, self.detail = line, text, detail
        self.section, self.exponent, self.numbers = section, exponent, numbers
        self.glued = False
        look = styles()
        self.height = 2 * PADDING + max(len(text), not detail) * look.body.leading + len(detail) * look.small.leading

    def continuation(self, columns: Columns) -> Row | None:
        return Band(self.section, columns, continued=True) if self.section else None

    def draw(self, pen: Pen, columns: Columns, top: float) -> None:
        look, line = styles(), self.line
        y = top - PADDING - 8.4
        if self.numbers:
            if line.quantity is not None:
                pen.right(columns.quantity, y, figures.quantity(line.quantity), look.body)
            if line.unit_price is not None:
                pen.right(columns.price, y, figures.rate(line.unit_price, self.exponent), look.body)
            if line.tax_mark:
                pen.right(columns.tax, y, _mark(line), look.body)
            pen.right(columns.amount, y, figures.money(line.amount, self.exponent), look.body)
        y = pen.lines(columns.left + INSET, y, self.text, look.body)
        pen.lines(columns.left + INSET, y + 1.2, self.detail, look.small)
        pen.rule(columns.left, top - self.height, columns.width, RULE)


class SubtotalRow:
    """What a section comes to."""

    in_table: ClassVar[bool] = True
    height = 20.0

    def __init__(self, section: str, subtotal: Decimal, exponent: int) -> None:
        self.section, self.subtotal, self.exponent = section, subtotal, exponent
        self.glued = False

    def continuation(self, columns: Columns) -> Row | None:
        return Band(self.section, columns, continued=True) if self.section else None

    def draw(self, pen: Pen, columns: Columns, top: float) -> None:
        strong, amount = styles().strong, figures.money(self.subtotal, self.exponent)
        y = top - 12.5
        room = columns.width - 2 * INSET - GAP - strong.width(amount)
        name = f"Subtotal {self.section}" if self.section else "Subtotal"
        pen.left(columns.left + INSET, y, shortened(name, strong.typeface, strong.size, room), strong)
        pen.right(columns.amount, y, amount, strong)


class TaxBand(Band):
    """Title of the tax summary, which names its columns itself and keeps off the lines above."""

    height = BAND_HEIGHT + TAX_BAND_GAP

    def draw(self, pen: Pen, columns: Columns, top: float) -> None:
        top -= TAX_BAND_GAP
        super().draw(pen, columns, top)
        heading, y = styles().heading, top - 15
        pen.right(columns.quantity, y, "Rate", heading)
        pen.right(columns.price, y, "Taxable", heading)
        pen.right(columns.amount, y, "Tax", heading)


class TaxSummaryRow:
    """One tax at one rate: on what, and how much."""

    in_table: ClassVar[bool] = True
    height = 16.0

    def __init__(self, row: TaxRow, section: str, exponent: int) -> None:
        self.row, self.section, self.exponent = row, section, exponent
        self.glued = False

    def continuation(self, columns: Columns) -> Row | None:
        return TaxBand(self.section, columns, continued=True)

    def draw(self, pen: Pen, columns: Columns, top: float) -> None:
        body, row, y = styles().body, self.row, top - 11
        rate = figures.percent(row.rate_percent)
        room = columns.quantity - body.width(rate) - GAP - columns.left - INSET
        pen.left(columns.left + INSET, y, shortened(row.name, body.typeface, body.size, room), body)
        pen.right(columns.quantity, y, rate, body)
        pen.right(columns.price, y, figures.money(row.base, self.exponent), body)
        pen.right(columns.amount, y, figures.money(row.amount, self.exponent), body)
        pen.rule(columns.left, top - self.height, columns.width, RULE)


def rows_of(document: InvoiceDocument, columns: Columns) -> list[Row]:
    """The rows of every section: a title stays with its first line, a subtotal with its last."""
    rows: list[Row] = []
    for section in document.sections:
        if section.title:
            rows.append(Band(section.title, columns))
        for line in section.lines:
            rows += _line_rows(line, section.title, columns, document.exponent)
        # Without a title, the one section's subtotal is the document's.
        if section.subtotal is not None and (section.title or len(document.sections) > 1):
            if section.lines:
                rows[-1].glued = True
            rows.append(SubtotalRow(section.title, section.subtotal, document.exponent))
    return rows


def _line_rows(line: DocumentLine, section: str, columns: Columns, exponent: int) -> list[LineRow]:
    """One row, or several when the description alone could fill a page."""
    look, width = styles(), columns.description_width
    text = wrapped(line.description, look.body.typeface, look.body.size, width)
    detail = wrapped(line.detail, look.small.typeface, look.small.size, width)
    if len(text) + len(detail) <= MOST_LINES:
        return [LineRow(line, text, detail, section, exponent)]
    pieces: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
        (text[at : at + MOST_LINES], ()) for at in range(0, len(text), MOST_LINES)
    ]
    pieces += [((), detail[at : at + MOST_LINES]) for at in range(0, len(detail), MOST_LINES)]
    return [
        LineRow(line, some_text, some_detail, section, exponent, numbers=index == 0)
        for index, (some_text, some_detail) in enumerate(pieces)
    ]
