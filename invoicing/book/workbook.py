"""
Reads an XLSX workbook into JSON on standard output, in a process of its own.

A workbook is a zip file that somebody sent: it can lie about its size. So this runs under limits of memory and
processor time, and imports nothing of the project. Written are `{"sheets": {name: [[text, ...], ...]}}` or
`{"refused": sentence}`.
"""

import json
import resource
import sys
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import python_calamine

MEMORY = 2 * 1024**3
SECONDS = 120
MOST_ENTRIES = 2_000
MOST_UNPACKED = 512 * 1024**2
MOST_CELLS = 10_000_000


class Refused(Exception):
    """Why the workbook is not read."""


def main(path: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        check_directory(path)
        answer: dict[str, Any] = {"sheets": read(path)}
    except Refused as refused:
        answer = {"refused": str(refused)}
    except (python_calamine.CalamineError, zipfile.BadZipFile) as error:
        answer = {"refused": f"It cannot be read as an XLSX workbook ({str(error)[:200]})."}
    except MemoryError:
        answer = {"refused": "It is too large to be read."}
    json.dump(answer, sys.stdout)


def check_directory(path: str) -> None:
    """:raises Refused: if the zip directory names more than any book needs"""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES:
        raise Refused(f"It holds {len(entries):,} files; a workbook holds at most {MOST_ENTRIES:,}.")
    if unpacked > MOST_UNPACKED:
        raise Refused(f"It unpacks to {unpacked:,} bytes; at most {MOST_UNPACKED:,} are read. Use CSV files instead.")


def read(path: str) -> dict[str, list[list[str]]]:
    """The cells of every worksheet as text, from A1 on."""
    found: dict[str, list[list[str]]] = {}
    count = 0
    with python_calamine.CalamineWorkbook.from_path(path) as workbook:
        for name in workbook.sheet_names:
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
            count += sum(map(len, rows))
            if count > MOST_CELLS:
                raise Refused(f"It has more than {MOST_CELLS:,} cells. Use CSV files instead.")
            found[name] = [[as_text(cell) for cell in row] for row in rows]
    return found


def as_text(cell: Any) -> str:
    """A cell as a CSV file would hold it: 1.0 is 1, a date is ISO, numbers are as a spreadsheet shows them."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        # A spreadsheet keeps fifteen digits; what a float has beyond them is noise.
        text = f"{Decimal(format(cell, '.15g')):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


if __name__ == "__main__":
    main(sys.argv[1])
