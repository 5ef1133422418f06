"""Every room's models, for Django to find."""

from invoicing.catalog.models import BillingTerms, Plan, Price, Product, Vendor
from invoicing.documents.models import Delivery, Document
from invoicing.invoices.models import CreditNote, Invoice, InvoiceLine, Letterhead, LineTax
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.runs.models import Run, RunItem
from invoicing.sellers.models import NumberSeries, Seller
from invoicing.subscriptions.models import (
    BillingDayChange,
    BillingProfile,
    Inactivity,
    OneOffCharge,
    PlanChange,
    QuantityChange,
    Subscription,
)
from invoicing.tax.models import Exemption, TaxRate

__all__ = [
    "BillingDayChange",
    "BillingProfile",
    "BillingTerms",
    "CreditNote",
    "Delivery",
    "Document",
    "Exemption",
    "Inactivity",
    "Invoice",
    "InvoiceLine",
    "LedgerEntry",
    "Letterhead",
    "LineTax",
    "NumberSeries",
    "OneOffCharge",
    "Plan",
    "PlanChange",
    "Posting",
    "Price",
    "Product",
    "QuantityChange",
    "Run",
    "RunItem",
    "Seller",
    "Subscription",
    "TaxRate",
    "Vendor",
]
