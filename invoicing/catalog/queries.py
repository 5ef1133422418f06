"""Which prices have been billed."""

from datetime import date

from django.db.models import Max
from django.db.models.functions import Greatest

from invoicing.catalog.models import Plan


def billed_until(plan: Plan) -> date | None:
    """The latest day on which a price of this plan was billed; a version from that day or before it has to stand."""
    # Lines and charges stand in higher rooms; they are asked for by the names that they gave the way back to us.
    found = Plan.objects.filter(pk=plan.pk).aggregate(
        last=Greatest(Max("subscriptions__invoice_lines__period_start"), Max("one_off_charges__billed_on"))
    )
    last: date | None = found["last"]
    return last
