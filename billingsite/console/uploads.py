"""An uploaded book between its preview and its import: files under a name that nobody can guess, one a session."""

import re
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core.files.uploadedfile import UploadedFile

SESSION_KEY = "import_book"
MOST_BYTES = 64 * 1024**2
MOST_FILES = 20
SECONDS_KEPT = 24 * 3600
A_NAME = re.compile(r"[\w .()-]{1,80}\.(csv|xlsx)", re.ASCII | re.IGNORECASE)


class UploadRefused(Exception):
    """Files that are no book; the message says what would be one."""


def keep(files: Sequence[UploadedFile], session: SessionBase) -> Path:
    """
    Store the files for this session, in place of what it had; returns the book's path.

    :raises UploadRefused: unless they are one workbook or some CSV files, and within bounds
    """
    _check(files)
    drop(session)
    _drop_forgotten()
    token = secrets.token_urlsafe(24)
    folder = _root() / token / "upload"
    folder.mkdir(parents=True, mode=0o700)
    for file in files:
        with (folder / str(file.name)).open("xb") as stored:
            for chunk in file.chunks():
                stored.write(chunk)
    session[SESSION_KEY] = token
    path = kept(session)
    assert path
    return path


def kept(session: SessionBase) -> Path | None:
    """The book that this session uploaded, if it is still there."""
    token = session.get(SESSION_KEY, "")
    folder = _root() / token / "upload"
    if not re.fullmatch(r"[\w-]{32}", token, re.ASCII) or not folder.is_dir():
        return None
    workbooks = [path for path in folder.iterdir() if path.suffix.lower() == ".xlsx"]
    return workbooks[0] if workbooks else folder


def drop(session: SessionBase) -> None:
    """Forget what this session uploaded."""
    if path := kept(session):
        shutil.rmtree((path if path.is_dir() else path.parent).parent, ignore_errors=True)
    session.pop(SESSION_KEY, None)


def _root() -> Path:
    return Path(settings.VAR_DIR) / "uploads"


def _check(files: Sequence[UploadedFile]) -> None:
    names = [str(file.name) for file in files]
    if not files:
        raise UploadRefused("Choose an XLSX workbook, or the CSV files of a book.")
    if wrong := [name for name in names if not A_NAME.fullmatch(name)]:
        raise UploadRefused(f"“{wrong[0]}” is neither a CSV file nor an XLSX workbook with a plain name.")
    if len({name.lower() for name in names}) < len(names):
        raise UploadRefused("Two of the files have the same name.")
    if len(files) > 1 and any(name.lower().endswith(".xlsx") for name in names):
        raise UploadRefused("Choose one workbook alone, or CSV files alone.")
    if len(files) > MOST_FILES or sum(file.size or 0 for file in files) > MOST_BYTES:
        raise UploadRefused(
            f"That is more than {MOST_FILES} files or {MOST_BYTES // 1024**2} MB. `manage.py import_book` takes more."
        )


def _drop_forgotten() -> None:
    """What was previewed and never imported, a day later."""
    for folder in _root().glob("*"):
        if folder.stat().st_mtime < time.time() - SECONDS_KEPT:
            shutil.rmtree(folder, ignore_errors=True)
