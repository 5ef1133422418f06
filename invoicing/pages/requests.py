"""From a request to an operation and back: who asks, and what is said afterwards."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html_join

from accounts.actors import Actor, NotPermitted
from accounts.queries import actor_for_user


def actor_of(request: HttpRequest) -> Actor:
    """The member of staff who is signed in, through the console."""
    return actor_for_user(request.user)  # type: ignore[arg-type]


def attempt(request: HttpRequest, do: Callable[[], str], *refusals: type[Exception]) -> bool:
    """Do it and tell what happened; a refusal is told in its own words. Whether it was done."""
    expected: tuple[type[Exception], ...] = (NotPermitted, *refusals)
    try:
        messages.success(request, do())
    except expected as refusal:
        sentences = getattr(refusal, "sentences", None) or [str(refusal)]
        messages.error(request, format_html_join(" ", "{}", ((sentence,) for sentence in sentences)))
        return False
    return True
