"""From an `InvoiceDocument` to the bytes of its PDF."""

import io

from reportlab import rl_config
from reportlab.pdfgen.canvas import Canvas

from invoicing.invoices.document import InvoiceDocument, faults
from invoicing.invoices.drawing.closing import closing_rows
from invoicing.invoices.drawing.letterhead import (
    RUNNING_HEAD,
    TITLES,
    Frame,
    Letterhead,
    draw_footer,
    draw_running_head,
    frame_of,
)
from invoicing.invoices.drawing.pagination import Page, paginated
from invoicing.invoices.drawing.pen import Pen
from invoicing.invoices.drawing.styles import FOOTER, TOP
from invoicing.invoices.drawing.table import HEADER_HEIGHT, Columns, columns_for, draw_header, rows_of
from invoicing.invoices.drawing.typeface import clean, regular

# Text armour around streams, on by default, makes files a quarter larger and costs a tenth of the time.
rl_config.useA85 = 0


class DocumentDoesNotAddUp(Exception):
    """An invoice whose printed parts do not make its printed whole is not drawn; `args` are the reasons."""


def render(document: InvoiceDocument) -> bytes:
    """
    The PDF of an invoice or credit note: the same bytes for the same document, on every machine.

    :raises DocumentDoesNotAddUp: with every reason
    """
    if reasons := faults(document):
        raise DocumentDoesNotAddUp(*reasons)
    frame, columns = frame_of(document), columns_for(document)
    letterhead = Letterhead(document, frame)
    body = frame.height - TOP - FOOTER
    rows = rows_of(document, columns)
    if rows:
        # The totals bring the last line along, so that they never stand on a page of their own.
        rows[-1].glued = True
    pages = paginated(
        [*rows, *closing_rows(document, columns)],
        columns,
        first=body - letterhead.height,
        following=body - RUNNING_HEAD,
    )
    canvas = _canvas(document, frame)
    pen = Pen(canvas)
    for number, page in enumerate(pages, start=1):
        if number == 1:
            letterhead.draw(pen, canvas)
        else:
            draw_running_head(pen, document, frame)
        top = frame.height - TOP - (letterhead.height if number == 1 else RUNNING_HEAD)
        _draw_body(pen, page, columns, top, document.currency)
        draw_footer(pen, document, frame, number, len(pages))
        pen.finish()
    return bytes(canvas.getpdfdata())


def _canvas(document: InvoiceDocument, frame: Frame) -> Canvas:
    """An empty PDF with its metadata."""
    canvas = Canvas(
        io.BytesIO(),
        pagesize=(frame.width, frame.height),
        pageCompression=1,
        invariant=1,
        # Without it reportlab refers to Helvetica, which is not embedded. Its stubs take the name for a number.
        initialFontName=regular().fontName,  # type: ignore[arg-type]
        lang=document.language,
    )
    title = f"{TITLES[document.kind]} {document.number}"
    canvas.setTitle(clean(title))
    canvas.setAuthor(clean(document.seller.name))
    canvas.setSubject(clean(f"{title} for {document.buyer.name}, account {document.account_number}"))
    canvas.setCreator("Clausebook")
    # An unchanging date, but not the year 2000 that reportlab writes into repeatable files.
    canvas.setDateFormatter(lambda *_: f"D:{document.issued_on:%Y%m%d}000000Z")
    return canvas


def _draw_body(pen: Pen, page: Page, columns: Columns, top: float, currency: str) -> None:
    if page.header:
        draw_header(pen, columns, top, currency)
        top -= HEADER_HEIGHT
    for row in page.rows:
        row.draw(pen, columns, top)
        top -= row.height
