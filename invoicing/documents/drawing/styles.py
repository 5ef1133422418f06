"""Colours, text styles and the measures of the page. Points throughout."""

from dataclasses import dataclass
from functools import cache

from invoicing.documents.drawing.pen import Style, colour
from invoicing.documents.drawing.typeface import bold, regular

PAGE_SIZES = {"A4": (595.28, 841.89), "LETTER": (612.0, 792.0)}
MARGIN = 46.0
TOP = 44.0
FOOTER = 58.0  # from the paper's lower edge to the end of the body

INK = colour("1F2937")
MUTED = colour("5B6472")
ACCENT = colour("1F4E79")
WHITE = colour("FFFFFF")
RULE = colour("DDE2E9")
TINT = colour("F2F5F9")


@dataclass(frozen=True, slots=True)
class Styles:
    """Every way that text is set on an invoice."""

    title: Style
    wordmark: Style
    number: Style
    amount: Style
    name: Style
    body: Style
    strong: Style
    small: Style
    label: Style
    heading: Style
    due: Style
    footer: Style


@cache
def styles() -> Styles:
    """The styles, made when the typefaces are first needed."""
    return Styles(
        title=Style(bold(), 25, 28, ACCENT),
        wordmark=Style(bold(), 17, 20, INK),
        number=Style(bold(), 10.5, 14, INK),
        amount=Style(bold(), 20, 24, ACCENT),
        name=Style(bold(), 10, 13, INK),
        body=Style(regular(), 8.5, 11, INK),
        strong=Style(bold(), 8.5, 11, INK),
        small=Style(regular(), 7.2, 9.2, MUTED),
        label=Style(regular(), 8.5, 11, MUTED),
        heading=Style(bold(), 7.5, 10, MUTED),
        due=Style(bold(), 10.5, 13, WHITE),
        footer=Style(regular(), 6.8, 8.6, MUTED),
    )
