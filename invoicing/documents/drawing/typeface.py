"""
The two typefaces of the invoice, embedded without being cut anew for each document.

reportlab subsets a TrueType font for every document, which costs more than the drawing of a page. Here the repertoire
is divided once and for all into *plates* of at most 256 codes (ASCII with some signs, other Latin, Greek, Cyrillic).
A plate is cut and compressed when first used in a process; a document embeds the plates that it touches, as they are.
"""

import re
import threading
import unicodedata
import zlib
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from weakref import WeakKeyDictionary

from reportlab.pdfbase import pdfdoc, pdfmetrics
from reportlab.pdfbase.ttfonts import SUBSETN, TTFont, makeToUnicodeCMap
from reportlab.pdfgen.canvas import Canvas

FOLDER = Path(__file__).parent.parent / "fonts"
REPLACEMENT = "\ufffd"
SPACE = 32
# A plate holds codes 0 to 255; 0 is the missing glyph and 32 a space in each.
FREE_CODES = [*range(1, SPACE), *range(SPACE + 1, 256)]
SIGNS_OF_FIRST_PLATE = "€£¥©®°×§·\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u2026\u2122\u2116\u2212" + REPLACEMENT
PLATE_STARTS = (0x00A0, 0x0180, 0x0370, 0x0400, 0x0492, 0x1E00, 0x2010)
# Cutting moves a read position inside the shared face.
_cutting = threading.Lock()

PlatedText = tuple[tuple[int, str], ...]


class Plate:
    """A part of a typeface as PDF objects ready to be written."""

    def __init__(self, typeface: "Typeface", number: int) -> None:
        face, codes = typeface.face, typeface.plate_codes[number]
        self.base_name = f"{SUBSETN(number).decode()}+{face.name.decode()}"
        program = face.makeSubset(codes)
        self.program = deflated_stream(program, b"/Length1 %d" % len(program))
        self.to_unicode = deflated_stream(makeToUnicodeCMap(self.base_name, codes).encode())
        symbolic, nonsymbolic = 1 << 2, 1 << 5  # the plates have codes of their own, which PDF calls symbolic
        flags = face.flags & ~nonsymbolic | symbolic
        box = " ".join(str(round(edge)) for edge in face.bbox)
        widths = " ".join(str(round(face.getCharWidth(code))) for code in codes)
        # The places left open are for the numbers of the objects that these refer to.
        self.descriptor = (
            f"<</Type/FontDescriptor/FontName/{self.base_name}/Flags {flags}/FontBBox[{box}]/ItalicAngle 0"
            f"/Ascent {face.ascent:.0f}/Descent {face.descent:.0f}/CapHeight {face.capHeight:.0f}"
            f"/StemV {face.stemV:.0f}/MissingWidth {face.defaultWidth:.0f}/FontFile2 %b>>"
        ).encode()
        self.font = (
            f"<</Type/Font/Subtype/TrueType/BaseFont/{self.base_name}/FirstChar 0/LastChar {len(codes) - 1}"
            f"/Widths[{widths}]/ToUnicode %b/FontDescriptor %b>>"
        ).encode()


class Typeface(TTFont):
    """A TrueType font that splits text over fixed plates; a drop-in for reportlab's TTFont."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name, str(path), asciiReadable=True, shapable=False)
        self.plate_codes = list(_plates(self.face.charToGlyph))
        self.place_of = {
            chr(code): (number, place)
            for number, codes in enumerate(self.plate_codes)
            for place, code in reversed(list(enumerate(codes)))
            if code and (number == 0 or place != SPACE)
        }
        # Rounded as in the PDF's own widths, so that what is measured is what is shown.
        self.widths = {char: round(self.face.getCharWidth(ord(char))) / 1000 for char in self.place_of}
        self.plates: dict[int, Plate] = {}
        self.used: WeakKeyDictionary[pdfdoc.PDFDocument, set[int]] = WeakKeyDictionary()
        # Per instance, so that the two typefaces do not share an entry.
        self.width_of = lru_cache(maxsize=20_000)(self._width_of)
        self.plated = lru_cache(maxsize=20_000)(self._plated)

    def _width_of(self, text: str) -> float:
        """Width of clean text, as a multiple of the font size."""
        return sum(map(self.widths.__getitem__, text))

    def _plated(self, text: str) -> PlatedText:
        """Clean text as PDF strings, each with the plate that it is set from."""
        if text.isascii():
            return ((0, f"({_escaped(text.encode())})"),)
        places = map(self.place_of.__getitem__, text)
        return tuple(
            (plate, f"({_escaped(bytes(place for _, place in run))})")
            for plate, run in groupby(places, key=lambda place: place[0])
        )

    def plate(self, number: int) -> Plate:
        """The plate, cut when it is first asked for in this process."""
        if number not in self.plates:
            with _cutting:
                self.plates.setdefault(number, Plate(self, number))
        return self.plates[number]

    # What reportlab's canvas and document call.

    def splitString(self, text: str, doc: pdfdoc.PDFDocument, encoding: str = "utf-8") -> list[tuple[int, bytes]]:
        places = [self.place_of[char] for char in clean(text)]
        return [(plate, bytes(place for _, place in run)) for plate, run in groupby(places, key=lambda place: place[0])]

    def getSubsetInternalName(self, subset: int, doc: pdfdoc.PDFDocument) -> str:
        """Name of a plate among the document's fonts; asking marks the plate as used."""
        if doc not in self.used:
            self.used[doc] = set()
            doc.fontMapping[self.fontName] = f"/F{len(doc.fontMapping) + 1}"
            doc.delayedFonts.append(self)
        self.used[doc].add(subset)
        return f"{doc.fontMapping[self.fontName]}+{subset}"

    def addObjects(self, doc: pdfdoc.PDFDocument) -> None:
        """Add font, descriptor and streams of every plate that the document used."""
        fonts = doc.idToObject["BasicFonts"].dict  # type: ignore[attr-defined]
        for number in sorted(self.used.pop(doc)):
            name, plate = f"{doc.fontMapping[self.fontName][1:]}+{number}", self.plate(number)
            program = doc.Reference(ReadyObject(plate.program), f"program:{plate.base_name}")
            to_unicode = doc.Reference(ReadyObject(plate.to_unicode), f"toUnicode:{plate.base_name}")
            descriptor = doc.Reference(ReadyObject(plate.descriptor, program), f"descriptor:{plate.base_name}")
            fonts[name] = doc.Reference(ReadyObject(plate.font, to_unicode, descriptor), name)


