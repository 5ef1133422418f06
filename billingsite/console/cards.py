"""A heap of work as the opening page shows it."""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class Card:
    """One heap of work: how much, of what, and the page where it is worked off."""

    count: str
    title: str
    hint: str
    link: str
    is_bad: bool = False


def list_address(model: str, query: str) -> str:
    """A list of `invoicing`, narrowed to the heap; the opening page where the list is not built."""
    try:
        return f"{reverse(f'admin:invoicing_{model}_changelist')}?{query}"
    except NoReverseMatch:
        return reverse("admin:index")
