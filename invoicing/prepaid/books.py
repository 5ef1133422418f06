"""What must be true of prepaid balances, uses and top-ups, recomputed from the rows (P5, P9)."""

from invoicing.ledger.checking import Check

CHECKS = [
    Check(
        "each prepaid balance is the sum of its postings",
        """
        SELECT a.number, coalesce(b.currency, p.currency), coalesce(b.balance, 0), coalesce(p.amount, 0)
        FROM invoicing_prepaidbalance b
        FULL JOIN (
            SELECT account_id, currency, -sum(amount) AS amount FROM invoicing_posting
            WHERE ledger_account = 'PREPAID_BALANCE' GROUP BY 1, 2
        ) p ON p.account_id = b.account_id AND p.currency = b.currency
        JOIN accounts_account a ON a.id = coalesce(b.account_id, p.account_id)
        WHERE coalesce(b.balance, 0) <> coalesce(p.amount, 0)
        ORDER BY 1, 2
        """,
        "Account {0}: the prepaid balance kept is {2} {1}, and its postings sum to {3}.",
    ),
    Check(
        "each use that cost something is posted once, with its amount",
        """
        SELECT u.key, u.amount, u.currency, coalesce(p.amount, 0)
        FROM invoicing_usageevent u
        LEFT JOIN invoicing_ledgerentry e ON e.source = 'usage:' || u.id AND e.account_id = u.account_id
        LEFT JOIN (
            SELECT entry_id, sum(amount) AS amount FROM invoicing_posting
            WHERE ledger_account = 'PREPAID_BALANCE' GROUP BY 1
        ) p ON p.entry_id = e.id
        WHERE u.amount <> coalesce(p.amount, 0)
        UNION ALL
        SELECT e.source, 0, e.currency, coalesce((
            SELECT sum(amount) FROM invoicing_posting WHERE entry_id = e.id AND ledger_account = 'PREPAID_BALANCE'
        ), 0)
        FROM invoicing_ledgerentry e
        WHERE e.kind = 'USAGE' AND NOT EXISTS (SELECT FROM invoicing_usageevent u WHERE 'usage:' || u.id = e.source)
        ORDER BY 1
        """,
        "Use {0} cost {1} {2}, and {3} was posted for it.",
    ),
    Check(
        "each month's total of use is the sum of its uses",
        """
        SELECT a.number, l.code, coalesce(t.month_on, u.month_on),
            coalesce(t.quantity, 0), coalesce(t.amount, 0), coalesce(u.quantity, 0), coalesce(u.amount, 0)
        FROM invoicing_usagetotal t
        FULL JOIN (
            SELECT account_id, plan_id, month_on, sum(rated) AS quantity, sum(amount) AS amount
            FROM invoicing_usageevent GROUP BY 1, 2, 3
        ) u ON u.account_id = t.account_id AND u.plan_id = t.plan_id AND u.month_on = t.month_on
        JOIN accounts_account a ON a.id = coalesce(t.account_id, u.account_id)
        JOIN invoicing_plan l ON l.id = coalesce(t.plan_id, u.plan_id)
        WHERE (coalesce(t.quantity, 0), coalesce(t.amount, 0)) <> (coalesce(u.quantity, 0), coalesce(u.amount, 0))
        ORDER BY 1, 2, 3
        """,
        "Account {0}, plan {1}, month of {2}: the total kept is {3} units for {4}, and the uses sum to {5} for {6}.",
    ),
    Check(
        "each credited top-up is posted once, with its amount, and no other is",
        """
        SELECT t.id, t.amount, t.currency, t.state, coalesce(p.amount, 0)
        FROM invoicing_topup t
        LEFT JOIN invoicing_ledgerentry e ON e.source = 'top-up:' || t.id AND e.account_id = t.account_id
        LEFT JOIN (
            SELECT entry_id, -sum(amount) AS amount FROM invoicing_posting
            WHERE ledger_account = 'PREPAID_BALANCE' GROUP BY 1
        ) p ON p.entry_id = e.id
        WHERE coalesce(p.amount, 0) <> CASE WHEN t.credited_at IS NULL THEN 0 ELSE t.amount END
            OR (t.credited_at IS NULL) <> (t.state IN ('INTENDED', 'CHARGED', 'FAILED')
                OR (t.state = 'REVERSED' AND e.id IS NULL))
        UNION ALL
        SELECT NULL, 0, e.currency, e.source, coalesce((
            SELECT -sum(amount) FROM invoicing_posting WHERE entry_id = e.id AND ledger_account = 'PREPAID_BALANCE'
        ), 0)
        FROM invoicing_ledgerentry e
        WHERE e.kind = 'TOP_UP' AND e.source LIKE 'top-up:%%'
            AND NOT EXISTS (SELECT FROM invoicing_topup t WHERE t.id::text = split_part(e.source, ':', 2))
        ORDER BY 1
        """,
        "Top-up {0} of {1} {2} is {3}, and {4} was posted to the balance.",
    ),
]
