"""Values of a report as a page, a CSV file and a workbook show them."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from invoicing.money import exponent, format_money, minor_unit
from invoicing.reports.report import Column, Kind, Report, Row


def shown(value: Any, column: Column, currency: str) -> str:
    """As text on a page, whose heading names the currency; a dash where there is nothing."""
    if value is None or value == "":
        return "–"
    if column.kind == Kind.MONEY:
        return format_money(value, currency).removeprefix(f"{currency} ")
    if column.kind == Kind.PERCENT:
        return f"{value.normalize():f} %"
    if column.kind == Kind.COUNT:
        return f"{value:,}"
    return f"{value:%-d %B %Y}" if isinstance(value, date) else str(value)


def number_formats(report: Report, currency: str) -> list[str]:
    """How a workbook shows the numbers of each column, its currency's at the end; empty where it is no number."""
    places = exponent(currency)
    formats = {
        Kind.MONEY: f"#,##0.{'0' * places}" if places else "#,##0",
        Kind.COUNT: "#,##0",
        Kind.PERCENT: "0.0###",
    }
    return [*(formats.get(column.kind, "") for column in report.columns), ""]


def exact(amount: Decimal, currency: str) -> Decimal:
    """At the currency's places, and at more only where the amount has more."""
    at_places = amount.quantize(minor_unit(currency))
    return at_places if at_places == amount else amount.normalize()


def exported(report: Report, rows: Iterator[Row], currency: str) -> Iterator[list[Any]]:
    """Each row as a file has it, with its currency: amounts exactly as they are, and as numbers."""
    kinds = [column.kind for column in report.columns]
    for row in rows:
        cells = [
            exact(value, currency) if kind == Kind.MONEY and value is not None else value
            for value, kind in zip(row, kinds, strict=True)
        ]
        yield [*cells, currency]
