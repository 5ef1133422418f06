"""What must be true of payments, refunds and chargebacks, recomputed from the rows (P4, P5)."""

from invoicing.ledger.checking import Check

CHECKS = [
    Check(
        "each payment that came is posted once, with its amount and its fee",
        """
        SELECT p.id, p.currency, p.amount, p.fee, coalesce(a.amount, 0), coalesce(f.amount, 0)
        FROM invoicing_payment p
        LEFT JOIN LATERAL (
            SELECT sum(x.amount) AS amount FROM invoicing_ledgerentry e JOIN invoicing_posting x ON x.entry_id = e.id
            WHERE e.source = 'payment:' || p.id AND e.account_id = p.account_id AND e.currency = p.currency
                AND x.ledger_account = 'GATEWAY_CLEARING' AND x.payment_id = p.id
        ) a ON true
        LEFT JOIN LATERAL (
            SELECT sum(x.amount) AS amount FROM invoicing_ledgerentry e JOIN invoicing_posting x ON x.entry_id = e.id
            WHERE e.source = 'card-fee:' || p.id AND x.ledger_account = 'GATEWAY_CLEARING' AND x.payment_id = p.id
        ) f ON true
        WHERE p.state IN ('SUCCEEDED', 'RETURNED')
            AND (coalesce(a.amount, 0) <> p.amount OR coalesce(f.amount, 0) <> p.fee)
        ORDER BY 1
        """,
        "Payment {0} took {2} and a fee of {3} {1}, and {4} and {5} were posted.",
    ),
    Check(
        "nothing is posted of a payment that did not come",
        """
        SELECT e.source, coalesce(p.state, 'not there')
        FROM invoicing_ledgerentry e
        LEFT JOIN invoicing_payment p ON e.source IN ('payment:' || p.id, 'card-fee:' || p.id)
        WHERE e.kind IN ('PAYMENT', 'CARD_FEE') AND p.state IS DISTINCT FROM 'SUCCEEDED'
            AND p.state IS DISTINCT FROM 'RETURNED'
        ORDER BY 1
        """,
        "Ledger entry {0} is of a payment that is {1}.",
    ),
    Check(
        "each payment that was returned is taken back as a whole, and pays nothing",
        """
        SELECT p.id, p.currency, p.amount + p.fee, coalesce(-r.amount, 0), coalesce(s.amount, 0)
        FROM invoicing_payment p
        LEFT JOIN LATERAL (
            SELECT sum(x.amount) AS amount FROM invoicing_ledgerentry e JOIN invoicing_posting x ON x.entry_id = e.id
            WHERE e.source = 'return:' || p.id AND x.ledger_account = 'GATEWAY_CLEARING'
        ) r ON true
        LEFT JOIN LATERAL (
            SELECT -sum(x.amount) AS amount FROM invoicing_posting x
            WHERE x.payment_id = p.id AND x.ledger_account IN ('RECEIVABLE', 'COLLECTIONS')
        ) s ON true
        WHERE p.state = 'RETURNED' AND (coalesce(-r.amount, 0) <> p.amount + p.fee OR coalesce(s.amount, 0) <> 0)
        ORDER BY 1
        """,
        "Payment {0} of {2} {1} was returned: {3} was taken back, and {4} of it still stands on invoices.",
    ),
    Check(
        "each refund is posted as its state says",
        """
        SELECT r.id, r.currency, r.amount + r.fee, r.state, coalesce(-x.amount, 0)
        FROM invoicing_refund r
        LEFT JOIN LATERAL (
            SELECT sum(x.amount) AS amount FROM invoicing_ledgerentry e JOIN invoicing_posting x ON x.entry_id = e.id
            WHERE e.source IN ('refund:' || r.id, 'refund-failed:' || r.id) AND x.ledger_account = 'GATEWAY_CLEARING'
        ) x ON true
        WHERE coalesce(-x.amount, 0) <> CASE WHEN r.state = 'FAILED' THEN 0 ELSE r.amount + r.fee END
        ORDER BY 1
        """,
        "Refund {0} of {2} {1} is {3}, and {4} went out by it.",
    ),
    Check(
        "no payment gives back more than it brought",
        """
        SELECT p.id, p.currency, p.amount, p.fee, sum(r.amount), sum(r.fee)
        FROM invoicing_payment p JOIN invoicing_refund r ON r.payment_id = p.id AND r.state <> 'FAILED'
        GROUP BY p.id HAVING sum(r.amount) > p.amount OR sum(r.fee) > p.fee
        ORDER BY 1
        """,
        "Payment {0} took {2} and a fee of {3} {1}, and {4} and {5} of them were given back.",
    ),
    Check(
        "each chargeback has taken its money, unless it is won",
        """
        SELECT c.gateway_reference, c.currency, c.amount, c.state, coalesce(-x.amount, 0)
        FROM invoicing_chargeback c
        LEFT JOIN LATERAL (
            SELECT sum(x.amount) AS amount FROM invoicing_ledgerentry e JOIN invoicing_posting x ON x.entry_id = e.id
            WHERE e.account_id = c.account_id AND e.kind = 'CHARGEBACK'
                AND split_part(e.source, ':', 2) = c.gateway_reference AND x.ledger_account = 'GATEWAY_CLEARING'
        ) x ON true
        WHERE coalesce(-x.amount, 0) <> CASE WHEN c.state = 'WON' THEN 0 ELSE c.amount END
        ORDER BY 1
        """,
        "Chargeback {0} of {2} {1} is {3}, and {4} went out by it.",
    ),
    Check(
        "only a payment that may still come holds an invoice",
        """
        SELECT t.payment_id, i.number, p.state
        FROM invoicing_paymenttarget t
        JOIN invoicing_payment p ON p.id = t.payment_id
        JOIN invoicing_invoice i ON i.id = t.invoice_id
        WHERE t.is_open AND p.state NOT IN ('CREATED', 'UNKNOWN', 'PENDING')
        ORDER BY 1, 2
        """,
        "Payment {0} is {2}, and it keeps others from paying invoice {1}.",
    ),
]
