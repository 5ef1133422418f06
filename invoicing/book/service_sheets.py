"""The sheets `subscriptions`, `quantities` and `inactivity`: what accounts hold over time."""

from collections import Counter
from datetime import date
from typing import Any

from invoicing.book.cells import quoted
from invoicing.book.changes import Id
from invoicing.book.desk import Desk, SubscriptionAfter, merged
from invoicing.book.parsing import Row
from invoicing.book.queries import Stored, stored_inactivity, stored_quantities
from invoicing.book.sheets import UNSAID
from invoicing.subscriptions.models import Inactivity, QuantityChange, Subscription

LONGEST_REFERENCE = 80
HELD = ("label", "quantity", "unit_price", "started_on", "ended_on")
_FAR = date.max


def derive_references(desk: Desk) -> None:
    """A subscription without a reference is called by its account and product, the second such with /2 behind it."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in desk.rows["subscriptions"]:
        account, product = row["account"], row["product"]
        if row["reference"] is not UNSAID or UNSAID in (account, product):
            continue
        seen[account, product] += 1
        count = seen[account, product]
        reference = f"{account}/{product}" if count == 1 else f"{account}/{product}/{count}"
        if len(reference) > LONGEST_REFERENCE:
            wrong = f"It is blank, and {quoted(reference)} is too long to stand for it."
            desk.wrong(
                "subscriptions", row, "reference", wrong, f"a reference of at most {LONGEST_REFERENCE} characters."
            )
        row.values["reference"] = reference


def plan_subscriptions(desk: Desk) -> None:
    for reference, stored in desk.stored_subscriptions.items():
        values = stored.values
        desk.subscriptions[reference] = SubscriptionAfter(
            stored.id, values["account"], values["started_on"], values["ended_on"]
        )
    for row in desk.rows["subscriptions"]:
        if not row.sound:
            desk.subscriptions[row["reference"]] = None
    for row in desk.sound_rows("subscriptions", key=lambda row: row["reference"], column="reference"):
        _plan_subscription(desk, row)


def _plan_subscription(desk: Desk, row: Row) -> None:
    stored = desk.stored_subscriptions.get(row["reference"])
    account = desk.account_of("subscriptions", row)
    plan = desk.plan_of("subscriptions", row)
    values = merged(row, stored, "subscriptions")
    if plan and plan.charge != "RECURRING":
        wrong = f"{row['product']} is not a recurring product."
        desk.wrong(
            "subscriptions", row, "product", wrong, "a recurring one; the sheet one_off_charges takes the others."
        )
    if values["ended_on"] and values["ended_on"] < values["started_on"]:
        wrong = f"It ends before it starts on {values['started_on']}."
        desk.wrong(
            "subscriptions", row, "ended_on", wrong, "the first day on which it is no longer held, or a blank cell."
        )
    if stored:
        _check_stays(desk, row, stored)
    if account is None or plan is None or not row.sound:
        desk.subscriptions[row["reference"]] = None
        return
    differing = desk.tally("subscriptions", row, row["reference"], stored.values if stored else None, row.values)
    held = {name: values[name] for name in HELD} | {"plan_id": plan.id}
    if stored is None:
        key: Id = desk.writes.insert(Subscription, account_id=account.id, reference=row["reference"], **held)
        desk.affects(account, values["started_on"])
    else:
        key = stored.id
        if differing:
            desk.writes.update(Subscription, key, **held)
        if day := _first_day_affected(stored.values, differing):
            desk.affects(account, day)
    desk.subscriptions[row["reference"]] = SubscriptionAfter(
        key, row["account"], values["started_on"], values["ended_on"]
    )


def _check_stays(desk: Desk, row: Row, stored: Stored) -> None:
    account, product = stored.values["account"], stored.values["product"]
    if row["account"] != account:
        wrong = f"{row['reference']} is a subscription of account {account}."
        desk.wrong("subscriptions", row, "account", wrong, f"{account}; or another reference.")
    if row["product"] != product and stored.facts["has_changed_plan"]:
        wrong = f"{row['reference']} has changed its plan since, and is on {product}."
        desk.wrong("subscriptions", row, "product", wrong, f"{product}; use “change plan” in the console.")


def _first_day_affected(before: dict[str, Any], differing: dict[str, Any]) -> date | None:
    """The first day on which what is held differs; None where only words do."""
    if not differing.keys() & {"product", "quantity", "unit_price", "started_on", "ended_on"}:
        return None
    if differing.keys() <= {"label", "ended_on"}:
        return min(before["ended_on"] or _FAR, differing["ended_on"] or _FAR)
    start: date = before["started_on"]
    return min(start, differing.get("started_on", start))


def plan_quantities(desk: Desk) -> None:
    sheet = "quantities"
    rows = list(desk.sound_rows(sheet, key=lambda row: (row["subscription"], row["from_on"]), column="from_on"))
    stored = stored_quantities(_stored_ids(desk, rows))
    for row in rows:
        subscription = desk.subscription_of(sheet, row)
        if subscription is None:
            continue
        if row["from_on"] <= subscription.started_on:
            right = "a later day; the sheet subscriptions holds the quantity from the start."
            desk.wrong(sheet, row, "from_on", f"The subscription starts on {subscription.started_on}.", right)
        elif subscription.ended_on and row["from_on"] >= subscription.ended_on:
            wrong = f"The subscription ends on {subscription.ended_on}."
            desk.wrong(sheet, row, "from_on", wrong, "a day on which it is held.")
        if not row.sound:
            continue
        was = stored.get((subscription.id, row["from_on"])) if isinstance(subscription.id, int) else None
        name = f"{row['subscription']} from {row['from_on']}"
        if desk.tally(sheet, row, name, was.values if was else None, row.values):
            if was:
                desk.writes.update(QuantityChange, was.id, quantity=row["quantity"])
            else:
                desk.writes.insert(
                    QuantityChange, subscription_id=subscription.id, from_on=row["from_on"], quantity=row["quantity"]
                )
            desk.affects(desk.accounts[subscription.account], row["from_on"])


def _stored_ids(desk: Desk, rows: list[Row]) -> list[int]:
    return sorted(
        {
            desk.stored_subscriptions[row["subscription"]].id
            for row in rows
            if row["subscription"] in desk.stored_subscriptions
        }
    )


def plan_inactivity(desk: Desk) -> None:
    sheet = "inactivity"
    key = "period_start_on"
    rows = list(desk.sound_rows(sheet, key=lambda row: (row["subscription"], row[key]), column=key))
    stored = stored_inactivity(_stored_ids(desk, rows))
    for row in rows:
        subscription = desk.subscription_of(sheet, row)
        if subscription is None:
            continue
        account = desk.accounts[subscription.account]
        payer = desk.payer_of(account)
        if not payer.sound:
            continue
        _check_period(desk, row, subscription, payer.calendar)
        if not row.sound:
            continue
        was = stored.get((subscription.id, row[key])) if isinstance(subscription.id, int) else None
        said = row.values | {"kind": was.values["kind"] if was else "INACTIVE"} if row["kind"] is UNSAID else row.values
        name = f"{row['subscription']} from {row[key]}"
        if desk.tally(sheet, row, name, was.values if was else None, said):
            if was:
                desk.writes.update(Inactivity, was.id, kind=said["kind"])
            else:
                desk.writes.insert(
                    Inactivity, subscription_id=subscription.id, period_start_on=row[key], kind=said["kind"]
                )
            # SEAT-3: the rebate is due when the period ends.
            desk.affects(account, payer.calendar.period_of(row[key]).end)


def _check_period(desk: Desk, row: Row, subscription: SubscriptionAfter, calendar: Any) -> None:
    day = row["period_start_on"]
    period = calendar.period_of(day)
    if day != period.start:
        nearest = period.start if day - period.start <= period.end - day else period.end
        wrong = f"{day} is not the first day of a billing period of account {subscription.account}."
        desk.wrong("inactivity", row, "period_start_on", wrong, f"{nearest}.")
    elif period.end <= subscription.started_on or (subscription.ended_on and subscription.ended_on <= day):
        wrong = f"The subscription is not held in the period from {day}."
        until = f" until {subscription.ended_on}" if subscription.ended_on else ""
        right = f"a period with days from {subscription.started_on}{until}."
        desk.wrong("inactivity", row, "period_start_on", wrong, right)
