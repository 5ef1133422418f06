"""Every room's admin, for Django to find."""

from invoicing.catalog import admin as catalog
from invoicing.collections import admin as collections
from invoicing.collections import placement_admin as placements
from invoicing.collections import platform_admin as platform
from invoicing.documents import admin as documents
from invoicing.documents import letter_admin as letters
from invoicing.invoices import admin as invoices
from invoicing.ledger import admin as ledger
from invoicing.orders import admin as orders
from invoicing.payments import admin as payments
from invoicing.payments import notice_admin as notices
from invoicing.prepaid import admin as prepaid
from invoicing.reports import admin as reports
from invoicing.runs import admin as runs
from invoicing.sellers import admin as sellers
from invoicing.subscriptions import admin as subscriptions
from invoicing.tax import admin as tax

__all__ = [
    "catalog", "collections", "documents", "invoices", "ledger", "letters", "notices", "orders", "payments",
    "placements", "platform", "prepaid", "reports", "runs", "sellers", "subscriptions", "tax",
]  # fmt: skip
