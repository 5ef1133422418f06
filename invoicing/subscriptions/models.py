"""What an account has, how many of it and since when; and how it is billed."""

from django.db import models
from django.db.models import F, Q

from accounts.history import keeps_history
from accounts.models import Account
from invoicing.catalog.models import BillingTerms, Plan, Price
from invoicing.fields import AmountField, RateField
from invoicing.sellers.models import Seller


class BillingProfile(models.Model):
    """
    How one account is billed. Clients of a partner have none: their partner is billed.

    `next_billing_on` is the key by which the run finds what is due; `billed_until_on` is the first
    day of the earliest period that could still be unbilled. Both are caches: a change to what the
    account holds sets them back (`operations.look_again`), and the period key's unique index is the guard.
    """

    class PaymentMethod(models.TextChoices):
        CARD = "CARD", "Card"
        ACH = "ACH", "ACH / eCheck"
        CHECK = "CHECK", "Check"
        WIRE = "WIRE", "Wire"
        BALANCE = "BALANCE", "Prepaid balance"

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="billing_profile")
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="billing_profiles", db_index=False)
    terms = models.ForeignKey(BillingTerms, on_delete=models.PROTECT, related_name="billing_profiles")
    currency = models.CharField(max_length=3)
    billing_day = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="BILL-5: the day of activation. Days 29 to 31 fall on a short month's last day, and come back.",
    )
    payment_method = models.CharField(max_length=8, choices=PaymentMethod, blank=True)
    bill_from_on = models.DateField(
        null=True, blank=True, help_text="Periods that begin before it were billed elsewhere."
    )
    auto_charge = models.BooleanField(
        "charge on the billing date",
        null=True,
        blank=True,
        help_text="SEAT-5: what is invoiced is charged to the default payment method; empty: as the terms say.",
    )
    opening_balance = AmountField(default=0, help_text="Owed when the account was taken over: positive.")
    next_billing_on = models.DateField(null=True, blank=True, help_text="When the run looks at this account next.")
    billed_until_on = models.DateField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=0, help_text="Raised by each change to what the account holds.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(billing_day__isnull=True) | Q(billing_day__range=(1, 31)), name="billing_day_of_a_month"
            ),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="profile_currency_code"),
        ]
        indexes = [models.Index(fields=["seller", "next_billing_on", "account"], name="profile_due")]

    def __str__(self) -> str:
        return f"Billing of account {self.account_id}"


class BillingDayChange(models.Model):
    """BILL-5: from `effective_on`, a billing date under the old day, the account is billed on another day."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="billing_day_changes", db_index=False)
    day = models.PositiveSmallIntegerField()
    effective_on = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "effective_on"], name="one_billing_day_change_a_date"),
            models.CheckConstraint(condition=Q(day__range=(1, 31)), name="changed_billing_day_of_a_month"),
        ]

    def __str__(self) -> str:
        return f"Account {self.account_id}: day {self.day} from {self.effective_on}"


@keeps_history()
class Subscription(models.Model):
    """
    A plan that an account holds from `started_on` until `ended_on`, the first day it is no longer held.

    `quantity` is held from the start; later quantities are rows of their own.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="subscriptions")
    reference = models.CharField(max_length=80, unique=True)
    label = models.CharField(max_length=200, blank=True, help_text="What it is for: a domain, a seat's person.")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    quantity = RateField(default=1)
    unit_price = RateField(null=True, blank=True, help_text="Agreed price of a unit; wins over the plan's.")
    started_on = models.DateField()
    ended_on = models.DateField(null=True, blank=True, help_text="The first day it is no longer held.")

    class Meta:
        permissions = [("import_book", "Can import a book of accounts")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_on__isnull=True) | Q(ended_on__gte=F("started_on")),
                name="subscription_ends_after_start",
                violation_error_message="A subscription ends on or after the day it starts.",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="subscription_quantity_not_negative"),
            models.CheckConstraint(
                condition=Q(unit_price__isnull=True) | Q(unit_price__gte=0), name="subscription_price_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class QuantityChange(models.Model):
    """From `from_on`, the subscription is held in another quantity."""

    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="quantity_changes", db_index=False
    )
    from_on = models.DateField()
    quantity = RateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "from_on"], name="one_quantity_a_day"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="changed_quantity_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity:f} of subscription {self.subscription_id} from {self.from_on}"


