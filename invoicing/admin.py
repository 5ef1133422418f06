"""Every room's admin, for Django to find."""

from invoicing.catalog import admin as catalog
from invoicing.documents import admin as documents
from invoicing.invoices import admin as invoices
from invoicing.ledger import admin as ledger
from invoicing.runs import admin as runs
from invoicing.sellers import admin as sellers
from invoicing.subscriptions import admin as subscriptions
from invoicing.tax import admin as tax

__all__ = ["catalog", "documents", "invoices", "ledger", "runs", "sellers", "subscriptions", "tax"]
