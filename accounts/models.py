"""Accounts, their contacts, and the record of what was asked and done."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from accounts.actors import ActorKind, Channel, Role
from accounts.history import keeps_history


@keeps_history()
class Account(models.Model):
    """Somebody who is billed: a customer, a partner, or a client that is billed through its partner."""

    class Kind(models.TextChoices):
        CUSTOMER = "CUSTOMER", "Customer"
        PARTNER = "PARTNER", "Partner"
        CLIENT = "CLIENT", "Client of a partner"

    number = models.CharField(max_length=40, unique=True, help_text="The account number, as on the invoices.")
    name = models.CharField("legal name", max_length=200)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CUSTOMER)
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="clients",
        verbose_name="partner",
        help_text="The partner that is invoiced for this client.",
    )
    address_line = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    county = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=50, blank=True, help_text="Two letters in the United States, such as CO.")
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, default="US", help_text="Two letters, ISO 3166.")
    phone = models.CharField(max_length=40, blank=True)
    signed_up_on = models.DateField()
    invoice_emails = ArrayField(
        models.EmailField(),
        default=list,
        blank=True,
        help_text="Where invoices are sent. A delivery address grants nothing (AUTH-4).",
    )
    purchase_order = models.CharField("purchase-order number", max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(kind="CLIENT") & Q(parent__isnull=False)) | (~Q(kind="CLIENT") & Q(parent__isnull=True)),
                name="account_client_has_partner",
                violation_error_message="A client has a partner; a customer and a partner have none.",
            ),
            models.CheckConstraint(condition=Q(country__regex="^[A-Z]{2}$"), name="account_country_code"),
        ]
        indexes = [
            models.Index(Upper("name"), name="account_name_upper"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


@keeps_history()
class Contact(models.Model):
    """A person who speaks for an account, as far as their roles go."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="contacts")
    name = models.CharField(max_length=200)
    email = models.EmailField()
    phone = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "account",
                Upper("email"),
                name="contact_email_once_an_account",
                violation_error_message="This account has a contact with that e-mail address.",
            ),
        ]
        indexes = [
            models.Index(Upper("email"), name="contact_email_upper"),
            models.Index(Upper("name"), name="contact_name_upper"),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@keeps_history()
class ContactRole(models.Model):
    """AUTH-1: one role of one contact. One Primary an account, at most one Primary Billing Contact."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="contact_roles")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(
        max_length=16, choices=[(role.value, role.value.replace("_", " ").title()) for role in Role]
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contact", "role"], name="contact_role_once"),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(role="PRIMARY"),
                name="one_primary_contact",
                violation_error_message="AUTH-1: an account has exactly one Primary Contact.",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(role="PRIMARY_BILLING"),
                name="one_primary_billing_contact",
                violation_error_message="AUTH-1: an account has at most one Primary Billing Contact.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} of account {self.account_id}: contact {self.contact_id}"


class Decision(models.Model):
    """What the authority answered to one request, allowed or refused, in the words that were shown."""

    append_only = True

    account = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="decisions")
    action = models.CharField(max_length=40)
    allowed = models.BooleanField()
    who = models.CharField(max_length=200)
    actor_kind = models.CharField(max_length=10, choices=[(kind.value, kind.value.title()) for kind in ActorKind])
    contact_id_asked = models.BigIntegerField(null=True)
    recorded_by = models.CharField(max_length=200, blank=True)
    channel = models.CharField(max_length=10, choices=[(channel.value, channel.value.title()) for channel in Channel])
    clauses = ArrayField(models.CharField(max_length=12), default=list)
    refusals = models.JSONField(default=list, help_text="Each with clause, sentence and way out.")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "-at"], name="decision_of_account")]

    def __str__(self) -> str:
        return f"{self.action} {'allowed' if self.allowed else 'refused'} {self.at:%Y-%m-%d %H:%M} #{self.pk}"


class AuditEntry(models.Model):
    """P11: who changed what, when, through which door, and why."""

    append_only = True

    account = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="audit_entries")
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120, help_text="What was changed, such as “run 2026-12-01”.")
    who = models.CharField(max_length=200)
    channel = models.CharField(max_length=10, choices=[(channel.value, channel.value.title()) for channel in Channel])
    why = models.TextField(blank=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["account", "-at"], name="audit_of_account"),
            models.Index(fields=["-at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject} #{self.pk}"


class ApiToken(models.Model):
    """
    A key with which a machine signs in to the API; only its digest is kept.

    `scopes` names what it may do, such as `usage:write`.
    """

    name = models.CharField(max_length=100, unique=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=8, help_text="The first letters of the key, to tell it from others.")
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("manage_tokens", "Can make and revoke API tokens")]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"


class Invitation(models.Model):
    """
    A link by which a contact makes its sign-in, once and for a limited time; only the link's digest is kept.

    It is good for the address that it was sent to: a contact whose address changes is invited again.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    digest = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.CharField(max_length=200)
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="A later one took its place, or its mail could not be sent.")

    class Meta:
        permissions = [("invite_contact", "Can invite contacts to sign in")]
        indexes = [models.Index(Upper("email"), "invited_at", name="invitation_by_address")]

    def __str__(self) -> str:
        return f"invitation {self.pk} of {self.email}"


class SentForm(models.Model):
    """A form of the customers' pages that was sent, by its ticket's digest: what it asks for is done once."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"form {self.pk} of account {self.account_id}"
