"""Importing a book: the record of what was done elsewhere, which is no request, so that no authority is asked."""

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils.timezone import localdate

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.book.account_sheets import plan_accounts
from invoicing.book.catalog_sheets import CatalogPlanner
from invoicing.book.changes import ImportPlan
from invoicing.book.contact_sheet import plan_contacts
from invoicing.book.desk import Desk
from invoicing.book.errors import BookError
from invoicing.book.one_off_sheet import plan_one_offs
from invoicing.book.queries import lock_accounts, stored_accounts, stored_catalog, stored_subscriptions
from invoicing.book.reading import Book, read_book
from invoicing.book.saving import Progress, analyze, save
from invoicing.book.service_sheets import (
    derive_references,
    plan_inactivity,
    plan_quantities,
    plan_subscriptions,
)
from invoicing.book.sheets import SHEETS, UNSAID
from invoicing.book.tax_sheets import plan_exemptions, plan_tax_rates
from invoicing.sellers.models import Seller

__all__ = ["Book", "BookError", "BookRefused", "ImportPlan", "import_book", "plan_import", "read_book"]

PERMISSION = "invoicing.import_book"
# Any number that nothing else locks: imports wait for each other under it.
LOCK = 0x626F6F6B


class BookRefused(Exception):
    """A book with errors, of which nothing is saved; `plan` says what the rows without error would have done."""

    def __init__(self, plan: ImportPlan) -> None:
        self.plan = plan
        self.errors = plan.errors
        super().__init__(f"{plan.book} has {len(plan.errors):,} errors. Nothing was saved.")


def plan_import(book: Book) -> ImportPlan:
    """What importing a book would change, and everything that is wrong with it. Nothing is written."""
    return _plan(book, Seller.objects.get(is_default=True), progress=_silent)


def import_book(
    book: Book, *, actor: Actor, now: datetime, dry_run: bool = False, progress: Progress | None = None
) -> ImportPlan:
    """
    Make what is stored as the book says, in one transaction; rows that are so already are left alone.

    :raises NotPermitted: if the actor may not import
    :raises BookRefused: with everything that is wrong; nothing is saved then
    """
    actor.require(PERMISSION)
    tell = progress or _silent
    seller = Seller.objects.get(is_default=True)
    with transaction.atomic():
        if not dry_run:
            _wait_for_other_imports()
        plan = _plan(book, seller, progress=tell, lock=not dry_run)
        if plan.errors:
            raise BookRefused(plan)
        if dry_run or not plan.changes_something:
            return plan
        save(plan.writes, now=now, today=_today(now, seller), progress=tell)
        record_change("book.import", subject=f"book {book.name[:100]}", actor=actor, now=now, detail=plan.counts)
    analyze(plan.writes)
    return plan


def _silent(step: str) -> None:
    """Nobody listens."""


def _today(now: datetime, seller: Seller) -> date:
    return localdate(now, ZoneInfo(seller.time_zone))


def _wait_for_other_imports() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _plan(book: Book, seller: Seller, *, progress: Progress, lock: bool = False) -> ImportPlan:
    count = sum(len(sheet.rows) for sheet in book.sheets.values())
    progress(f"{count:,} rows in {len(book.sheets)} sheets to look at")
    desk = Desk(book, seller)
    derive_references(desk)
    if lock:
        lock_accounts(_account_numbers(desk))
    progress("comparing with what is stored")
    _fetch(desk)
    steps: tuple[Callable[[Desk], None], ...] = (
        plan_accounts, plan_contacts, plan_subscriptions, plan_quantities, plan_inactivity, plan_one_offs,
        plan_tax_rates, plan_exemptions,
    )  # fmt: skip
    CatalogPlanner(desk).plan()
    for step in steps:
        step(desk)
    return ImportPlan(book.name, _in_order(desk), desk.plans_of_sheets, desk.writes)


def _account_numbers(desk: Desk) -> set[str]:
    named = {row["number"] for row in desk.rows["accounts"]} | {row["parent"] for row in desk.rows["accounts"]}
    for sheet in ("contacts", "subscriptions", "one_off_charges", "exemptions"):
        named |= {row["account"] for row in desk.rows[sheet]}
    return {number for number in named if number is not UNSAID and number}


def _fetch(desk: Desk) -> None:
    """Read what is stored of everything that the book names."""
    references = {row["reference"] for row in desk.rows["subscriptions"]}
    for sheet in ("quantities", "inactivity"):
        references |= {row["subscription"] for row in desk.rows[sheet]}
    desk.catalog = stored_catalog()
    desk.stored_subscriptions = stored_subscriptions({found for found in references if found is not UNSAID})
    holders = {stored.values["account"] for stored in desk.stored_subscriptions.values()}
    desk.stored_accounts = stored_accounts(_account_numbers(desk) | holders)


def _in_order(desk: Desk) -> list[BookError]:
    """The errors by sheet and row, as somebody mends them."""
    places = {raw.file: place for place, raw in enumerate(map(desk.book.sheets.get, (s.name for s in SHEETS))) if raw}
    return sorted(desk.errors, key=lambda error: (places.get(error.file, -1), error.row or 0))
