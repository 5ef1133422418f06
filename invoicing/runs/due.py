"""Which accounts are due, page by page, by an indexed key."""

from datetime import date

from django.db import connection

from invoicing.runs.billables import DUE_COLUMNS, DueAccount
from invoicing.subscriptions.models import BillingProfile

PAGE_SIZE = 2_500

DUE = f"""
    SELECT {DUE_COLUMNS} FROM invoicing_billingprofile p JOIN accounts_account a ON a.id = p.account_id
    WHERE p.seller_id = %s AND p.next_billing_on <= %s AND (p.next_billing_on, p.account_id) > (%s, %s)
"""
START = (date.min, 0)
USED_ALONE = """
    SELECT DISTINCT p.account_id FROM invoicing_usagetotal t
    JOIN invoicing_billingprofile p ON p.account_id = t.account_id AND p.seller_id = %(seller)s
    WHERE t.amount <> t.invoiced_amount AND t.month_on < date_trunc('month', %(on)s::date)
        AND p.next_billing_on IS NULL
        AND NOT EXISTS (SELECT FROM invoicing_runitem i JOIN invoicing_run r ON r.id = i.run_id
                        WHERE i.account_id = p.account_id AND r.on >= date_trunc('month', %(on)s::date))
"""


def due_accounts(
    run_seller_id: int, on: date, *, after: tuple[date, int], limit: int, account_id: int | None, lock: str
) -> list[DueAccount]:
    """
    A page of the accounts whose billing date has come, the longest due first; locked as `lock` says.

    In the order of the index, so that neither a page nor the last of many reads more than itself.
    """
    sql = DUE
    parameters: list[int | date] = [run_seller_id, on, *after]
    if account_id is not None:
        sql += " AND p.account_id = %s"
        parameters.append(account_id)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} ORDER BY p.next_billing_on, p.account_id LIMIT %s {lock}", [*parameters, limit])
        return [DueAccount(*row) for row in cursor.fetchall()]


def lock_accounts(account_ids: list[int]) -> list[DueAccount]:
    """These accounts as the page query returns them, locked, in order of their ids, whether due or not."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {DUE_COLUMNS} FROM invoicing_billingprofile p JOIN accounts_account a ON a.id = p.account_id"
            " WHERE p.account_id = ANY(%s) ORDER BY p.account_id FOR NO KEY UPDATE OF p",
            [account_ids],
        )
        return [DueAccount(*row) for row in cursor.fetchall()]


def call_up_used(seller_id: int, on: date) -> None:
    """
    PRE-1: have the run look at accounts whose only charge is what they used in a month that has ended.

    Deducting a use does not touch the profile, which the run locks first; so it is found here, by an index. Once a
    month: what arrives late for an earlier month waits for the next.
    """
    with connection.cursor() as cursor:
        cursor.execute(USED_ALONE, {"seller": seller_id, "on": on})
        if used := [row[0] for row in cursor.fetchall()]:
            # Under the lock, and only where nothing has set it meanwhile.
            BillingProfile.objects.filter(account_id__in=used, next_billing_on=None).update(next_billing_on=on)


def count_due(seller_id: int, on: date) -> int:
    """How many accounts' billing date has come and is not yet dealt with."""
    return BillingProfile.objects.filter(seller_id=seller_id, next_billing_on__lte=on).count()
