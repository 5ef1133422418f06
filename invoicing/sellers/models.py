"""Who issues the invoices."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.history import keeps_history


@keeps_history(exclude=["logo"])
class Seller(models.Model):
    """The issuer of invoices: what stands at their top, and the time zone in which its days are read."""

    class PageSize(models.TextChoices):
        LETTER = "LETTER", "US Letter"
        A4 = "A4", "A4"

    name = models.CharField("legal name", max_length=200, unique=True)
    address_line = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=50, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    country = models.CharField(max_length=2, default="US", help_text="Two letters, ISO 3166.")
    email = models.EmailField(blank=True, help_text="The sender of invoice mails, and where customers answer.")
    phone = models.CharField(max_length=40, blank=True)
    tax_ids = ArrayField(
        models.CharField(max_length=60),
        default=list,
        blank=True,
        help_text="Printed at the foot of each invoice, such as “EIN 12-3456789”; separated by commas.",
    )
    logo = models.BinaryField(null=True, blank=True, help_text="PNG or JPEG, printed top left.")
    time_zone = models.CharField(
        max_length=60,
        default="UTC",
        help_text="Billing dates are days in this zone, such as America/Denver. It decides when the 1st begins.",
    )
    currency = models.CharField(max_length=3, default="USD", help_text="Where a book names no currency.")
    payment_instructions = models.TextField(
        blank=True, help_text="Printed under the total: bank, account, where to send a check."
    )
    page_size = models.CharField(max_length=6, choices=PageSize, default=PageSize.LETTER)
    is_default = models.BooleanField(default=False, help_text="The seller of accounts that name none.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="one_default_seller",
                violation_error_message="There is a default seller already.",
            ),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="seller_currency_code"),
        ]

    def __str__(self) -> str:
        return self.name


class Letterhead(models.Model):
    """What stood at the top and foot of invoices at one time: the seller's printed details, kept once by their hash."""

    append_only = True

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="letterheads")
    digest = models.CharField(max_length=64, unique=True)
    details = models.JSONField()
    logo = models.BinaryField(null=True)

    def __str__(self) -> str:
        return f"Letterhead {self.digest[:12]} of seller {self.seller_id}"


class NumberSeries(models.Model):
    """BILL-6: the counter of one kind of document. Taken under its row lock, in the transaction that issues."""

    class Kind(models.TextChoices):
        INVOICE = "INVOICE", "Invoices"
        CREDIT_NOTE = "CREDIT_NOTE", "Credit notes"

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="number_series")
    kind = models.CharField(max_length=12, choices=Kind)
    prefix = models.CharField(max_length=12, help_text="Before the number, such as INV-.")
    width = models.PositiveSmallIntegerField(default=6, help_text="Digits, filled with zeros.")
    first_number = models.PositiveBigIntegerField(default=1)
    next_number = models.PositiveBigIntegerField(default=1)

    class Meta:
        verbose_name_plural = "number series"
        constraints = [
            models.UniqueConstraint(fields=["seller", "kind"], name="one_series_a_kind"),
            models.UniqueConstraint(fields=["prefix"], name="series_prefix_once"),
            models.CheckConstraint(condition=Q(next_number__gte=models.F("first_number")), name="series_moves_on"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} of {self.seller_id}"

    def number(self, sequence: int) -> str:
        """The number as printed: `INV-000123`."""
        return f"{self.prefix}{sequence:0{self.width}d}"
