"""What staff may do to a row of a list: a page that asks what is needed, one operation, and its answer in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms

from accounts.actors import Actor


@dataclass(frozen=True)
class Asked:
    """What is asked for: of which row (an account, or nothing of a list), with which values, by whom and when."""

    row: Any
    values: Mapping[str, Any]
    actor: Actor
    now: datetime


class ActForm(forms.Form):
    """What an act needs to know; it is told the row, from which it may take its choices."""

    def __init__(self, *args: Any, row: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row, self.now = row, now
        self._name_the_currency()
        self.prepare()

    def _name_the_currency(self) -> None:
        """An amount is asked for in the row's currency, or in which its account is billed, unless the form asks."""
        amounts = [field for field in self.fields.values() if isinstance(field, forms.DecimalField)]
        if not amounts or "currency" in self.fields:
            return
        currency = getattr(self.row, "currency", "") or getattr(
            getattr(self.row, "billing_profile", None), "currency", ""
        )
        for amount in amounts if currency else ():
            amount.label = f"{amount.label}, {currency}"

    def prepare(self) -> None:
        """Fit the fields to the row."""

    def choose(self, name: str, choices: Sequence[tuple[Any, Any]]) -> None:
        """The choices of a field, read from the row."""
        self.fields[name].choices = choices  # type: ignore[attr-defined]


class WhyForm(ActForm):
    why = forms.CharField(label="Why", max_length=300, help_text="It stands in the record of what was done.")


@dataclass(frozen=True)
class ShownOnce:
    """
    What an act made that nobody is told again, such as a key. It stands in the answer to the act itself and nowhere
    else: a message would travel through a cookie, which is signed and not sealed.
    """

    says: str
    label: str
    secret: str


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


Facts = Sequence[tuple[str, Any]]


def _always(row: Any) -> bool:
    return True


@dataclass(frozen=True)
class Act:
    """
    One thing that may be done. `perform` calls its operation and says what was done, or shows what is shown once.

    `offered` says of which rows it makes sense, so that a button is not shown in vain; whether it may be done the
    operation decides. With a `preview`, its facts are shown first, and a second button does it.
    """

    name: str
    label: str
    permission: str
    perform: Callable[[Asked], str | ShownOnce]
    refusals: tuple[type[Exception], ...]
    explanation: str = ""
    form: type[ActForm] = ActForm
    button: str = ""
    danger: bool = False
    offered: Callable[[Any], bool] = field(default=_always)
    preview: Callable[[Asked], Facts] | None = None

    @property
    def is_shown_before(self) -> bool:
        """Whether what it comes to is shown first; a template would call `preview` itself."""
        return self.preview is not None

    @property
    def heading(self) -> str:
        """What its page is called: as the button that led there."""
        return self.label.rstrip("…")

    @property
    def sends(self) -> str:
        """What stands on the button that does it."""
        return self.button or self.heading
