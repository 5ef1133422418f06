"""A report as a workbook, row by row: however many rows, the memory is the same."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

# A sheet holds 1,048,576 rows; what is more goes on the next.
MOST_ROWS_A_SHEET = 1_000_000
TELL_EVERY = 2_000
OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write_workbook(
    path: Path, heading: Sequence[str], rows: Iterable[Sequence[Any]], *, tell: Callable[[int], None]
) -> int:
    """
    Write the rows below their heading; returns how many. `tell` hears from time to time how many there are so far.

    A text is written as a text, whatever it begins with: no cell is a formula.
    """
    count = 0
    with xlsxwriter.Workbook(str(path), OPTIONS) as book:
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = None
        for row in rows:
            place = count % MOST_ROWS_A_SHEET
            if sheet is None or place == 0:
                sheet = _sheet(book, heading, bold)
            for column, value in enumerate(row):
                _put(sheet, place + 1, column, value, day)
            count += 1
            if count % TELL_EVERY == 0:
                tell(count)
        if sheet is None:
            _sheet(book, heading, bold)
    return count


def _sheet(book: Any, heading: Sequence[str], bold: Any) -> Any:
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(heading) - 1, 18)
    for column, title in enumerate(heading):
        sheet.write_string(0, column, title, bold)
    return sheet


def _put(sheet: Any, row: int, column: int, value: Any, day: Any) -> None:
    if value is None or value == "":
        return
    if isinstance(value, int | Decimal):
        sheet.write_number(row, column, value)
    elif isinstance(value, date):
        sheet.write_datetime(row, column, value, day)
    else:
        sheet.write_string(row, column, str(value))
