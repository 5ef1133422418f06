"""CSV that a spreadsheet opens as text: a cell that it would read as a formula gets a quote in front."""

import csv
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """What the csv writer writes to: it hands each line straight back."""

    def write(self, line: str) -> str:
        return line


def safe(cell: Any) -> Any:
    """The cell as it goes into the file; our own figures stay figures."""
    if cell is None:
        return ""
    if isinstance(cell, int | Decimal):
        return cell
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    writer = csv.writer(_Line())
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])


def csv_response(name: str, rows: Iterable[Iterable[Any]]) -> StreamingHttpResponse:
    """A download that is written as it is read, so that its size costs no memory."""
    response = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
