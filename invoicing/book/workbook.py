"""
Reads an XLSX workbook into JSON on standard output, in a process of its own.

A workbook is a zip file that somebody sent: it can lie about its size. So this runs under limits of memory and
processor time, and imports nothing of the project. Written are `{"sheets": {name: [[text, ...], ...]}}` or
`{"refused": sentence}`.
"""

import json
import re
import resource
import sys
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import python_calamine

MEMORY = 2 * 1024**3
SECONDS = 120
MOST_ENTRIES = 2_000
MOST_UNPACKED = 512 * 1024**2
MOST_CELLS = 10_000_000
_ERROR_CELL = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"[^>]* t="e"[^>]*>.*?<v>([^<]*)</v>', re.DOTALL)
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


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
    except (python_calamine.CalamineError, zipfile.BadZipFile, ElementTree.ParseError) as error:
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
    show_errors(path, found)
    return found


def show_errors(path: str, sheets: dict[str, list[list[str]]]) -> None:
    """Put `#N/A` and its like back where a formula failed: calamine reads such cells as blank."""
    with zipfile.ZipFile(path) as archive:
        for name, member in sheet_members(archive).items():
            content = archive.read(member)
            if b't="e"' not in content or name not in sheets:
                continue
            for letters, row, value in _ERROR_CELL.findall(content):
                column = 0
                for letter in letters:
                    column = column * 26 + letter - ord("A") + 1
                cells = sheets[name][int(row) - 1] if int(row) <= len(sheets[name]) else []
                if column <= len(cells):
                    cells[column - 1] = value.decode()


def sheet_members(archive: zipfile.ZipFile) -> dict[str, str]:
    """In which file of the archive each sheet is."""
    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return {}
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {one.get("Id"): f"xl/{one.get('Target', '')}".replace("xl//xl/", "xl/") for one in relations}
    sheets = ElementTree.fromstring(archive.read("xl/workbook.xml")).iterfind(".//{*}sheet")
    found = {sheet.get("name", ""): targets.get(sheet.get(_RELATION), "") for sheet in sheets}
    return {name: member for name, member in found.items() if member in names}


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
