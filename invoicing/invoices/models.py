"""Invoices and credit notes, their lines and taxes."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Account
from invoicing.catalog.models import Plan
from invoicing.fields import AmountField, RateField
from invoicing.sellers.models import Letterhead, Seller
from invoicing.subscriptions.models import OneOffCharge, Subscription
from invoicing.tax.models import TaxRate


class Invoice(models.Model):
    """
    A draft, or an issued and numbered invoice or credit note.

    Amounts are in `currency`; positive is owed by the account, so a credit note's are negative. Once issued a
    row never changes (BILL-6, refused by the database); a correction is a credit note.
    """

    class Kind(models.TextChoices):
        INVOICE = "INVOICE", "Invoice"
        CREDIT_NOTE = "CREDIT_NOTE", "Credit note"

    class Status(models.TextChoices):
        DRAFT = "DRAFT", "Draft"
        ISSUED = "ISSUED", "Issued"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="invoices", db_index=False)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="invoices", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.INVOICE)
    status = models.CharField(max_length=8, choices=Status, default=Status.DRAFT)
    number = models.CharField(max_length=40, null=True)
    sequence = models.PositiveBigIntegerField(null=True)
    issued_on = models.DateField(help_text="The invoice's date, in the seller's time zone.")
    due_on = models.DateField()
    issued_at = models.DateTimeField(null=True)
    currency = models.CharField(max_length=3)
    terms_code = models.CharField(max_length=40)
    subtotal = AmountField()
    tax_total = AmountField()
    total = AmountField()
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True, help_text="The first day after the period.")
    buyer = models.JSONField(help_text="Name, address, account number and purchase order as printed.")
    letterhead = models.ForeignKey(
        Letterhead, null=True, on_delete=models.PROTECT, related_name="invoices", db_index=False
    )
    corrects = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="corrections", db_index=False
    )
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        permissions = [
            ("issue_credit_note", "Can issue a credit note"),
            ("resend_invoice", "Can send an invoice again"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="DRAFT", number__isnull=True, sequence__isnull=True)
                | Q(
                    status="ISSUED",
                    number__isnull=False,
                    sequence__isnull=False,
                    issued_at__isnull=False,
                    letterhead__isnull=False,
                ),
                name="issued_invoice_is_numbered",
            ),
            models.CheckConstraint(
                condition=Q(total=models.F("subtotal") + models.F("tax_total")), name="invoice_total_is_sum"
            ),
            models.CheckConstraint(
                condition=Q(kind="INVOICE", total__gt=0) | Q(kind="CREDIT_NOTE", total__lt=0),
                name="invoice_total_has_sign_of_kind",
            ),
            # The one index serves equality and search by prefix alike.
            models.UniqueConstraint(fields=["number"], name="invoice_number_once", opclasses=["varchar_pattern_ops"]),
            models.UniqueConstraint(fields=["seller", "kind", "sequence"], name="invoice_sequence_once"),
        ]
        indexes = [
            models.Index(fields=["account", "-issued_on"], name="invoice_of_account"),
            models.Index(fields=["issued_on"], name="invoice_by_date"),
            models.Index(fields=["corrects"], condition=Q(corrects__isnull=False), name="invoice_corrections"),
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.pk}"


class OpenInvoice(models.Model):
    """
    What of an issued invoice is not settled: a row while it is not zero, kept by a trigger on postings.

    `amount` is receivable and `placed` is with the agency, both sums of the invoice's postings; the books' checker
    compares them. An invoice without a row is settled to the cent.
    """

    invoice = models.OneToOneField(
        Invoice, on_delete=models.PROTECT, primary_key=True, related_name="unsettled", db_constraint=False
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="open_invoices", db_constraint=False)
    currency = models.CharField(max_length=3)
    amount = AmountField(default=0)
    placed = AmountField(default=0)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency} open of invoice {self.invoice_id}"


class CreditNoteManager(models.Manager["CreditNote"]):
    def get_queryset(self) -> models.QuerySet["CreditNote"]:
        return super().get_queryset().filter(kind=Invoice.Kind.CREDIT_NOTE)


class CreditNote(Invoice):
    """A credit note, under its own name."""

    objects: ClassVar[CreditNoteManager] = CreditNoteManager()

    class Meta:
        proxy = True


class InvoiceLine(models.Model):
    """
    One charge on an invoice, and why it is there.

    The period key is (subscription, kind, period start, quantity billed before): the unique index on it, not
    a lock, refuses the second invoice for one period (P1). `why` holds the clause and the inputs.
    """

    class Kind(models.TextChoices):
        RECURRING = "RECURRING", "Recurring"
        SETUP = "SETUP", "Set-up fee"
        CHANGE = "CHANGE", "Change fee"
        REBATE = "REBATE", "Rebate"
        DEPOSIT = "DEPOSIT", "Deposit"
        ONE_OFF = "ONE_OFF", "One-off charge"
        CREDIT = "CREDIT", "Credit"
        USAGE = "USAGE", "Use"

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="invoice_lines", db_index=False)
    position = models.PositiveIntegerField()
    client = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    subscription = models.ForeignKey(
        Subscription, null=True, on_delete=models.PROTECT, related_name="invoice_lines", db_index=False
    )
    one_off = models.ForeignKey(
        OneOffCharge, null=True, on_delete=models.PROTECT, related_name="invoice_lines", db_index=False
    )
    credits_line = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="credits", db_index=False
    )
    kind = models.CharField(max_length=9, choices=Kind)
    plan = models.ForeignKey(Plan, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    description = models.CharField(max_length=400)
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True, help_text="The first day after the period.")
    quantity_from = RateField(default=0, help_text="The quantity of this period that was billed before this line.")
    quantity = RateField()
    unit_price = RateField()
    amount = AmountField(help_text="Before tax.")
    tax_amount = AmountField(default=0)
    clause = models.CharField(max_length=12)
    why = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "kind", "period_start", "quantity_from"],
                condition=Q(subscription__isnull=False) & ~Q(kind="CREDIT"),
                name="period_billed_once",
            ),
            models.UniqueConstraint(
                fields=["one_off"], condition=Q(one_off__isnull=False) & ~Q(kind="CREDIT"), name="one_off_billed_once"
            ),
            models.UniqueConstraint(fields=["account"], condition=Q(kind="DEPOSIT"), name="deposit_taken_once"),
            models.UniqueConstraint(fields=["invoice", "position"], name="line_position_once"),
        ]
        indexes = [
            models.Index(fields=["credits_line"], condition=Q(credits_line__isnull=False), name="line_credits"),
        ]

    def __str__(self) -> str:
        return f"Line {self.position} of invoice {self.invoice_id}"


class LineTax(models.Model):
    """TAX-1: one jurisdiction's tax on one line, rounded by itself; rate and name as they were applied."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    line = models.ForeignKey(InvoiceLine, on_delete=models.CASCADE, related_name="taxes")
    rate = models.ForeignKey(TaxRate, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=120)
    rate_percent = models.DecimalField(max_digits=9, decimal_places=6)
    base = AmountField()
    amount = AmountField()

    class Meta:
        verbose_name_plural = "line taxes"

    def __str__(self) -> str:
        return f"{self.name} on line {self.line_id}"
