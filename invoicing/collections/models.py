"""What is not paid: holds, suspensions, and what is with the collections agency."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Account
from invoicing.documents.models import Letter
from invoicing.fields import AmountField
from invoicing.invoices.models import Invoice
from invoicing.sellers.models import Seller
from invoicing.states import keeps_to_transitions


class Hold(models.Model):
    """
    Why nobody is reminded, suspended or handed over: of one invoice, or, without one, of the whole account.

    `until_on` is the last day it holds; without it, it holds until it is lifted.
    """

    class Kind(models.TextChoices):
        DISPUTE = "DISPUTE", "In dispute"
        PROMISE = "PROMISE", "Promise to pay"
        EXEMPTION = "EXEMPTION", "Exempt from dunning"
        OTHER = "OTHER", "On hold"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    invoice = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="holds")
    kind = models.CharField(max_length=9, choices=Kind)
    until_on = models.DateField(null=True, blank=True)
    why = models.CharField(max_length=300)
    placed_by = models.CharField(max_length=200)
    placed_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=200, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("place_hold", "Can place and lift holds, promises and exemptions")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind__in=["PROMISE", "EXEMPTION"]) | Q(until_on__isnull=False), name="promise_has_a_day"
            ),
            models.CheckConstraint(condition=~Q(why=""), name="hold_has_a_reason"),
        ]
        indexes = [models.Index(fields=["account"], condition=Q(lifted_at__isnull=True), name="hold_in_force")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of account {self.account_id} #{self.pk}"


class Reminder(models.Model):
    """
    One invoice on a reminder, at the stage `days` of the terms: days after its due date, negative before it.

    The unique index, not the letter, keeps a stage from being reached twice: one letter lists all that an account is
    reminded of on a day.
    """

    append_only = True

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="reminders")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="reminders", db_index=False)
    days = models.SmallIntegerField()
    on = models.DateField()
    amount = AmountField(help_text="What was open of the invoice then.")
    letter = models.ForeignKey(Letter, on_delete=models.PROTECT, related_name="reminders")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invoice", "days"], name="reminded_once_a_stage")]

    def __str__(self) -> str:
        return f"reminder of invoice {self.invoice_id} at {self.days} days"


@keeps_to_transitions
class Suspension(models.Model):
    """
    SUSP-1: service withheld, and why. Payment lifts only what non-payment caused; credit, what want of credit caused.

    One in force a reason: an account may be suspended for several.
    """

    class Reason(models.TextChoices):
        NON_PAYMENT = "NON_PAYMENT", "Not paid"
        WANT_OF_CREDIT = "WANT_OF_CREDIT", "Prepaid balance too low"
        OTHER = "OTHER", "Another reason"

    class State(models.TextChoices):
        WARNED = "WARNED", "Warned"
        ACTIVE = "ACTIVE", "Suspended"
        LIFTED = "LIFTED", "Lifted"

    TRANSITIONS = {State.WARNED: {State.ACTIVE, State.LIFTED}, State.ACTIVE: {State.LIFTED}, State.LIFTED: set()}

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="suspensions")
    reason = models.CharField(max_length=14, choices=Reason)
    clause = models.CharField(max_length=12)
    why = models.CharField(max_length=300)
    state = models.CharField(max_length=6, choices=State)
    effective_on = models.DateField(help_text="The day on which service is withheld.")
    warned_of = ArrayField(models.BigIntegerField(), default=list, help_text="The invoices that the warning lists.")
    made_by = models.CharField(max_length=200)
    made_at = models.DateTimeField()
    suspended_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=200, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_because = models.CharField(max_length=300, blank=True)

    class Meta:
        permissions = [("suspend_account", "Can suspend and restore accounts")]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "reason"], condition=~Q(state="LIFTED"), name="one_suspension_a_reason"
            ),
        ]
        indexes = [models.Index(fields=["state", "account"], condition=~Q(state="LIFTED"), name="suspension_in_force")]

    def __str__(self) -> str:
        return f"suspension {self.pk} of account {self.account_id}"


class PlatformEndpoint(models.Model):
    """Where the provider's platform is told to suspend, restore or start a service; each call is signed."""

    name = models.CharField(max_length=100, unique=True)
    url = models.URLField(help_text="https, and no private address.")
    secret = models.CharField(max_length=64, help_text="Signs each call, so that the platform knows it is ours.")
    is_on = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


