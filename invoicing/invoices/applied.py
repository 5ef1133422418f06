"""What paid an invoice in the very transaction that issued it: credit, a deposit, the prepaid balance."""

from collections.abc import Sequence
from decimal import Decimal

from django.db import connection

from invoicing.bulk import array_of
from invoicing.invoices.document import Applied

CREDIT, DEPOSIT, BALANCE = "Credit applied", "Deposit applied", "Paid from the prepaid balance"
LABELS = {"CUSTOMER_CREDIT": CREDIT, "DEPOSIT_HELD": DEPOSIT, "RECEIVABLE": BALANCE}

# Both entries are posted with the issue or never, so that what is read here is the same for ever.
_APPLIED = """
    SELECT asked.id, p.ledger_account, sum(abs(p.amount))
    FROM unnest(%s::bigint[]) AS asked (id)
    CROSS JOIN LATERAL (VALUES ('credit:', 1), ('settlement:', -1)) AS kind (prefix, sign)
    JOIN invoicing_ledgerentry e ON e.source = kind.prefix || asked.id
    JOIN invoicing_posting p ON p.entry_id = e.id AND sign(p.amount) = kind.sign
    WHERE (kind.sign = 1 AND p.ledger_account IN ('CUSTOMER_CREDIT', 'DEPOSIT_HELD'))
        OR (kind.sign = -1 AND p.ledger_account = 'RECEIVABLE' AND p.invoice_id = asked.id)
    GROUP BY 1, 2 ORDER BY 1, 2
"""


def applied_at_issue(invoice_ids: Sequence[int]) -> dict[int, tuple[Applied, ...]]:
    """By invoice, what was taken off the amount due before it was printed. One query, by the entries' sources."""
    found: dict[int, tuple[Applied, ...]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_APPLIED, [array_of(invoice_ids)])
        for invoice_id, ledger_account, amount in cursor.fetchall():
            found[invoice_id] = (*found.get(invoice_id, ()), Applied(LABELS[ledger_account], Decimal(amount)))
    return found
