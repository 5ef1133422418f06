"""From cells of text to rows of values: every cell is looked at, and each wrong one noted."""

from typing import Any

from invoicing.book.cells import WrongCell
from invoicing.book.errors import BookError
from invoicing.book.reading import RawSheet
from invoicing.book.sheets import UNSAID, Column, Sheet

FORMULA_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})


class Row:
    """One row's values by column, where nothing is said UNSAID. Not sound: something about it is wrong already."""

    __slots__ = ("number", "sound", "values")

    def __init__(self, number: int, values: dict[str, Any]) -> None:
        self.number = number
        self.values = values
        self.sound = True

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


def parse(raw: RawSheet, sheet: Sheet, errors: list[BookError]) -> list[Row]:
    """The rows of a sheet; a wrong cell's value is UNSAID and its row not sound."""
    nothing_said = {column.name: UNSAID for column in sheet.columns}
    present = [(raw.columns[column.name], column) for column in sheet.columns if column.name in raw.columns]
    rows = []
    for number, cells in raw.rows:
        row = Row(number, nothing_said.copy())
        width = len(cells)
        for place, column in present:
            cell = cells[place] if place < width else ""
            try:
                row.values[column.name] = _value(column, cell)
            except WrongCell as wrong:
                row.sound = False
                errors.append(BookError(raw.file, number, column.name, wrong.wrong, wrong.right))
        rows.append(row)
    return rows


def _value(column: Column, cell: str) -> Any:
    if cell in FORMULA_ERRORS:
        raise WrongCell(f"A formula failed here: {cell}.", "the value that it should have given.")
    if cell:
        return column.read(cell)
    if column.needed:
        raise WrongCell("The cell is blank.", "a value; this column needs one.")
    return column.blank
