"""`manage.py report_vendors --month 2026-11`: what each vendor is owed (SVC-2)."""

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from invoicing.invoices.queries import vendor_sales
from invoicing.money import format_money


def month(text: str) -> date:
    """A month as the command line gives it: 2026-11."""
    return date.fromisoformat(f"{text}-01")


class Command(BaseCommand):
    help = "Per vendor and currency: what was invoiced in a month less credits, and what it is owed of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--month", type=month, required=True, metavar="MONTH", help="Such as 2026-11.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        sales = vendor_sales(options["month"])
        if options["as_json"]:
            report = {"month": f"{options['month']:%Y-%m}", "vendors": [one.as_json() for one in sales]}
            self.stdout.write(json.dumps(report))
            return
        if not sales:
            self.stdout.write(f"Nothing was invoiced for vendors' products in {options['month']:%B %Y}.")
        for one in sales:
            self.stdout.write(
                f"{one.vendor}: {format_money(one.invoiced, one.currency)} invoiced, "
                f"{format_money(one.credited, one.currency)} credited; "
                f"{one.share_percent.normalize():f} % of {format_money(one.net, one.currency)} "
                f"is owed: {format_money(one.owed, one.currency)}."
            )
