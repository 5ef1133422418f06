"""What follows the lines: the tax summary, the totals beside how to pay, and the notes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar

from invoicing.documents.drawing import figures
from invoicing.documents.drawing.pen import Pen
from invoicing.documents.drawing.styles import ACCENT, TINT, styles
from invoicing.documents.drawing.wrapping import wrapped_lines
from invoicing.invoices.document import InvoiceDocument
from invoicing.invoices.drawing.table import INSET, Columns, Row, TaxBand, TaxSummaryRow

TAX_TITLE = "Tax summary"
# So many taxes stay on one page with the totals; more may break.
TAXES_KEPT_TOGETHER = 8
TOTALS_SHARE = 0.44  # of the table's width
ABOVE_TOTALS = 16.0
TOTAL_LEADING = 16.0
DUE_HEIGHT = 26.0
BOX_PADDING = 10.0
# Longer instructions go on below the totals, where they may break over pages.
MOST_INSTRUCTION_LINES = 24


class TotalsBlock:
    """Totals at the right, payment instructions at the left; never broken."""

    in_table: ClassVar[bool] = False

    def __init__(self, document: InvoiceDocument, instructions: tuple[str, ...]) -> None:
        self.glued = False
        self.instructions = instructions
        self.totals, self.last = _totals(document)
        right = len(self.totals) * TOTAL_LEADING + DUE_HEIGHT + 6
        left = 2 * BOX_PADDING + 15 + len(instructions) * styles().body.leading if instructions else 0
        self.height = ABOVE_TOTALS + max(left, right)

    def continuation(self, columns: Columns) -> Row | None:
        return None

    def draw(self, pen: Pen, columns: Columns, top: float) -> None:
        top -= ABOVE_TOTALS
        self._draw_totals(pen, columns, top)
        if self.instructions:
            self._draw_instructions(pen, columns, top)

    def _draw_totals(self, pen: Pen, columns: Columns, top: float) -> None:
        look, width = styles(), columns.width * TOTALS_SHARE
        x = columns.left + columns.width - width
        y = top - 9
        for label, amount in self.totals:
            style = look.strong if label == "Total" else look.body
            if label == "Total":
                pen.rule(x, y + 11, width, ACCENT, 0.8)
            pen.left(x + INSET, y, label, style)
            pen.right(columns.amount, y, amount, style)
            y -= TOTAL_LEADING
        label, amount = self.last
        bottom = y + 11 - DUE_HEIGHT - 2
        pen.rounded_box(x, bottom, width, DUE_HEIGHT, ACCENT)
        style = look.due.fitting(f"{label}  {amount}", width - 2 * INSET)
        pen.left(x + INSET, bottom + 9, label, style)
        pen.right(columns.amount, bottom + 9, amount, style)

    def _draw_instructions(self, pen: Pen, columns: Columns, top: float) -> None:
        look, width = styles(), _instructions_width(columns.width)
        height = 2 * BOX_PADDING + 15 + len(self.instructions) * look.body.leading
        pen.rounded_box(columns.left, top - height, width, height, TINT)
        y = top - BOX_PADDING - 8
        pen.left(columns.left + BOX_PADDING, y, "How to pay", look.strong)
        pen.lines(columns.left + BOX_PADDING, y - 15, self.instructions, look.body)


class TextRow:
    """One line of a note below the totals."""

    in_table: ClassVar[bool] = False

    def __init__(self, text: str, *, first: bool = False) -> None:
        self.text, self.glued = text, False
        self.height = styles().small.leading + (10 if first else 0)

    def continuation(self, columns: Columns) -> Row | None:
        return None

    def draw(self, pen: Pen, columns: Columns, top: float) -> None:
        pen.left(columns.left, top - self.height + 2.5, self.text, styles().small)


def closing_rows(document: InvoiceDocument, columns: Columns) -> Iterator[Row]:
    """Tax summary, totals and notes. A long tax summary may break, but its title and the totals never stand alone."""
    look, width = styles().body, _instructions_width(columns.width) - 2 * BOX_PADDING
    said = document.payment_instructions if document.kind == "INVOICE" else ""
    instructions = wrapped_lines(said, look.typeface, look.size, width)
    yield from _tax_rows(document, columns)
    yield TotalsBlock(document, instructions[:MOST_INSTRUCTION_LINES])
    for paragraph in (" ".join(instructions[MOST_INSTRUCTION_LINES:]), *document.notes):
        small = styles().small
        for index, line in enumerate(wrapped_lines(paragraph, small.typeface, small.size, columns.width)):
            yield TextRow(line, first=index == 0)


def _tax_rows(document: InvoiceDocument, columns: Columns) -> Iterator[Row]:
    if not document.taxes:
        return
    yield TaxBand(TAX_TITLE, columns)
    for index, tax in enumerate(document.taxes, start=1):
        row = TaxSummaryRow(tax, TAX_TITLE, document.exponent)
        row.glued = index == len(document.taxes) or len(document.taxes) <= TAXES_KEPT_TOGETHER
        yield row


def _totals(document: InvoiceDocument) -> tuple[list[tuple[str, str]], tuple[str, str]]:
    """The totals above, and the one that is highlighted, each with its label."""
    exponent = document.exponent
    rows = [("Subtotal", document.subtotal)]
    if document.taxes:
        rows.append(("Tax", sum((row.amount for row in document.taxes), Decimal(0))))
    last = ("Total credited", document.total)
    if document.kind == "INVOICE":
        rows.append(("Total", document.total))
        rows += [(one.label, -one.amount) for one in document.applied]
        if before := document.amount_due - document.total + sum((one.amount for one in document.applied), Decimal(0)):
            rows.append(("Paid or credited before" if before < 0 else "Carried over from before", before))
        last = ("Amount due", document.amount_due)
    label = f"{last[0]} ({document.currency})"
    return [(name, figures.money(amount, exponent)) for name, amount in rows], (label, figures.money(last[1], exponent))


def _instructions_width(table_width: float) -> float:
    return table_width * (1 - TOTALS_SHARE) - 24
