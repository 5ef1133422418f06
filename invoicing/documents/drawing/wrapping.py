"""Breaking text into lines of a width. All widths in points."""

import re
from functools import lru_cache

from invoicing.documents.drawing.typeface import Typeface, clean

# A word that is wider than its column breaks after one of these if it can.
_JOINTS = re.compile(r"(?<=[-/.,_@:;])")
ELLIPSIS = "\u2026"


@lru_cache(maxsize=20_000)
def wrapped(text: str, typeface: Typeface, size: float, width: float) -> tuple[str, ...]:
    """`text` in clean lines, none wider than `width`; no text, no lines."""
    text = clean(text)
    limit = width / size
    if typeface.width_of(text) <= limit:
        return (text,) if text else ()
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if typeface.width_of(longer) <= limit:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, typeface, limit)
        lines += full
    return (*lines, line) if line else tuple(lines)


def wrapped_lines(text: str, typeface: Typeface, size: float, width: float) -> tuple[str, ...]:
    """As `wrapped`, for text whose own line ends count."""
    return tuple(line for paragraph in text.splitlines() for line in wrapped(paragraph, typeface, size, width))


def shortened(text: str, typeface: Typeface, size: float, width: float) -> str:
    """`text` on one line of at most `width`, with an ellipsis where it was cut."""
    lines = wrapped(text, typeface, size, width)
    if len(lines) <= 1:
        return "".join(lines)
    first, *_ = wrapped(text, typeface, size, max(width - typeface.width_of(ELLIPSIS) * size, size))
    return first + ELLIPSIS


def _pieces(word: str, typeface: Typeface, limit: float) -> list[str]:
    """`word` in pieces no wider than `limit` (a multiple of the font size), at least one character each."""
    if typeface.width_of(word) <= limit:
        return [word]
    pieces = [""]
    for part in _JOINTS.split(word):
        if typeface.width_of(pieces[-1] + part) <= limit:
            pieces[-1] += part
            continue
        if typeface.width_of(part) <= limit:
            pieces.append(part)
            continue
        for char in part:
            if pieces[-1] and typeface.width_of(pieces[-1] + char) > limit:
                pieces.append(char)
            else:
                pieces[-1] += char
    return [piece for piece in pieces if piece] or [""]
