"""What is bought and paid at once: professional services (SVC-1) and seats (SEAT-2)."""

from django.db import models
from django.db.models import Q

from accounts.models import Account
from invoicing.invoices.models import Invoice
from invoicing.states import keeps_to_transitions
from invoicing.subscriptions.models import OneOffCharge, Subscription


@keeps_to_transitions
class Order(models.Model):
    """
    From what was asked for to what was done: nothing starts before it is paid.

    An order is of one service (`one_off`) or of one seat (`subscription`), and stands on one invoice, on which others
    may stand too: a month's invoice carries what was asked for on its day.
    """

    class Kind(models.TextChoices):
        SERVICE = "SERVICE", "Professional service"
        SEAT = "SEAT", "Seat"

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", "Waits for authorization"
        AUTHORIZED = "AUTHORIZED", "To be invoiced"
        INVOICED = "INVOICED", "Waits for payment"
        PAID = "PAID", "Work may start"
        STARTED = "STARTED", "Started"
        DONE = "DONE", "Done"
        CANCELLED = "CANCELLED", "Cancelled"

    TRANSITIONS = {
        State.REQUESTED: {State.AUTHORIZED, State.CANCELLED},
        State.AUTHORIZED: {State.INVOICED, State.CANCELLED},
        State.INVOICED: {State.PAID, State.CANCELLED},
        # A payment that is returned before the start takes the leave to start with it.
        State.PAID: {State.STARTED, State.INVOICED, State.CANCELLED},
        State.STARTED: {State.DONE},
        State.DONE: set(),
        State.CANCELLED: set(),
    }

    BEFORE_THE_START = (State.REQUESTED, State.AUTHORIZED, State.INVOICED, State.PAID)

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="orders")
    kind = models.CharField(max_length=7, choices=Kind)
    one_off = models.OneToOneField(OneOffCharge, null=True, blank=True, on_delete=models.SET_NULL, related_name="order")
    subscription = models.OneToOneField(
        Subscription, null=True, blank=True, on_delete=models.PROTECT, related_name="order"
    )
    invoice = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="orders")
    state = models.CharField(max_length=10, choices=State)
    description = models.CharField(max_length=300)
    asked_by = models.CharField(max_length=200)
    asked_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("work_order", "Can start, finish and cancel orders")]
        indexes = [
            models.Index(
                fields=["state"],
                condition=Q(state__in=["REQUESTED", "AUTHORIZED", "INVOICED", "PAID", "STARTED"]),
                name="order_open",
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"
