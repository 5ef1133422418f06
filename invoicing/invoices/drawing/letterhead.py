"""The top of the first page (who, to whom, what, how much), and what every page repeats at its edges."""

from dataclasses import dataclass

from reportlab.pdfgen.canvas import Canvas

from invoicing.invoices.document import InvoiceDocument, Party
from invoicing.invoices.drawing import figures, logo
from invoicing.invoices.drawing.pen import Pen, Style
from invoicing.invoices.drawing.styles import ACCENT, FOOTER, MARGIN, PAGE_SIZES, RULE, TINT, TOP, styles
from invoicing.invoices.drawing.wrapping import ELLIPSIS, shortened, wrapped, wrapped_lines

LOGO_ROOM = (180.0, 46.0)
RIGHT_SHARE = 0.44  # of the width, for the facts and the amount due
GUTTER = 24.0
LABEL_WIDTH = 78.0
BOX_PADDING = 12.0
MOST_ADDRESS_LINES = 12
RUNNING_HEAD = 24.0
TITLES = {"INVOICE": "Invoice", "CREDIT_NOTE": "Credit note"}

StyledLines = list[tuple[str, Style]]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where things stand on a page of the document. Points from the lower left corner."""

    width: float
    height: float

    @property
    def right(self) -> float:
        return self.width - MARGIN

    @property
    def inner(self) -> float:
        return self.width - 2 * MARGIN

    @property
    def right_column(self) -> float:
        return self.right - self.inner * RIGHT_SHARE

    @property
    def left_width(self) -> float:
        return self.right_column - MARGIN - GUTTER


def frame_of(document: InvoiceDocument) -> Frame:
    """The frame for the document's paper."""
    return Frame(*PAGE_SIZES[document.page_size])


class Letterhead:
    """The head of the first page, measured when made."""

    def __init__(self, document: InvoiceDocument, frame: Frame) -> None:
        look = styles()
        self.document, self.frame = document, frame
        self.logo = logo.prepared(document.seller_logo) if document.seller_logo else None
        self.seller = _party_lines(document.seller, look.strong if self.logo else None, look.small, frame.left_width)
        self.wordmark = () if self.logo else _capped(document.seller.name, look.wordmark, frame.left_width, most=3)
        self.buyer = _party_lines(document.buyer, look.name, look.body, frame.left_width)
        for tax_id in document.buyer.tax_ids:
            self.buyer += [(text, look.label) for text in _capped(tax_id, look.label, frame.left_width, most=2)]
        self.facts = _facts(document, frame.inner * RIGHT_SHARE - LABEL_WIDTH)
        self.reason = _reason(document, frame.inner)

        mark = self.logo.size_within(*LOGO_ROOM)[1] + 12 if self.logo else 20 * len(self.wordmark) + 4
        facts = sum(len(value) for _, value in self.facts) * 12.5 + 40
        self.middle = max(mark + _height(self.seller), facts) + 20
        lower = max(14 + _height(self.buyer), 74.0)
        self.height = self.middle + lower + (12 + len(self.reason) * 11 if self.reason else 0) + 18

    def draw(self, pen: Pen, canvas: Canvas) -> None:
        """Draw below the upper edge of the first page."""
        top = self.frame.height - TOP
        self._draw_seller(pen, canvas, top)
        self._draw_facts(pen, top)
        self._draw_buyer(pen, top - self.middle)
        self._draw_amount_due(pen, top - self.middle)
        y = top - self.height + 18 + len(self.reason) * 11 - 8
        pen.lines(MARGIN, y, self.reason, styles().body)

    def _draw_seller(self, pen: Pen, canvas: Canvas, top: float) -> None:
        if self.logo:
            width, height = self.logo.size_within(*LOGO_ROOM)
            logo.place(canvas, self.logo, MARGIN, top - height, width, height)
            y = top - height - 14
        else:
            y = pen.lines(MARGIN, top - 16, self.wordmark, styles().wordmark) + 4
        _draw_lines(pen, y, self.seller)

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
        _draw_lines(pen, top - 22, self.buyer)

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
        return "Amount due", amount, "No payment is needed"
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
    return [(label, _capped(value, styles().strong, width, most=8)) for label, value in facts if value]


def _reason(document: InvoiceDocument, width: float) -> tuple[str, ...]:
    return _capped(f"Reason: {document.reason}", styles().body, width, most=10) if document.reason else ()


def _party_lines(party: Party, name: Style | None, rest: Style, width: float) -> StyledLines:
    """Name (if it has a style), address and ways to reach the party, wrapped."""
    lines = [(line, name) for line in _capped(party.name, name, width, most=4)] if name else []
    said = "\n".join((*party.address_lines, party.phone, party.email))
    address = wrapped_lines(said, rest.typeface, rest.size, width)
    return lines + [(line, rest) for line in address[:MOST_ADDRESS_LINES]]


def _capped(text: str, style: Style, width: float, *, most: int) -> tuple[str, ...]:
    """At most `most` lines; an ellipsis says that there was more."""
    lines = wrapped(text, style.typeface, style.size, width)
    if len(lines) <= most:
        return lines
    last = shortened(lines[most - 1] + ELLIPSIS, style.typeface, style.size, width)
    return (*lines[: most - 1], last)


def _height(lines: StyledLines) -> float:
    return sum(style.leading for _, style in lines)


def _draw_lines(pen: Pen, y: float, lines: StyledLines) -> None:
    for line, style in lines:
        pen.left(MARGIN, y, line, style)
        y -= style.leading


def draw_running_head(pen: Pen, document: InvoiceDocument, frame: Frame) -> None:
    """On the pages after the first: whose document this is. Takes RUNNING_HEAD."""
    look, y = styles(), frame.height - TOP - 6
    what = f"{TITLES[document.kind]} {document.number}  ·  {figures.day(document.issued_on)}"
    what = shortened(what, look.label.typeface, look.label.size, frame.inner * RIGHT_SHARE)
    pen.right(frame.right, y, what, look.label)
    room = frame.inner - look.label.width(what) - GUTTER
    pen.left(MARGIN, y, shortened(document.seller.name, look.strong.typeface, look.strong.size, room), look.strong)
    pen.rule(MARGIN, y - 8, frame.inner, RULE)


def draw_footer(pen: Pen, document: InvoiceDocument, frame: Frame, page: int, pages: int) -> None:
    """At the foot of every page: the seller in law, and which page this is."""
    look, y = styles().footer, FOOTER - 22
    pen.rule(MARGIN, y + 11, frame.inner, RULE)
    pen.right(frame.right, y, f"Page {page} of {pages}", look)
    seller = "  ·  ".join((document.seller.name, *document.seller.tax_ids))
    pen.lines(MARGIN, y, _capped(seller, look, frame.inner - 80, most=3), look)
