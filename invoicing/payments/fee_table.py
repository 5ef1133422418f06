"""FEE-4: the card service fee's dated table."""

from django.db import models
from django.db.models import F, Q

from accounts.history import keeps_history
from invoicing.fields import AmountField
from invoicing.payments.models import PaymentMethod


@keeps_history()
class CardFeeRate(models.Model):
    """
    FEE-4: the card service fee from a day on, by the account's billing state and the card's funding.

    The narrowest row that is valid on the day counts: state and funding, then state, then funding, then neither.
    """

    state = models.CharField(max_length=2, blank=True, help_text="Two letters, such as CO; empty: every other state.")
    funding = models.CharField(
        max_length=7, blank=True, choices=PaymentMethod.Funding, help_text="Empty: every other funding."
    )
    rate_percent = models.DecimalField(max_digits=6, decimal_places=3)
    cap = AmountField(null=True, blank=True, help_text="The fee is at most so much, in the payment's currency.")
    clause = models.CharField(max_length=12, default="FEE-1")
    legal_reference = models.CharField(max_length=200, blank=True)
    valid_from_on = models.DateField()
    valid_to_on = models.DateField(null=True, blank=True, help_text="The first day on which it no longer holds.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["state", "funding", "valid_from_on"], name="one_fee_rate_a_day"),
            models.CheckConstraint(condition=Q(rate_percent__range=(0, 10)), name="fee_rate_within_bounds"),
            models.CheckConstraint(
                condition=Q(valid_to_on__isnull=True) | Q(valid_to_on__gt=F("valid_from_on")),
                name="fee_rate_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rate_percent:f} % in {self.state or 'every other state'} from {self.valid_from_on}"
