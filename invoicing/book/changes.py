"""What an import would do: counts and differences for people to see, and rows to write."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from django.db.models import Model

from invoicing.book.cells import shown
from invoicing.book.errors import BookError
from invoicing.book.sheets import UNSAID

MOST_SHOWN = 100


class NewId:
    """The primary key of a row that is not written yet; other rows refer to it meanwhile."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int | None = None


Id = int | NewId


class _Now:
    """Stands for the moment of the import, which a plan does not know."""


NOW = _Now()


class RowChange(NamedTuple):
    """A row that differs from what is stored: the columns that do, before and after, as a sheet would hold them."""

    row: int
    name: str
    before: dict[str, str]
    after: dict[str, str]


@dataclass
class SheetPlan:
    """How many of a sheet's rows are new, changed and unchanged; `changes` shows the first of the changed ones."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    changes: list[RowChange] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        return {"new": self.new, "changed": self.changed, "unchanged": self.unchanged}


class OpeningBalance(NamedTuple):
    """By how much what an account owed when it was taken over differs from what is posted."""

    account: Id
    difference: Any
    currency: str
    bill_from_on: date | None


class Writes:
    """Rows to write, by their tables; values by column names, a foreign key by its column or as a NewId."""

    def __init__(self) -> None:
        self.inserts: dict[type[Model], list[tuple[NewId | None, dict[str, Any]]]] = defaultdict(list)
        self.updates: dict[type[Model], list[dict[str, Any]]] = defaultdict(list)
        self.lost_roles: list[tuple[int, str]] = []
        self.openings: list[OpeningBalance] = []
        self.look_again: dict[Id, date] = {}

    def insert(self, model: type[Model], **values: Any) -> NewId:
        """A new row; returns its key to be."""
        key = NewId()
        self.inserts[model].append((key, values))
        return key

    def update(self, model: type[Model], key: int, **values: Any) -> None:
        """All rows of one table are given the same columns."""
        self.updates[model].append({str(model._meta.pk.column): key, **values})

    def affects(self, account: Id, day: date) -> None:
        """What the account is billed changes from a day on."""
        self.look_again[account] = min(day, self.look_again.get(account, day))

    def __bool__(self) -> bool:
        return bool(self.inserts or self.updates or self.lost_roles or self.openings)


@dataclass(frozen=True)
class ImportPlan:
    """What importing a book would change, or has changed; with errors nothing is."""

    book: str
    errors: list[BookError]
    sheets: dict[str, SheetPlan]
    writes: Writes = field(repr=False)

    @property
    def changes_something(self) -> bool:
        return any(sheet.new or sheet.changed for sheet in self.sheets.values())

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        return {name: sheet.counts for name, sheet in self.sheets.items()}


def differences(stored: dict[str, Any], said: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The columns of which a row says something else than is stored, before and after."""
    return {
        name: (stored[name], value)
        for name, value in said.items()
        if name in stored and value is not UNSAID and value != stored[name]
    }


def row_change(row: int, name: str, differing: dict[str, tuple[Any, Any]]) -> RowChange:
    return RowChange(
        row,
        name,
        {column: shown(before) for column, (before, _) in differing.items()},
        {column: shown(after) for column, (_, after) in differing.items()},
    )
