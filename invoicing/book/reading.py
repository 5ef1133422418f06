"""A book as it lies on the disk: a folder of CSV files, or one XLSX workbook, read into rows of text."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from invoicing.book import workbook
from invoicing.book.errors import BookError
from invoicing.book.sheets import SHEET_NAMES, SHEETS

MOST_BYTES = 512 * 1024**2
_COLUMNS = {sheet.name: tuple(column.name for column in sheet.columns) for sheet in SHEETS}
_NEEDED = {sheet.name: tuple(column.name for column in sheet.columns if column.needed) for sheet in SHEETS}


@dataclass(frozen=True)
class RawSheet:
    """One sheet's cells: the place of each column that is there, and the rows' stripped cells by row number."""

    file: str
    columns: dict[str, int]
    rows: list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Book:
    """
    What was found under a path, with what is wrong before any cell is looked at.

    `unread` are the sheets that are there and could not be read: nothing can be said of what refers to their rows.
    """

    name: str
    sheets: dict[str, RawSheet] = field(default_factory=dict)
    errors: list[BookError] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


def read_book(path: Path | str) -> Book:
    """Read a folder of CSV files or an XLSX workbook. Never fails: what is wrong is in the book's errors."""
    path = Path(path)
    book = Book(path.name or str(path))
    if path.is_dir():
        _read_folder(path, book)
    elif path.is_file() and path.suffix.lower() == ".xlsx":
        _read_workbook(path, book)
    else:
        wrong = (
            "This is neither a folder nor an XLSX workbook." if path.exists() else "There is no such file or folder."
        )
        book.errors.append(
            BookError(str(path), None, "", wrong, "a folder of CSV files, or a file that ends in .xlsx.")
        )
        return book
    if not book.sheets and not book.errors:
        book.errors.append(BookError(book.name, None, "", "No sheet was found.", f"any of {', '.join(SHEET_NAMES)}."))
    return book


def _read_folder(folder: Path, book: Book) -> None:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != ".csv" or not path.is_file():
            continue
        name = path.stem.lower()
        if name not in _COLUMNS:
            _refuse_name(book, path.name, path.stem)
        elif name in book.sheets:
            book.errors.append(
                BookError(path.name, None, "", f"There are two files called {name}.csv.", "one file a sheet.")
            )
        elif (rows := _csv_rows(path, book)) is not None:
            _add_sheet(book, name, path.name, rows)
        else:
            book.unread.add(name)


def _csv_rows(path: Path, book: Book) -> Iterable[Sequence[str]] | None:
    if path.stat().st_size > MOST_BYTES:
        book.errors.append(BookError(path.name, None, "", "The file is too large.", f"at most {MOST_BYTES:,} bytes."))
        return None
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        wrong = f"The file is not in UTF-8: byte {raw[error.start]:#04x} stands where none may."
        book.errors.append(BookError(path.name, row, "", wrong, "the file saved as “CSV UTF-8”."))
        return None
    try:
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        row = sum(1 for _ in _rows_until_error(text)) + 1
        right = "cells with commas between, a quote inside a quoted cell doubled."
        book.errors.append(BookError(path.name, row, "", f"The file is not CSV from here on ({error}).", right))
        return None


def _rows_until_error(text: str) -> Iterable[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            yield next(reader)
        except (csv.Error, StopIteration):
            return


def _read_workbook(path: Path, book: Book) -> None:
    command = [sys.executable, "-I", str(Path(workbook.__file__).resolve()), str(path.resolve())]
    done = subprocess.run(command, capture_output=True, check=False)
    answer: dict[str, Any] = (
        json.loads(done.stdout) if done.returncode == 0 else {"refused": "It is too large or broken, and was not read."}
    )
    if "refused" in answer:
        book.errors.append(
            BookError(path.name, None, "", answer["refused"], "a workbook saved as .xlsx, or CSV files.")
        )
        return
    for title, rows in answer["sheets"].items():
        name, file = title.strip().lower(), f"{path.name}, sheet {title}"
        if name in _COLUMNS:
            _add_sheet(book, name, file, rows)
        elif any(any(row) for row in rows):
            _refuse_name(book, file, title)


def _refuse_name(book: Book, file: str, name: str) -> None:
    near = _nearest(name, SHEET_NAMES)
    right = f"{near}?" if near else f"one of {', '.join(SHEET_NAMES)}."
    book.errors.append(BookError(file, None, "", f"There is no sheet called “{name}”.", right))


def _nearest(name: str, names: Sequence[str]) -> str:
    return next(iter(get_close_matches(name.lower().replace(" ", "_"), names, n=1)), "")


def _add_sheet(book: Book, name: str, file: str, rows: Iterable[Sequence[str]]) -> None:
    numbered = enumerate(rows, start=1)
    _, header = next(numbered, (1, ()))
    header = [" ".join(title.split()).lower() for title in header]
    columns = _columns(book, name, file, header)
    missing = [title for title in _NEEDED[name] if title not in columns]
    if missing:
        book.unread.add(name)
    for title in missing:
        book.errors.append(
            BookError(file, 1, title, "The column is missing.", f"a header row with {', '.join(_NEEDED[name])}.")
        )
    kept = []
    for number, cells in numbered:
        stripped = [cell.strip() for cell in cells]
        if not any(stripped):
            continue
        if any(cell for place, cell in enumerate(stripped) if place >= len(header) or not header[place]):
            wrong = "A cell stands in a column without a name."
            right = "each column named in row 1; a cell with a comma in it in quotes."
            book.errors.append(BookError(file, number, "", wrong, right))
        kept.append((number, stripped))
    book.sheets[name] = RawSheet(file, columns, [] if missing else kept)


def _columns(book: Book, name: str, file: str, header: list[str]) -> dict[str, int]:
    """The place of each column; what the header names besides is an error."""
    found: dict[str, int] = {}
    if len(header) == 1 and any(sign in header[0] for sign in ";\t"):
        book.errors.append(
            BookError(file, 1, "", "The cells are not separated by commas.", "commas between the cells.")
        )
        return found
    for place, title in enumerate(header):
        if not title:
            continue
        if title not in _COLUMNS[name]:
            near = _nearest(title, _COLUMNS[name])
            right = f"{near}?" if near else f"one of {', '.join(_COLUMNS[name])}."
            book.errors.append(BookError(file, 1, title, "There is no such column in this sheet.", right))
        elif title in found:
            book.errors.append(BookError(file, 1, title, "The column is there twice.", "each column once."))
        else:
            found[title] = place
    return found