class ReadyObject(pdfdoc.PDFObject):
    """
    A PDF object whose bytes are known, but for the numbers of the objects it refers to: those follow as /Key N 0 R.

    One for each document, since reportlab writes its name in the document onto it.
    """

    __RefOnly__ = 1

    def __init__(self, ready: bytes, *references: pdfdoc.PDFObjectReference) -> None:
        self.ready = ready
        self.references = references

    def format(self, document: pdfdoc.PDFDocument) -> bytes:
        if not self.references:
            return self.ready
        return self.ready % tuple(reference.format(document) for reference in self.references)


def pdf_of(canvas: Canvas) -> pdfdoc.PDFDocument:
    """The PDF that a canvas writes, which its stubs do not know of."""
    return canvas._doc  # type: ignore[attr-defined, no-any-return]


def deflated_stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object of `content`, compressed, with further dictionary entries."""
    deflated = zlib.compress(content, 9)
    head = b"<</Filter/FlateDecode/Length %d%b>>\nstream\n" % (len(deflated), entries)
    return head + deflated + b"\nendstream\n"


def _plates(codes: Iterable[int]) -> Iterable[list[int]]:
    """Divide the codes of a font into plates; the first holds ASCII at its own codes, the usual signs in the gaps."""
    signs = iter(map(ord, SIGNS_OF_FIRST_PLATE))
    yield [0, *(next(signs, 0) for _ in range(1, SPACE)), *range(SPACE, 127)]
    rest = sorted(code for code in codes if code > 126 and chr(code) not in SIGNS_OF_FIRST_PLATE)
    for _, block in groupby(rest, key=lambda code: sum(code >= start for start in PLATE_STARTS)):
        members = list(block)
        for start in range(0, len(members), len(FREE_CODES)):
            chunk = members[start : start + len(FREE_CODES)]
            yield [0, *chunk[: SPACE - 1], *[SPACE] * (len(chunk) >= SPACE), *chunk[SPACE - 1 :]]


def _escaped(codes: bytes) -> str:
    """The inside of a PDF string literal, in ASCII only: the page is encoded as a whole later."""
    text = codes.decode("latin-1").replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_octal, text)


_UNSAFE = re.compile("[^ -~]")


def _octal(match: re.Match[str]) -> str:
    return f"\\{ord(match.group()):03o}"


@lru_cache(maxsize=20_000)
def clean(text: str) -> str:
    """`text` as the typefaces can set it: composed, on one line, unknown characters visibly replaced."""
    if text.isascii() and text.isprintable():
        return text
    known = regular().place_of
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(
        char if char in known else " " if char.isspace() else REPLACEMENT
        for char in composed
        if unicodedata.category(char) != "Cf"
    )


@cache
def regular() -> Typeface:
    """The text face, parsed once a process."""
    return _registered("ClausebookSans", "DejaVuSansCondensed.ttf")


@cache
def bold() -> Typeface:
    """The bold face, parsed once a process."""
    return _registered("ClausebookSans-Bold", "DejaVuSansCondensed-Bold.ttf")


def _registered(name: str, filename: str) -> Typeface:
    typeface = Typeface(name, FOLDER / filename)
    pdfmetrics.registerFont(typeface)
    return typeface
