"""A book imported again, changed, tried out, by somebody who may not, or twice at once."""

from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, command_line
from accounts.models import Account, AuditEntry
from invoicing.book.operations import LOCK, import_book, plan_import, read_book
from invoicing.catalog.models import Product, Vendor
from invoicing.subscriptions.models import BillingProfile, Subscription
from tests.invoicing.book.books import (
    ACCOUNTS,
    NOW,
    PRODUCTS,
    SUBSCRIPTIONS,
    WHOLE_BOOK,
    changed,
    import_sheets,
    row_hashes,
    write_folder,
)

TELCO = Path(settings.BASE_DIR).parent / "shared" / "data" / "telco"


class TestSameBookAgain:
    def test_writes_no_row_at_all(self, imported, folder):
        before = row_hashes()
        plan = import_sheets(folder, WHOLE_BOOK)

        assert {name: counts["unchanged"] for name, counts in plan.counts.items()} == {
            name: len(text.splitlines()) - 1 for name, text in WHOLE_BOOK.items()
        }
        assert not plan.changes_something
        assert row_hashes() == before

    def test_takes_as_many_statements_for_many_rows_as_for_few(self, db, folder):
        counts = []
        for count in (3, 300):
            sheets = {
                "accounts": "number,name,terms,signed_up_on,opening_balance\n",
                "subscriptions": "account,product,started_on\n",
                "products": "code,name,unit_price\nmail,Mailbox,1\n",
            }
            for number in range(count):
                sheets["accounts"] += f"{count}-{number},Bulk,hosted-direct,2026-01-01,5\n"
                sheets["subscriptions"] += f"{count}-{number},mail,2026-01-01\n"
            with CaptureQueriesContext(connection) as queries:
                import_sheets(folder, sheets)
            counts.append(len(queries))

        # The first import adds the product: its ids and its rows in three tables.
        assert counts == [counts[1] + 6, counts[1]]
        assert counts[1] < 40


class TestChangedRow:
    def test_changes_that_row_and_no_other(self, imported, folder):
        before = dict(Account.objects.values_list("number", "name"))
        plan = import_sheets(folder, {"accounts": changed(ACCOUNTS, "Kite Cafe", "Kite Bistro")})

        assert plan.counts["accounts"] == {"new": 0, "changed": 1, "unchanged": 3}
        assert dict(Account.objects.values_list("number", "name")) == before | {"K-1": "Kite Bistro"}

    def test_is_shown_field_by_field_before_and_after(self, imported, folder):
        accounts = changed(changed(ACCOUNTS, "120.50", "99"), "ap@acme.example;cfo@acme.example", "ap@acme.example")
        write_folder(folder, {"accounts": accounts})

        [change] = plan_import(read_book(folder)).sheets["accounts"].changes
        assert (change.row, change.name) == (2, "C-1")
        assert change.before == {"invoice_emails": "ap@acme.example;cfo@acme.example", "opening_balance": "120.5"}
        assert change.after == {"invoice_emails": "ap@acme.example", "opening_balance": "99"}

    def test_of_a_product_may_bring_a_new_vendor(self, imported, folder):
        import_sheets(folder, {"products": changed(PRODUCTS, "Contoso Apps", "Fabrikam")})

        assert Product.objects.get(code="crm").vendor == Vendor.objects.get(name="Fabrikam")

    def test_of_a_client_may_bring_another_partner_that_is_new(self, imported, folder):
        accounts = "number,name,kind,parent,terms,signed_up_on\nP-2,Other,partner,,hosted-partner,2026-01-01\n"
        import_sheets(folder, {"accounts": accounts + "K-1,Kite Cafe,client,P-2,,\n"})

        assert Account.objects.get(number="K-1").parent.number == "P-2"
        assert BillingProfile.objects.get(account__number="P-2").next_billing_on is not None
        assert BillingProfile.objects.get(account__number="P-1").revision == 2

    def test_keeps_its_former_values(self, imported, folder):
        import_sheets(folder, {"accounts": changed(ACCOUNTS, "Kite Cafe", "Kite Bistro")})

        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM accounts_accountevent")
            assert cursor.fetchall() == [("Kite Cafe",)]

    def test_a_blank_cell_without_a_default_empties_the_value(self, imported, folder):
        import_sheets(
            folder, {"subscriptions": changed(SUBSCRIPTIONS, "3.999999,2026-02-01,2026-12-15", "3.999999,2026-02-01,")}
        )

        held = Subscription.objects.get(reference="K-1/mail")
        assert (held.ended_on, held.unit_price) == (None, Decimal("3.999999"))


class TestDryRun:
    def test_says_what_would_change_and_writes_nothing(self, db, folder):
        before = row_hashes()
        plan = import_sheets(folder, WHOLE_BOOK, dry_run=True)

        assert plan.counts["accounts"] == {"new": 4, "changed": 0, "unchanged": 0}
        assert row_hashes() == before


class TestWhoMay:
    def test_a_member_of_staff_without_the_permission_is_refused(self, db, folder):
        agent = Actor(ActorKind.STAFF, "Al Agent", Channel.CONSOLE, permissions=frozenset())
        book = read_book(write_folder(folder, {"accounts": ACCOUNTS}))

        for dry_run in (False, True):
            with pytest.raises(NotPermitted, match="invoicing.import_book"):
                import_book(book, actor=agent, now=NOW, dry_run=dry_run)
        assert not Account.objects.exists()

    def test_the_command_line_may(self, db, folder):
        import_book(read_book(write_folder(folder, WHOLE_BOOK)), actor=command_line(), now=NOW)

        assert AuditEntry.objects.get().channel == "COMMAND"


class TestTwoAtOnce:
    def test_the_second_waits_until_the_first_has_ended(self, db, folder):
        given = connection.get_connection_params()
        names = ("host", "port", "dbname", "user", "password")
        with psycopg.connect(**{name: given[name] for name in names if name in given}) as first:
            first.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            connection.cursor().execute("SET LOCAL lock_timeout = '100ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                import_sheets(folder, WHOLE_BOOK)
            assert not Account.objects.exists()
            first.rollback()
            assert import_sheets(folder, WHOLE_BOOK).changes_something


@pytest.mark.skipif(not TELCO.is_dir(), reason="the real book is not here")
class TestRealBook:
    def test_is_imported_without_an_error_and_then_unchanged(self, db):
        first = import_book(read_book(TELCO), actor=command_line(), now=NOW)
        again = import_book(read_book(TELCO), actor=command_line(), now=NOW)

        assert first.counts["accounts"] == {"new": 7_043, "changed": 0, "unchanged": 0}
        assert again.counts["accounts"] == {"new": 0, "changed": 0, "unchanged": 7_043}
        assert not again.changes_something
        assert Subscription.objects.count() == first.counts["subscriptions"]["new"] == 11_878
