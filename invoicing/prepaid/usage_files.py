"""PRE-1: uses from a CSV file, by the same operation as the API's: each taken, a duplicate or refused by itself."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.refusals import Refusal
from invoicing.money import ZERO
from invoicing.prepaid.usage import ACCEPTED, Answer, Standing, take_uses
from invoicing.prepaid.usage_reading import FIELDS, REQUIRED, Unreadable, Use, read_use

USES_A_BATCH = 500
MAY_IMPORT = "invoicing.import_book"


class FileRefused(Exception):
    """The file as a whole cannot be read."""


class RowRefused(NamedTuple):
    """Why a row of the file was not taken, and the column that it is about."""

    file: str
    row: int
    column: str
    refusal: Refusal

    def __str__(self) -> str:
        where = f"{self.file}, row {self.row}" + (f", column {self.column}" if self.column else "")
        return f"{where}: {self.refusal}"


@dataclass
class Imported:
    """What became of a file: how many uses of each outcome, what they cost by currency, and all refusals."""

    outcomes: Counter[str] = field(default_factory=Counter)
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))
    refused: list[RowRefused] = field(default_factory=list)
    accounts: dict[str, Standing] = field(default_factory=dict)
    to_top_up: set[int] = field(default_factory=set)


def import_usage(path: Path, *, actor: Actor, now: datetime, at_most_days_old: int, dry_run: bool = False) -> Imported:
    """
    Take the uses of a file, a transaction a batch. The same file again is all duplicates; a dry run keeps nothing.

    :raises NotPermitted: unless the actor may import
    :raises FileRefused: if it is no CSV file with the columns of a use; what came before the fault is taken
    """
    actor.require(MAY_IMPORT)
    imported = Imported()
    with _kept_unless(dry_run), path.open("rb") as opened:
        rows = _rows((line.decode("utf-8-sig") for line in opened), path.name)
        while batch := list(islice(rows, USES_A_BATCH)):
            uses = [read_use(raw, now=now, at_most_days_old=at_most_days_old) for _, raw in batch]
            _take(uses, [row for row, _ in batch], path.name, imported, now)
        if imported.outcomes[ACCEPTED] and not dry_run:
            counts = {outcome: imported.outcomes[outcome] for outcome in sorted(imported.outcomes)}
            record_change("usage.import", subject=f"file {path.name}"[:120], actor=actor, now=now, detail=counts)
    return imported


def _take(uses: list[Use | Unreadable], rows: list[int], file: str, imported: Imported, now: datetime) -> None:
    taken = take_uses(uses, now=now)
    for row, answer in zip(rows, taken.answers, strict=True):
        imported.outcomes[answer.outcome] += 1
        if answer.outcome == ACCEPTED and answer.amount is not None:
            imported.amounts[answer.currency] += answer.amount
        imported.refused += _refusals(file, row, answer)
    imported.accounts |= {standing.account: standing for standing in taken.accounts}
    imported.to_top_up |= set(taken.to_top_up)


def _refusals(file: str, row: int, answer: Answer) -> Iterator[RowRefused]:
    for column, refusal in zip(answer.fields, answer.refusals, strict=True):
        yield RowRefused(file, row, column, refusal)


def _rows(lines: Iterable[str], file: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its number in the file, the header being row 1; empty cells are left out."""
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, file)
        for cells in reader:
            if cells:
                named = dict(zip(header, cells, strict=False))
                named |= {f"beyond {header[-1]}": "" for _ in cells[len(header) :]}
                yield reader.line_num, {name: cell for name, cell in named.items() if cell or name not in FIELDS}
    except UnicodeDecodeError as error:
        raise FileRefused(f"{file}, after row {reader.line_num}: this is not UTF-8. Save the file as UTF-8.") from error
    except csv.Error as error:
        raise FileRefused(f"{file}, row {reader.line_num}: this is not CSV ({error}).") from error


def _check_header(header: list[str], file: str) -> None:
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name for name in header if name not in FIELDS]
    if missing or unknown or len(set(header)) < len(header):
        wrong = f"the columns {', '.join(missing)} are missing" if missing else "a column is unknown or there twice"
        raise FileRefused(f"{file}, row 1: {wrong}. The columns are {', '.join(FIELDS)}, in any order.")


@contextmanager
def _kept_unless(dry_run: bool) -> Iterator[None]:
    """A dry run works in one transaction, which is undone."""
    if not dry_run:
        yield
        return
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
