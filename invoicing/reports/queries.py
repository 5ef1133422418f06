"""Reading reports: the rows of a page with the totals of all, and all rows one after the other."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from invoicing.money import ZERO, exponent
from invoicing.reports.report import Asked, Chart, Report, Row

MOST_ROWS = 500
CHUNK = 2000


class Page(NamedTuple):
    """The first rows, how many there are, and what each column of figures of all of them comes to."""

    rows: list[Row]
    row_count: int
    totals: Sequence[Decimal | int | None]
    chart: Chart | None


def page_of(report: Report, asked: Asked) -> Page:
    """
    What the page shows. One statement; a report that is not bounded is summed by the database, in the same pass.
    """
    with connection.cursor() as cursor:
        if report.bounded:
            cursor.execute(_ordered(report), _parameters(asked))
            rows = cursor.fetchall()
            totals = [_total(rows, place) if column.is_summed else None for place, column in enumerate(report.columns)]
            count = len(rows)
        else:
            sums = [
                f"sum(r.{column.name}) OVER ()" if column.is_summed else "NULL::numeric" for column in report.columns
            ]
            cursor.execute(
                f"SELECT r.*, {', '.join(sums)}, count(*) OVER () FROM ({report.sql}) r ORDER BY {report.order}"
                f" LIMIT {MOST_ROWS}",
                _parameters(asked),
            )
            found = cursor.fetchall()
            width = len(report.columns)
            rows = [row[:width] for row in found]
            totals = list(found[0][width:-1]) if found else [None] * width
            count = found[0][-1] if found else 0
    return Page(rows[:MOST_ROWS], count, totals, report.chart(rows, totals, asked))


def all_rows(report: Report, asked: Asked) -> Iterator[Row]:
    """Every row, read as it is wanted: a million cost no memory. One statement, so all of one moment."""
    with connection.chunked_cursor() as cursor:
        cursor.cursor.itersize = CHUNK
        cursor.execute(_ordered(report), _parameters(asked))
        yield from cursor


def heading(report: Report) -> list[str]:
    """The names of an export's columns."""
    return [*(column.title for column in report.columns), "Currency"]


def _total(rows: list[Row], place: int) -> Decimal:
    return sum((row[place] for row in rows if row[place] is not None), ZERO)


def _ordered(report: Report) -> str:
    return f"SELECT * FROM ({report.sql}) r ORDER BY {report.order}"


def _parameters(asked: Asked) -> dict[str, Any]:
    return {
        "on": asked.on,
        "from_on": asked.from_on,
        "to_on": asked.to_on,
        "currency": asked.currency,
        "terms": asked.terms,
        "seller": asked.seller,
        "places": exponent(asked.currency),
    }
