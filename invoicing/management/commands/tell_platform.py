"""`manage.py tell_platform`: what waits to be told to the provider's platform, by hand."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from invoicing.collections.operations import tell_platform


class Command(BaseCommand):
    help = "Tell the platform what waits and is due: whom to suspend, to restore, and what to start."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, default=10_000, help="At most so many calls.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the figures as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        told = tell_platform(now=timezone.now(), limit=options["limit"])
        self.stdout.write(json.dumps(told.as_json()) if options["as_json"] else f"{told}.")
