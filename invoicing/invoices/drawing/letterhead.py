"""The top of the first page (who, to whom, what, how much), and what every page repeats at its edges."""

from reportlab.pdfgen.canvas import Canvas

from invoicing.documents.drawing import figures
from invoicing.documents.drawing.page import (
    RIGHT_SHARE,
    Frame,
    SellerMark,
    capped,
    draw_lines,
    height_of,
    party_lines,
)
from invoicing.documents.drawing.pen import Pen
from invoicing.documents.drawing.styles import ACCENT, MARGIN, TINT, TOP, styles
from invoicing.invoices.document import InvoiceDocument

LABEL_WIDTH = 78.0
BOX_PADDING = 12.0
TITLES = {"INVOICE": "Invoice", "CREDIT_NOTE": "Credit note"}


class Letterhead:
    """The head of the first page, measured when made."""

    def __init__(self, document: InvoiceDocument, frame: Frame) -> None:
        look = styles()
        self.document, self.frame = document, frame
        self.seller = SellerMark(document.seller, document.seller_logo, frame)
        self.buyer = party_lines(document.buyer, look.name, look.body, frame.left_width)
        for tax_id in document.buyer.tax_ids:
            self.buyer += [(text, look.label) for text in capped(tax_id, look.label, frame.left_width, most=2)]
        self.facts = _facts(document, frame.inner * RIGHT_SHARE - LABEL_WIDTH)
        self.reason = _reason(document, frame.inner)

        facts = sum(len(value) for _, value in self.facts) * 12.5 + 40
        self.middle = max(self.seller.height, facts) + 20
        lower = max(14 + height_of(self.buyer), 74.0)
        self.height = self.middle + lower + (12 + len(self.reason) * 11 if self.reason else 0) + 18

    def draw(self, pen: Pen, canvas: Canvas) -> None:
        """Draw below the upper edge of the first page."""
        top = self.frame.height - TOP
        self.seller.draw(pen, canvas, top)
        self._draw_facts(pen, top)
        self._draw_buyer(pen, top - self.middle)
        self._draw_amount_due(pen, top - self.middle)
        y = top - self.height + 18 + len(self.reason) * 11 - 8
        pen.lines(MARGIN, y, self.reason, styles().body)

    def _draw_facts(self, pen: Pen, top: float) -> None:
        look, frame = styles(), self.frame
        pen.right(frame.right, top - 20, TITLES[self.document.kind], look.title)
        y = top - 46
        for label, value in self.facts:
            pen.left(frame.right_column, y, label, look.label)
            for line in value:
                pen.right(frame.right, y, line, look.strong if label == "Number" else look.body)
                y -= 12.5

    def _draw_buyer(self, pen: Pen, top: float) -> None:
        label = "BILL TO" if self.document.kind == "INVOICE" else "CREDIT TO"
        pen.left(MARGIN, top - 8, label, styles().heading)
        draw_lines(pen, top - 22, self.buyer)

    def _draw_amount_due(self, pen: Pen, top: float) -> None:
        """The highlighted box: the one figure that the customer looks for."""
        look, frame = styles(), self.frame
        x, width = frame.right_column, frame.right - frame.right_column
        pen.rounded_box(x, top - 72, width, 72, TINT)
        pen.box(x, top - 68, 3, 64, ACCENT)
        label, amount, remark = _headline(self.document)
        pen.left(x + BOX_PADDING + 2, top - 18, label, look.label)
        room = width - 2 * BOX_PADDING - 2
        pen.left(x + BOX_PADDING + 2, top - 42, amount, look.amount.fitting(amount, room))
        pen.left(x + BOX_PADDING + 2, top - 59, remark, look.body)


def _headline(document: InvoiceDocument) -> tuple[str, str, str]:
    """Label, amount and remark of the highlighted box."""
    if document.kind == "CREDIT_NOTE":
        amount = figures.money(document.total, document.exponent)
        return "Total credited", f"{document.currency} {amount}", "No payment is needed"
    amount = f"{document.currency} {figures.money(document.amount_due, document.exponent)}"
    if document.amount_due <= 0:
        return "Amount due", amount, document.remark_when_paid or "No payment is needed"
    return "Amount due", amount, f"Due {figures.day(document.due_on)}" if document.due_on else "Due on receipt"


def _facts(document: InvoiceDocument, width: float) -> list[tuple[str, tuple[str, ...]]]:
    """Label and wrapped value of what identifies the document; what is empty is left out."""
    facts = [
        ("Number", document.number),
        ("Corrects invoice", document.corrects_number),
        ("Issued", figures.day(document.issued_on)),
        ("Due", figures.day(document.due_on) if document.due_on and document.kind == "INVOICE" else ""),
        ("Account", document.account_number),
        ("Period", document.period_text),
        ("Purchase order", document.purchase_order),
    ]
    return [(label, capped(value, styles().strong, width, most=8)) for label, value in facts if value]


def _reason(document: InvoiceDocument, width: float) -> tuple[str, ...]:
    return capped(f"Reason: {document.reason}", styles().body, width, most=10) if document.reason else ()


def running_head(document: InvoiceDocument) -> str:
    """On the pages after the first: whose document this is."""
    return f"{TITLES[document.kind]} {document.number}  ·  {figures.day(document.issued_on)}"
