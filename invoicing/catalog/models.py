"""What is sold, at what price, and on which billing terms."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.history import keeps_history
from invoicing.fields import AmountField, RateField


def retry_days_by_default() -> list[int]:
    return [3, 5, 7]


def reminder_days_by_default() -> list[int]:
    return [-3, 0, 7, 14]


@keeps_history()
class Vendor(models.Model):
    """SVC-2: a third party whose application is sold in the exchange, under its own terms."""

    name = models.CharField(max_length=200, unique=True)
    share_percent = models.DecimalField(
        max_digits=6,
        decimal_places=3,
        default=Decimal(100),
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="How much of each sale, before tax, the vendor is owed.",
    )
    terms_url = models.URLField("terms", blank=True, help_text="The vendor's own terms, which the buyer has accepted.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(share_percent__range=(0, 100)), name="vendor_share_within_bounds"),
        ]

    def __str__(self) -> str:
        return self.name


@keeps_history()
class Product(models.Model):
    """Something sold, whatever plan it is sold on."""

    class Charge(models.TextChoices):
        RECURRING = "RECURRING", "Recurring"
        ONE_OFF = "ONE_OFF", "One-off"
        PER_USE = "PER_USE", "Per use"

    code = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    charge = models.CharField(max_length=10, choices=Charge, default=Charge.RECURRING)
    unit = models.CharField(max_length=30, blank=True, help_text="What is counted: seat, mailbox, minute.")
    tax_category = models.CharField(
        max_length=40,
        blank=True,
        help_text="Rates of this category apply (TAX-1); empty: only rates for every category.",
    )
    licensed = models.BooleanField(
        default=False, help_text="Added and removed by the account's Administrator in the control panel only (AUTH-7)."
    )
    invoiced_at_once = models.BooleanField(
        default=False,
        db_default=False,
        help_text="SVC-1: a professional service, invoiced when it is authorized and due at once; "
        "work starts when it is paid.",
    )
    vendor = models.ForeignKey(Vendor, null=True, blank=True, on_delete=models.PROTECT, related_name="products")

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


@keeps_history()
class Plan(models.Model):
    """A way to buy a product; its amounts stand in dated prices."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="plans")
    code = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


