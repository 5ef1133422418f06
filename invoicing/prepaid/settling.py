"""PRE-1, PRE-4: the month's charges are deducted from prepaid balances as their invoices are issued, set-based."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from invoicing.bulk import array_of
from invoicing.money import ZERO, format_money
from invoicing.prepaid.balances import open_balances

# The terms say how far a balance may fall; its own floor lies lower where a returned payment has left a debt.
NEEDED = """
SELECT i.id, i.account_id, i.currency, b.balance, -t.credit_limit,
    i.total - coalesce((SELECT sum(l.amount) FROM invoicing_invoiceline l
                        WHERE l.invoice_id = i.id AND l.kind = 'USAGE'), 0)
FROM invoicing_invoice i JOIN invoicing_prepaidbalance b ON b.account_id = i.account_id
JOIN invoicing_billingprofile p ON p.account_id = i.account_id JOIN invoicing_billingterms t ON t.id = p.terms_id
WHERE i.id = ANY(%s::bigint[])
ORDER BY i.account_id, i.id FOR NO KEY UPDATE OF b
"""

# What was used has left the balance before: its exact amount is taken from where it waited for the invoice, the
# difference to the printed cents is a rounding, and the rest of the invoice leaves the balance now.
SETTLED = """
WITH settled AS (
    SELECT i.id, i.account_id, i.currency, i.issued_on, i.total,
        CASE i.kind WHEN 'INVOICE' THEN 'RECEIVABLE' ELSE 'CUSTOMER_CREDIT' END AS owed
    FROM invoicing_invoice i WHERE i.id = ANY(%(ids)s::bigint[])
), used AS (
    SELECT l.invoice_id, (l.why ->> 'usage')::bigint AS total_id, (l.why ->> 'exact')::numeric AS exact,
        l.amount, l.quantity, product.code
    FROM invoicing_invoiceline l
    JOIN invoicing_plan plan ON plan.id = l.plan_id JOIN invoicing_product product ON product.id = plan.product_id
    WHERE l.invoice_id = ANY(%(ids)s::bigint[]) AND l.kind = 'USAGE'
), invoiced AS (
    UPDATE invoicing_usagetotal t
    SET invoiced_amount = t.invoiced_amount + used.exact, invoiced_quantity = t.invoiced_quantity + used.quantity
    FROM used WHERE t.id = used.total_id
), deducted AS (
    SELECT s.id, s.account_id, s.total - coalesce(sum(used.amount), 0) AS amount
    FROM settled s LEFT JOIN used ON used.invoice_id = s.id GROUP BY s.id, s.account_id, s.total
), left_over AS (
    UPDATE invoicing_prepaidbalance b
    SET balance = b.balance - d.amount, floor = least(-t.credit_limit, b.balance - least(d.amount, 0)),
        awaiting = 0, awaiting_since_on = NULL
    FROM (SELECT account_id, sum(amount) AS amount FROM deducted GROUP BY 1) d
    JOIN invoicing_billingprofile p ON p.account_id = d.account_id JOIN invoicing_billingterms t ON t.id = p.terms_id
    WHERE b.account_id = d.account_id
), entry AS (
    INSERT INTO invoicing_ledgerentry (account_id, source, kind, currency, "on", at)
    SELECT account_id, 'settlement:' || id, 'SETTLEMENT', currency, issued_on, %(now)s::timestamptz FROM settled
    RETURNING id, account_id, currency, substr(source, 12)::bigint AS invoice_id
)
INSERT INTO invoicing_posting (entry_id, account_id, ledger_account, category, invoice_id, currency, amount)
SELECT e.id, e.account_id, s.owed, '', e.invoice_id, e.currency, -s.total
FROM entry e JOIN settled s ON s.id = e.invoice_id
UNION ALL
SELECT e.id, e.account_id, 'PREPAID_BALANCE', '', e.invoice_id, e.currency, d.amount
FROM entry e JOIN deducted d ON d.id = e.invoice_id WHERE d.amount <> 0
UNION ALL
SELECT e.id, e.account_id, 'UNBILLED_USAGE', used.code, e.invoice_id, e.currency, sum(used.exact)
FROM entry e JOIN used ON used.invoice_id = e.invoice_id GROUP BY 1, 2, 4, 5, 6
UNION ALL
SELECT e.id, e.account_id, 'REVENUE', 'rounding', e.invoice_id, e.currency, sum(used.amount - used.exact)
FROM entry e JOIN used ON used.invoice_id = e.invoice_id GROUP BY 1, 2, 5, 6 HAVING sum(used.amount - used.exact) <> 0
"""

AWAITED = """
UPDATE invoicing_prepaidbalance b SET awaiting = v.amount, awaiting_since_on = coalesce(b.awaiting_since_on, %s)
FROM unnest(%s::bigint[], %s::numeric[]) AS v(account_id, amount) WHERE b.account_id = v.account_id
"""

NOT_AWAITED = """
UPDATE invoicing_prepaidbalance SET awaiting = 0, awaiting_since_on = NULL
WHERE account_id = ANY(%s::bigint[]) AND awaiting > 0
"""


class Short(NamedTuple):
    """An invoice that its account's balance does not cover, and by how much; amounts in `currency`."""

    invoice_id: int | None
    account_id: int
    currency: str
    charges: Decimal
    balance: Decimal
    missing: Decimal

    @property
    def reason(self) -> str:
        """PRE-4, in a sentence."""
        return (
            f"PRE-4: the monthly charges come to {format_money(self.charges, self.currency)} and the prepaid balance "
            f"is {format_money(self.balance, self.currency)}, so {format_money(self.missing, self.currency)} is "
            "missing. Nothing is deducted. An automatic top-up is tried where the customer agreed to one, and the "
            "charges are posted when credit arrives."
        )


