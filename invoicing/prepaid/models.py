"""Prepaid balances and their top-ups."""

from django.db import models
from django.db.models import Q

from accounts.history import keeps_history
from accounts.models import Account
from invoicing.fields import AmountField, RateField
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.states import keeps_to_transitions


class PrepaidBalance(models.Model):
    """
    What is left of an account's prepaid money: the sum of its PREPAID_BALANCE postings, written in their transaction.

    `floor` is how far it may fall: zero less the terms' credit limit (PRE-4). `awaiting` is what the account's
    monthly charges came to when the balance did not cover them; they are posted when credit arrives.
    """

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="prepaid_balance")
    currency = models.CharField(max_length=3)
    balance = RateField(default=0)
    floor = RateField(default=0)
    awaiting = AmountField(default=0)
    awaiting_since_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            # P9: whatever deducts, the database refuses to go below the floor.
            models.CheckConstraint(condition=Q(balance__gte=models.F("floor")), name="balance_not_below_floor"),
            models.CheckConstraint(condition=Q(awaiting__gte=0), name="awaiting_not_negative"),
        ]
        indexes = [models.Index(fields=["account"], condition=Q(awaiting__gt=0), name="balance_awaited")]

    def __str__(self) -> str:
        return f"{self.balance:f} {self.currency} of account {self.account_id}"


@keeps_history()
class TopUpAgreement(models.Model):
    """PRE-2: below `threshold` the method is charged `amount`; after a decline not before `not_before_at`."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="top_up_agreement")
    method = models.ForeignKey(
        PaymentMethod,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: the account's default method.",
    )
    threshold = AmountField()
    amount = AmountField()
    is_on = models.BooleanField(default=True)
    declines = models.PositiveSmallIntegerField(default=0, help_text="In a row.")
    not_before_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(threshold__gte=0, amount__gt=0), name="top_up_amounts_positive"),
        ]

    def __str__(self) -> str:
        return f"Top up account {self.account_id} by {self.amount:f} below {self.threshold:f}"


@keeps_to_transitions
class TopUp(models.Model):
    """
    PRE-2: one top-up: the intent, then the charge, then the credit, in that order.

    An automatic one takes a number of its day, from 1 to what the terms allow: the unique index on it is the cap.
    `credited_at` is set in the transaction that posts the credit.
    """

    class State(models.TextChoices):
        INTENDED = "INTENDED", "Intended"
        CHARGED = "CHARGED", "Charged, not credited"
        CREDITED = "CREDITED", "Credited"
        FAILED = "FAILED", "Failed"
        REVERSED = "REVERSED", "Taken back"

    TRANSITIONS = {
        State.INTENDED: {State.CHARGED, State.CREDITED, State.FAILED},
        State.CHARGED: {State.CREDITED},
        State.CREDITED: {State.REVERSED},
        State.FAILED: {State.CHARGED, State.CREDITED},
        State.REVERSED: set(),
    }

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="top_ups", db_index=False)
    payment = models.OneToOneField(Payment, null=True, on_delete=models.PROTECT, related_name="top_up")
    automatic = models.BooleanField(default=False)
    on = models.DateField(help_text="The day, in the seller's time zone.")
    number = models.PositiveSmallIntegerField(null=True, help_text="Of the automatic ones of its day.")
    currency = models.CharField(max_length=3)
    amount = AmountField()
    state = models.CharField(max_length=8, choices=State, default=State.INTENDED)
    why = models.CharField(max_length=300, blank=True)
    made_by = models.CharField(max_length=200)
    made_at = models.DateTimeField()
    credited_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [
            ("top_up", "Can top up a prepaid balance"),
            ("migrate_credit", "Can grant a migration credit (MIG-1)"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "on", "number"], condition=Q(automatic=True), name="automatic_top_ups_a_day"
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(automatic=True, state__in=["INTENDED", "CHARGED"]),
                name="one_automatic_top_up_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(automatic=False) | Q(number__isnull=False), name="automatic_top_up_is_numbered"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="top_up_is_positive"),
        ]
        indexes = [models.Index(fields=["account", "-on"], name="top_up_of_account")]

    def __str__(self) -> str:
        return f"top-up {self.pk}"
