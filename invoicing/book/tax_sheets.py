"""The sheets `tax_rates` and `exemptions`: both hold periods that may not overlap."""

from collections import defaultdict
from collections.abc import Callable, Hashable
from datetime import date
from typing import Any

from invoicing.book.desk import Desk, merged
from invoicing.book.parsing import Row
from invoicing.book.queries import Stored, stored_exemptions, stored_tax_rates
from invoicing.book.sheets import UNSAID
from invoicing.tax.models import Exemption, TaxRate

PLACE = ("country", "state", "county", "city", "postal_code")
JURISDICTION = (*PLACE, "tax_category", "name")


def plan_tax_rates(desk: Desk) -> None:
    sheet = "tax_rates"
    for row in desk.rows[sheet]:
        if row.sound:
            _check_state(desk, sheet, row)
    stored = stored_tax_rates() if desk.rows[sheet] else []

    def of_row(row: Row) -> Hashable:
        return tuple("" if row[name] is UNSAID else row[name] for name in JURISDICTION)

    for row, was in _without_overlap(
        desk, sheet, of_row, lambda values: tuple(values[name] for name in JURISDICTION), stored
    ):
        name = " ".join(str(row[part]) for part in ("name", "country", "state") if row[part])
        differing = desk.tally(sheet, row, f"{name} from {row['valid_from_on']}", was and was.values, row.values)
        values = merged(row, was, sheet)
        if was is None:
            columns = (*JURISDICTION, "rate_percent", "valid_from_on", "valid_to_on")
            desk.writes.insert(TaxRate, **{column: values[column] for column in columns})
        elif differing:
            desk.writes.update(TaxRate, was.id, rate_percent=values["rate_percent"], valid_to_on=values["valid_to_on"])


def plan_exemptions(desk: Desk) -> None:
    sheet = "exemptions"
    for row in desk.rows[sheet]:
        if row.sound:
            _check_state(desk, sheet, row)
            desk.account_of(sheet, row)
    ids = {desk.accounts[row["account"]].id for row in desk.rows[sheet] if row.sound}
    stored = stored_exemptions(sorted(key for key in ids if isinstance(key, int))) if ids else []

    def of_row(row: Row) -> Hashable:
        return row["account"], row["country"], "" if row["state"] is UNSAID else row["state"]

    def of_stored(values: dict[str, Any]) -> Hashable:
        return values["account"], values["country"], values["state"]

    for row, was in _without_overlap(desk, sheet, of_row, of_stored, stored):
        differing = desk.tally(sheet, row, f"{row['account']} {row['certificate']}", was and was.values, row.values)
        values = merged(row, was, sheet)
        kept = {"certificate": values["certificate"], "valid_to_on": values["valid_to_on"]}
        if was is None:
            desk.writes.insert(
                Exemption,
                account_id=desk.accounts[row["account"]].id,
                country=values["country"],
                state=values["state"],
                valid_from_on=values["valid_from_on"],
                **kept,
            )
        elif differing:
            desk.writes.update(Exemption, was.id, **kept)


def _check_state(desk: Desk, sheet: str, row: Row) -> None:
    state = row["state"]
    if row["country"] == "US" and state is not UNSAID and state and len(state) != 2:
        desk.wrong(sheet, row, "state", f"“{state}” is not a state code.", "two letters, such as CO.")


def _without_overlap(
    desk: Desk,
    sheet: str,
    of_row: Callable[[Row], Hashable],
    of_stored: Callable[[dict[str, Any]], Hashable],
    stored: list[Stored],
) -> list[tuple[Row, Stored | None]]:
    """The sound rows with what is stored of the same first day, once no two periods of one key overlap."""
    known: dict[Hashable, dict[date, Stored]] = defaultdict(dict)
    for one in stored:
        known[of_stored(one.values)][one.values["valid_from_on"]] = one
    found = []
    periods: dict[Hashable, dict[date, tuple[date | None, Row | None]]] = defaultdict(dict)
    for row in desk.sound_rows(sheet, key=lambda row: (of_row(row), row["valid_from_on"]), column="valid_from_on"):
        was = known[of_row(row)].get(row["valid_from_on"])
        until = merged(row, was, sheet)["valid_to_on"]
        if until and until <= row["valid_from_on"]:
            right = f"a day after {row['valid_from_on']}, the first on which it no longer holds; or a blank cell."
            desk.wrong(sheet, row, "valid_to_on", "It ends before it has begun.", right)
            continue
        periods[of_row(row)][row["valid_from_on"]] = (until, row)
        found.append((row, was))
    for key, of_book in periods.items():
        kept = {start: (one.values["valid_to_on"], None) for start, one in known[key].items()}
        _check_overlaps(desk, sheet, kept | of_book)
    return [(row, was) for row, was in found if row.sound]


def _check_overlaps(desk: Desk, sheet: str, periods: dict[date, tuple[date | None, Row | None]]) -> None:
    """One that is still valid when the next begins is an error of the one in the book, the earlier if both are."""
    starts = sorted(periods)
    for start, following in zip(starts, starts[1:], strict=False):
        until, row = periods[start]
        if until is not None and until <= following:
            continue
        if row is not None:
            wrong = f"The period overlaps the one that begins on {following}."
            desk.wrong(sheet, row, "valid_to_on", wrong, f"{following} or an earlier day.")
        elif (later := periods[following][1]) is not None:
            ends = f"ends on {until}" if until else "has no end"
            wrong = f"The period overlaps the stored one from {start}, which {ends}."
            right = "a day after it ends; or a row that ends it before."
            desk.wrong(sheet, later, "valid_from_on", wrong, right)
