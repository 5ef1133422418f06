"""What must be true of what is with the agency: (promise, the query that finds what breaks it, the sentence for it)."""

CHECKS_OF_COLLECTIONS = [
    (
        "what is with the agency is kept by invoice as it was posted",
        """
        SELECT coalesce(i.number, 'none'), p.currency, sum(p.amount), coalesce(max(o.placed), 0)
        FROM invoicing_posting p
        LEFT JOIN invoicing_invoice i ON i.id = p.invoice_id
        LEFT JOIN invoicing_openinvoice o ON o.invoice_id = p.invoice_id
        WHERE p.ledger_account = 'COLLECTIONS'
        GROUP BY p.invoice_id, i.number, p.currency
        HAVING sum(p.amount) <> coalesce(max(o.placed), 0)
        ORDER BY 1
        """,
        "Invoice {0}: {2} {1} is posted to collections, and {3} is kept as placed.",
    ),
    (
        "what is with the agency stands in a placement that is open",
        """
        SELECT coalesce(i.number, 'draft ' || i.id), o.currency, o.placed
        FROM invoicing_openinvoice o
        JOIN invoicing_invoice i ON i.id = o.invoice_id
        WHERE o.placed <> 0 AND NOT EXISTS (
            SELECT FROM invoicing_placementinvoice p
            JOIN invoicing_placement place ON place.id = p.placement_id
            WHERE p.invoice_id = o.invoice_id AND place.state = 'PLACED' AND place.account_id = o.account_id
        )
        ORDER BY 1
        """,
        "Invoice {0}: {2} {1} is with the agency, and no open placement holds it.",
    ),
    (
        "each placement that was handed over is posted once, with its amount",
        """
        SELECT a.number, place.id, place.currency, place.amount, coalesce(p.amount, 0), coalesce(i.amount, 0)
        FROM invoicing_placement place
        JOIN accounts_account a ON a.id = place.account_id
        LEFT JOIN (
            SELECT placement_id, sum(amount) AS amount FROM invoicing_placementinvoice GROUP BY 1
        ) i ON i.placement_id = place.id
        LEFT JOIN invoicing_ledgerentry e ON e.source = 'placement:' || place.id
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS amount FROM invoicing_posting
            WHERE entry_id = e.id AND ledger_account = 'COLLECTIONS' AND amount > 0
        ) p ON true
        WHERE place.state IN ('PLACED', 'CLOSED', 'RECALLED')
            AND (p.amount IS DISTINCT FROM place.amount OR i.amount IS DISTINCT FROM place.amount)
        ORDER BY 1, 2
        """,
        "Placement {1} of account {0} is {3} {2}: {4} was posted, and its invoices sum to {5}.",
    ),
    (
        "nothing was posted for a placement that was not handed over",
        """
        SELECT e.source, a.number
        FROM invoicing_ledgerentry e
        JOIN accounts_account a ON a.id = e.account_id
        WHERE e.kind = 'PLACEMENT' AND e.source LIKE 'placement:%%' AND NOT EXISTS (
            SELECT FROM invoicing_placement place
            WHERE 'placement:' || place.id = e.source AND place.state IN ('PLACED', 'CLOSED', 'RECALLED')
                AND place.account_id = e.account_id
        )
        ORDER BY 1
        """,
        "Ledger entry {0} of account {1} belongs to no placement that was handed over.",
    ),
    (
        "no account is in two open placements",
        """
        SELECT a.number, array_agg(place.id ORDER BY place.id)
        FROM invoicing_placement place
        JOIN accounts_account a ON a.id = place.account_id
        WHERE place.state IN ('PROPOSED', 'PLACED')
        GROUP BY a.number
        HAVING count(*) > 1
        ORDER BY 1
        """,
        "Account {0} is in more than one open placement: {1}.",
    ),
    (
        "each hand-over holds as many placements, and as much, as its batch says",
        """
        SELECT b.id, b.rows, coalesce(p.rows, 0), b.totals::text, coalesce(p.totals::text, '{}')
        FROM invoicing_placementbatch b
        LEFT JOIN (
            SELECT batch_id, sum(rows) AS rows, jsonb_object_agg(currency, total) AS totals
            FROM (
                SELECT batch_id, currency, count(*) AS rows, sum(amount) AS total
                FROM invoicing_placement WHERE batch_id IS NOT NULL GROUP BY 1, 2
            ) c GROUP BY 1
        ) p ON p.batch_id = b.id
        WHERE b.rows IS DISTINCT FROM p.rows OR EXISTS (
            SELECT FROM jsonb_each_text(b.totals) said
            FULL JOIN jsonb_each_text(p.totals) found ON found.key = said.key
            WHERE said.value::numeric IS DISTINCT FROM found.value::numeric
        )
        ORDER BY 1
        """,
        "Hand-over {0} says {1} placements over {3}, and holds {2} over {4}.",
    ),
    (
        "each remittance is posted once, with its amount and commission",
        """
        SELECT coalesce(r.key, e.source), coalesce(r.amount, 0), coalesce(r.commission, 0),
            coalesce(p.amount, 0), coalesce(p.commission, 0)
        FROM (SELECT * FROM invoicing_placementrecord WHERE kind = 'REMITTANCE') r
        FULL JOIN (SELECT * FROM invoicing_ledgerentry WHERE kind = 'REMITTANCE') e ON e.source = r.key
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS amount, coalesce(sum(amount) FILTER (WHERE ledger_account = 'COMMISSION'), 0)
                AS commission
            FROM invoicing_posting WHERE entry_id = e.id AND ledger_account IN ('GATEWAY_CLEARING', 'COMMISSION')
        ) p ON true
        WHERE r.amount IS DISTINCT FROM p.amount OR r.commission IS DISTINCT FROM p.commission
        ORDER BY 1
        """,
        "{0}: {1} was remitted with a commission of {2}, and {3} with {4} was posted.",
    ),
    (
        "each reversal of a remittance is posted once, and takes back what was remitted",
        """
        SELECT coalesce(r.key, e.source), coalesce(r.amount, 0), coalesce(m.amount, 0), coalesce(-p.amount, 0)
        FROM (SELECT * FROM invoicing_placementrecord WHERE kind = 'REVERSAL') r
        FULL JOIN (SELECT * FROM invoicing_ledgerentry WHERE kind = 'REMITTANCE_REVERSAL') e ON e.source = r.key
        LEFT JOIN invoicing_placementrecord m
            ON m.kind = 'REMITTANCE' AND 'remittance-reversed:' || m.id = r.key AND m.placement_id = r.placement_id
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS amount FROM invoicing_posting
            WHERE entry_id = e.id AND ledger_account IN ('GATEWAY_CLEARING', 'COMMISSION')
        ) p ON true
        WHERE r.amount IS DISTINCT FROM -p.amount OR r.amount IS DISTINCT FROM m.amount
        ORDER BY 1
        """,
        "{0}: {1} was reversed, {2} was remitted and {3} was posted.",
    ),
    (
        "no more of an invoice is recovered than was written off",
        """
        SELECT coalesce(i.number, 'none'), p.currency, -sum(p.amount)
        FROM invoicing_posting p LEFT JOIN invoicing_invoice i ON i.id = p.invoice_id
        WHERE p.ledger_account = 'BAD_DEBT'
        GROUP BY p.invoice_id, i.number, p.currency
        HAVING sum(p.amount) < 0
        ORDER BY 1
        """,
        "Invoice {0}: {2} {1} more was recovered than was ever written off.",
    ),
]
