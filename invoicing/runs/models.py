"""The month-start run and what became of each account in it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Account
from invoicing.fields import AmountField
from invoicing.invoices.models import Invoice
from invoicing.sellers.models import Seller


class Run(models.Model):
    """
    The billing of one seller's accounts on one day, which is frozen in `on`.

    There is one run a seller and day: a second trigger joins it, and what falls due later that day is added to it.
    """

    class State(models.TextChoices):
        PROPOSING = "PROPOSING", "Proposing"
        REVIEW = "REVIEW", "Waits for review"
        ISSUING = "ISSUING", "Issuing"
        DONE = "DONE", "Done"
        DISCARDED = "DISCARDED", "Discarded"

    TRANSITIONS = {
        State.PROPOSING: {State.REVIEW, State.ISSUING, State.DONE, State.DISCARDED},
        State.REVIEW: {State.PROPOSING, State.ISSUING, State.DONE, State.DISCARDED},
        State.ISSUING: {State.DONE, State.PROPOSING, State.REVIEW},
        State.DONE: {State.PROPOSING, State.ISSUING},
        State.DISCARDED: set(),
    }

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="runs")
    on = models.DateField()
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSING)
    hold_reasons = ArrayField(models.TextField(), default=list, blank=True)
    opened_by = models.CharField(max_length=200)
    opened_at = models.DateTimeField()
    approved_by = models.CharField(max_length=200, blank=True)
    approved_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [
            ("start_run", "Can start a billing run"),
            ("approve_run", "Can approve or discard a billing run"),
            ("retry_parked", "Can retry parked accounts"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["seller", "on"], condition=~Q(state="DISCARDED"), name="one_run_a_day"),
        ]

    def __str__(self) -> str:
        return f"run {self.on} #{self.pk}"


class RunItem(models.Model):
    """
    What became of one account in a run: invoiced, nothing due, or parked with a reason.

    A proposal or a parked account is *open*; an account has one open item at most. `superseded_by` is the later
    run that took a parked account over.
    """

    class Outcome(models.TextChoices):
        PROPOSED = "PROPOSED", "Proposed"
        INVOICED = "INVOICED", "Invoiced"
        NOTHING_DUE = "NOTHING_DUE", "Nothing due"
        PARKED = "PARKED", "Parked"

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="items", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="run_items", db_index=False)
    sequence = models.PositiveSmallIntegerField(
        default=1, help_text="2 where an account bought something on a day already billed."
    )
    outcome = models.CharField(max_length=11, choices=Outcome)
    reason = models.TextField(blank=True, help_text="Why it is parked, in a sentence.")
    invoice = models.OneToOneField(Invoice, null=True, on_delete=models.SET_NULL, related_name="run_item")
    currency = models.CharField(max_length=3)
    total = AmountField(default=0)
    next_billing_on = models.DateField(null=True, help_text="When the account is looked at next, once this is issued.")
    billed_until_on = models.DateField(null=True)
    profile_revision = models.PositiveIntegerField(default=0)
    superseded_by = models.ForeignKey(Run, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "account", "sequence"], name="one_item_an_account"),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(outcome__in=["PROPOSED", "PARKED"], superseded_by__isnull=True),
                name="one_open_item_an_account",
            ),
            models.CheckConstraint(condition=~Q(outcome="PARKED") | ~Q(reason=""), name="parked_with_a_reason"),
        ]
        indexes = [
            models.Index(fields=["run"], condition=Q(outcome="PARKED"), name="item_parked"),
            models.Index(fields=["account", "-run"], name="item_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} account {self.account_id} in run {self.run_id}"
