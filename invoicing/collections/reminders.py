"""Reminders: by the terms' days, once a stage, one mail an account and day, over what is open and no more."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import partial
from typing import NamedTuple

from invoicing.collections.models import Reminder
from invoicing.collections.policy import stage_on
from invoicing.collections.queries import (
    Dunned,
    UnpaidInvoice,
    by_day,
    dunned,
    in_the_way,
    next_unpaid,
    unpaid_of,
)
from invoicing.collections.sweeping import PAGE, Swept, sweep
from invoicing.collections.wording import reminder_text
from invoicing.documents.letters import LetterDraft, write_letters
from invoicing.documents.models import Document, Letter
from invoicing.sellers.models import Seller
from invoicing.subscriptions.locking import lock_billings


def remind(*, on: date, now: datetime, seller: Seller | None = None, dry_run: bool = False) -> Swept:
    """
    Write the reminders of a day: of one seller's accounts, or of all. A past day is today.

    Safe to run twice and beside itself: the index on (invoice, stage) and the letter's key are the guards. Left alone
    is what is disputed, held, promised, exempt, being paid, or with the agency, and what the account's credit covers.
    """
    return sweep(
        lambda after: next_unpaid(after, seller=seller, limit=PAGE), partial(_remind, on=on, now=now), dry_run=dry_run
    )


class _Due(NamedTuple):
    invoice: UnpaidInvoice
    days: int


def _remind(account_ids: Sequence[int], *, on: date, now: datetime) -> Counter[str]:
    """A page of accounts: a constant number of statements, under their locks, so that the amounts are today's."""
    people = dunned(lock_billings(account_ids).values())
    done: Counter[str] = Counter()
    for day, some in by_day(people, on=on, now=now):
        done.update(_day(some, on=day, now=now))
    return done


def _day(people: dict[int, Dunned], *, on: date, now: datetime) -> Counter[str]:
    due = _due(people, on=on)
    drafts = [_draft(people[account_id], reminded, on=on) for account_id, reminded in due.items()]
    letters = {letter.account_id: letter for letter in write_letters(drafts, now=now)}
    Reminder.objects.bulk_create(
        Reminder(
            account_id=account_id, invoice_id=one.invoice.id, days=one.days, on=on, amount=one.invoice.owed,
            letter=letters[account_id],
        )
        for account_id, reminded in due.items()
        for one in reminded
    )  # fmt: skip
    return Counter(reminded=len(letters), invoices=sum(len(reminded) for reminded in due.values()))


def _due(people: dict[int, Dunned], *, on: date) -> dict[int, list[_Due]]:
    """By account, the invoices that have come to a new stage; nothing where a letter was written on this day."""
    unpaid = unpaid_of(people)
    ids = [one.id for invoices in unpaid.values() for one in invoices]
    left_alone, reached = in_the_way(ids, on=on), _reached(ids)
    written = _written(people, on=on)
    found: dict[int, list[_Due]] = defaultdict(list)
    for account_id, invoices in unpaid.items():
        for one in invoices:
            if account_id in written or one.owed <= 0 or one.id in left_alone:
                continue
            days = people[account_id].terms.reminder_days
            stage = stage_on(one.due_on, one.issued_on, days, on=on, reached=reached.get(one.id, ()))
            if stage is not None:
                found[account_id].append(_Due(one, stage))
    return found


def _reached(invoice_ids: Collection[int]) -> dict[int, list[int]]:
    stages: dict[int, list[int]] = defaultdict(list)
    for invoice_id, days in Reminder.objects.filter(invoice_id__in=invoice_ids).values_list("invoice_id", "days"):
        stages[invoice_id].append(days)
    return stages


def _written(account_ids: Collection[int], *, on: date) -> set[int]:
    letters = Letter.objects.filter(key__in=[_key(account_id, on) for account_id in account_ids])
    return set(letters.values_list("account_id", flat=True))


def _key(account_id: int, on: date) -> str:
    return f"reminder:{account_id}:{on}"


def _draft(who: Dunned, reminded: Sequence[_Due], *, on: date) -> LetterDraft:
    return LetterDraft(
        account_id=who.account.pk,
        kind=Document.Kind.REMINDER,
        key=_key(who.account.pk, on),
        on=on,
        text=reminder_text(who, [one.invoice for one in reminded], on=on),
        copy_to=(who.terms.reminder_copy_to,) if who.terms.reminder_copy_to else (),
    )
