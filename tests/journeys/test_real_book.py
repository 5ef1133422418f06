"""A real book of 7,043 accounts, imported and billed for two months, to the cent that its own source names."""

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from accounts.actors import command_line
from accounts.models import Account
from invoicing.book.operations import import_book, read_book
from invoicing.invoices.models import Invoice
from invoicing.runs.books import differences_in_books
from invoicing.runs.operations import dry_run, run_billing
from invoicing.runs.queries import figures
from invoicing.sellers.models import Seller
from tests.invoicing.factories import seller, terms

BOOK = Path(settings.BASE_DIR).parent / "shared" / "data" / "telco"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not BOOK.is_dir(), reason="The real book is not beside this checkout."),
]

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
DECEMBER, JANUARY = date(2026, 12, 1), date(2027, 1, 1)
# What its README says of it, from the source's own column of monthly charges.
MONTHS = {DECEMBER: (7043, "456116.60"), JANUARY: (5174, "316985.75")}


def bill(on: date) -> dict:
    # The bounds would hold January, when a quarter of the customers is gone: a person lets it go on.
    issuer = Seller.objects.get(is_default=True)
    return figures(run_billing(seller=issuer, on=on, actor=command_line(), now=NOW, approve=True)).as_json()


class TestTheRealBook:
    def test_is_imported_and_billed_to_the_cent_in_well_under_a_minute(self):
        seller()
        terms("hosted-direct")
        began = time.monotonic()

        import_book(read_book(BOOK), actor=command_line(), now=NOW)
        assert Account.objects.count() == 7043
        dry = dry_run(seller=Seller.objects.get(is_default=True), on=DECEMBER).as_json()
        found = {on: bill(on) for on in MONTHS}
        took = time.monotonic() - began

        for on, (invoices, total) in MONTHS.items():
            assert (found[on]["invoiced"], found[on]["total"]) == (invoices, {"USD": total})
            assert (found[on]["parked"], found[on]["state"]) == (0, "DONE")
        assert dry == found[DECEMBER] | {"state": "DRY_RUN"}
        assert found[DECEMBER]["first_number"] == "INV-000001"
        assert found[JANUARY]["last_number"] == "INV-012217"
        assert list(differences_in_books()) == []
        assert took < 60

        assert not import_book(read_book(BOOK), actor=command_line(), now=NOW).changes_something
        assert {on: bill(on) for on in MONTHS} == found
        totals = Invoice.objects.filter(status="ISSUED").values_list("total", flat=True)
        assert (len(totals), sum(totals)) == (12_217, Decimal("773102.35"))
