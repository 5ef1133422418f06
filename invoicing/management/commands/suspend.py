"""`manage.py suspend --on DATE [--dry-run] [--json]`: warnings, suspensions and what lifts them, by hand."""

from typing import Any

from django.utils import timezone

from accounts.actors import command_line
from invoicing.collections.doors import SweepCommand
from invoicing.collections.operations import suspend


class Command(SweepCommand):
    help = "Warn, suspend and restore what is due on a day (SUSP-1, PRE-4)."

    def handle(self, *args: Any, **options: Any) -> None:
        swept = suspend(on=options["on"], now=timezone.now(), actor=command_line(), dry_run=options["dry_run"])
        self.tell(swept, options)
