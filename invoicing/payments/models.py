"""How accounts pay: methods as tokens, payments with what they are meant for, their refunds and chargebacks."""

from django.db import models
from django.db.models import Q

from accounts.history import keeps_history
from accounts.models import Account
from invoicing.fields import AmountField
from invoicing.invoices.models import Invoice
from invoicing.states import keeps_to_transitions


@keeps_history()
class PaymentMethod(models.Model):
    """
    A card or bank account, as the gateway's token; never its number.

    `BLOCKED` is one that the bank refused for good: the customer is asked for another.
    """

    class Kind(models.TextChoices):
        CARD = "CARD", "Card"
        ACH = "ACH", "ACH / eCheck"

    class Funding(models.TextChoices):
        CREDIT = "CREDIT", "Credit"
        DEBIT = "DEBIT", "Debit"
        PREPAID = "PREPAID", "Prepaid"
        UNKNOWN = "UNKNOWN", "Unknown"

    class State(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        BLOCKED = "BLOCKED", "Refused for good"
        REMOVED = "REMOVED", "Removed"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="payment_methods", db_index=False)
    kind = models.CharField(max_length=4, choices=Kind)
    gateway = models.CharField(max_length=20)
    token = models.CharField(max_length=120, help_text="The gateway's name for it.")
    customer_token = models.CharField(max_length=120, help_text="The gateway's name for the customer.")
    brand = models.CharField(max_length=40, blank=True, help_text="Visa, or the bank's name.")
    last_four = models.CharField(max_length=4)
    funding = models.CharField(max_length=7, choices=Funding, default=Funding.UNKNOWN)
    expires_on = models.DateField(null=True, blank=True, help_text="The last day of the card's last month.")
    is_default = models.BooleanField(default=False)
    state = models.CharField(max_length=7, choices=State, default=State.ACTIVE)
    blocked_because = models.CharField(max_length=200, blank=True)
    added_at = models.DateTimeField()
    forgotten_at = models.DateTimeField(
        null=True, blank=True, help_text="When the gateway forgot it as well, after it was removed."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["gateway", "token"], name="method_token_once"),
            models.UniqueConstraint(
                fields=["account"], condition=Q(is_default=True, state="ACTIVE"), name="one_default_method"
            ),
            models.CheckConstraint(condition=Q(last_four__regex=r"^\d{4}$"), name="method_keeps_four_digits"),
            models.CheckConstraint(
                condition=~Q(token__regex=r"\d{12,}") & ~Q(customer_token__regex=r"\d{12,}"),
                name="method_token_is_no_number",
            ),
        ]
        indexes = [
            models.Index(fields=["account"], name="method_of_account"),
            models.Index(fields=["expires_on"], condition=Q(kind="CARD", state="ACTIVE"), name="card_expiring"),
            models.Index(
                fields=["id"], condition=Q(state="REMOVED", forgotten_at__isnull=True), name="method_to_forget"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand or self.get_kind_display()} ending in {self.last_four}"


@keeps_to_transitions
class Payment(models.Model):
    """
    One attempt to take money, recorded before the gateway is called; or money that came by hand.

    `amount` pays invoices, orders or a balance; `fee` is the card service fee charged with it (FEE-1), both in
    `currency`. `key` is the idempotency key: while the attempt is open nothing is sent for it under another.
    """

    class Kind(models.TextChoices):
        CARD = "CARD", "Card"
        ACH = "ACH", "ACH / eCheck"
        CHECK = "CHECK", "Check"
        WIRE = "WIRE", "Wire"
        CASH = "CASH", "Cash"

    class Purpose(models.TextChoices):
        INVOICES = "INVOICES", "Invoices"
        TOP_UP = "TOP_UP", "Top-up"

    class State(models.TextChoices):
        CREATED = "CREATED", "Recorded"
        UNKNOWN = "UNKNOWN", "No answer"
        PENDING = "PENDING", "Pending"
        SUCCEEDED = "SUCCEEDED", "Paid"
        FAILED = "FAILED", "Failed"
        CANCELLED = "CANCELLED", "Not sent"
        RETURNED = "RETURNED", "Returned"

    # The gateway has the last word: what it declined, or we believed never sent, it may still report as paid.
    TRANSITIONS = {
        State.CREATED: {State.UNKNOWN, State.PENDING, State.SUCCEEDED, State.FAILED, State.CANCELLED},
        State.UNKNOWN: {State.PENDING, State.SUCCEEDED, State.FAILED},
        State.PENDING: {State.SUCCEEDED, State.FAILED},
        State.SUCCEEDED: {State.RETURNED},
        State.FAILED: {State.PENDING, State.SUCCEEDED},
        State.CANCELLED: {State.PENDING, State.SUCCEEDED},
        State.RETURNED: set(),
    }
    OPEN = (State.CREATED, State.UNKNOWN, State.PENDING)

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="payments", db_index=False)
    method = models.ForeignKey(
        PaymentMethod, null=True, blank=True, on_delete=models.PROTECT, related_name="payments", db_index=False
    )
    kind = models.CharField(max_length=5, choices=Kind)
    gateway = models.CharField(max_length=20)
    purpose = models.CharField(max_length=8, choices=Purpose, default=Purpose.INVOICES)
    currency = models.CharField(max_length=3)
    amount = AmountField()
    fee = AmountField(default=0, help_text="FEE-1: the card service fee, charged with the payment.")
    fee_why = models.JSONField(default=dict, help_text="FEE-4: rate, cap, clause and reference that made the fee.")
    state = models.CharField(max_length=9, choices=State, default=State.CREATED)
    key = models.CharField(max_length=64, unique=True)
    gateway_reference = models.CharField(max_length=120, null=True, blank=True)
    reference = models.CharField(max_length=80, blank=True, help_text="Check number, wire reference.")
    attempt = models.PositiveSmallIntegerField(default=1, help_text="2 for the first retry.")
    automatic = models.BooleanField(default=False, help_text="SEAT-5: charged by the schedule.")
    failure_code = models.CharField(max_length=60, blank=True)
    failure = models.CharField(max_length=300, blank=True)
    hard = models.BooleanField(default=False, help_text="A decline that no retry of the same method will change.")
    made_by = models.CharField(max_length=200)
    on = models.DateField(help_text="The day it was made, in the seller's time zone.")
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True, help_text="When the gateway is asked about it.")
    looks = models.PositiveSmallIntegerField(default=0)

    class Meta:
        permissions = [
            ("take_payment", "Can charge a payment method"),
            ("book_payment", "Can book a check, wire or cash payment"),
            ("allocate_payment", "Can allocate payments to invoices"),
            ("refund_payment", "Can refund a payment"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "gateway_reference"],
                condition=Q(gateway_reference__isnull=False),
                name="gateway_payment_once",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0, fee__gte=0), name="payment_is_positive"),
            models.CheckConstraint(condition=Q(fee=0) | Q(kind="CARD"), name="fee_on_cards_only"),
        ]
        indexes = [
            models.Index(fields=["account", "-on"], name="payment_of_account"),
            models.Index(
                fields=["next_look_at"], condition=Q(state__in=["CREATED", "UNKNOWN", "PENDING"]), name="payment_open"
            ),
            models.Index(fields=["on"], name="payment_by_day"),
            models.Index(fields=["id"], condition=Q(state__in=["FAILED", "UNKNOWN"]), name="payment_to_look_at"),
        ]

    def __str__(self) -> str:
        return f"payment {self.pk}"


