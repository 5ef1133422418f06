"""TAX-1: rates by place, category and date, and who is exempt."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from accounts.history import keeps_history
from accounts.models import Account


class DateRange(Func):
    """The half-open range of days of two columns, an empty end being open."""

    function = "DATERANGE"
    output_field = DateRangeField()


@keeps_history()
class TaxRate(models.Model):
    """
    A rate of one jurisdiction. A field that is empty matches every address.

    `valid_to_on` is the first day on which the rate no longer holds.
    """

    country = models.CharField(max_length=2)
    state = models.CharField(max_length=50, blank=True)
    county = models.CharField(max_length=100, blank=True)
    city = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    tax_category = models.CharField(max_length=40, blank=True, help_text="Empty: every category.")
    name = models.CharField(max_length=120, help_text="As printed on the invoice, such as “Colorado state sales tax”.")
    rate_percent = models.DecimalField(max_digits=9, decimal_places=6)
    valid_from_on = models.DateField()
    valid_to_on = models.DateField(null=True, blank=True, help_text="The first day on which it no longer holds.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(rate_percent__range=(0, 100)), name="tax_rate_within_bounds"),
            models.CheckConstraint(
                condition=Q(valid_to_on__isnull=True) | Q(valid_to_on__gt=F("valid_from_on")),
                name="tax_rate_ends_after_start",
            ),
            ExclusionConstraint(
                name="tax_rate_periods_do_not_overlap",
                expressions=[
                    ("country", RangeOperators.EQUAL),
                    ("state", RangeOperators.EQUAL),
                    ("county", RangeOperators.EQUAL),
                    ("city", RangeOperators.EQUAL),
                    ("postal_code", RangeOperators.EQUAL),
                    ("tax_category", RangeOperators.EQUAL),
                    ("name", RangeOperators.EQUAL),
                    (DateRange("valid_from_on", "valid_to_on", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                violation_error_message="This jurisdiction has a rate of that name in some of these days.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.rate_percent:f} % from {self.valid_from_on}"


@keeps_history()
class Exemption(models.Model):
    """An account's certificate that no tax of a country, or of one state of it, is due."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="tax_exemptions")
    country = models.CharField(max_length=2)
    state = models.CharField(max_length=50, blank=True, help_text="Empty: the whole country.")
    certificate = models.CharField(max_length=100)
    valid_from_on = models.DateField()
    valid_to_on = models.DateField(null=True, blank=True, help_text="The first day on which it no longer holds.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to_on__isnull=True) | Q(valid_to_on__gt=F("valid_from_on")),
                name="exemption_ends_after_start",
            ),
            ExclusionConstraint(
                name="exemption_periods_do_not_overlap",
                expressions=[
                    ("account", RangeOperators.EQUAL),
                    ("country", RangeOperators.EQUAL),
                    ("state", RangeOperators.EQUAL),
                    (DateRange("valid_from_on", "valid_to_on", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                violation_error_message="The account has an exemption there in some of these days.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.certificate} of account {self.account_id}"
