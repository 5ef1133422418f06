"""manage.py import_book: a provider's book of accounts, from a folder of CSV files or an XLSX workbook."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import command_line
from invoicing.book.changes import ImportPlan
from invoicing.book.operations import BookRefused, import_book, read_book

MOST_LINES = 200


class Command(BaseCommand):
    help = (
        "Import accounts, contacts, products, subscriptions and taxes. Importing the same book again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", metavar="PATH", help="a folder of CSV files, or one XLSX workbook")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the result as JSON")

    def handle(self, *args: Any, path: str, dry_run: bool, as_json: bool, **options: Any) -> None:
        started = time.perf_counter()
        self._tell(started, f"reading {path}")
        try:
            plan = import_book(
                read_book(Path(path)),
                actor=command_line(),
                now=timezone.now(),
                dry_run=dry_run,
                progress=lambda step: self._tell(started, step),
            )
        except BookRefused as refused:
            self._show_errors(refused.plan, dry_run=dry_run, as_json=as_json)
            if as_json:
                sys.exit(1)
            raise CommandError(str(refused)) from refused
        took = time.perf_counter() - started
        if as_json:
            self.stdout.write(json.dumps(as_printed(plan, dry_run=dry_run)))
        else:
            self._show(plan, dry_run=dry_run)
        self._tell(started, f"took {took:.1f} s")

    def _tell(self, started: float, step: str) -> None:
        """Progress goes to standard error, so that the result can be piped on."""
        self.stderr.write(f"{time.perf_counter() - started:6.1f} s  {step}", self.style.NOTICE)

    def _show(self, plan: ImportPlan, *, dry_run: bool) -> None:
        would = "would be " if dry_run else ""
        for name, sheet in plan.sheets.items():
            self.stdout.write(
                f"{name}: {sheet.new:,} {would}new, {sheet.changed:,} {would}changed, {sheet.unchanged:,} unchanged"
            )
            for change in sheet.changes:
                differences = ", ".join(
                    f"{column} “{before}” → “{change.after[column]}”" for column, before in change.before.items()
                )
                self.stdout.write(f"  row {change.row}, {change.name}: {differences}")

    def _show_errors(self, plan: ImportPlan, *, dry_run: bool, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(as_printed(plan, dry_run=dry_run)))
            return
        for error in plan.errors[:MOST_LINES]:
            self.stdout.write(str(error))
        if len(plan.errors) > MOST_LINES:
            self.stdout.write(f"and {len(plan.errors) - MOST_LINES:,} more; {len(plan.errors):,} in all.")


def as_printed(plan: ImportPlan, *, dry_run: bool) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "dry_run": dry_run,
        "sheets": plan.counts,
        "errors": [error.as_json() for error in plan.errors],
    }
