"""`manage.py hand_off --on DATE [--dry-run] [--json]`: the hand-over to the agency, by hand."""

from typing import Any

from django.utils import timezone

from accounts.actors import command_line
from invoicing.collections.doors import SweepCommand
from invoicing.collections.operations import hand_off


class Command(SweepCommand):
    help = "COLL-1: follow up, propose what is ripe, hand over what goes by itself, write the files."

    def handle(self, *args: Any, **options: Any) -> None:
        swept = hand_off(on=options["on"], now=timezone.now(), actor=command_line(), dry_run=options["dry_run"])
        self.tell(swept, options)
