"""What stands in the body of a letter, from top to bottom. Points throughout."""

from typing import ClassVar, Protocol

from invoicing.documents.drawing.pen import Pen, Style
from invoicing.documents.drawing.styles import MARGIN


class Row(Protocol):
    """`glued` rows stay on the page of the row that follows; `heading` is repeated where this one begins a page."""

    height: float
    glued: bool

    @property
    def heading(self) -> "Row | None": ...

    def draw(self, pen: Pen, top: float) -> None:
        """Draw the row below `top`."""


class TextLine:
    """One line of a paragraph."""

    heading: ClassVar[None] = None

    def __init__(self, text: str, style: Style, *, glued: bool) -> None:
        self.text, self.style, self.glued = text, style, glued
        self.height = style.leading

    def draw(self, pen: Pen, top: float) -> None:
        pen.left(MARGIN, top - self.style.size, self.text, self.style)


class Gap:
    """Air; none at the top of a page."""

    heading: ClassVar[None] = None

    def __init__(self, height: float) -> None:
        self.height, self.glued = height, False

    def draw(self, pen: Pen, top: float) -> None:
        """Nothing."""
