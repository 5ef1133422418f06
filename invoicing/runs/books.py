"""The books' checker: what must be true of issued invoices, numbers and postings, recomputed from the rows."""

from collections.abc import Iterator

from django.db import connection

from invoicing.ledger.checking import Check
from invoicing.payments.books import CHECKS as OF_PAYMENTS
from invoicing.prepaid.books import CHECKS as OF_BALANCES
from invoicing.reports.books import CHECKS as OF_REPORTS
from invoicing.runs.books_of_collections import CHECKS_OF_COLLECTIONS

CHECKS = [
    Check(
        "each ledger entry balances in its currency",
        """
        SELECT e.id, e.source, p.currency, sum(p.amount)
        FROM invoicing_ledgerentry e
        JOIN invoicing_posting p ON p.entry_id = e.id
        GROUP BY 1, 2, 3
        HAVING sum(p.amount) <> 0
        ORDER BY 1
        """,
        "Ledger entry {0} ({1}) is unbalanced: its {2} postings sum to {3}.",
    ),
    Check(
        "each ledger entry has postings in its own currency and of its own account",
        """
        SELECT e.id, e.source
        FROM invoicing_ledgerentry e
        WHERE NOT EXISTS (SELECT 1 FROM invoicing_posting p WHERE p.entry_id = e.id)
            OR EXISTS (
                SELECT 1 FROM invoicing_posting p
                WHERE p.entry_id = e.id AND (p.currency <> e.currency OR p.account_id <> e.account_id)
            )
        ORDER BY 1
        """,
        "Ledger entry {0} ({1}) has no postings, or postings of another currency or account.",
    ),
    Check(
        "each invoice's subtotal, tax and total are the sums of its lines",
        """
        SELECT coalesce(i.number, 'draft ' || i.id), i.currency, i.subtotal, i.tax_total,
            coalesce(l.amount, 0), coalesce(l.tax, 0)
        FROM invoicing_invoice i
        LEFT JOIN (
            SELECT invoice_id, sum(amount) AS amount, sum(tax_amount) AS tax FROM invoicing_invoiceline GROUP BY 1
        ) l ON l.invoice_id = i.id
        WHERE i.subtotal <> coalesce(l.amount, 0)
            OR i.tax_total <> coalesce(l.tax, 0)
            OR i.total <> i.subtotal + i.tax_total
        ORDER BY 1
        """,
        "Invoice {0}: subtotal {2} and tax {3} {1}, and its lines sum to {4} and {5}.",
    ),
    Check(
        "each line's tax is the sum of its jurisdictions' taxes",
        """
        SELECT coalesce(i.number, 'draft ' || i.id), l.position, l.tax_amount, coalesce(t.amount, 0)
        FROM invoicing_invoiceline l
        JOIN invoicing_invoice i ON i.id = l.invoice_id
        LEFT JOIN (SELECT line_id, sum(amount) AS amount FROM invoicing_linetax GROUP BY 1) t ON t.line_id = l.id
        WHERE l.tax_amount <> coalesce(t.amount, 0)
        ORDER BY 1, 2
        """,
        "Invoice {0}, line {1}: tax {2}, and its jurisdictions sum to {3}.",
    ),
    Check(
        "each issued invoice is posted once, with its total",
        """
        SELECT i.number, i.currency, i.total, coalesce(p.amount, 0)
        FROM invoicing_invoice i
        LEFT JOIN invoicing_ledgerentry e ON e.source = 'invoice:' || i.id
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS amount FROM invoicing_posting
            WHERE entry_id = e.id AND ledger_account IN ('RECEIVABLE', 'CUSTOMER_CREDIT')
        ) p ON true
        WHERE i.status = 'ISSUED' AND (p.amount IS DISTINCT FROM i.total OR e.account_id <> i.account_id)
        ORDER BY 1
        """,
        "Invoice {0} is {2} {1}, and {3} was posted to the account.",
    ),
    Check(
        "no posting names an invoice that was not issued",
        """
        SELECT e.source
        FROM invoicing_ledgerentry e
        WHERE e.source LIKE 'invoice:%%'
            AND NOT EXISTS (
                SELECT 1 FROM invoicing_invoice i WHERE 'invoice:' || i.id = e.source AND i.status = 'ISSUED'
            )
        ORDER BY 1
        """,
        "Ledger entry {0} belongs to no issued invoice.",
    ),
    Check(
        "numbers have no gap and no repeat",
        """
        SELECT s.prefix, s.first_number, s.next_number,
            count(i.id), count(DISTINCT i.sequence), min(i.sequence), max(i.sequence)
        FROM invoicing_numberseries s
        LEFT JOIN invoicing_invoice i ON i.seller_id = s.seller_id AND i.kind = s.kind AND i.status = 'ISSUED'
        GROUP BY s.id
        HAVING count(i.id) <> s.next_number - s.first_number
            OR count(DISTINCT i.sequence) <> count(i.id)
            OR coalesce(min(i.sequence), s.first_number) <> s.first_number
            OR coalesce(max(i.sequence) + 1, s.first_number) <> s.next_number
        ORDER BY 1
        """,
        "Numbers {0}: {1} to {2} (not included) were given, but {3} documents hold {4} different numbers, "
        "from {5} to {6}: a gap or a repeat.",
    ),
    Check(
        "no period is billed twice",
        """
        SELECT subscription_id, kind, period_start, array_agg(DISTINCT invoice_id), count(*)
        FROM (
            SELECT l.*, lag(quantity_from + quantity) OVER w AS before, row_number() OVER w AS place
            FROM invoicing_invoiceline l
            WHERE l.subscription_id IS NOT NULL AND l.kind <> 'CREDIT'
            WINDOW w AS (PARTITION BY subscription_id, kind, period_start ORDER BY quantity_from, id)
        ) k
        WHERE place > 1 AND quantity_from < before
        GROUP BY 1, 2, 3
        ORDER BY 1, 3
        """,
        "Subscription {0}: {1} of the period from {2} is billed twice, again on invoices {3}.",
    ),
    Check(
        "no credit note takes back more than its invoice",
        """
        SELECT i.number, i.total, -sum(c.total)
        FROM invoicing_invoice i
        JOIN invoicing_invoice c ON c.corrects_id = i.id AND c.status = 'ISSUED'
        GROUP BY i.id
        HAVING -sum(c.total) > i.total
        ORDER BY 1
        """,
        "Invoice {0} is {1}, and {2} of it was credited.",
    ),
    Check(
        "what is kept as open of each invoice is the sum of its postings",
        """
        SELECT coalesce(i.number, coalesce(v.invoice_id, p.invoice_id)::text),
            coalesce(v.amount, 0), coalesce(p.amount, 0), coalesce(v.placed, 0), coalesce(p.placed, 0)
        FROM (
            SELECT invoice_id, sum(amount) FILTER (WHERE ledger_account = 'RECEIVABLE') AS amount,
                sum(amount) FILTER (WHERE ledger_account = 'COLLECTIONS') AS placed
            FROM invoicing_posting
            WHERE invoice_id IS NOT NULL AND ledger_account IN ('RECEIVABLE', 'COLLECTIONS')
            GROUP BY 1
        ) p FULL JOIN invoicing_openinvoice v ON v.invoice_id = p.invoice_id
        LEFT JOIN invoicing_invoice i ON i.id = coalesce(v.invoice_id, p.invoice_id)
        WHERE coalesce(v.amount, 0) <> coalesce(p.amount, 0) OR coalesce(v.placed, 0) <> coalesce(p.placed, 0)
        ORDER BY 1
        """,
        "Invoice {0}: {1} is kept as open and {3} as placed; its postings sum to {2} and {4}.",
    ),
    Check(
        "no invoice is paid beyond its total",
        """
        SELECT i.number, o.currency, o.amount, o.placed
        FROM invoicing_openinvoice o JOIN invoicing_invoice i ON i.id = o.invoice_id
        WHERE o.amount < 0 OR o.placed < 0
        ORDER BY 1
        """,
        "Invoice {0} is open with {2} {1}, and {3} with the agency: less than nothing.",
    ),
    Check(
        "no deposit is used beyond what was taken",
        """
        SELECT a.number, p.currency, -sum(p.amount)
        FROM invoicing_posting p JOIN accounts_account a ON a.id = p.account_id
        WHERE p.ledger_account = 'DEPOSIT_HELD'
        GROUP BY 1, 2
        HAVING -sum(p.amount) < 0
        ORDER BY 1
        """,
        "Account {0}: {2} {1} is held of its deposit, which is less than nothing.",
    ),
    Check(
        "each account's opening balance is what was posted",
        """
        SELECT a.number, p.opening_balance, coalesce(sum(x.amount), 0)
        FROM invoicing_billingprofile p
        JOIN accounts_account a ON a.id = p.account_id
        LEFT JOIN invoicing_ledgerentry e ON e.account_id = p.account_id AND e.kind = 'OPENING'
        LEFT JOIN invoicing_posting x ON x.entry_id = e.id AND x.ledger_account <> 'OPENING'
        GROUP BY a.number, p.account_id
        HAVING p.opening_balance <> coalesce(sum(x.amount), 0)
        ORDER BY 1
        """,
        "Account {0}: the opening balance kept is {1}, and its postings sum to {2}.",
    ),
    Check(
        "each account of a finished run ended invoiced, with nothing due, or parked",
        """
        SELECT r."on", a.number, i.outcome
        FROM invoicing_run r
        JOIN invoicing_runitem i ON i.run_id = r.id
        JOIN accounts_account a ON a.id = i.account_id
        LEFT JOIN invoicing_invoice v ON v.id = i.invoice_id
        WHERE r.state = 'DONE'
            AND (i.outcome = 'PROPOSED' OR (i.outcome = 'INVOICED' AND v.status IS DISTINCT FROM 'ISSUED'))
        ORDER BY 1, 2
        """,
        "Run of {0}: account {1} is {2}, and its invoice is not issued.",
    ),
    *(Check(*one) for one in CHECKS_OF_COLLECTIONS),
    *OF_BALANCES,
    *OF_REPORTS,
    *OF_PAYMENTS,
]


def differences_in_books() -> Iterator[str]:
    """A sentence for each difference, promise by promise; none where the books are in order."""
    with connection.cursor() as cursor:
        for check in CHECKS:
            cursor.execute(check.sql.replace("%%", "%"))
            for row in cursor.fetchall():
                yield check.sentence.format(*row)
