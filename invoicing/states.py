"""Lifecycles: one table of what may follow what, held by the code and by the database alike."""

from collections.abc import Mapping
from typing import Any, TypeVar

import pgtrigger
from django.db.models import Model

ModelClass = TypeVar("ModelClass", bound=type[Model])


def keeps_to_transitions(model: ModelClass) -> ModelClass:
    """Have the database refuse any change of the model's `state` that its TRANSITIONS do not lead to."""
    transitions: Mapping[Any, set[Any]] = model.TRANSITIONS  # type: ignore[attr-defined]
    pairs = [(str(before.value), str(after.value)) for before, afters in transitions.items() for after in afters]
    fsm = pgtrigger.FSM(name="keeps_to_transitions", field="state", transitions=sorted(pairs))
    registered: ModelClass = pgtrigger.register(fsm)(model)
    return registered


class NotPossibleNow(Exception):
    """What was asked for does not follow from the state that the row is in."""

    def __init__(self, row: Any, wanted: str) -> None:
        self.row = row
        super().__init__(
            f"{row} is {row.get_state_display().lower()}, so it cannot become {wanted.lower().replace('_', ' ')}."
        )


def move(row: Any, state: Any) -> bool:
    """
    Set the state of a locked row; whether it is a change. The caller saves it.

    :raises NotPossibleNow: if the row's TRANSITIONS do not lead there
    """
    if row.state == state:
        return False
    if state not in type(row).TRANSITIONS[type(state)(row.state)]:
        raise NotPossibleNow(row, str(state.label))
    row.state = state
    return True
