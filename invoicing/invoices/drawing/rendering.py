"""From an `InvoiceDocument` to the bytes of its PDF."""

from invoicing.documents.drawing.page import RUNNING_HEAD, draw_footer, draw_running_head, frame_for, new_canvas
from invoicing.documents.drawing.pen import Pen
from invoicing.documents.drawing.styles import FOOTER, TOP
from invoicing.invoices.document import InvoiceDocument, faults
from invoicing.invoices.drawing.closing import closing_rows
from invoicing.invoices.drawing.letterhead import TITLES, Letterhead, running_head
from invoicing.invoices.drawing.pagination import Page, paginated
from invoicing.invoices.drawing.table import HEADER_HEIGHT, Columns, columns_for, draw_header, rows_of


class DocumentDoesNotAddUp(Exception):
    """An invoice whose printed parts do not make its printed whole is not drawn; `args` are the reasons."""


def render(document: InvoiceDocument) -> bytes:
    """
    The PDF of an invoice or credit note: the same bytes for the same document, on every machine.

    :raises DocumentDoesNotAddUp: with every reason
    """
    if reasons := faults(document):
        raise DocumentDoesNotAddUp(*reasons)
    frame, columns = frame_for(document.page_size), columns_for(document)
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
    title = f"{TITLES[document.kind]} {document.number}"
    canvas = new_canvas(
        frame=frame,
        title=title,
        author=document.seller.name,
        subject=f"{title} for {document.buyer.name}, account {document.account_number}",
        on=document.issued_on,
        language=document.language,
    )
    pen = Pen(canvas)
    for number, page in enumerate(pages, start=1):
        if number == 1:
            letterhead.draw(pen, canvas)
        else:
            draw_running_head(pen, document.seller.name, running_head(document), frame)
        top = frame.height - TOP - (letterhead.height if number == 1 else RUNNING_HEAD)
        _draw_body(pen, page, columns, top, document.currency)
        draw_footer(pen, document.seller, frame, number, len(pages))
        pen.finish()
    return bytes(canvas.getpdfdata())


def _draw_body(pen: Pen, page: Page, columns: Columns, top: float, currency: str) -> None:
    if page.header:
        draw_header(pen, columns, top, currency)
        top -= HEADER_HEIGHT
    for row in page.rows:
        row.draw(pen, columns, top)
        top -= row.height
