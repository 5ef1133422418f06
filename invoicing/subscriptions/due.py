"""Which accounts the next runs have to look at, after a change to what they hold."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import connection

from invoicing.periods import AnchorChange, BillingCalendar
from invoicing.subscriptions.policy import first_look_on


def look_again(changes: Mapping[int, date], *, with_next_invoice: bool = False) -> None:
    """
    Have the next runs look at accounts whose holdings, or ways of being billed, changed; `changes` gives for each
    account, or client of a partner, the earliest day that is affected. Three statements, in the caller's transaction.

    What was never billed, or can be due at once, pulls the next look forward; what comes late under the other terms is
    carried by the next invoice, and `with_next_invoice` under all of them. Drafts made before the change are known to
    be stale by the raised revision.
    """
    rows = _profiles(changes)
    day_changes = _day_changes([row["account_id"] for row in rows if row["anniversary"]])
    accounts, days, looks = [], [], []
    for row in rows:
        day, begin = row["day"], row["bill_from_on"]
        calendar = BillingCalendar()
        if row["anniversary"]:
            calendar = BillingCalendar(row["billing_day"] or 1, tuple(day_changes[row["account_id"]]))
        look = None
        pulls = row["at_once"] and not with_next_invoice
        if row["billed_until_on"] is None or row["next_billing_on"] is None or pulls:
            look = first_look_on(calendar, arrears=row["arrears"], at_once=row["at_once"], bill_from_on=begin, day=day)
        accounts.append(row["account_id"])
        days.append(max(day, begin) if begin else day)
        looks.append(look)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE invoicing_billingprofile b
            SET next_billing_on = least(b.next_billing_on, v.look),
                billed_until_on = CASE WHEN b.billed_until_on IS NOT NULL THEN least(b.billed_until_on, v.day) END,
                revision = b.revision + 1
            FROM unnest(%s::bigint[], %s::date[], %s::date[]) AS v(account_id, day, look)
            WHERE b.account_id = v.account_id
            """,
            [accounts, days, looks],
        )


def _profiles(changes: Mapping[int, date]) -> list[dict[str, Any]]:
    """The profiles that bill these accounts, locked in order of their ids, with the earliest day of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH changed AS (
                SELECT COALESCE(a.parent_id, a.id) AS payer_id, min(v.day) AS day
                FROM unnest(%s::bigint[], %s::date[]) AS v(account_id, day)
                JOIN accounts_account a ON a.id = v.account_id
                GROUP BY 1
            )
            SELECT b.account_id, c.day, b.bill_from_on, b.billing_day, b.billed_until_on, b.next_billing_on,
                   t.timing = 'ARREARS' AS arrears, t.anchor = 'ANNIVERSARY' AS anniversary,
                   t.timing = 'ADVANCE' AND t.late_start = 'AT_ONCE' AS at_once
            FROM changed c JOIN invoicing_billingprofile b ON b.account_id = c.payer_id
            JOIN invoicing_billingterms t ON t.id = b.terms_id
            ORDER BY b.account_id FOR NO KEY UPDATE OF b
            """,
            [list(changes), list(changes.values())],
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _day_changes(account_ids: list[int]) -> dict[int, list[AnchorChange]]:
    found: dict[int, list[AnchorChange]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, effective_on, day FROM invoicing_billingdaychange"
            " WHERE account_id = ANY(%s) ORDER BY account_id, effective_on",
            [account_ids],
        )
        for account_id, effective_on, day in cursor.fetchall():
            found[account_id].append(AnchorChange(effective_on, day))
    return found
