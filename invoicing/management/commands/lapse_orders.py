"""`manage.py lapse_orders --on DATE [--dry-run] [--json]`: orders that nobody paid in time, by hand."""

from typing import Any

from django.utils import timezone

from invoicing.collections.doors import SweepCommand
from invoicing.orders.lapsing import lapse_orders


class Command(SweepCommand):
    help = "Cancel and credit the orders that were not paid within the days that their terms give (SVC-1, SEAT-2)."

    def handle(self, *args: Any, **options: Any) -> None:
        swept = lapse_orders(on=options["on"], now=timezone.now(), dry_run=options["dry_run"])
        self.tell(swept, options)
