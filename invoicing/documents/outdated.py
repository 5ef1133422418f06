"""Mails that came to nothing before they went out: the rooms that know why register here, by the kind of document."""

from collections.abc import Callable, Mapping, Sequence

# By subject, in a sentence, why its mail is not to go out any more.
Outdated = Callable[[Sequence[int]], Mapping[int, str]]

_registered: dict[str, Outdated] = {}


def register(kind: str, outdated: Outdated) -> None:
    """Have this asked before mails of a kind are sent; called when the site starts."""
    _registered[kind] = outdated


def outdated(kind: str, subject_ids: Sequence[int]) -> Mapping[int, str]:
    """Of these subjects, those whose mail is not to go out any more."""
    return _registered[kind](subject_ids) if kind in _registered else {}
