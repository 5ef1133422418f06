"""What a cell may hold: each function takes a cell's text, never blank, and gives its value or says what is wrong."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from invoicing.book.currencies import CURRENCIES

Reader = Callable[[str], Any]

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SLUG = re.compile(r"[-a-zA-Z0-9_]+")
_EARLIEST, _LATEST = date(1900, 1, 1), date(2199, 12, 31)


class WrongCell(Exception):
    """What is wrong with a cell, and what would be right."""

    def __init__(self, wrong: str, right: str) -> None:
        self.wrong = wrong
        self.right = right
        super().__init__(wrong)


def quoted(text: str) -> str:
    """A cell's text as an error shows it."""
    return f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”"


def text(longest: int) -> Reader:
    """Any text on one line."""

    def read(cell: str) -> str:
        line = " ".join(cell.split())
        if not line.isprintable():
            raise WrongCell(
                f"{quoted(ascii(line)[1:-1])} holds a character that cannot be printed.", "text without it."
            )
        if len(line) > longest:
            raise WrongCell(f"{quoted(line)} has {len(line)} characters.", f"at most {longest}.")
        return line

    return read


def slug(longest: int) -> Reader:
    """A code that also stands in addresses of pages."""
    short = text(longest)

    def read(cell: str) -> str:
        if not _SLUG.fullmatch(cell):
            raise WrongCell(
                f"{quoted(cell)} is not a code.", "letters a to z, digits, hyphens and underscores, such as mail-basic."
            )
        return short(cell)

    return read


def choice(words: Mapping[str, str]) -> Reader:
    """One of some words; the mapping gives what is stored for each."""
    listed = ", ".join(words)

    def read(cell: str) -> str:
        try:
            return words[cell.lower()]
        except KeyError:
            raise WrongCell(f"{quoted(cell)} is not one of the values that this column takes.", f"{listed}.") from None

    return read


def choices(words: Mapping[str, str]) -> Reader:
    """Some of some words, with `;` between."""
    one = choice(words)

    def read(cell: str) -> tuple[str, ...]:
        return tuple(sorted({one(word.strip()) for word in cell.split(";") if word.strip()}))

    return read


_yes_or_no = choice({"yes": "yes", "no": "no", "true": "yes", "false": "no", "1": "yes", "0": "no"})


def yes_no(cell: str) -> bool:
    try:
        return _yes_or_no(cell) == "yes"
    except WrongCell as error:
        raise WrongCell(error.wrong, "yes, no.") from None


@lru_cache(maxsize=8192)
def day(cell: str) -> date:
    if not _DAY.fullmatch(cell):
        raise WrongCell(f"{quoted(cell)} is not a day.", "year, month and day as YYYY-MM-DD, such as 2026-03-01.")
    try:
        found = date.fromisoformat(cell)
    except ValueError:
        raise WrongCell(f"{quoted(cell)} is not a day of the calendar.", "a real day as YYYY-MM-DD.") from None
    if not _EARLIEST <= found <= _LATEST:
        raise WrongCell(f"{quoted(cell)} is too far away.", f"a day between {_EARLIEST} and {_LATEST}.")
    return found


def number(*, places: int = 6, whole_digits: int = 12, lowest: int | None = 0, highest: int | None = None) -> Reader:
    """A decimal number with a point."""
    bounds = [f"at least {lowest}" if lowest is not None else "", f"at most {highest}" if highest is not None else ""]
    right = f"a number{''.join(f', {bound}' for bound in bounds if bound)}, with a point and at most {places} places."

    @lru_cache(maxsize=8192)
    def read(cell: str) -> Decimal:
        if not _NUMBER.fullmatch(cell):
            hint = " No thousands separators, no currency sign." if any(sign.isdigit() for sign in cell) else ""
            raise WrongCell(f"{quoted(cell)} is not a number.", f"{right}{hint}")
        value = Decimal(cell)
        if places_of(value) > places:
            raise WrongCell(f"{quoted(cell)} has {places_of(value)} decimal places.", right)
        if (lowest is not None and value < lowest) or (highest is not None and value > highest):
            raise WrongCell(f"{quoted(cell)} is out of range.", right)
        if abs(value) >= 10**whole_digits:
            raise WrongCell(f"{quoted(cell)} is too large.", f"a number below 1 followed by {whole_digits} zeros.")
        return value

    return read


def places_of(value: Decimal) -> int:
    """How many decimal places a number needs, zeros at its end left out."""
    return max(0, -int(value.normalize().as_tuple().exponent))


def day_of_month(cell: str) -> int:
    if not re.fullmatch("[0-9]{1,2}", cell) or not 1 <= int(cell) <= 31:
        raise WrongCell(f"{quoted(cell)} is not a day of a month.", "a whole number from 1 to 31.")
    return int(cell)


@lru_cache(maxsize=512)
def currency(cell: str) -> str:
    code = cell.upper()
    if code not in CURRENCIES:
        raise WrongCell(f"{quoted(cell)} is not a currency we can bill in.", "three letters of ISO 4217, such as USD.")
    return code


@lru_cache(maxsize=512)
def country(cell: str) -> str:
    if not re.fullmatch("[A-Za-z]{2}", cell):
        raise WrongCell(f"{quoted(cell)} is not a country.", "two letters of ISO 3166, such as US.")
    return cell.upper()


def state(cell: str) -> str:
    """A state; a code of two letters in capitals, since rates and rules look it up so."""
    name: str = text(50)(cell)
    return name.upper() if len(name) == 2 else name


def email(cell: str) -> str:
    try:
        validate_email(cell)
    except ValidationError:
        raise WrongCell(f"{quoted(cell)} is not an e-mail address.", "one address such as ann@example.com.") from None
    if len(cell) > 254:
        raise WrongCell(f"{quoted(cell)} has {len(cell)} characters.", "at most 254.")
    return cell


def emails(cell: str) -> list[str]:
    """Addresses with `;` between, each once."""
    found: dict[str, str] = {}
    for one in cell.split(";"):
        if one.strip():
            try:
                found.setdefault(one.strip().upper(), email(one.strip()))
            except WrongCell as error:
                raise WrongCell(
                    error.wrong, "addresses with ; between, such as ann@example.com;bob@example.com."
                ) from None
    return list(found.values())


def shown(value: Any) -> str:
    """A value as a sheet would hold it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list | tuple):
        return ";".join(shown(one) for one in value)
    return str(value)
