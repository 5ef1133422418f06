"""PDFs as files: written whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Drawing(NamedTuple):
    """A document to be drawn into a file."""

    id: int
    document: Any
    path: Path


class Drawn(NamedTuple):
    """What became of it: the file's hash and size, or why there is none."""

    id: int
    sha256: str
    size: int
    error: str = ""


def draw_into_files(draw: Callable[[Any], bytes], drawings: Sequence[Drawing]) -> list[Drawn]:
    """
    Draw one after the other. One that fails does not keep the others; it is told by its error.

    Runs in other processes, so it knows neither settings nor database.

    :raises OSError: if files cannot be written, which is no document's fault
    """
    return [_draw_into_file(draw, drawing) for drawing in drawings]


def _draw_into_file(draw: Callable[[Any], bytes], drawing: Drawing) -> Drawn:
    try:
        pdf = draw(drawing.document)
    except Exception as error:  # whatever is wrong with this one, its row says it and the next is drawn
        return Drawn(drawing.id, "", 0, in_a_sentence(error))
    write_whole(drawing.path, pdf)
    return Drawn(drawing.id, sha256(pdf), len(pdf))


def write_whole(path: Path, content: bytes) -> None:
    """Readers see the whole file or none, even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".unfinished-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def in_a_sentence(error: Exception) -> str:
    """Type and words of an error, as they are kept on a row."""
    said = "; ".join(str(argument) for argument in error.args) or "no more is known"
    return f"{type(error).__name__}: {said}"[:1000]