@keeps_to_transitions
class PlatformNotice(models.Model):
    """One thing the platform is told, with its state, attempts and last error; `key` keeps it from being told twice."""

    class Event(models.TextChoices):
        SUSPEND = "SUSPEND", "Suspend"
        RESTORE = "RESTORE", "Restore"
        START = "START", "Start what was paid"

    class State(models.TextChoices):
        PENDING = "PENDING", "To be told"
        TOLD = "TOLD", "Told"
        PARKED = "PARKED", "Parked"

    TRANSITIONS = {
        State.PENDING: {State.TOLD, State.PARKED},
        State.PARKED: {State.PENDING, State.TOLD},
        State.TOLD: set(),
    }

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="platform_notices")
    endpoint = models.ForeignKey(PlatformEndpoint, null=True, on_delete=models.PROTECT, related_name="notices")
    event = models.CharField(max_length=7, choices=Event)
    key = models.CharField(max_length=80, unique=True)
    payload = models.JSONField()
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    made_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("retry_notice", "Can tell the platform again")]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="PENDING"), name="notice_to_tell"),
            models.Index(fields=["id"], condition=Q(state="PARKED"), name="notice_parked"),
        ]

    def __str__(self) -> str:
        return self.key


class PlacementBatch(models.Model):
    """COLL-1: one hand-over to the agency: its file is written once, with row count, total and hash."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="placement_batches")
    on = models.DateField()
    rows = models.PositiveIntegerField(default=0)
    totals = models.JSONField(default=dict, help_text="By currency.")
    path = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    approved_by = models.CharField(max_length=200)
    approved_at = models.DateTimeField()
    written_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "placement batches"
        permissions = [("approve_placement", "Can approve a hand-over to the agency")]

    def __str__(self) -> str:
        return f"hand-over {self.on} #{self.pk}"


@keeps_to_transitions
class Placement(models.Model):
    """COLL-1: an account's unpaid invoices, with the agency. An account is in one open placement at most."""

    class State(models.TextChoices):
        PROPOSED = "PROPOSED", "Proposed"
        PLACED = "PLACED", "With the agency"
        CLOSED = "CLOSED", "Closed"
        RECALLED = "RECALLED", "Recalled"
        DECLINED = "DECLINED", "Not handed over"

    TRANSITIONS = {
        State.PROPOSED: {State.PLACED, State.DECLINED},
        State.PLACED: {State.CLOSED, State.RECALLED},
        State.CLOSED: set(),
        State.RECALLED: set(),
        State.DECLINED: set(),
    }

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="placements")
    batch = models.ForeignKey(
        PlacementBatch, null=True, blank=True, on_delete=models.PROTECT, related_name="placements"
    )
    state = models.CharField(max_length=8, choices=State, default=State.PROPOSED)
    currency = models.CharField(max_length=3)
    amount = AmountField(help_text="Of its invoices when it was proposed, or, once placed, when it was placed.")
    proposed_on = models.DateField()
    proposed_at = models.DateTimeField()
    placed_on = models.DateField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_because = models.CharField(max_length=300, blank=True)

    class Meta:
        permissions = [
            ("book_remittance", "Can book what the agency remits"),
            ("write_off", "Can write off what is not collected"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(state__in=["PROPOSED", "PLACED"]), name="one_open_placement"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="placement_is_positive"),
        ]
        indexes = [models.Index(fields=["state"], condition=Q(state="PROPOSED"), name="placement_to_approve")]

    def __str__(self) -> str:
        return f"placement {self.pk} of account {self.account_id}"


class PlacementInvoice(models.Model):
    """One invoice of a placement, and what was open of it when it was placed."""

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="invoices", db_index=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="placements")
    amount = AmountField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["placement", "invoice"], name="placed_once")]

    def __str__(self) -> str:
        return f"invoice {self.invoice_id} in placement {self.placement_id}"


class PlacementRecord(models.Model):
    """What the agency is told afterwards (money that came, a recall), and what it remits; each by a unique `key`."""

    append_only = True

    class Kind(models.TextChoices):
        PAYMENT = "PAYMENT", "Paid to us"
        CREDIT = "CREDIT", "Credited"
        RECALL = "RECALL", "Recalled"
        REMITTANCE = "REMITTANCE", "Remitted by the agency"
        WRITE_OFF = "WRITE_OFF", "Written off"
        REVERSAL = "REVERSAL", "Remittance reversed"

    placement = models.ForeignKey(Placement, on_delete=models.PROTECT, related_name="records")
    kind = models.CharField(max_length=10, choices=Kind)
    key = models.CharField(max_length=80, unique=True)
    on = models.DateField()
    amount = AmountField(default=0)
    commission = AmountField(default=0)
    note = models.CharField(max_length=300, blank=True)
    made_by = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key
