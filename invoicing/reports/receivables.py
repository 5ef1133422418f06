"""Receivables by age, as of any date."""

from collections.abc import Sequence
from decimal import Decimal

from invoicing.money import ZERO
from invoicing.reports.postings import ASKED_OF_ACCOUNT, OF_ACCOUNT
from invoicing.reports.report import Asked, Chart, Column, Filter, Kind, Report, Row

AGES = ("Not due yet", "1–30 days", "31–60 days", "61–90 days", "Over 90 days", "Not on an invoice")

# What is open of each invoice today stands beside its postings; what was posted after the day is taken off again. So it
# costs what is open and what happened since, not the whole ledger. What is on no invoice is few, and has an index.
_SQL = f"""
    WITH moved AS (
        SELECT o.account_id, o.invoice_id, o.amount, o.placed
        FROM invoicing_openinvoice o WHERE o.currency = %(currency)s
        UNION ALL
        SELECT p.account_id, p.invoice_id,
            CASE p.ledger_account WHEN 'RECEIVABLE' THEN -p.amount ELSE 0 END,
            CASE p.ledger_account WHEN 'COLLECTIONS' THEN -p.amount ELSE 0 END
        FROM invoicing_ledgerentry e JOIN invoicing_posting p ON p.entry_id = e.id
        WHERE e."on" > %(on)s AND p.currency = %(currency)s
            AND p.ledger_account IN ('RECEIVABLE', 'COLLECTIONS') AND p.invoice_id IS NOT NULL
        UNION ALL
        SELECT p.account_id, NULL,
            CASE p.ledger_account WHEN 'RECEIVABLE' THEN p.amount ELSE 0 END,
            CASE p.ledger_account WHEN 'COLLECTIONS' THEN p.amount ELSE 0 END
        FROM invoicing_posting p JOIN invoicing_ledgerentry e ON e.id = p.entry_id
        WHERE p.ledger_account IN ('RECEIVABLE', 'COLLECTIONS') AND p.invoice_id IS NULL
            AND p.currency = %(currency)s AND e."on" <= %(on)s
    ), open AS (
        SELECT account_id, invoice_id, sum(amount) AS amount, sum(placed) AS placed
        FROM moved GROUP BY 1, 2 HAVING sum(amount) <> 0 OR sum(placed) <> 0
    ), aged AS (
        SELECT open.account_id, open.amount, open.placed, i.id IS NULL AS loose, %(on)s - i.due_on AS days
        FROM open LEFT JOIN invoicing_invoice i ON i.id = open.invoice_id
    ), by_account AS (
        SELECT account_id,
            coalesce(sum(amount) FILTER (WHERE days <= 0), 0) AS not_due,
            coalesce(sum(amount) FILTER (WHERE days BETWEEN 1 AND 30), 0) AS days_30,
            coalesce(sum(amount) FILTER (WHERE days BETWEEN 31 AND 60), 0) AS days_60,
            coalesce(sum(amount) FILTER (WHERE days BETWEEN 61 AND 90), 0) AS days_90,
            coalesce(sum(amount) FILTER (WHERE days > 90), 0) AS older,
            coalesce(sum(amount) FILTER (WHERE loose), 0) AS loose,
            sum(amount) AS total, sum(placed) AS placed
        FROM aged GROUP BY 1
    )
    SELECT a.number, a.name, b.not_due, b.days_30, b.days_60, b.days_90, b.older, b.loose, b.total, b.placed
    FROM by_account b
    JOIN accounts_account a ON a.id = b.account_id
    {OF_ACCOUNT.format(account="b.account_id")}
    WHERE {ASKED_OF_ACCOUNT}
"""


def _chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    if not rows:
        return None
    ages = [Decimal(total or ZERO) for total in totals[2:8]]
    return Chart(list(AGES), {"Open": ages}, f"What is open by age on {asked.on:%-d %B %Y}")


RECEIVABLES = Report(
    name="receivables",
    title="Receivables by age",
    says="What each account owes as of the day, by how long it is past its due date. What is with the collections "
    "agency stands apart (COLL-1), and what is to a customer's credit is under “Unallocated money”.",
    columns=(
        Column("number", "Account"),
        Column("name", "Name"),
        *(
            Column(name, title, Kind.MONEY)
            for name, title in zip(("not_due", "days_30", "days_60", "days_90", "older", "loose"), AGES, strict=True)
        ),
        Column("total", "Open", Kind.MONEY),
        Column("placed", "With the agency", Kind.MONEY),
    ),
    filters=(Filter.ON, Filter.CURRENCY, Filter.TERMS, Filter.SELLER),
    sql=_SQL,
    order="total DESC, number",
    chart=_chart,
    when_empty="Nothing is open as of this day. Choose another day or currency, or take the other filters off.",
    bounded=False,
    ledger_accounts=("RECEIVABLE",),
)
