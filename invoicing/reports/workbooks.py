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
    path: Path,
    heading: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    number_formats: Sequence[str],
    tell: Callable[[int], None],
) -> int:
    """
    Write the rows below their heading; returns how many. `tell` hears from time to time how many there are so far.

    A text is written as a text, whatever it begins with: no cell is a formula. `number_formats` are those of the
    columns, empty for what is shown as it is.
    """
    count = 0
    with xlsxwriter.Workbook(str(path), OPTIONS) as book:
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        numbers = [book.add_format({"num_format": one}) if one else None for one in number_formats]
        sheet = None
        for row in rows:
            place = count % MOST_ROWS_A_SHEET
            if sheet is None or place == 0:
                sheet = _sheet(book, heading, bold)
            for column, value in enumerate(row):
                _put(sheet, (place + 1, column), value, day, numbers[column])
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


def _put(sheet: Any, cell: tuple[int, int], value: Any, day: Any, number: Any) -> None:
    if value is None or value == "":
        return
    if isinstance(value, int | Decimal):
        sheet.write_number(*cell, value, number)
    elif isinstance(value, date):
        sheet.write_datetime(*cell, value, day)
    else:
        sheet.write_string(*cell, str(value))
