"""What stands on a printed letter, as plain values; `drawing.letter` makes the PDF of it."""

from dataclasses import dataclass
from datetime import date

from invoicing.documents.drawing.page import PageSize, Party


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """Rows under a heading, then the totals in bold. Columns of figures and the last one are set right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    totals: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class PrintedLetter:
    """A whole letter. `facts` stand beside the address, label and value; `clauses` small at the end."""

    id: int
    kind: str
    on: date
    subject: str
    title: str
    seller: Party
    seller_logo: bytes | None
    recipient: Party
    account_number: str
    facts: tuple[tuple[str, str], ...]
    paragraphs: tuple[str, ...]
    table: PrintedTable | None = None
    closing: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    page_size: PageSize = "LETTER"
