"""The books: append-only double entry."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from accounts.models import Account


class LedgerAccount(models.TextChoices):
    """What a posting is to. Assets are debited (positive), liabilities and revenue credited (negative)."""

    RECEIVABLE = "RECEIVABLE", "Receivable"
    CUSTOMER_CREDIT = "CUSTOMER_CREDIT", "Customer credit"
    DEPOSIT_HELD = "DEPOSIT_HELD", "Deposit held"
    PREPAID_BALANCE = "PREPAID_BALANCE", "Prepaid balance"
    UNBILLED_USAGE = "UNBILLED_USAGE", "Use not invoiced yet"
    GATEWAY_CLEARING = "GATEWAY_CLEARING", "Gateway clearing"
    REVENUE = "REVENUE", "Revenue"
    TAX_PAYABLE = "TAX_PAYABLE", "Tax payable"
    FEE_REVENUE = "FEE_REVENUE", "Fee revenue"
    COLLECTIONS = "COLLECTIONS", "Collections"
    COMMISSION = "COMMISSION", "Agency commission"
    BAD_DEBT = "BAD_DEBT", "Bad debt"
    OPENING = "OPENING", "Opening balances"


class LedgerEntry(models.Model):
    """
    One thing that happened to an account's money, in one currency; its postings sum to zero.

    `source` names what made it, such as `invoice:17`, and is unique: a retry is a no-op.
    """

    append_only = True

    class Kind(models.TextChoices):
        OPENING = "OPENING", "Opening balance"
        INVOICE = "INVOICE", "Invoice"
        CREDIT_NOTE = "CREDIT_NOTE", "Credit note"
        APPLICATION = "APPLICATION", "Credit or deposit applied"
        PAYMENT = "PAYMENT", "Payment"
        CARD_FEE = "CARD_FEE", "Card service fee"
        ALLOCATION = "ALLOCATION", "Payment allocated"
        REFUND = "REFUND", "Refund"
        RETURN = "RETURN", "Payment returned"
        CHARGEBACK = "CHARGEBACK", "Chargeback"
        DEPOSIT = "DEPOSIT", "Deposit returned"
        TOP_UP = "TOP_UP", "Top-up"
        USAGE = "USAGE", "Use"
        SETTLEMENT = "SETTLEMENT", "Settled from the balance"
        MIGRATION = "MIGRATION", "Migration credit"
        PLACEMENT = "PLACEMENT", "Handed to the agency"
        REMITTANCE = "REMITTANCE", "Agency remittance"
        REMITTANCE_REVERSAL = "REMITTANCE_REVERSAL", "Agency remittance reversed"
        WRITE_OFF = "WRITE_OFF", "Write-off"
        RECOVERY = "RECOVERY", "Written-off debt recovered"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="ledger_entries", db_index=False)
    source = models.CharField(max_length=80)
    kind = models.CharField(max_length=20, choices=Kind)
    currency = models.CharField(max_length=3)
    on = models.DateField()
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [models.UniqueConstraint(fields=["source"], name="entry_source_once")]
        indexes = [
            models.Index(fields=["account", "on"], name="entry_of_account"),
            # Reports read days, and entries come nearly in the order of their days: this costs next to nothing.
            BrinIndex(fields=["on"], name="entry_by_day", autosummarize=True),
        ]

    def __str__(self) -> str:
        return self.source


class Posting(models.Model):
    """
    One side of an entry: a debit is positive, a credit negative.

    `invoice_id` names the invoice that a receivable belongs to (a plain number, since invoices stand
    below the ledger); `payment_id` names likewise the payment that customer credit comes from, or that was
    allocated to the invoice. `category` splits revenue by product, tax by jurisdiction and cash by gateway.
    """

    append_only = True

    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings", db_index=False)
    ledger_account = models.CharField(max_length=16, choices=LedgerAccount)
    category = models.CharField(max_length=120, blank=True)
    invoice_id = models.BigIntegerField(null=True, blank=True)
    payment_id = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=20, decimal_places=6)

    class Meta:
        indexes = [
            models.Index(fields=["account", "ledger_account"], name="posting_of_account"),
            models.Index(fields=["invoice_id"], condition=Q(invoice_id__isnull=False), name="posting_of_invoice"),
            models.Index(fields=["payment_id"], condition=Q(payment_id__isnull=False), name="posting_of_payment"),
            models.Index(
                fields=["ledger_account", "currency"],
                condition=Q(ledger_account__in=["GATEWAY_CLEARING", "FEE_REVENUE", "CUSTOMER_CREDIT", "DEPOSIT_HELD"]),
                name="posting_of_money",
            ),
            models.Index(
                fields=["account"],
                condition=Q(ledger_account__in=["RECEIVABLE", "COLLECTIONS"], invoice_id__isnull=True),
                name="owed_on_no_invoice",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ledger_account} {self.amount:f} {self.currency} of entry {self.entry_id}"
