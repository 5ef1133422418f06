"""`manage.py import_usage FILE.csv`: uses that the platform did not send by the API."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import command_line
from invoicing.money import format_money
from invoicing.prepaid.bell import ring_for_top_ups
from invoicing.prepaid.usage import ACCEPTED, DUPLICATE, REFUSED
from invoicing.prepaid.usage_files import FileRefused, Imported, import_usage


class Command(BaseCommand):
    help = (
        "Take the uses of a CSV file with the columns key, account, product, at, quantity and detail; the same file "
        "again changes nothing. Exit code 1 where a row was refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="FILE.csv", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="Keep nothing, and print what would become of it.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the result as JSON.")

    def handle(self, *args: Any, path: Path, dry_run: bool, as_json: bool, **options: Any) -> None:
        try:
            imported = import_usage(
                path,
                actor=command_line(),
                now=timezone.now(),
                at_most_days_old=settings.USAGE_AT_MOST_DAYS_OLD,
                dry_run=dry_run,
            )
        except (FileRefused, OSError) as error:
            raise CommandError(str(error)) from error
        if not dry_run:
            ring_for_top_ups(imported.to_top_up)
        if as_json:
            self.stdout.write(json.dumps(as_printed(imported, path, dry_run=dry_run)))
        else:
            self._tell(imported, dry_run=dry_run)
        if imported.refused:
            sys.exit(1)

    def _tell(self, imported: Imported, *, dry_run: bool) -> None:
        for refused in imported.refused:
            self.stdout.write(str(refused))
        cost = ", ".join(format_money(amount, currency) for currency, amount in sorted(imported.amounts.items()))
        counts = imported.outcomes
        self.stdout.write(
            f"{counts[ACCEPTED]:,} uses {'would be ' if dry_run else ''}accepted ({cost or 'nothing'}), "
            f"{counts[DUPLICATE]:,} duplicates, {counts[REFUSED]:,} refused."
        )
        if halted := sorted(number for number, standing in imported.accounts.items() if not standing.may_go_on):
            self.stdout.write(f"May not go on: {', '.join(halted)}.")


def as_printed(imported: Imported, path: Path, *, dry_run: bool) -> dict[str, Any]:
    """What `--json` prints; amounts as texts."""
    return {
        "dry_run": dry_run,
        "file": path.name,
        **{outcome: imported.outcomes[outcome] for outcome in (ACCEPTED, DUPLICATE, REFUSED)},
        "amounts": {currency: f"{amount:f}" for currency, amount in sorted(imported.amounts.items())},
        "errors": [
            {"file": error.file, "row": error.row, "column": error.column, **vars(error.refusal)}
            for error in imported.refused
        ],
        "accounts": [
            {**standing._asdict(), "balance": f"{standing.balance:f}", "available": f"{standing.available:f}"}
            for standing in imported.accounts.values()
        ],
    }
