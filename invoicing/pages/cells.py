"""Cells and tables of the console's pages."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

NOTHING = "–"


class Table(NamedTuple):
    """A table of a row's page: a cell a heading; `right` names the headings that are set right, as amounts are."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str
    right: Sequence[str] = ()

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """The headings, and whether each is set right."""
        return [(head, head in self.right) for head in self.heads]

    @property
    def lines(self) -> list[list[tuple[Any, bool]]]:
        """The rows, each cell with whether it is set right."""
        return [[(cell, head in self.right) for cell, head in zip(row, self.heads, strict=True)] for row in self.rows]


def link(address: str, text: object) -> SafeString:
    return format_html('<a class="bk-link" href="{}">{}</a>', address, text)


def row_link(model: str, pk: int | None, text: object) -> SafeString | str:
    """To a row's page in the console, such as `row_link("payment", 7, "7")`; a dash where there is none."""
    return link(reverse(f"admin:invoicing_{model}_change", args=[pk]), text) if pk else NOTHING


def links(found: Iterable[SafeString | str]) -> SafeString | str:
    """One after the other; a dash where there is nothing."""
    joined = format_html_join(", ", "{}", ((one,) for one in found))
    return format_html("<span>{}</span>", joined) if joined else NOTHING


def account_link(account: Any) -> SafeString:
    address = reverse("admin:accounts_account_change", args=[account.pk])
    return format_html(
        '<span class="bk-who"><a class="bk-link" href="{}">{}</a> {}</span>', address, account.number, account.name
    )


def day(value: date | None) -> SafeString | str:
    return format_html('<span class="bk-number">{}</span>', f"{value:%Y-%m-%d}") if value else NOTHING


def moment(value: datetime | None) -> SafeString | str:
    """Breaks between the day and the time, if it must."""
    if value is None:
        return NOTHING
    return format_html(
        '<span class="bk-moment"><span>{},</span> <span>{} UTC</span></span>', f"{value:%-d %b %Y}", f"{value:%H:%M}"
    )


def yes(value: bool, said: str = "Yes", otherwise: str = NOTHING) -> str:
    """A fact that is so or not, in a word: the theme's red cross says that something is wrong."""
    return said if value else otherwise


def date_words(value: date | None) -> str:
    return f"{value:%-d %B %Y}" if value else NOTHING
