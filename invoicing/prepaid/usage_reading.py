"""PRE-1: a use as the platform or a file sends it, read into plain values; all that is wrong with it, in sentences."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from accounts.refusals import Refusal
from invoicing.money import ZERO
from invoicing.subscriptions.rating import EXACT, SIX_PLACES

REQUIRED = ("key", "account", "product", "at", "quantity")
FIELDS = (*REQUIRED, "detail")
LONGEST = {"key": 80, "account": 40, "product": 60, "detail": 200}
MOST_UNITS = Decimal(1_000_000_000)
# To Python, "1_000", " 5 " and the digits of other scripts are numbers too.
PLAIN = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]{1,4})?", re.ASCII)
# Clocks differ a little.
EARLIEST_AHEAD = timedelta(minutes=5)


class Use(NamedTuple):
    """One use: `account` is its number, `product` its code, `at` the moment, `quantity` in the product's unit."""

    key: str
    account: str
    product: str
    at: datetime
    quantity: Decimal
    detail: str = ""


class Unreadable(NamedTuple):
    """What could not be read: its key where it has one, and each thing wrong with its field."""

    key: str
    wrong: tuple[tuple[str, Refusal], ...]

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(refusal for _, refusal in self.wrong)


class _Wrong(Exception):
    def __init__(self, sentence: str, way_out: str) -> None:
        self.refusal = Refusal("PRE-1", sentence, way_out)
        super().__init__(sentence)


def read_use(raw: Any, *, now: datetime, at_most_days_old: int) -> Use | Unreadable:
    """A use from whatever was sent for it; it may be of any type at all."""
    if not isinstance(raw, Mapping):
        return Unreadable("", (("", _refusal("A use is an object with fields.", f"Send {', '.join(REQUIRED)}.")),))
    wrong: list[tuple[str, Refusal]] = []
    read: dict[str, Any] = {}
    for name, reader in READERS.items():
        try:
            read[name] = reader(name, raw.get(name))
        except _Wrong as error:
            wrong.append((name, error.refusal))
    if unknown := sorted(_shown(name) for name in raw if name not in FIELDS):
        wrong.append(
            ("", _refusal(f"A use has no field {', '.join(unknown[:3])}.", f"The fields are {', '.join(FIELDS)}."))
        )
    if "at" in read and (late := _out_of_time(read["at"], now, at_most_days_old)):
        wrong.append(("at", late))
    if wrong:
        return Unreadable(read.get("key", ""), tuple(wrong))
    return Use(**read)


def _text(name: str, value: Any) -> str:
    if value is None or value == "":
        raise _Wrong(f"The {name} is missing.", "Send it with each use.")
    if not isinstance(value, str):
        raise _Wrong(f"The {name} is not a text.", "Send it in quotation marks.")
    if len(value) > LONGEST[name]:
        raise _Wrong(f"The {name} is longer than {LONGEST[name]} characters.", "Send a shorter one.")
    if not value.isprintable() or value != value.strip():
        raise _Wrong(
            f"The {name} holds a character that cannot be printed, or a space at its ends.", "Send it without."
        )
    return value


def _optional_text(name: str, value: Any) -> str:
    return "" if value is None or value == "" else _text(name, value)


def _moment(name: str, value: Any) -> datetime:
    way_out = "Send ISO 8601 with the zone, such as 2026-12-01T09:30:00-07:00."
    if not isinstance(value, str):
        raise _Wrong("The moment `at` is missing or not a text.", way_out)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise _Wrong("The moment `at` is not a date with a time.", way_out) from error
    if moment.utcoffset() is None:
        raise _Wrong("The moment `at` has no zone, so it could be any of 24 hours.", way_out)
    return moment


def _quantity(name: str, value: Any) -> Decimal:
    way_out = "Send a number greater than zero and below 1,000,000,000, with at most six decimal places."
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise _Wrong("The quantity is missing or not a number.", way_out)
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        raise _Wrong("The quantity is not a number.", way_out)
    try:
        quantity = Decimal(value)
    except InvalidOperation as error:
        raise _Wrong("The quantity is not a number.", way_out) from error
    if not quantity.is_finite():
        raise _Wrong("The quantity is not a number.", way_out)
    if not ZERO < quantity < MOST_UNITS:
        raise _Wrong("The quantity is not greater than zero and below 1,000,000,000.", way_out)
    rounded = quantity.quantize(SIX_PLACES, context=EXACT)
    if rounded != quantity:
        raise _Wrong("The quantity has more than six decimal places.", way_out)
    return rounded


def _out_of_time(at: datetime, now: datetime, at_most_days_old: int) -> Refusal | None:
    """PRE-1: a use is deducted as it happens, so neither before it nor long after."""
    age = now - at
    if age < -EARLIEST_AHEAD:
        return _refusal("The use lies in the future.", "Send it once it has happened, and check the platform's clock.")
    if age > timedelta(days=at_most_days_old):
        return _refusal(
            f"The use is more than {at_most_days_old} days old.", "Ask the billing team to bill it as a one-off charge."
        )
    return None


def _refusal(sentence: str, way_out: str) -> Refusal:
    return Refusal("PRE-1", sentence, way_out)


def _shown(name: Any) -> str:
    """A field's name as it can be repeated in an answer."""
    text = str(name)[:40]
    return text if text.isprintable() else "with such a name"


READERS: dict[str, Callable[[str, Any], Any]] = {
    "key": _text,
    "account": _text,
    "product": _text,
    "at": _moment,
    "quantity": _quantity,
    "detail": _optional_text,
}
