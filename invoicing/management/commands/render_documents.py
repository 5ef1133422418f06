"""manage.py render_documents: draw the PDFs that wait, until none is left."""

import os
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from invoicing.documents.rendering import render_pending

# Drawn between two looks at the clock, which the leases go by.
AT_A_TIME = 10_000


class Command(BaseCommand):
    help = "Draw the PDFs of issued invoices and credit notes that wait to be drawn."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one a core")
        parser.add_argument("--limit", type=int, help="at most so many; default: all that wait")

    def handle(self, *args: Any, processes: int, limit: int | None, **options: Any) -> None:
        started, drawn, parked = time.perf_counter(), 0, 0
        while limit is None or drawn + parked < limit:
            at_once = AT_A_TIME if limit is None else min(AT_A_TIME, limit - drawn - parked)
            done = render_pending(limit=at_once, now=timezone.now(), processes=max(processes, 1))
            drawn, parked = drawn + done.drawn, parked + done.parked
            if done.drawn + done.parked < at_once:
                break
        seconds = time.perf_counter() - started
        rate = f", {drawn / seconds:.0f} a second" if drawn else ""
        self.stdout.write(f"{drawn} drawn, {parked} parked in {seconds:.1f} s{rate}.")
