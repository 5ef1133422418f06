"""The seller's logo, made ready once and then put into each document as it is."""

import io
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, UnidentifiedImageError
from reportlab.pdfgen.canvas import Canvas

from invoicing.documents.drawing.typeface import ReadyObject, deflated_stream, pdf_of

# Printed at most 2.4 inches wide: more pixels than this only make every invoice heavier.
MOST_PIXELS = (900, 300)
MOST_SOURCE_PIXELS = 25_000_000
NAME = "logo"


@dataclass(frozen=True, slots=True)
class Logo:
    """The picture as a PDF object, and its size in pixels."""

    ready: bytes
    width: int
    height: int

    def size_within(self, width: float, height: float) -> tuple[float, float]:
        """Width and height in points that fill the room without distorting."""
        scale = min(width / self.width, height / self.height)
        return self.width * scale, self.height * scale


@lru_cache(maxsize=64)
def prepared(source: bytes) -> Logo | None:
    """The logo of a PNG or JPEG, on white as the paper is; None if the bytes are no such picture or far too big."""
    try:
        with Image.open(io.BytesIO(source), formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > MOST_SOURCE_PIXELS:
                return None
            pixels = picture.convert("RGBA")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return None
    pixels.thumbnail(MOST_PIXELS)
    paper = Image.new("RGB", pixels.size, "white")
    paper.paste(pixels, mask=pixels.getchannel("A"))
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent 8/ColorSpace/DeviceRGB" % paper.size
    return Logo(deflated_stream(paper.tobytes(), entries), *paper.size)


def place(canvas: Canvas, logo: Logo, x: float, y: float, width: float, height: float) -> None:
    """Put the logo on the page, its lower left corner at x, y."""
    pdf_of(canvas).addForm(NAME, ReadyObject(logo.ready))
    canvas.saveState()
    canvas.transform(width, 0, 0, height, x, y)
    canvas.doForm(NAME)
    canvas.restoreState()
