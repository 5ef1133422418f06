"""Reports that are written to a file in the background."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from invoicing.states import keeps_to_transitions


@keeps_to_transitions
class ReportExport(models.Model):
    """
    A report that somebody wants as a workbook: work as a row, with a state, a lease, attempts and the last error.

    `params` are the filters; `rows` counts what is written so far, and at the end what stands in the file.
    """

    class State(models.TextChoices):
        PENDING = "PENDING", "Waits"
        RUNNING = "RUNNING", "Being written"
        DONE = "DONE", "Ready"
        FAILED = "FAILED", "Failed"

    TRANSITIONS = {
        State.PENDING: {State.RUNNING},
        State.RUNNING: {State.PENDING, State.DONE, State.FAILED},
        State.DONE: set(),
        State.FAILED: {State.PENDING},
    }

    name = models.CharField(max_length=20)
    params = models.JSONField()
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    rows = models.PositiveBigIntegerField(default=0)
    path = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(null=True)
    error = models.TextField(blank=True)
    made_by = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [("view_reports", "Can see and export reports")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="DONE") | (~Q(path="") & ~Q(sha256="")), name="finished_export_has_hash"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state__in=["PENDING", "RUNNING"]), name="export_to_write"),
            models.Index(fields=["user", "-made_at"], name="export_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.name} report {self.pk}"