class PlanChange(models.Model):
    """SEAT-4: on `on` the subscription moved away from `from_plan`. The new plan's rate holds from the next period."""

    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="plan_changes", db_index=False
    )
    on = models.DateField()
    from_plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    to_plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subscription", "on"], name="one_plan_change_a_day")]

    def __str__(self) -> str:
        return f"Subscription {self.subscription_id} changed plan on {self.on}"


class Inactivity(models.Model):
    """SEAT-3: the seat was inactive, or is deemed inactive, in the billing month that begins on `period_start_on`."""

    class Kind(models.TextChoices):
        INACTIVE = "INACTIVE", "Inactive"
        DEEMED = "DEEMED", "Deemed inactive"

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="inactivity", db_index=False)
    period_start_on = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.INACTIVE)

    class Meta:
        verbose_name_plural = "inactivity"
        constraints = [
            models.UniqueConstraint(fields=["subscription", "period_start_on"], name="inactive_once_a_period")
        ]

    def __str__(self) -> str:
        return f"Subscription {self.subscription_id} {self.kind.lower()} from {self.period_start_on}"


class OneOffCharge(models.Model):
    """
    Something charged once, carried by the next invoice on or after its day.

    AUTH-6: what a Billing Contact raised waits for an authorization; only authorized charges are billed.
    `billed_on` is set with the invoice; the unique index on the invoice line is the guard.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="one_off_charges")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="one_off_charges")
    description = models.CharField(max_length=300, blank=True)
    quantity = RateField(default=1)
    unit_price = RateField(null=True, blank=True, help_text="Empty: the plan's price on the day.")
    on = models.DateField()
    requested_by = models.CharField(max_length=200, blank=True)
    authorized_by = models.CharField(max_length=200, blank=True)
    authorized_at = models.DateTimeField(null=True, blank=True)
    billed_on = models.DateField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["account"], condition=Q(billed_on__isnull=True), name="one_off_unbilled"),
        ]

    def __str__(self) -> str:
        return f"{self.description or self.plan_id} on {self.on} #{self.pk}"


class UsageEvent(models.Model):
    """
    PRE-1: one use, rated and deducted from the prepaid balance as it happened.

    `key` is the platform's own, and unique: sent again it changes nothing. `rated` is the quantity after minimum and
    increment; `amount` is in `currency` at six places; `month_on` is the 1st of the month in the seller's time zone.
    Its ledger entry has the source `usage:<id>`.
    """

    append_only = True

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="usage_events", db_index=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+", db_index=False)
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=80)
    at = models.DateTimeField()
    month_on = models.DateField()
    quantity = RateField()
    rated = RateField()
    currency = models.CharField(max_length=3)
    amount = RateField()
    detail = models.CharField(max_length=200, blank=True, help_text="As the platform names it: a number called.")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], name="usage_event_once"),
            models.CheckConstraint(condition=Q(quantity__gte=0, amount__gte=0), name="usage_not_negative"),
        ]
        indexes = [models.Index(fields=["account", "-at"], name="usage_of_account")]

    def __str__(self) -> str:
        return f"Use {self.key}"


class UsageTotal(models.Model):
    """What an account used of a plan in a calendar month, and how much of it stands on an invoice."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="usage_totals", db_index=False)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+", db_index=False)
    month_on = models.DateField()
    quantity = RateField(default=0, help_text="Rated units.")
    amount = RateField(default=0)
    invoiced_quantity = RateField(default=0)
    invoiced_amount = RateField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "plan", "month_on"], name="one_usage_total_a_month")]
        indexes = [
            models.Index(fields=["account"], condition=~Q(amount=F("invoiced_amount")), name="usage_total_to_invoice")
        ]

    def __str__(self) -> str:
        return f"Use of plan {self.plan_id} by account {self.account_id} in {self.month_on:%Y-%m}"
