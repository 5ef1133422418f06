"""
Writing one page as PDF operators.

The canvas's own drawString opens a text object, sets the font and formats numbers for each string. A page of an
invoice is hundreds of short strings in a handful of styles: the pen notes what changed and hands over a page at once.
"""

import math
from dataclasses import dataclass, replace

from reportlab.pdfgen.canvas import Canvas

from invoicing.documents.drawing.typeface import Typeface, pdf_of

KAPPA = 0.5523  # handle of the Bezier curve that comes closest to a quarter circle of radius 1


def colour(hexadecimal: str) -> str:
    """Operands of a fill or stroke colour: '1F4E79' -> '0.122 0.306 0.475'."""
    return " ".join(f"{int(hexadecimal[at : at + 2], 16) / 255:.3g}" for at in (0, 2, 4))


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is set; `ink` as `colour` gives it, `leading` from baseline to baseline in points."""

    typeface: Typeface
    size: float
    leading: float
    ink: str

    def width(self, text: str) -> float:
        """Width in points of clean text."""
        return self.typeface.width_of(text) * self.size

    def fitting(self, text: str, width: float) -> "Style":
        """This style, smaller where clean text would be wider than `width`."""
        if self.width(text) <= width:
            return self
        # Rounded down to what the PDF says, lest the text be a hair too wide.
        return replace(self, size=math.floor(self.size * width / self.width(text) * 10) / 10)


class Pen:
    """Collects a page's shapes and texts; shapes lie below all text. Lengths in points, y upwards."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._shapes: list[str] = []
        self._texts: list[str] = []
        self._names: dict[tuple[Typeface, int], str] = {}
        self._font = ("", 0.0)
        self._ink = ""

    def left(self, x: float, y: float, text: str, style: Style) -> None:
        """Set clean text with its left end at x and its baseline at y."""
        put = self._texts.append
        if style.ink != self._ink:
            self._ink = style.ink
            put(f"{style.ink} rg")
        put(f"1 0 0 1 {x:.2f} {y:.2f} Tm")
        for plate, string in style.typeface.plated(text):
            name = self._names.get((style.typeface, plate)) or self._named(style.typeface, plate)
            if (name, style.size) != self._font:
                self._font = (name, style.size)
                put(f"{name} {style.size:g} Tf")
            put(f"{string} Tj")

    def _named(self, typeface: Typeface, plate: int) -> str:
        """The document's name for a plate; asking the typeface puts it among the fonts to embed."""
        name = typeface.getSubsetInternalName(plate, pdf_of(self._canvas))
        self._names[typeface, plate] = name
        return name

    def right(self, x: float, y: float, text: str, style: Style) -> None:
        """Set clean text with its right end at x."""
        self.left(x - style.typeface.width_of(text) * style.size, y, text, style)

    def lines(self, x: float, y: float, lines: tuple[str, ...], style: Style) -> float:
        """Set lines one below the other, the first on baseline y; returns the baseline that would come next."""
        for line in lines:
            self.left(x, y, line, style)
            y -= style.leading
        return y

    def rule(self, x: float, y: float, width: float, ink: str, thickness: float = 0.5) -> None:
        """Draw a level line."""
        self._shapes.append(f"{ink} RG {thickness:g} w {x:.2f} {y:.2f} m {x + width:.2f} {y:.2f} l S")

    def box(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """Fill a rectangle whose lower left corner is at x, y."""
        self._shapes.append(f"{fill} rg {x:.2f} {y:.2f} {width:.2f} {height:.2f} re f")

    def rounded_box(self, x: float, y: float, width: float, height: float, fill: str, radius: float = 4) -> None:
        """Fill a rectangle with round corners."""
        right, top, bend = x + width, y + height, radius * (1 - KAPPA)
        self._shapes.append(
            f"{fill} rg {x + radius:.2f} {y:.2f} m {right - radius:.2f} {y:.2f} l "
            f"{right - bend:.2f} {y:.2f} {right:.2f} {y + bend:.2f} {right:.2f} {y + radius:.2f} c "
            f"{right:.2f} {top - radius:.2f} l "
            f"{right:.2f} {top - bend:.2f} {right - bend:.2f} {top:.2f} {right - radius:.2f} {top:.2f} c "
            f"{x + radius:.2f} {top:.2f} l "
            f"{x + bend:.2f} {top:.2f} {x:.2f} {top - bend:.2f} {x:.2f} {top - radius:.2f} c "
            f"{x:.2f} {y + radius:.2f} l "
            f"{x:.2f} {y + bend:.2f} {x + bend:.2f} {y:.2f} {x + radius:.2f} {y:.2f} c f"
        )

    def finish(self) -> None:
        """Hand the page over to the canvas and begin the next."""
        self._canvas.addLiteral("\n".join([*self._shapes, "BT", *self._texts, "ET"]))
        self._canvas.showPage()
        self._shapes, self._texts = [], []
        self._font, self._ink = ("", 0.0), ""