def not_covered(charges: Mapping[int, Decimal]) -> dict[int, "Short"]:
    """The accounts whose balances do not cover these charges, as they are at this moment; nothing is locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT v.account_id, p.currency, v.charges, coalesce(b.balance, 0),"
            " v.charges - coalesce(b.balance, 0) - t.credit_limit"
            " FROM unnest(%s::bigint[], %s::numeric[]) AS v(account_id, charges)"
            " JOIN invoicing_billingprofile p ON p.account_id = v.account_id"
            " JOIN invoicing_billingterms t ON t.id = p.terms_id"
            " LEFT JOIN invoicing_prepaidbalance b ON b.account_id = v.account_id"
            " WHERE v.charges > 0 AND v.charges > coalesce(b.balance, 0) + t.credit_limit",
            [array_of(charges), array_of(charges.values())],
        )
        return {row[0]: Short(None, *row) for row in cursor.fetchall()}


def await_credit(charges: Mapping[int, Decimal], *, on: date) -> None:
    """PRE-4: keep with the accounts' balances what they are short for, and since when. Two statements."""
    open_balances(charges)
    with connection.cursor() as cursor:
        cursor.execute(AWAITED, [on, array_of(charges), array_of(charges.values())])


def await_nothing(account_ids: Sequence[int]) -> None:
    """PRE-4: what these accounts waited for is not due any more, such as a charge that was withdrawn."""
    with connection.cursor() as cursor:
        cursor.execute(NOT_AWAITED, [array_of(account_ids)])


def short_of_credit(invoice_ids: Sequence[int], account_ids: Sequence[int], *, on: date) -> list[Short]:
    """
    PRE-4: which of these drafts would take their account's balance below its floor.

    The balances are locked, in the order of their accounts, until the transaction ends; what is missing is kept with
    them as awaited.
    """
    short: list[Short] = []
    rest: dict[int, Decimal] = {}
    open_balances(account_ids)
    with connection.cursor() as cursor:
        cursor.execute(NEEDED, [array_of(invoice_ids)])
        for invoice_id, account_id, currency, balance, floor, needed in cursor.fetchall():
            before = rest.get(account_id, balance)
            missing = needed - (before - floor)
            if needed > ZERO and missing > ZERO:
                short.append(Short(invoice_id, account_id, currency, needed, before, missing))
            else:
                rest[account_id] = before - needed
    if short:
        await_credit({one.account_id: one.charges for one in short}, on=on)
    return short


def settle_from_balance(invoice_ids: Sequence[int], *, now: datetime) -> None:
    """
    PRE-1: pay issued invoices from the prepaid balances of their accounts, which `short_of_credit` has locked.

    One statement; the entries' sources are `settlement:<invoice id>`. P9: the database refuses to pass a floor.
    """
    with connection.cursor() as cursor:
        cursor.execute(SETTLED, {"ids": array_of(invoice_ids), "now": now})
