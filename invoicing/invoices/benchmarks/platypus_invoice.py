"""
The same invoice in reportlab's platypus, as its manual would have one write it: what `drawing` is measured against.

Descriptions are Paragraphs, or strings broken beforehand; the second is the faster and the harder to beat.
"""

import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from invoicing.documents.drawing import figures
from invoicing.documents.drawing.styles import MARGIN, PAGE_SIZES
from invoicing.documents.drawing.typeface import FOLDER, regular
from invoicing.documents.drawing.wrapping import wrapped
from invoicing.invoices.document import DocumentLine, InvoiceDocument, Party

Cells = Literal["paragraphs", "strings"]

REGULAR, BOLD = "PlatypusSans", "PlatypusSans-Bold"
INK, MUTED, ACCENT, RULE, TINT = map(HexColor, ("#1F2937", "#5B6472", "#1F4E79", "#DDE2E9", "#F2F5F9"))
WIDTHS = (272.0, 56.0, 66.0, 36.0, 90.0)


class NumberedCanvas(Canvas):
    """Keeps the pages back until their number is known: the usual recipe for "Page n of m"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept: list[dict[str, Any]] = []

    def showPage(self) -> None:
        self._kept.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        right = PAGE_SIZES["LETTER"][0] - MARGIN
        for number, state in enumerate(self._kept, start=1):
            self.__dict__.update(state)
            self.setFont(REGULAR, 6.8)
            self.setFillColor(MUTED)
            self.drawRightString(right, 36, f"Page {number} of {len(self._kept)}")
            super().showPage()
        super().save()


def render_platypus(document: InvoiceDocument, cells: Cells = "strings") -> bytes:
    """The PDF of the document, by platypus."""
    _register_fonts()
    buffer = io.BytesIO()
    template = SimpleDocTemplate(
        buffer, pagesize=PAGE_SIZES[document.page_size], leftMargin=MARGIN, rightMargin=MARGIN, topMargin=44,
        bottomMargin=58, title=document.number, author=document.seller.name, invariant=1, pageCompression=1,
        initialFontName=REGULAR,
    )  # fmt: skip
    template.build([*_head(document), _lines(document, cells), *_closing(document)], canvasmaker=NumberedCanvas)
    return buffer.getvalue()


@cache
def _register_fonts() -> None:
    pdfmetrics.registerFont(TTFont(REGULAR, str(FOLDER / "DejaVuSansCondensed.ttf"), shapable=False))
    pdfmetrics.registerFont(TTFont(BOLD, str(FOLDER / "DejaVuSansCondensed-Bold.ttf"), shapable=False))


def _style(size: float, *, font: str = REGULAR, ink: Color = INK) -> ParagraphStyle:
    return ParagraphStyle(f"{font}{size}", fontName=font, fontSize=size, leading=size * 1.3, textColor=ink)


def _base(*more: tuple[Any, ...]) -> TableStyle:
    return TableStyle(
        [
            ("FONT", (0, 0), (-1, -1), REGULAR, 8.5, 11),
            ("TEXTCOLOR", (0, 0), (-1, -1), INK),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            *more,
        ]
    )


def _party(party: Party) -> list[str]:
    return [*party.address_lines, *party.tax_ids, *filter(None, (party.phone, party.email))]


def _head(document: InvoiceDocument) -> Iterator[Flowable]:
    due = figures.day(document.due_on) if document.due_on else ""
    facts = {
        "Number": document.number, "Issued": figures.day(document.issued_on), "Due": due,
        "Account": document.account_number, "Period": document.period_text, "Purchase order": document.purchase_order,
    }  # fmt: skip
    amount = f"{document.currency} {figures.money(document.amount_due, document.exponent)}"
    rows = [
        (document.seller.name, "", "Invoice"),
        ("\n".join(_party(document.seller)), "\n".join(facts), "\n".join(facts.values())),
        ("\n".join(("BILL TO", document.buyer.name, *_party(document.buyer))), "Amount due", f"{amount}\nDue {due}"),
    ]
    yield Table(
        rows,
        colWidths=(280, 80, 160),
        style=_base(
            ("FONT", (0, 0), (-1, 0), BOLD, 17, 24),
            ("ALIGN", (2, 0), (2, -1), "RIGHT"),
            ("BACKGROUND", (1, 2), (2, 2), TINT),
            ("FONT", (2, 2), (2, 2), BOLD, 14, 18),
            ("TEXTCOLOR", (2, 0), (2, 0), ACCENT),
        ),
    )
    yield Spacer(1, 18)


def _lines(document: InvoiceDocument, cells: Cells) -> Table:
    commands: list[tuple[Any, ...]] = [
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("FONT", (0, 0), (-1, 0), BOLD, 7.5),
        ("LINEBELOW", (0, 0), (-1, 0), 1, ACCENT),
        ("LINEBELOW", (0, 1), (-1, -1), 0.5, RULE),
    ]
    rows: list[tuple[Any, ...]] = [("Description", "Quantity", "Unit price", "Tax", f"Amount ({document.currency})")]
    for section in document.sections:
        if section.title:
            commands += [("BACKGROUND", (0, len(rows)), (-1, len(rows)), TINT)]
            commands += [("FONT", (0, len(rows)), (-1, len(rows)), BOLD, 8.5)]
            rows.append((section.title, "", "", "", ""))
        rows += [_line(line, document.exponent, cells) for line in section.lines]
        if section.subtotal is not None:
            commands += [("FONT", (0, len(rows)), (-1, len(rows)), BOLD, 8.5)]
            rows.append(("Subtotal", "", "", "", figures.money(section.subtotal, document.exponent)))
    return Table(rows, colWidths=WIDTHS, repeatRows=1, style=_base(*commands))


def _line(line: DocumentLine, exponent: int, cells: Cells) -> tuple[Any, ...]:
    quantity = "" if line.quantity is None else figures.quantity(line.quantity)
    price = "" if line.unit_price is None else figures.rate(line.unit_price, exponent)
    return _described(line, cells), quantity, price, line.tax_mark, figures.money(line.amount, exponent)


def _described(line: DocumentLine, cells: Cells) -> Any:
    if cells == "strings":
        texts = (line.description, line.detail)
        return "\n".join(part for text in texts for part in wrapped(text, regular(), 8.5, WIDTHS[0] - 12))
    described: Iterable[Paragraph] = (
        Paragraph(line.description, _style(8.5)),
        *([Paragraph(line.detail, _style(7.2, ink=MUTED))] if line.detail else []),
    )
    return list(described)


def _closing(document: InvoiceDocument) -> Iterator[Flowable]:
    exponent = document.exponent
    taxes = [
        (
            tax.name,
            figures.percent(tax.rate_percent),
            figures.money(tax.base, exponent),
            "",
            figures.money(tax.amount, exponent),
        )
        for tax in document.taxes
    ]
    head = [("Tax summary", "Rate", "Taxable", "", "Tax")]
    right = ("ALIGN", (1, 0), (-1, -1), "RIGHT")
    yield Table([*head, *taxes], colWidths=WIDTHS, style=_base(right, ("BACKGROUND", (0, 0), (-1, 0), TINT)))
    yield Spacer(1, 14)
    tax = sum((row.amount for row in document.taxes), Decimal(0))
    totals = (document.subtotal, tax, document.total, document.amount_due)
    amounts = "\n".join(figures.money(amount, exponent) for amount in totals)
    labels = "Subtotal\nTax\nTotal\nAmount due"
    yield Table(
        [(document.payment_instructions, labels, amounts)],
        colWidths=(300, 110, 110),
        style=_base(
            ("ALIGN", (2, 0), (2, 0), "RIGHT"),
            ("BACKGROUND", (1, 0), (2, 0), ACCENT),
            ("TEXTCOLOR", (1, 0), (2, 0), white),
        ),
    )
