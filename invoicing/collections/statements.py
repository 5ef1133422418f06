"""The statements of account that lie beside the agency's file: the room above, which draws them, registers here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True)
class Period:
    """Of which account, in which currency, and from which day to which, both included."""

    account_id: int
    currency: str
    from_on: date
    to_on: date


class Drawer(Protocol):
    """The statement of each account as a PDF, by account."""

    def __call__(self, periods: Sequence[Period]) -> Mapping[int, bytes]: ...


_drawers: list[Drawer] = []


def register(drawer: Drawer) -> None:
    """Have this draw the statements; called when the site starts."""
    _drawers[:] = [drawer]


def statements_of(periods: Sequence[Period]) -> dict[int, bytes]:
    """By account; nothing where nobody draws them."""
    return {account_id: pdf for drawer in _drawers for account_id, pdf in drawer(periods).items()}
