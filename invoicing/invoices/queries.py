"""Reads over issued invoices: what was sold for third parties."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from invoicing.money import format_money, round_money
from invoicing.periods import billing_date_after


class VendorSales(NamedTuple):
    """SVC-2: what was invoiced for one vendor's products in a month and currency, before tax, credits taken off."""

    vendor: str
    currency: str
    invoiced: Decimal
    credited: Decimal
    share_percent: Decimal
    owed: Decimal

    @property
    def net(self) -> Decimal:
        return self.invoiced - self.credited

    def as_json(self) -> dict[str, str]:
        """Amounts as text, so that none becomes a float on the way."""
        amounts = {name: format_money(getattr(self, name), self.currency).split(" ")[1].replace(",", "")
                   for name in ("invoiced", "credited", "net", "owed")}  # fmt: skip
        return {"vendor": self.vendor, "currency": self.currency, "share_percent": f"{self.share_percent:f}", **amounts}


# A deposit is the customer's money and no sale; a credit belongs to the month in which it was issued.
VENDOR_SALES = """
    SELECT date_trunc('month', i.issued_on)::date AS month, vendor.name AS vendor, i.currency,
        coalesce(sum(l.amount) FILTER (WHERE i.kind = 'INVOICE'), 0) AS invoiced,
        -coalesce(sum(l.amount) FILTER (WHERE i.kind = 'CREDIT_NOTE'), 0) AS credited,
        vendor.share_percent
    FROM invoicing_invoice i
    JOIN invoicing_invoiceline l ON l.invoice_id = i.id
    LEFT JOIN invoicing_invoiceline origin ON origin.id = l.credits_line_id
    JOIN invoicing_plan plan ON plan.id = coalesce(l.plan_id, origin.plan_id)
    JOIN invoicing_product product ON product.id = plan.product_id
    JOIN invoicing_vendor vendor ON vendor.id = product.vendor_id
    WHERE i.status = 'ISSUED' AND i.issued_on BETWEEN %(from_on)s AND %(to_on)s
        AND coalesce(origin.kind, l.kind) <> 'DEPOSIT'
        AND (%(currency)s = '' OR i.currency = %(currency)s) AND (%(terms)s = '' OR i.terms_code = %(terms)s)
        AND (%(seller)s::bigint IS NULL OR i.seller_id = %(seller)s)
    GROUP BY 1, vendor.id, i.currency
"""


def vendor_sales(month: date) -> list[VendorSales]:
    """What each vendor is owed for the month of this day, by currency: its share of the net sales, rounded once."""
    start = month.replace(day=1)
    last = billing_date_after(start, 1) - timedelta(days=1)
    asked: dict[str, Any] = {"from_on": start, "to_on": last, "currency": "", "terms": "", "seller": None}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({VENDOR_SALES}) s ORDER BY vendor, currency", asked)
        return [
            VendorSales(
                vendor, currency, invoiced, credited, share, round_money((invoiced - credited) * share / 100, currency)
            )
            for _, vendor, currency, invoiced, credited, share in cursor.fetchall()
        ]
