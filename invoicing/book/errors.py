"""What is wrong with a book, in the words that the command and the console show."""

from typing import Any, NamedTuple


class BookError(NamedTuple):
    """One thing wrong. `row` is the one that a spreadsheet shows, the header being row 1; None: the whole file."""

    file: str
    row: int | None
    column: str
    wrong: str
    right: str

    def __str__(self) -> str:
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column:
            place.append(f"column {self.column}")
        return f"{', '.join(place)}: {self.wrong} Right would be: {self.right}"

    def as_json(self) -> dict[str, Any]:
        return self._asdict()
