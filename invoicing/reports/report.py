"""What a report is: its columns, its filters, the statement that reads it, and what it says of itself."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

from invoicing.money import ZERO

Row = Sequence[Any]


class Kind(StrEnum):
    """How a column is shown; `MONEY` is in the report's currency and is summed."""

    TEXT = "TEXT"
    DATE = "DATE"
    COUNT = "COUNT"
    MONEY = "MONEY"
    PERCENT = "PERCENT"


@dataclass(frozen=True)
class Column:
    """`name` is what the statement calls it; figures that add up to nothing are not `totalled`."""

    name: str
    title: str
    kind: Kind = Kind.TEXT
    totalled: bool = True

    @property
    def is_figure(self) -> bool:
        return self.kind not in (Kind.TEXT, Kind.DATE)

    @property
    def is_summed(self) -> bool:
        return self.totalled and self.kind in (Kind.MONEY, Kind.COUNT)


class Filter(StrEnum):
    """What a report may be asked for."""

    ON = "on"
    FROM = "from_on"
    TO = "to_on"
    CURRENCY = "currency"
    TERMS = "terms"
    SELLER = "seller"


PERIOD = (Filter.FROM, Filter.TO)


@dataclass(frozen=True)
class Asked:
    """
    The values of the filters. `on` is the day as of which, `from_on` to `to_on` the days over which, all included;
    an empty `terms` or `seller` is any.
    """

    on: date
    from_on: date
    to_on: date
    currency: str
    terms: str = ""
    seller: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As an export keeps them."""
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(self).items()}

    @classmethod
    def of_json(cls, kept: dict[str, Any]) -> Self:
        days = {name: date.fromisoformat(kept[name]) for name in ("on", "from_on", "to_on")}
        return cls(**{**kept, **days})

    def over(self, **values: Any) -> Self:
        return replace(self, **values)


@dataclass(frozen=True)
class Chart:
    """Bars: a label each, and one row of amounts a series."""

    labels: list[str]
    series: dict[str, list[Decimal]]
    says: str


@dataclass(frozen=True)
class Report:
    """
    `sql` reads the columns by their names, with the filters as its parameters; `order` sorts them. A report that is
    `bounded` has so few rows that they are read at once; of another, the page shows the first and all are summed.
    """

    name: str
    title: str
    says: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]
    sql: str
    order: str
    chart: Callable[[Sequence[Row], Sequence[Decimal | int | None], Asked], Chart | None]
    when_empty: str
    bounded: bool = True
    ledger_accounts: tuple[str, ...] = field(default=())

    def place(self, name: str) -> int:
        """Where a column stands in a row."""
        return [column.name for column in self.columns].index(name)


def summed(rows: Sequence[Row], *, label: int, value: int, series: int | None = None, says: str) -> Chart | None:
    """A chart of the sums of a column by two others, the labels in the order of the rows; the largest series apart."""
    labels = list(dict.fromkeys(str(row[label]) for row in rows))
    if not labels:
        return None
    sums: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        of_series = sums.setdefault(says if series is None else str(row[series]), dict.fromkeys(labels, ZERO))
        of_series[str(row[label])] += row[value]
    kept = sorted(sums, key=lambda name: -abs(sum(sums[name].values(), ZERO)))
    shown = {name: list(sums[name].values()) for name in kept[:MOST_SERIES]}
    if rest := kept[MOST_SERIES:]:
        shown["all others"] = [sum((sums[name][one] for name in rest), ZERO) for one in labels]
    return Chart(labels, shown, says)


MOST_SERIES = 7


def first_rows(rows: Sequence[Row], *, label: int, value: int, says: str) -> Chart | None:
    """A chart of the first rows, which are the largest."""
    if not rows:
        return None
    return Chart([str(row[label]) for row in rows[:10]], {says: [row[value] for row in rows[:10]]}, says)
