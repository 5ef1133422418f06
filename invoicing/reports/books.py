"""What must be true for the reports to be: what was printed is what was posted."""

from invoicing.ledger.checking import Check

CHECKS = [
    Check(
        "the tax of each jurisdiction was posted as it was printed",
        """
        SELECT name, currency, coalesce(printed.amount, 0), coalesce(posted.amount, 0)
        FROM (
            SELECT t.name, i.currency, sum(t.amount) AS amount
            FROM invoicing_linetax t
            JOIN invoicing_invoiceline l ON l.id = t.line_id
            JOIN invoicing_invoice i ON i.id = l.invoice_id
            WHERE i.status = 'ISSUED'
            GROUP BY 1, 2
        ) printed
        FULL JOIN (
            SELECT category AS name, currency, -sum(amount) AS amount
            FROM invoicing_posting WHERE ledger_account = 'TAX_PAYABLE' GROUP BY 1, 2
        ) posted USING (name, currency)
        WHERE coalesce(printed.amount, 0) <> coalesce(posted.amount, 0)
        ORDER BY 1, 2
        """,
        "Tax “{0}”: {2} {1} is on issued documents, and {3} was posted.",
    ),
    Check(
        "the revenue of each issued document is what its lines come to, deposits left out",
        """
        SELECT i.number, i.currency, coalesce(line.amount, 0), coalesce(posted.amount, 0)
        FROM invoicing_invoice i
        LEFT JOIN (
            SELECT l.invoice_id, sum(l.amount) AS amount
            FROM invoicing_invoiceline l LEFT JOIN invoicing_invoiceline origin ON origin.id = l.credits_line_id
            WHERE coalesce(origin.kind, l.kind) <> 'DEPOSIT'
            GROUP BY 1
        ) line ON line.invoice_id = i.id
        LEFT JOIN invoicing_ledgerentry e ON e.source = 'invoice:' || i.id
        LEFT JOIN LATERAL (
            SELECT -sum(amount) AS amount FROM invoicing_posting WHERE entry_id = e.id AND ledger_account = 'REVENUE'
        ) posted ON true
        WHERE i.status = 'ISSUED' AND coalesce(line.amount, 0) <> coalesce(posted.amount, 0)
        ORDER BY 1
        """,
        "Invoice {0}: its lines come to {2} {1} of revenue, and {3} was posted.",
    ),
]
