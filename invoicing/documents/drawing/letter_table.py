"""The table of a letter: columns as wide as what stands in them, and one that takes the rest. Points throughout."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from invoicing.documents.drawing.flow import Row
from invoicing.documents.drawing.page import Frame, capped
from invoicing.documents.drawing.pen import Pen, Style
from invoicing.documents.drawing.styles import ACCENT, MARGIN, RULE, TINT, styles
from invoicing.documents.drawing.wrapping import wrapped
from invoicing.documents.printed_letter import PrintedTable

GAP = 14.0  # between columns
INSET = 6.0
PADDING = 3.4
MOST_LINES = 12  # of one cell
NARROWEST = 90.0  # of the column that takes the rest
_FIGURE = re.compile(r"^(?:[A-Z]{3} )?[-\u2212+]?[\d,]+(?:\.\d+)?(?: ?%)?$")


@dataclass(frozen=True, slots=True)
class _Column:
    left: float
    width: float
    is_right: bool


class CellsRow:
    """One row of cells, each wrapped in its column."""

    def __init__(
        self, cells: Sequence[tuple[str, ...]], columns: Sequence[_Column], style: Style, *,
        heading: "CellsRow | None" = None, glued: bool = False, frame: Frame, tint: bool = False,
    ) -> None:  # fmt: skip
        self.cells, self.columns, self.style = cells, columns, style
        self.heading: Row | None = heading
        self.glued, self.frame, self.tint = glued, frame, tint
        self.height = 2 * PADDING + max(map(len, cells), default=1) * style.leading

    def draw(self, pen: Pen, top: float) -> None:
        if self.tint:
            pen.box(MARGIN, top - self.height, self.frame.inner, self.height, TINT)
        for lines, column in zip(self.cells, self.columns, strict=True):
            y = top - PADDING - self.style.size + 0.4
            for line in lines:
                if column.is_right:
                    pen.right(column.left + column.width, y, line, self.style)
                else:
                    pen.left(column.left, y, line, self.style)
                y -= self.style.leading
        is_heading = self.heading is None
        pen.rule(MARGIN, top - self.height, self.frame.inner, ACCENT if is_heading else RULE, 1 if is_heading else 0.5)


def rows_of(table: PrintedTable, frame: Frame) -> list[Row]:
    """The heading with the first row, the rows, and the totals with the last row."""
    look = styles()
    columns = _columns(table, frame)
    heading = CellsRow(_cells(table.columns, columns, look.heading), columns, look.heading, glued=True, frame=frame)
    rows: list[Row] = [heading]
    for number, row in enumerate(table.rows, start=1):
        last = number == len(table.rows) and bool(table.totals)
        cells = _cells(row, columns, look.body)
        rows.append(CellsRow(cells, columns, look.body, heading=heading, glued=last, frame=frame))
    for number, row in enumerate(table.totals, start=1):
        cells, glued = _cells(row, columns, look.strong), number < len(table.totals)
        rows.append(CellsRow(cells, columns, look.strong, heading=heading, glued=glued, frame=frame, tint=True))
    return rows


def _cells(row: Sequence[str], columns: Sequence[_Column], style: Style) -> list[tuple[str, ...]]:
    """What a row lacks is empty, so that a total may name its figure alone at the end of shorter rows."""
    padded = (*row, *[""] * (len(columns) - len(row)))[: len(columns)]
    return [capped(cell, style, column.width, most=MOST_LINES) for cell, column in zip(padded, columns, strict=True)]


def _columns(table: PrintedTable, frame: Frame) -> list[_Column]:
    """The widest column of text takes what the others leave; where they leave too little, all shrink alike."""
    count = len(table.columns)
    widths = [_natural_width(table, place) for place in range(count)]
    rights = [_is_right(table, place) for place in range(count)]
    texts = [place for place in range(count) if not rights[place]] or [0]
    flexible = max(texts, key=widths.__getitem__)
    room = frame.inner - 2 * INSET - GAP * (count - 1)
    others = sum(widths) - widths[flexible]
    rest = room - others
    if rest < min(NARROWEST, widths[flexible]):
        scale = (room - NARROWEST) / others
        widths = [width * scale for width in widths]
        rest = NARROWEST
    widths[flexible] = rest
    columns, left = [], MARGIN + INSET
    for width, is_right in zip(widths, rights, strict=True):
        columns.append(_Column(left, width, is_right))
        left += width + GAP
    return columns


def _natural_width(table: PrintedTable, place: int) -> float:
    look = styles()
    cells = [look.body.width(_clean(row, place)) for row in table.rows]
    cells += [look.strong.width(_clean(row, place)) for row in table.totals]
    return max([look.heading.width(_clean(table.columns, place)), *cells]) + 0.5


def _clean(row: Sequence[str], place: int) -> str:
    """A cell on one line, as it would be set if there were room."""
    body = styles().body
    return "".join(wrapped(row[place], body.typeface, body.size, 1e6)) if place < len(row) else ""


def _is_right(table: PrintedTable, place: int) -> bool:
    if place == len(table.columns) - 1:
        return True
    cells = [row[place] for row in table.rows if place < len(row) and row[place]]
    return bool(cells) and all(map(_FIGURE.match, cells))
