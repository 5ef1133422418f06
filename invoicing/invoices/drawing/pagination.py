"""Which row stands on which page, by arithmetic alone: the pages are known before the first is drawn."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from invoicing.invoices.drawing.table import HEADER_HEIGHT, TALLEST_TITLE, Columns, Row


@dataclass(slots=True)
class Page:
    """Rows from the top of the body down; `header` says whether the names of the columns stand above them."""

    header: bool = False
    rows: list[Row] = field(default_factory=list)


def paginated(rows: Sequence[Row], columns: Columns, *, first: float, following: float) -> list[Page]:
    """
    Fill pages whose bodies are `first` and then `following` points high.

    Glued rows move together, unless together they are higher than a page. A section that goes on repeats its title.
    """
    pages, room = [Page()], first
    for clump in _clumps(rows, most=following - HEADER_HEIGHT - TALLEST_TITLE):
        if pages[-1].rows and _height(clump) > room:
            pages.append(Page())
            room = following
        elif not pages[-1].rows and _height(clump) + HEADER_HEIGHT > room:
            pages.append(Page())  # the head of the first page left no room
            room = following
        page = pages[-1]
        if not page.rows:
            repeated = clump[0].continuation(columns) if len(pages) > 1 else None
            clump = [repeated, *clump] if repeated else clump
            page.header = clump[0].in_table
            room -= HEADER_HEIGHT * page.header
        page.rows += clump
        room -= _height(clump)
    return pages


def _height(clump: Iterable[Row]) -> float:
    return sum(row.height for row in clump)


def _clumps(rows: Iterable[Row], most: float) -> Iterator[list[Row]]:
    """Rows that must stand together; one by one where together they are higher than `most`."""
    clump: list[Row] = []
    for row in rows:
        clump.append(row)
        if row.glued:
            continue
        if _height(clump) <= most:
            yield clump
        else:
            yield from ([row] for row in clump)
        clump = []
    if clump:
        yield clump
