"""What gateways told us, as it came: stored once, worked off by `events`."""

from django.db import models
from django.db.models import Q

from invoicing.payments.models import Payment
from invoicing.states import keeps_to_transitions


@keeps_to_transitions
class WebhookEvent(models.Model):
    """
    A notice from a gateway, its signature checked, stored once by its id and worked off later.

    `PARKED` waits for a person: a settled charge of which we know nothing, an amount or currency that differs.
    `KEPT` is of a type that we do nothing with.
    """

    class State(models.TextChoices):
        RECEIVED = "RECEIVED", "To be worked off"
        DONE = "DONE", "Worked off"
        KEPT = "KEPT", "Kept, nothing to do"
        PARKED = "PARKED", "Waits for a person"

    TRANSITIONS = {
        State.RECEIVED: {State.DONE, State.KEPT, State.PARKED},
        State.PARKED: {State.RECEIVED, State.DONE},
        State.DONE: set(),
        State.KEPT: {State.RECEIVED},
    }

    gateway = models.CharField(max_length=20)
    event_id = models.CharField(max_length=120)
    type = models.CharField(max_length=80)
    body = models.TextField(help_text="As it came, with card numbers masked.")
    state = models.CharField(max_length=8, choices=State, default=State.RECEIVED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    payment = models.ForeignKey(
        Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    made_at = models.DateTimeField(help_text="When the gateway says it happened.")
    received_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("resolve_event", "Can settle a gateway's notice that waits for a person")]
        constraints = [models.UniqueConstraint(fields=["gateway", "event_id"], name="gateway_event_once")]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="RECEIVED"), name="event_to_work_off"),
            models.Index(fields=["-id"], condition=Q(state="PARKED"), name="event_parked"),
            models.Index(fields=["payment"], condition=Q(payment__isnull=False), name="event_of_payment"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
