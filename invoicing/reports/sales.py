"""Revenue by month, product and terms; and tax by jurisdiction."""

from collections.abc import Sequence
from decimal import Decimal

from invoicing.reports.postings import ASKED_OF_INVOICE, moved
from invoicing.reports.report import PERIOD, Asked, Chart, Column, Filter, Kind, Report, Row, summed

_REVENUE = moved(
    "REVENUE",
    by={
        "month": "to_char(e.\"on\", 'YYYY-MM')",
        "product": "coalesce(product.name, CASE p.category WHEN '' THEN 'No product' ELSE initcap(p.category) END)",
        "terms": "coalesce(t.name, nullif(i.terms_code, ''), 'No terms')",
    },
    names=("invoiced", "credited"),
    is_debit=False,
    joins="""
        LEFT JOIN invoicing_invoice i ON i.id = p.invoice_id
        LEFT JOIN invoicing_product product ON product.code = p.category
        LEFT JOIN invoicing_billingterms t ON t.code = i.terms_code
    """,
    asked=ASKED_OF_INVOICE,
)

_TAX = f"""
    SELECT t.name AS jurisdiction, t.rate_percent AS rate, count(DISTINCT i.id) AS documents,
        sum(t.base) AS taxable, sum(t.amount) AS tax
    FROM invoicing_invoice i
    JOIN invoicing_invoiceline l ON l.invoice_id = i.id AND l.tax_amount <> 0
    JOIN invoicing_linetax t ON t.line_id = l.id
    WHERE i.status = 'ISSUED' AND i.currency = %(currency)s AND i.issued_on BETWEEN %(from_on)s AND %(to_on)s
        AND {ASKED_OF_INVOICE}
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
        # A document that a state and a city tax counts with each.
        Column("documents", "Documents", Kind.COUNT, totalled=False),
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
