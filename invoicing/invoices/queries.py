"""Reads over issued invoices: what was sold for third parties."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

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
_SALES = """
    SELECT vendor.name, i.currency,
        coalesce(sum(l.amount) FILTER (WHERE i.kind = 'INVOICE'), 0),
        -coalesce(sum(l.amount) FILTER (WHERE i.kind = 'CREDIT_NOTE'), 0),
        vendor.share_percent
    FROM invoicing_invoice i
    JOIN invoicing_invoiceline l ON l.invoice_id = i.id
    LEFT JOIN invoicing_invoiceline origin ON origin.id = l.credits_line_id
    JOIN invoicing_plan plan ON plan.id = coalesce(l.plan_id, origin.plan_id)
    JOIN invoicing_product product ON product.id = plan.product_id
    JOIN invoicing_vendor vendor ON vendor.id = product.vendor_id
    WHERE i.status = 'ISSUED' AND i.issued_on >= %s AND i.issued_on < %s AND coalesce(origin.kind, l.kind) <> 'DEPOSIT'
    GROUP BY vendor.id, i.currency ORDER BY vendor.name, i.currency
"""


def vendor_sales(month: date) -> list[VendorSales]:
    """What each vendor is owed for the month of this day, by currency: its share of the net sales, rounded once."""
    start = month.replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(_SALES, [start, billing_date_after(start, 1)])
        return [
            VendorSales(
                vendor, currency, invoiced, credited, share, round_money((invoiced - credited) * share / 100, currency)
            )
            for vendor, currency, invoiced, credited, share in cursor.fetchall()
        ]
