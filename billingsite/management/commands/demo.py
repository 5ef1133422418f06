"""`manage.py demo`: a provider to look at, billed and served."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from billingsite.demo.building import CUSTOMERS, PASSWORD, PEOPLE, Building, build, summary
from billingsite.demo.serving import serve


class Command(BaseCommand):
    help = "Build a demonstration provider, bill its month, and serve the site with a worker and beat until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="Stop after the summary.")
        parser.add_argument("--address", default="127.0.0.1:8000", help="Where the site is served.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        self.stdout.write("Building the demonstration:")
        building = Building(tell=self.stdout.write)
        run = build(building, var_dir=settings.VAR_DIR, now=now)
        self.stdout.write("")
        for line in summary(run, building):
            self.stdout.write(line)
        self.stdout.write("")
        self.stdout.write(f"PDFs are under {settings.DOCUMENTS_ROOT}, mails under {settings.VAR_DIR / 'mail'}.")
        self.stdout.write(
            f"Sign in as admin, {', '.join(PEOPLE)}, or as a customer: {', '.join(CUSTOMERS)};"
            f" the password of each is “{PASSWORD}”."
        )
        if not settings.STAFF_SECOND_FACTOR:
            self.stdout.write("The second factor that staff sign in with is switched off in the demonstration.")
        if not options["no_serve"]:
            self.stdout.write(f"The console is at http://{options['address']}/admin/ until Ctrl-C.")
            serve(options["address"], self.stdout.write)