class PaymentTarget(models.Model):
    """
    An invoice that a payment is meant for, and how much of it.

    `is_open` while the gateway may still take the money: an invoice has one open attempt at most (P4), and the
    unique index on it, not a lock, is the guard.
    """

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="targets", db_index=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payment_targets")
    amount = AmountField()
    is_open = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payment", "invoice"], name="one_target_an_invoice"),
            models.UniqueConstraint(fields=["invoice"], condition=Q(is_open=True), name="one_open_attempt_an_invoice"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="target_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.amount:f} of payment {self.payment_id} for invoice {self.invoice_id}"


@keeps_to_transitions
class Refund(models.Model):
    """Money of a payment given back to the method it came from, with its part of the card fee (FEE-3)."""

    class State(models.TextChoices):
        CREATED = "CREATED", "Recorded"
        UNKNOWN = "UNKNOWN", "No answer"
        PENDING = "PENDING", "Pending"
        SUCCEEDED = "SUCCEEDED", "Refunded"
        FAILED = "FAILED", "Failed"

    TRANSITIONS = {
        State.CREATED: {State.UNKNOWN, State.PENDING, State.SUCCEEDED, State.FAILED},
        State.UNKNOWN: {State.PENDING, State.SUCCEEDED, State.FAILED},
        State.PENDING: {State.SUCCEEDED, State.FAILED},
        State.SUCCEEDED: {State.FAILED},
        State.FAILED: set(),
    }
    OPEN = (State.CREATED, State.UNKNOWN, State.PENDING)

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="refunds")
    currency = models.CharField(max_length=3)
    amount = AmountField(help_text="Without the fee.")
    fee = AmountField(default=0)
    state = models.CharField(max_length=9, choices=State, default=State.CREATED)
    key = models.CharField(max_length=64, unique=True)
    gateway_reference = models.CharField(max_length=120, null=True, blank=True)
    reason = models.CharField(max_length=300)
    failure = models.CharField(max_length=300, blank=True)
    made_by = models.CharField(max_length=200)
    on = models.DateField()
    created_at = models.DateTimeField()
    next_look_at = models.DateTimeField(null=True, blank=True)
    looks = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0, fee__gte=0), name="refund_is_positive"),
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"], condition=Q(state__in=["CREATED", "UNKNOWN", "PENDING"]), name="refund_open"
            ),
        ]

    def __str__(self) -> str:
        return f"refund {self.pk} of payment {self.payment_id}"


@keeps_to_transitions
class Chargeback(models.Model):
    """A card payment that the cardholder's bank took back; won, the money comes again."""

    class State(models.TextChoices):
        OPEN = "OPEN", "Open"
        WON = "WON", "Won"
        LOST = "LOST", "Lost"

    TRANSITIONS = {State.OPEN: {State.WON, State.LOST}, State.WON: {State.LOST}, State.LOST: {State.WON}}

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="chargebacks")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="chargebacks")
    gateway_reference = models.CharField(max_length=120, unique=True)
    currency = models.CharField(max_length=3)
    amount = AmountField(help_text="What the bank took back, its part of the fee included.")
    reason = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=4, choices=State, default=State.OPEN)
    opened_at = models.DateTimeField()
    answer_by_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["id"], condition=Q(state="OPEN"), name="chargeback_open")]

    def __str__(self) -> str:
        return f"chargeback {self.gateway_reference}"
