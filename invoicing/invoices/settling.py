"""What an account has to its credit meets what it owes: at issue, in the same transaction, and set-based."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import connection

from invoicing.bulk import array_of

# Two rulers laid side by side for each account and currency: what is open, invoice after invoice, and what there is to
# pay it, lot after lot. Where two stretches overlap, so much of the lot goes to the invoice. Money of the customer's
# comes before its deposit, and the deposit only once its own invoice is settled: before that it is not there (SEAT-1),
# and what was written off of that invoice never will be.
USE_CREDIT = """
WITH owing AS (
    SELECT o.invoice_id, o.account_id, o.currency, i.issued_on,
        sum(o.amount) OVER w - o.amount AS low, sum(o.amount) OVER w AS high
    FROM invoicing_openinvoice o JOIN invoicing_invoice i ON i.id = o.invoice_id
    WHERE o.invoice_id = ANY(%(ids)s::bigint[]) AND o.amount > 0
    WINDOW w AS (PARTITION BY o.account_id, o.currency ORDER BY i.due_on, o.invoice_id)
), held AS (
    SELECT p.account_id, p.currency, p.ledger_account, p.payment_id,
        CASE WHEN p.ledger_account = 'DEPOSIT_HELD' THEN p.invoice_id END AS deposit_invoice_id,
        -sum(p.amount) AS rest, min(p.id) AS since
    FROM invoicing_posting p
    WHERE p.account_id = ANY(%(accounts)s::bigint[]) AND p.ledger_account IN ('CUSTOMER_CREDIT', 'DEPOSIT_HELD')
        -- A top-up that is charged and not credited yet is on its way to the prepaid balance.
        AND NOT EXISTS (SELECT FROM invoicing_payment t WHERE t.id = p.payment_id AND t.purpose = 'TOP_UP')
    GROUP BY 1, 2, 3, 4, 5 HAVING -sum(p.amount) > 0
), there AS (
    SELECT account_id, currency, ledger_account, payment_id, deposit_invoice_id, since, rest - coalesce((
        SELECT sum(b.amount) FROM invoicing_posting b
        WHERE b.invoice_id = held.deposit_invoice_id AND b.ledger_account = 'BAD_DEBT'), 0) AS rest
    FROM held
    WHERE deposit_invoice_id IS NULL OR NOT EXISTS (
        SELECT FROM invoicing_openinvoice o WHERE o.invoice_id = held.deposit_invoice_id
    )
), lot AS (
    SELECT there.*, sum(rest) OVER w - rest AS low, sum(rest) OVER w AS high
    FROM there WHERE rest > 0
    WINDOW w AS (PARTITION BY account_id, currency ORDER BY ledger_account, since)
), share AS (
    SELECT owing.invoice_id, owing.account_id, owing.currency, owing.issued_on, lot.ledger_account, lot.payment_id,
        lot.deposit_invoice_id, least(owing.high, lot.high) - greatest(owing.low, lot.low) AS amount
    FROM owing JOIN lot ON lot.account_id = owing.account_id AND lot.currency = owing.currency
        AND lot.high > owing.low AND lot.low < owing.high
), entry AS (
    INSERT INTO invoicing_ledgerentry (account_id, source, kind, currency, "on", at)
    SELECT DISTINCT account_id, 'credit:' || invoice_id, 'APPLICATION', currency, issued_on, %(now)s::timestamptz
    FROM share
    RETURNING id, substr(source, 8)::bigint AS invoice_id
)
INSERT INTO invoicing_posting
    (entry_id, account_id, ledger_account, category, invoice_id, payment_id, currency, amount)
SELECT entry.id, share.account_id, share.ledger_account, '',
    coalesce(share.deposit_invoice_id, share.invoice_id), share.payment_id, share.currency, share.amount
