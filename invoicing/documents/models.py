"""What is drawn and sent: work as rows, with a state, a lease, attempts and the last error."""

from django.db import models
from django.db.models import Q

from accounts.models import Account


class Document(models.Model):
    """
    A PDF to be drawn from stored rows, and, once drawn, where it is and its hash.

    `kind` and `subject_id` name what it shows (invoice 17); the room that owns the subject registers
    how it is composed. Drawing again gives the same bytes.
    """

    class Kind(models.TextChoices):
        INVOICE = "INVOICE", "Invoice"
        CREDIT_NOTE = "CREDIT_NOTE", "Credit note"
        RECEIPT = "RECEIPT", "Receipt"
        REMINDER = "REMINDER", "Reminder"
        NOTICE = "NOTICE", "Notice"
        STATEMENT = "STATEMENT", "Statement"

    class State(models.TextChoices):
        PENDING = "PENDING", "To be drawn"
        RENDERED = "RENDERED", "Drawn"
        PARKED = "PARKED", "Parked"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=12, choices=Kind)
    subject_id = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    path = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveIntegerField(null=True)
    rendered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject_id", "kind"], name="one_document_a_subject"),
            models.CheckConstraint(
                condition=~Q(state="RENDERED") | (~Q(path="") & ~Q(sha256="")), name="rendered_document_has_hash"
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(state="PENDING"), name="document_to_draw")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject_id} (document {self.pk})"


class Letter(models.Model):
    """
    What is written to a customer besides invoices: a receipt, a reminder, a warning, a statement.

    `key` says what it is about, such as `reminder:17:7`, and is unique: nothing is written twice. `details` holds
    every word and figure, so that drawing it again gives the same page.
    """

    append_only = True

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="letters", db_index=False)
    kind = models.CharField(max_length=12, choices=Document.Kind)
    key = models.CharField(max_length=80)
    on = models.DateField()
    details = models.JSONField()
    written_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key"], name="letter_written_once")]
        indexes = [models.Index(fields=["account", "-on"], name="letter_of_account")]

    def __str__(self) -> str:
        return self.key


class Delivery(models.Model):
    """
    One mail of one document to one address.

    SENDING is written before the mail server is spoken to; a delivery found so after its lease ran out
    may have gone out, and becomes UNCERTAIN for a person to look at: nobody gets a second mail by itself.
    """

    class State(models.TextChoices):
        PENDING = "PENDING", "To be sent"
        SENDING = "SENDING", "Being sent"
        SENT = "SENT", "Sent"
        PARKED = "PARKED", "Parked"
        UNCERTAIN = "UNCERTAIN", "Perhaps sent"

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    address = models.CharField(max_length=254)
    sequence = models.PositiveSmallIntegerField(
        default=1, help_text="1, or higher where somebody asked to send it again."
    )
    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    message_id = models.CharField(max_length=200, blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["document", "address", "sequence"], name="one_mail_an_address"),
            models.CheckConstraint(
                condition=~Q(state="SENT") | Q(sent_at__isnull=False), name="sent_delivery_has_time"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state__in=["PENDING", "SENDING"]), name="delivery_to_send"),
            models.Index(fields=["state"], condition=Q(state__in=["PARKED", "UNCERTAIN"]), name="delivery_failed"),
        ]

    def __str__(self) -> str:
        return f"Delivery {self.pk} of document {self.document_id} to {self.address}"
