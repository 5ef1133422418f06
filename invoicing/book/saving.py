"""Writes what was planned: ids first, then a COPY or an UPDATE a table, whatever the number of rows."""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Model

from accounts.models import Account, Contact, ContactRole
from invoicing.book.changes import NOW, NewId, OpeningBalance, Writes
from invoicing.bulk import copy_rows, take_ids
from invoicing.catalog.models import Plan, Price, Product, Vendor
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.subscriptions.models import BillingProfile, Inactivity, OneOffCharge, QuantityChange, Subscription
from invoicing.subscriptions.operations import look_again
from invoicing.tax.models import Exemption, TaxRate

Progress = Callable[[str], None]

# What a row refers to stands before it.
ORDER: tuple[type[Model], ...] = (
    Vendor, Product, Plan, Price, Account, BillingProfile, Contact, ContactRole,
    Subscription, QuantityChange, Inactivity, OneOffCharge, TaxRate, Exemption,
)  # fmt: skip
BIG_IMPORT = 1_000
_UPDATED_AT_ONCE = 5_000


def save(writes: Writes, *, now: datetime, today: date, progress: Progress) -> None:
    """Write everything in the caller's transaction, and have the accounts looked at again."""
    _number(writes)
    _drop_roles(writes.lost_roles)
    for model in ORDER:
        if updates := writes.updates.get(model):
            progress(f"{len(updates):,} {_plural(model)} to change")
            _update(model, updates)
        if inserts := writes.inserts.get(model):
            progress(f"{len(inserts):,} {_plural(model)} to add")
            _insert(model, inserts, now)
    _post_openings(writes.openings, now=now, today=today)
    if writes.look_again:
        progress(f"{len(writes.look_again):,} accounts to be looked at by the next run")
        look_again({_known(account): day for account, day in writes.look_again.items()})


def analyze(writes: Writes) -> None:
    """Let the planner know of many new rows. Where the role may not, PostgreSQL only warns."""
    tables = [model._meta.db_table for model in ORDER if len(writes.inserts.get(model, ())) >= BIG_IMPORT]
    if tables:
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {', '.join(tables)}")


def _plural(model: type[Model]) -> str:
    return str(model._meta.verbose_name_plural)


def _known(key: Any) -> Any:
    return key.value if isinstance(key, NewId) else key


def _number(writes: Writes) -> None:
    """Take the primary keys of all new rows that have one of their own."""
    for model, inserts in writes.inserts.items():
        keys = [key for key, _ in inserts if key is not None]
        for key, number in zip(keys, take_ids(model, len(keys)) if keys else (), strict=True):
            key.value = number


def _insert(model: type[Model], inserts: list[tuple[NewId | None, dict[str, Any]]], now: datetime) -> None:
    names = list(inserts[0][1])
    numbered = inserts[0][0] is not None

    def rows() -> Any:
        for key, values in inserts:
            row = [now if values[name] is NOW else _known(values[name]) for name in names]
            yield [_known(key), *row] if numbered else row

    copy_rows(model, ["id", *names] if numbered else names, rows())


def _update(model: type[Model], updates: list[dict[str, Any]]) -> None:
    """
    Set the rows' columns from JSON, which gives each value its column's own type.

    A row whose foreign key points at a new row is sent with the number that the new row has by now.
    """
    key = model._meta.pk.column
    table = model._meta.db_table
    columns = ", ".join(f'"{name}" = v."{name}"' for name in updates[0] if name != key)
    sql = (
        f'UPDATE "{table}" t SET {columns} FROM jsonb_populate_recordset(NULL::"{table}", %s::jsonb) v'
        f' WHERE t."{key}" = v."{key}"'
    )
    with connection.cursor() as cursor:
        for start in range(0, len(updates), _UPDATED_AT_ONCE):
            cursor.execute(sql, [json.dumps(updates[start : start + _UPDATED_AT_ONCE], default=_as_json)])


def _as_json(value: Any) -> Any:
    if isinstance(value, NewId):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat()


def _drop_roles(lost: list[tuple[int, str]]) -> None:
    """Before others are given: one of them may be the Primary's."""
    if lost:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM accounts_contactrole r USING unnest(%s::bigint[], %s::text[]) AS lost(contact_id, role)"
                " WHERE r.contact_id = lost.contact_id AND r.role = lost.role",
                [[contact_id for contact_id, _ in lost], [role for _, role in lost]],
            )


def _post_openings(openings: list[OpeningBalance], *, now: datetime, today: date) -> None:
    """Post what each account owed, or by how much that changed; entries before it stay as they are."""
    if not openings:
        return
    accounts = [_known(opening.account) for opening in openings]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, count(*) FROM invoicing_ledgerentry"
            " WHERE kind = 'OPENING' AND account_id = ANY(%s) GROUP BY 1",
            [accounts],
        )
        posted = dict(cursor.fetchall())
    entries, postings = [], []
    for opening, account, entry_id in zip(openings, accounts, take_ids(LedgerEntry, len(openings)), strict=True):
        source = f"opening:{account}:{posted.get(account, 0) + 1}"
        on = opening.bill_from_on or today
        entries.append((entry_id, account, source, LedgerEntry.Kind.OPENING, opening.currency, on, now))
        for side, amount in (
            (LedgerAccount.RECEIVABLE, opening.difference),
            (LedgerAccount.OPENING, -opening.difference),
        ):
            postings.append((entry_id, account, side, "", None, opening.currency, amount))
    copy_rows(LedgerEntry, ("id", "account_id", "source", "kind", "currency", "on", "at"), entries)
    copy_rows(
        Posting, ("entry_id", "account_id", "ledger_account", "category", "invoice_id", "currency", "amount"), postings
    )
