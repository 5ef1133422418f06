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


def count_due(seller_id: int, on: date) -> int:
    """How many accounts' billing date has come and is not yet dealt with."""
    return BillingProfile.objects.filter(seller_id=seller_id, next_billing_on__lte=on).count()