FROM share JOIN entry ON entry.invoice_id = share.invoice_id
UNION ALL
SELECT entry.id, share.account_id, 'RECEIVABLE', '', share.invoice_id, share.payment_id, share.currency, -share.amount
FROM share JOIN entry ON entry.invoice_id = share.invoice_id
"""


def use_credit(invoice_ids: Sequence[int], account_ids: Sequence[int], *, now: datetime) -> None:
    """
    Pay issued invoices from what their accounts have to their credit, oldest money first, then from a paid deposit.

    One statement, in the transaction that issues them, under the locks of the accounts' profiles. An account that has
    nothing costs a look into an index. The entries' sources are `credit:<invoice id>`.
    """
    with connection.cursor() as cursor:
        cursor.execute(USE_CREDIT, {"ids": array_of(invoice_ids), "accounts": array_of(account_ids), "now": now})


# What a credit note takes back beyond what is open is not lost: of what is with the agency it takes from there, what
# was given up is no bad debt any more, and what was paid is the customer's again, from the latest payments first.
GIVE_BACK = """
WITH bad AS (
    SELECT greatest(coalesce(sum(amount), 0), 0) AS debt
    FROM invoicing_posting WHERE invoice_id = %(invoice)s AND ledger_account = 'BAD_DEBT'
), whole AS (
    SELECT o.*, least(-o.amount, o.placed) AS from_agency, least(-o.amount - least(-o.amount, o.placed), debt) AS lost
    FROM invoicing_openinvoice o CROSS JOIN bad WHERE o.invoice_id = %(invoice)s AND o.amount < 0
), over AS (
    SELECT invoice_id, account_id, currency, from_agency AS placed, lost, -amount - from_agency - lost AS amount
    FROM whole
), paid AS (
    SELECT p.payment_id, -sum(p.amount) AS rest, max(p.id) AS latest
    FROM invoicing_posting p
    WHERE p.invoice_id = %(invoice)s AND p.ledger_account IN ('RECEIVABLE', 'COLLECTIONS') AND p.payment_id IS NOT NULL
    GROUP BY 1 HAVING -sum(p.amount) > 0
), stretch AS (
    SELECT paid.*, sum(rest) OVER w - rest AS low, sum(rest) OVER w AS high
    FROM paid WINDOW w AS (ORDER BY latest DESC)
), share AS (
    SELECT 'CUSTOMER_CREDIT' AS ledger_account, payment_id, least(over.amount, high) - low AS amount
    FROM over, stretch WHERE low < over.amount
    UNION ALL
    SELECT 'CUSTOMER_CREDIT', NULL, over.amount - coalesce((SELECT max(high) FROM stretch), 0)
    FROM over WHERE over.amount > coalesce((SELECT max(high) FROM stretch), 0)
    UNION ALL
    SELECT 'COLLECTIONS', NULL, placed FROM over WHERE placed > 0
    UNION ALL
    SELECT 'BAD_DEBT', NULL, lost FROM over WHERE lost > 0
), entry AS (
    INSERT INTO invoicing_ledgerentry (account_id, source, kind, currency, "on", at)
    SELECT account_id, %(source)s, 'APPLICATION', currency, %(on)s, %(now)s FROM over
    RETURNING id, account_id, currency
)
INSERT INTO invoicing_posting
    (entry_id, account_id, ledger_account, category, invoice_id, payment_id, currency, amount)
SELECT entry.id, entry.account_id, side.ledger_account, '', %(invoice)s, share.payment_id, entry.currency, side.amount
FROM entry CROSS JOIN share
CROSS JOIN LATERAL (VALUES ('RECEIVABLE', share.amount), (share.ledger_account, -share.amount))
    AS side (ledger_account, amount)
"""


def give_back_overpaid(invoice_id: int, *, source: str, on: date, now: datetime) -> None:
    """
    An invoice of which more was paid and credited than it came to: the difference is the customer's credit again.

    From the latest payments first, so that they can be refunded. `source` names what caused it, such as
    `given-back:<credit note>`; once by it. Nothing where the invoice is not overpaid.
    """
    with connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, {"invoice": invoice_id, "source": source, "on": on, "now": now})
