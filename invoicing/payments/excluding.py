"""Which invoices are not charged by themselves: the rooms above, which know of disputes and holds, say so here."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Protocol


class Filter(Protocol):
    """Of these invoices, those that nobody is to be charged for on the day, each with the reason in a sentence."""

    def __call__(self, invoice_ids: Collection[int], *, on: date) -> Mapping[int, str]: ...


_filters: list[Filter] = []


def exclude(invoices: Filter) -> None:
    """Have this asked before invoices are charged by the schedule; registered when the site starts."""
    if invoices not in _filters:
        _filters.append(invoices)


def excluded(invoice_ids: Collection[int], *, on: date) -> dict[int, str]:
    """The invoices that are left out and why, the first reason where there are several."""
    found: dict[int, str] = {}
    for one in _filters:
        found = {**one(invoice_ids, on=on), **found}
    return found
