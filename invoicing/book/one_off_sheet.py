"""The sheet `one_off_charges`: what is charged once. An import authorizes it (AUTH-6): it was asked for elsewhere."""

from collections import Counter
from typing import Any

from invoicing.book.cells import shown
from invoicing.book.changes import NOW
from invoicing.book.desk import AccountAfter, Desk, PlanAfter, merged
from invoicing.book.parsing import Row
from invoicing.book.queries import Stored, stored_one_offs
from invoicing.book.sheets import UNSAID
from invoicing.subscriptions.models import OneOffCharge

SHEET = "one_off_charges"


def plan_one_offs(desk: Desk) -> None:
    """Charges alike in account, product, day and description are told apart by their order."""
    placed: list[tuple[Row, AccountAfter, PlanAfter]] = []
    for row in desk.rows[SHEET]:
        if row.sound:
            account, plan = desk.account_of(SHEET, row), desk.plan_of(SHEET, row)
            if account and plan:
                placed.append((row, account, plan))
    ids = sorted({account.id for _, account, _ in placed if isinstance(account.id, int)})
    stored = stored_one_offs(ids) if ids else {}
    seen: Counter[Any] = Counter()
    for row, account, plan in placed:
        key: Any = (account.id, row["product"], row["on"], _description(row))
        alike = stored.get(key, [])
        was = alike[seen[key]] if seen[key] < len(alike) else None
        seen[key] += 1
        if was and was.facts["billed_on"] and _differs(row, was):
            wrong = f"The charge was already billed on {was.facts['billed_on']}, as {_amount(was.values)}."
            desk.wrong(SHEET, row, "quantity", wrong, f"{_amount(was.values)}; issue a credit note to correct it.")
        else:
            _write(desk, row, account, plan, was)


def _description(row: Row) -> str:
    return "" if row["description"] is UNSAID else row["description"]


def _write(desk: Desk, row: Row, account: AccountAfter, plan: PlanAfter, was: Stored | None) -> None:
    name = f"{row['account']} {row['product']} on {row['on']}"
    differing = desk.tally(SHEET, row, name, was.values if was else None, row.values)
    if not differing:
        return
    values = merged(row, was, SHEET)
    amounts = {"quantity": values["quantity"], "unit_price": values["unit_price"]}
    if was:
        desk.writes.update(OneOffCharge, was.id, **amounts)
    else:
        desk.writes.insert(
            OneOffCharge,
            account_id=account.id,
            plan_id=plan.id,
            description=_description(row),
            on=row["on"],
            requested_by="",
            authorized_by="book import",
            authorized_at=NOW,
            billed_on=None,
            **amounts,
        )
    desk.affects(account, row["on"])


def _differs(row: Row, was: Stored) -> bool:
    return any(row[name] is not UNSAID and row[name] != was.values[name] for name in ("quantity", "unit_price"))


def _amount(values: dict[str, Any]) -> str:
    price = shown(values["unit_price"]) or "the plan's price"
    return f"{shown(values['quantity'])} at {price}"