@keeps_history()
class Price(models.Model):
    """
    One version of a plan's amounts, valid from a day until the next version's day.

    A period is priced by the version valid on its first day (BILL-3). Amounts are a unit's and a
    billing month's, in `currency`, before tax, at six places.
    """

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="prices", db_index=False)
    currency = models.CharField(max_length=3)
    valid_from_on = models.DateField()
    unit_price = RateField(
        help_text="Full (active) rate of a unit a billing month; of a unit used, for a per-use plan."
    )
    inactive_price = RateField(null=True, blank=True, help_text="Rate of an inactive seat (SEAT-3); empty: no rebate.")
    setup_fee = RateField(default=0, help_text="Once a subscription, with its first month (SEAT-2).")
    change_fee = RateField(default=0, help_text="Billed at once when a subscription's plan is changed (SEAT-4).")
    deposit = RateField(
        default=0, help_text="Taken at an account's first subscription to a plan that takes one (SEAT-1)."
    )
    minimum = RateField(default=0, db_default=0, help_text="PRE-1: a use is rated as at least so many units.")
    increment = RateField(
        default=0, db_default=0, help_text="PRE-1: a use is rated up to a whole number of these; 0: as it is."
    )
    included = RateField(default=0, db_default=0, help_text="PRE-1: units a calendar month that cost nothing.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "currency", "valid_from_on"],
                name="price_versions_do_not_overlap",
                violation_error_message="There is a price in this currency that begins on that day.",
            ),
            models.CheckConstraint(
                condition=Q(unit_price__gte=0, setup_fee__gte=0, change_fee__gte=0, deposit__gte=0)
                & (Q(inactive_price__isnull=True) | Q(inactive_price__gte=0)),
                name="price_amounts_not_negative",
            ),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="price_currency_code"),
            models.CheckConstraint(
                condition=Q(minimum__gte=0, increment__gte=0, included__gte=0), name="price_usage_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} {self.unit_price:f} {self.currency} from {self.valid_from_on}"


@keeps_history()
class PriceTier(models.Model):
    """PRE-1: beyond `above` units in a calendar month, what is used beyond them costs another rate a unit."""

    price = models.ForeignKey(Price, on_delete=models.CASCADE, related_name="tiers", db_index=False)
    above = RateField(help_text="Units in the month, the included ones counted, after which this rate begins.")
    unit_price = RateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["price", "above"], name="one_tier_a_bound"),
            models.CheckConstraint(condition=Q(above__gt=0, unit_price__gte=0), name="tier_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.unit_price:f} above {self.above:f} of price {self.price_id}"


@keeps_history()
class BillingTerms(models.Model):
    """
    How and when accounts are billed: the written policy's settings, as data.

    Four presets ship (`hosted-direct`, `hosted-partner`, `prepaid`, `per-seat`).
    """

    class Timing(models.TextChoices):
        ARREARS = "ARREARS", "For the period just ended"
        ADVANCE = "ADVANCE", "For the period that begins"

    class Anchor(models.TextChoices):
        CALENDAR = "CALENDAR", "The 1st of the month"
        ANNIVERSARY = "ANNIVERSARY", "The account's own billing day"

    class LateStart(models.TextChoices):
        AT_ONCE = "AT_ONCE", "Billed on the day it is added"
        NEXT_INVOICE = "NEXT_INVOICE", "Carried by the next invoice, for the full month"
        NOT_BILLED = "NOT_BILLED", "Free until the next billing date"

    class Settlement(models.TextChoices):
        INVOICE = "INVOICE", "Invoiced, and owed until paid"
        BALANCE = "BALANCE", "Deducted from a prepaid balance"

    class Bridge(models.TextChoices):
        OVER_HALF = "OVER_HALF", "One month's charge when longer than half a month, else free"
        CHARGED = "CHARGED", "Always one month's charge"
        FREE = "FREE", "Always free"

    class Approval(models.TextChoices):
        AUTOMATIC = "AUTOMATIC", "Issued by itself when within the bounds"
        REVIEW = "REVIEW", "Waits for a billing manager"

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=100)
    clause = models.CharField(
        max_length=12, help_text="The clause that an invoice line under these terms cites, such as BILL-1."
    )
    timing = models.CharField(max_length=8, choices=Timing)
    anchor = models.CharField(max_length=12, choices=Anchor)
    settlement = models.CharField(max_length=8, choices=Settlement, default=Settlement.INVOICE)
    late_start = models.CharField(
        "service added after the period began",
        max_length=12,
        choices=LateStart,
        default=LateStart.AT_ONCE,
        help_text="BILL-2: for terms billed for the period that begins.",
    )
    bridge = models.CharField(
        "period between two billing days",
        max_length=10,
        choices=Bridge,
        default=Bridge.OVER_HALF,
        help_text="BILL-5: what the days between the old and the new billing day cost.",
    )
    payment_due_days = models.PositiveSmallIntegerField(
        default=30, help_text="Days from the invoice's date to its due date; 0: due at once."
    )
    approval = models.CharField(
        max_length=10,
        choices=Approval,
        default=Approval.AUTOMATIC,
        help_text="Whether a run with such accounts waits for a person.",
    )
    hold_total_share = models.DecimalField(
        "hold: change of the total (%)",
        max_digits=6,
        decimal_places=2,
        default=Decimal(50),
        help_text="A run whose total differs from the last period's by more than this share waits for a person.",
    )
    hold_count_share = models.DecimalField(
        "hold: change of the count (%)",
        max_digits=6,
        decimal_places=2,
        default=Decimal(50),
        help_text="The same for the number of invoices.",
    )
    hold_account_factor = models.DecimalField(
        "hold: an account's invoice (times)",
        max_digits=6,
        decimal_places=2,
        default=Decimal(10),
        help_text="An invoice more than so many times the account's last one holds the run; 0: never.",
    )
    hold_amount = AmountField(
        "hold: amount of one invoice",
        default=Decimal(100_000),
        help_text="An invoice above this amount holds the run; 0: never.",
    )
    auto_charge = models.BooleanField(
        "charge on the billing date",
        default=False,
        help_text="SEAT-5: the invoiced amount is charged to the payment method.",
    )
    retry_days = ArrayField(
        models.PositiveSmallIntegerField(),
        default=retry_days_by_default,
        blank=True,
        help_text="Days after the first charge was declined on which it is tried again, separated by commas.",
    )
    fee_on_debit = models.BooleanField(
        "card fee on debit cards",
        default=True,
        help_text="FEE-4: the source says credit and debit. "
        "Warning: card networks forbid a surcharge on debit and prepaid cards.",
    )
    topups_a_day = models.PositiveSmallIntegerField(
        "automatic top-ups a day", default=1, help_text="PRE-2: at most so many."
    )
    low_balance_warning_days = models.PositiveSmallIntegerField(
        default=5, help_text="PRE-3: days before the 1st on which a short balance is warned of."
    )
    credit_limit = AmountField(default=0, help_text="PRE-4: how far below zero a prepaid balance may go.")
    reminder_days = ArrayField(
        models.SmallIntegerField(),
        default=reminder_days_by_default,
        blank=True,
        help_text="Days after the due date on which a reminder is sent, separated by commas; negative: before it.",
    )
    reminder_copy_to = models.EmailField(blank=True, help_text="A copy of each reminder for the billing team.")
    suspend_after_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        default=15,
        help_text="SUSP-1: days after the due date when service is suspended for non-payment; empty: never.",
    )
    suspension_warning_days = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text="SUSP-1: days before the suspension on which the last warning is sent; at least one.",
    )
    refund_window_days = models.PositiveSmallIntegerField(
        default=30, help_text="REF-1: days from signup for a full refund."
    )
    refund_ends_at_once = models.BooleanField(
        default=True,
        help_text="REF-1: a late refund request ends the account on the day of the decision, "
        "instead of after the notice.",
    )
    notice_days = models.PositiveSmallIntegerField(
        default=30, help_text="TERM-1: days of notice from the receipt of the document."
    )
    order_lapses_after_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        default=14,
        help_text="SVC-1, SEAT-2: days after its invoice is due when an order that nobody paid lapses: it is "
        "credited and never starts; empty: never.",
    )
    collections_after_days = models.PositiveSmallIntegerField(
        default=30, help_text="COLL-1: days after the due date when what is unpaid goes to the agency."
    )
    collections_approval = models.CharField(
        max_length=10,
        choices=Approval,
        default=Approval.REVIEW,
        help_text="COLL-1: whether a hand-over to the agency waits for a billing manager.",
    )
    number_and_date_identify = models.BooleanField(
        default=False, help_text="ID-1: accept the account number with the invoice date alone as an identity check."
    )

    class Meta:
        verbose_name_plural = "billing terms"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    hold_total_share__gte=0, hold_count_share__gte=0, hold_account_factor__gte=0, hold_amount__gte=0
                ),
                name="terms_bounds_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.name
