"""Where a book is laid out beside what is stored, while the import is planned."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from invoicing.book.cells import quoted
from invoicing.book.changes import MOST_SHOWN, Id, SheetPlan, Writes, differences, row_change
from invoicing.book.errors import BookError
from invoicing.book.parsing import Row, parse
from invoicing.book.queries import Stored, StoredCatalog
from invoicing.book.reading import Book
from invoicing.book.sheets import SHEETS, UNSAID
from invoicing.catalog.models import BillingTerms
from invoicing.periods import AnchorChange, BillingCalendar
from invoicing.sellers.models import Seller

DEFAULTS = {sheet.name: sheet.defaults for sheet in SHEETS}


@dataclass
class AccountAfter:
    """An account as it will be after the import. Not sound: its row is wrong, and so may be what is read here."""

    id: Id
    kind: str
    parent: str
    terms: BillingTerms | None
    values: dict[str, Any]
    day_changes: tuple[AnchorChange, ...] = ()
    sound: bool = True

    @property
    def calendar(self) -> BillingCalendar:
        if self.terms and self.terms.anchor == BillingTerms.Anchor.ANNIVERSARY:
            return BillingCalendar(self.values["billing_day"] or 1, self.day_changes)
        return BillingCalendar()


class PlanAfter(NamedTuple):
    id: Id
    charge: str


class SubscriptionAfter(NamedTuple):
    id: Id
    account: str
    started_on: date
    ended_on: date | None


class Desk:
    """
    The rows of a book, what is stored, what was found wrong, and what is to be written.

    `accounts`, `plans` and `subscriptions` fill up as their sheets are planned, with what is stored and what the book
    adds; None stands for one whose row is wrong, so that nothing can be said of what refers to it.
    """

    def __init__(self, book: Book, seller: Seller) -> None:
        self.book = book
        self.seller = seller
        self.errors = list(book.errors)
        self.writes = Writes()
        self.rows: dict[str, list[Row]] = {}
        self.plans_of_sheets: dict[str, SheetPlan] = {}
        self.catalog: StoredCatalog
        self.stored_accounts: dict[str, Stored] = {}
        self.stored_subscriptions: dict[str, Stored] = {}
        self.accounts: dict[str, AccountAfter] = {}
        self.plans: dict[str, PlanAfter | None] = {}
        self.subscriptions: dict[str, SubscriptionAfter | None] = {}
        for sheet in SHEETS:
            raw = book.sheets.get(sheet.name)
            self.rows[sheet.name] = parse(raw, sheet, self.errors) if raw else []
            if raw:
                self.plans_of_sheets[sheet.name] = SheetPlan()

    def wrong(self, sheet: str, row: Row, column: str, wrong: str, right: str) -> None:
        """Note an error; the row is not planned any further."""
        row.sound = False
        self.errors.append(BookError(self.file(sheet), row.number, column, wrong, right))

    def file(self, sheet: str) -> str:
        return self.book.sheets[sheet].file if sheet in self.book.sheets else f"{sheet}.csv"

    def sound_rows(self, sheet: str, *, key: Callable[[Row], Hashable], column: str) -> Iterator[Row]:
        """The rows without an error; a key that was there before is one, of its later row."""
        seen: dict[Hashable, int] = {}
        for row in self.rows[sheet]:
            if not row.sound:
                continue
            first = seen.setdefault(key(row), row.number)
            if first != row.number:
                wrong = f"{quoted(str(row[column]))} is the same as in row {first}."
                self.wrong(sheet, row, column, wrong, "one row for each; take this one or the other out.")
                continue
            yield row

    def tally(
        self, sheet: str, row: Row, name: str, stored: dict[str, Any] | None, said: dict[str, Any]
    ) -> dict[str, Any]:
        """Count a row; returns the values that differ from what is stored, all of them for a new row."""
        plan = self.plans_of_sheets[sheet]
        if stored is None:
            plan.new += 1
            defaults = DEFAULTS[sheet]
            return {column: defaults.get(column) if value is UNSAID else value for column, value in said.items()}
        differing = differences(stored, said)
        if not differing:
            plan.unchanged += 1
            return {}
        plan.changed += 1
        if len(plan.changes) < MOST_SHOWN:
            plan.changes.append(row_change(row.number, name, differing))
        return {column: after for column, (_, after) in differing.items()}

    def account_of(self, sheet: str, row: Row) -> AccountAfter | None:
        """The account that a row names, if it is there and nothing is wrong with it."""
        return self.account_named(sheet, row, "account")

    def account_named(self, sheet: str, row: Row, column: str) -> AccountAfter | None:
        number = row[column]
        account = self.accounts.get(number)
        if account is None and "accounts" not in self.book.unread:
            wrong = f"There is no account {quoted(number)}."
            self.wrong(sheet, row, column, wrong, "the number of an account of this book, or of one that is stored.")
        if account is None or not account.sound:
            row.sound = False
            return None
        return account

    def plan_of(self, sheet: str, row: Row) -> PlanAfter | None:
        """The plan that a row names as its product."""
        return self._found(self.plans, "products", sheet, row, "product", "the code of a product")

    def subscription_of(self, sheet: str, row: Row) -> SubscriptionAfter | None:
        right = "the reference of a subscription"
        return self._found(self.subscriptions, "subscriptions", sheet, row, "subscription", right)

    def _found(self, known: dict[str, Any], among: str, sheet: str, row: Row, column: str, right: str) -> Any:
        found = known.get(row[column])
        if row[column] not in known and among not in self.book.unread:
            wrong = f"There is no {column} {quoted(row[column])}."
            self.wrong(sheet, row, column, wrong, f"{right} of this book, or of one that is stored.")
        if found is None:
            row.sound = False
        return found

    def payer_of(self, account: AccountAfter) -> AccountAfter:
        """The account that is invoiced: a client's partner."""
        return self.accounts.get(account.parent, account) if account.parent else account

    def affects(self, account: AccountAfter, day: date) -> None:
        """What is billed for the account changes from a day on."""
        self.writes.affects(self.payer_of(account).id, day)


def merged(row: Row, stored: Stored | None, sheet: str) -> dict[str, Any]:
    """The row's values, with what is stored, or the defaults, where it says nothing."""
    fallback = stored.values if stored else DEFAULTS[sheet]
    return {column: fallback.get(column) if value is UNSAID else value for column, value in row.values.items()}
