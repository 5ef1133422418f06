"""`manage.py remind --on DATE [--dry-run] [--json]`: the reminders of a day, by hand."""

from typing import Any

from django.utils import timezone

from invoicing.collections.doors import SweepCommand
from invoicing.collections.operations import remind


class Command(SweepCommand):
    help = "Write the reminders of a day: once a stage, one mail an account."

    def handle(self, *args: Any, **options: Any) -> None:
        swept = remind(on=options["on"], now=timezone.now(), dry_run=options["dry_run"])
        self.tell(swept, options)
