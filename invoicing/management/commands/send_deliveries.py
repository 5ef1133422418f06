"""manage.py send_deliveries: send the mails that are due, until none is left."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from invoicing.documents.sending import Sending, send_pending

# Sent between two looks at the clock, which leases and pauses go by.
AT_A_TIME = 200


class Command(BaseCommand):
    help = "Send the mails that are due and whose PDFs are drawn."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, help="at most so many; default: all that are due")

    def handle(self, *args: Any, limit: int | None, **options: Any) -> None:
        started, total = time.perf_counter(), Sending()
        left = limit
        while left is None or left > 0:
            at_once = AT_A_TIME if left is None else min(AT_A_TIME, left)
            done = send_pending(limit=at_once, now=timezone.now())
            total = Sending(*(sum(both) for both in zip(total, done, strict=True)))
            left = None if left is None else left - at_once
            if done.sent + done.parked < at_once:
                break
        seconds = time.perf_counter() - started
        self.stdout.write(
            f"{total.sent} sent, {total.waiting} put off, {total.parked} parked, {total.uncertain} uncertain"
            f" in {seconds:.1f} s."
        )
