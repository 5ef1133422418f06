"""Who knows what stands on a document: the rooms that own the subjects register it here, by the document's kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class MailText:
    """What is written in the mail that brings a document. `sender` is `Name <address>`; empty, the site's own."""

    subject: str
    text: str
    html: str
    sender: str = ""


class Composer(Protocol):
    """
    From stored rows to plain values, and from these to a PDF, a path and a mail.

    The same rows must give the same values for ever: the hash of what was drawn is kept.
    """

    @property
    def draw(self) -> Callable[[Any], bytes]:
        """The PDF of a plain document: a function of a module that needs no Django, for it runs in other processes."""

    def pdf_inputs(self, subject_ids: Sequence[int]) -> Mapping[int, Any]:
        """Plain, picklable documents by subject, in a constant number of queries; one that is not there is left out."""

    def path(self, document: Any) -> str:
        """Where its file stands below the documents' root, like no other's; its last part names the attachment."""

    def mail(self, document: Any) -> MailText:
        """The mail that brings it."""


class NoComposer(LookupError):
    """No room has said how documents of this kind are composed."""


_composers: dict[str, Composer] = {}


def register(kind: str, composer: Composer) -> None:
    """Say how documents of a kind are composed; called when the site starts."""
    _composers[kind] = composer


def composer_for(kind: str) -> Composer:
    """:raises NoComposer: if none is registered"""
    try:
        return _composers[kind]
    except KeyError:
        raise NoComposer(f"Nobody has said how documents of the kind {kind} are composed.") from None


def registered() -> Mapping[str, Composer]:
    """The composers by kind."""
    return dict(_composers)
