"""Every room's models, for Django to find."""

from invoicing.catalog.models import BillingTerms, Plan, Price, PriceTier, Product, Vendor
from invoicing.collections.models import (
    Hold,
    Placement,
    PlacementBatch,
    PlacementInvoice,
    PlacementRecord,
    PlatformEndpoint,
    PlatformNotice,
    Reminder,
    Suspension,
)
from invoicing.documents.models import Delivery, Document, Letter
from invoicing.invoices.models import CreditNote, Invoice, InvoiceLine, LineTax, OpenInvoice
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.orders.models import Order
from invoicing.payments.fee_table import CardFeeRate
from invoicing.payments.models import Chargeback, Payment, PaymentMethod, PaymentTarget, Refund
from invoicing.payments.notices import WebhookEvent
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from invoicing.reports.models import ReportExport
from invoicing.runs.models import Run, RunItem
from invoicing.sellers.models import Letterhead, NumberSeries, Seller
from invoicing.subscriptions.models import (
    BillingDayChange,
    BillingProfile,
    Inactivity,
    OneOffCharge,
    PlanChange,
    QuantityChange,
    Subscription,
    UsageEvent,
    UsageTotal,
)
from invoicing.tax.models import Exemption, TaxRate

__all__ = [
    "BillingDayChange",
    "BillingProfile",
    "BillingTerms",
    "CardFeeRate",
    "Chargeback",
    "CreditNote",
    "Delivery",
    "Document",
    "Exemption",
    "Hold",
    "Inactivity",
    "Invoice",
    "InvoiceLine",
    "LedgerEntry",
    "Letter",
    "Letterhead",
    "LineTax",
    "NumberSeries",
    "OneOffCharge",
    "OpenInvoice",
    "Order",
    "Payment",
    "PaymentMethod",
    "PaymentTarget",
    "Placement",
    "PlacementBatch",
    "PlacementInvoice",
    "PlacementRecord",
    "Plan",
    "PlanChange",
    "PlatformEndpoint",
    "PlatformNotice",
    "Posting",
    "PrepaidBalance",
    "Price",
    "PriceTier",
    "Product",
    "QuantityChange",
    "Refund",
    "Reminder",
    "ReportExport",
    "Run",
    "RunItem",
    "Seller",
    "Subscription",
    "Suspension",
    "TaxRate",
    "TopUp",
    "TopUpAgreement",
    "UsageEvent",
    "UsageTotal",
    "Vendor",
    "WebhookEvent",
]
