"""How a rule says no: with its clause, a sentence that a customer can read, and what would make it allowed."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """One clause that stands in the way. Shown, mailed, returned by the API and recorded in these words."""

    clause: str
    sentence: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.clause}: {self.sentence} {self.way_out}"


class BadValue(Exception):
    """A value that cannot be stored; `sentence` says what is wrong with it, beside its `field`."""

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        self.sentence = sentence
        super().__init__(sentence)


def in_words(refusals: Iterable[Refusal]) -> str:
    """All of them as one text, for a mail or a log line."""
    return " ".join(str(refusal) for refusal in refusals)
