"""SVC-2: what vendors are owed of what was sold for them."""

from collections.abc import Sequence
from decimal import Decimal

from invoicing.invoices.queries import VENDOR_SALES
from invoicing.reports.report import PERIOD, Asked, Chart, Column, Filter, Kind, Report, Row, summed

# Half is rounded away from zero, as `round_money` does it, and once a vendor and month.
_SQL = f"""
    SELECT to_char(s.month, 'YYYY-MM') AS month, s.vendor, s.invoiced, s.credited, s.invoiced - s.credited AS net,
        s.share_percent AS share, round((s.invoiced - s.credited) * s.share_percent / 100, %(places)s) AS owed
    FROM ({VENDOR_SALES}) s
"""


def _chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    return summed(rows, label=0, series=1, value=6, says="Owed by month and vendor")


VENDORS = Report(
    name="vendors",
    title="Vendors owed",
    says="What each vendor is owed of a month's sales: its share of what was invoiced for its products, before tax, "
    "less what was credited in that month, rounded once a vendor and month (SVC-2).",
    columns=(
        Column("month", "Month"),
        Column("vendor", "Vendor"),
        Column("invoiced", "Invoiced", Kind.MONEY),
        Column("credited", "Credited", Kind.MONEY),
        Column("net", "Net", Kind.MONEY),
        Column("share", "Share", Kind.PERCENT),
        Column("owed", "Owed", Kind.MONEY),
    ),
    filters=(*PERIOD, Filter.CURRENCY, Filter.TERMS, Filter.SELLER),
    sql=_SQL,
    order="month, vendor",
    chart=_chart,
    when_empty="Nothing was invoiced or credited for a vendor in these days. A product counts here once its vendor "
    "is set in the catalog.",
    ledger_accounts=("REVENUE",),
)
