"""Revenue by month, product and terms; and tax by jurisdiction."""

from collections.abc import Sequence
from decimal import Decimal

from invoicing.reports.report import PERIOD, Asked, Chart, Column, Filter, Kind, Report, Row, summed

_REVENUE = """
    SELECT to_char(e."on", 'YYYY-MM') AS month,
        coalesce(nullif(max(product.name), ''), nullif(p.category, ''), 'no product') AS product,
        coalesce(nullif(i.terms_code, ''), 'no terms') AS terms,
        coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0) AS invoiced,
        coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS credited,
        -sum(p.amount) AS net
    FROM invoicing_ledgerentry e
    JOIN invoicing_posting p ON p.entry_id = e.id AND p.ledger_account = 'REVENUE'
    LEFT JOIN invoicing_invoice i ON i.id = p.invoice_id
    LEFT JOIN invoicing_product product ON product.code = p.category
    WHERE e.currency = %(currency)s AND e."on" BETWEEN %(from_on)s AND %(to_on)s
        AND (%(terms)s = '' OR i.terms_code = %(terms)s) AND (%(seller)s::bigint IS NULL OR i.seller_id = %(seller)s)
    GROUP BY 1, p.category, 3
"""

_TAX = """
    SELECT t.name AS jurisdiction, t.rate_percent AS rate, count(DISTINCT i.id) AS documents,
        sum(t.base) AS taxable, sum(t.amount) AS tax
    FROM invoicing_invoice i
    JOIN invoicing_invoiceline l ON l.invoice_id = i.id AND l.tax_amount <> 0
    JOIN invoicing_linetax t ON t.line_id = l.id
    WHERE i.status = 'ISSUED' AND i.currency = %(currency)s AND i.issued_on BETWEEN %(from_on)s AND %(to_on)s
        AND (%(terms)s = '' OR i.terms_code = %(terms)s) AND (%(seller)s::bigint IS NULL OR i.seller_id = %(seller)s)
    GROUP BY 1, 2
"""


def _revenue_chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    return summed(rows, label=0, series=1, value=5, says="Revenue by month and product")


def _tax_chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    return summed(rows, label=0, value=4, says="Tax by jurisdiction")


REVENUE = Report(
    name="revenue",
    title="Revenue",
    says="What was invoiced by month, product and billing terms, before tax, less what was credited. A credit counts "
    "in the month in which it was issued; a deposit is the customer's money and no revenue (SEAT-1).",
    columns=(
        Column("month", "Month"),
        Column("product", "Product"),
        Column("terms", "Terms"),
        Column("invoiced", "Invoiced", Kind.MONEY),
        Column("credited", "Credited", Kind.MONEY),
        Column("net", "Net", Kind.MONEY),
    ),
    filters=(*PERIOD, Filter.CURRENCY, Filter.TERMS, Filter.SELLER),
    sql=_REVENUE,
    order="month, product, terms",
    chart=_revenue_chart,
    when_empty="Nothing was invoiced in these months. Start a run under “Runs”, or choose other days.",
    ledger_accounts=("REVENUE",),
)

TAX = Report(
    name="tax",
    title="Tax by jurisdiction",
    says="What was taxed and what it came to, by jurisdiction and rate, as it was printed; credit notes are taken off "
    "(TAX-1).",
    columns=(
        Column("jurisdiction", "Jurisdiction"),
        Column("rate", "Rate", Kind.PERCENT),
        Column("documents", "Documents", Kind.COUNT),
        Column("taxable", "Taxable", Kind.MONEY),
        Column("tax", "Tax", Kind.MONEY),
    ),
    filters=(*PERIOD, Filter.CURRENCY, Filter.TERMS, Filter.SELLER),
    sql=_TAX,
    order="jurisdiction, rate",
    chart=_tax_chart,
    when_empty="No tax was invoiced in these days. Rates are kept under “Tax”; choose other days.",
    ledger_accounts=("TAX_PAYABLE",),
)
