"""The former values of rows that people change, kept by the database whatever changes them."""

from collections.abc import Callable
from typing import TypeVar

import pghistory
import pgtrigger
from django.db.models import Model

ModelClass = TypeVar("ModelClass", bound=type[Model])


def keeps_history(*, exclude: list[str] | None = None) -> Callable[[ModelClass], ModelClass]:
    """
    Keep each change and removal of a row, whoever made it and however: by a trigger a statement.

    The first values need no copy: they stand in the row, and then in the first change's predecessor.
    """
    return pghistory.track(
        pghistory.UpdateEvent("changed", level=pgtrigger.Statement, row="OLD"),
        pghistory.DeleteEvent("removed", level=pgtrigger.Statement),
        exclude=exclude,
    )
