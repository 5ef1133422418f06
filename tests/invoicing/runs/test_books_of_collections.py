"""`manage.py check_books` on what is with the agency: each fault is planted by raw SQL, seen, and said in one line."""

from decimal import Decimal

import pytest
from django.db import connection

from invoicing.collections.models import Placement, PlacementBatch, PlacementRecord
from invoicing.collections.recovering import book_remittance, write_off
from invoicing.collections.reversing import reverse_remittance
from invoicing.runs.books import differences_in_books
from invoicing.runs.books_of_collections import CHECKS_OF_COLLECTIONS
from tests.invoicing.collections.factories import MIA, at, pay
from tests.invoicing.collections.test_placements import RIPE, follow, handed

pytestmark = pytest.mark.django_db


@pytest.fixture
def agency(documents_root):
    """Two accounts with the agency, one of which has paid a part and one of which it has collected a part."""
    paid, first = handed(amount="100")
    pay(paid, "40", on=RIPE)
    follow()
    collected, second = handed(amount="70")
    book_remittance(
        placement=second, collected=Decimal(20), commission=Decimal(5), reference="R-1", on=RIPE,
        actor=MIA, now=at(RIPE),
    )  # fmt: skip
    write_off(invoice=collected, amount=Decimal(10), why="Bankrupt.", actor=MIA, now=at(RIPE))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("ledgerentry", "posting", "placement", "placementrecord"):
            cursor.execute(f"ALTER TABLE invoicing_{table} DISABLE TRIGGER USER")
    return paid, first, second


@pytest.fixture
def reversal():
    """Asked for before the triggers are off: a remittance that was booked by mistake, and taken back."""
    _, one = handed(amount="30")
    remitted = book_remittance(
        placement=one, collected=Decimal(30), commission=Decimal(0), reference="R-9", on=RIPE, actor=MIA, now=at(RIPE)
    )
    return reverse_remittance(remittance=remitted, why="Not ours.", actor=MIA, now=at(RIPE))


@pytest.fixture
def documents_root(settings, tmp_path):
    settings.DOCUMENTS_ROOT = tmp_path


def plant(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.rowcount > 0, "the fault was not planted"


def said() -> list[str]:
    return list(differences_in_books())


class TestCheckBooks:
    def test_finds_books_in_order_in_order(self, agency):
        assert said() == []

    def test_sees_what_is_not_kept_as_it_was_posted(self, agency):
        plant(f"UPDATE invoicing_openinvoice SET placed = placed + 1 WHERE invoice_id = {agency[0].pk}")
        assert f"Invoice {agency[0].number}: 60.000000 USD is posted to collections, and 61.000 is kept as placed." in (
            said()
        )

    def test_sees_what_stands_in_no_open_placement(self, agency):
        plant(f"UPDATE invoicing_placement SET state = 'CLOSED' WHERE id = {agency[1].pk}")
        assert said() == [f"Invoice {agency[0].number}: 60.000 USD is with the agency, and no open placement holds it."]

    def test_sees_a_placement_posted_with_another_amount(self, agency):
        one = agency[1]
        plant(f"UPDATE invoicing_placementinvoice SET amount = 99 WHERE placement_id = {one.pk}")
        assert said() == [
            f"Placement {one.pk} of account {one.account.number} is 100.000 USD: 100.000000 was posted, and its "
            "invoices sum to 99.000."
        ]

    def test_sees_a_placement_that_was_not_posted(self, agency):
        one = agency[1]
        plant(f"UPDATE invoicing_ledgerentry SET source = 'placement:0' WHERE source = 'placement:{one.pk}'")
        assert said() == [
            f"Placement {one.pk} of account {one.account.number} is 100.000 USD: 0 was posted, and its invoices sum "
            "to 100.000.",
            f"Ledger entry placement:0 of account {one.account.number} belongs to no placement that was handed over.",
        ]

    def test_sees_an_account_in_two_open_placements(self, agency):
        one = agency[1]
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX one_open_placement")
        two = Placement.objects.create(
            account=one.account, currency="USD", amount=5, proposed_on=RIPE, proposed_at=at(RIPE)
        )
        assert said() == [f"Account {one.account.number} is in more than one open placement: [{one.pk}, {two.pk}]."]

    @pytest.mark.parametrize(("change", "says"), [
        ("rows = 2", "2 placements over {\"USD\": \"100.00\"}, and holds 1 over"),
        ("totals = '{\"USD\": \"99.00\"}'", "1 placements over {\"USD\": \"99.00\"}, and holds 1 over"),
        ("totals = '{}'", "1 placements over {}, and holds 1 over"),
    ])  # fmt: skip
    def test_sees_a_batch_that_says_something_else(self, agency, change, says):
        batch = PlacementBatch.objects.earliest("pk")
        plant(f"UPDATE invoicing_placementbatch SET {change} WHERE id = {batch.pk}")
        assert said() == [f'Hand-over {batch.pk} says {says} {{"USD": 100.000}}.']

    @pytest.mark.parametrize(("change", "says"), [
        ("amount = 21", "21.000 was remitted with a commission of 5.000"),
        ("commission = 4", "20.000 was remitted with a commission of 4.000"),
    ])  # fmt: skip
    def test_sees_a_remittance_posted_otherwise(self, agency, change, says):
        record = PlacementRecord.objects.get(kind="REMITTANCE")
        plant(f"UPDATE invoicing_placementrecord SET {change} WHERE id = {record.pk}")
        assert said() == [f"{record.key}: {says}, and 20.000000 with 5.000000 was posted."]

    def test_sees_a_remittance_without_a_record(self, agency):
        record = PlacementRecord.objects.get(kind="REMITTANCE")
        plant(f"DELETE FROM invoicing_placementrecord WHERE id = {record.pk}")
        assert said() == [
            f"{record.key}: 0 was remitted with a commission of 0, and 20.000000 with 5.000000 was posted."
        ]

    @pytest.mark.parametrize(("change", "says"), [
        ("amount = 31", "31.000 was reversed, 30.000 was remitted and 30.000000 was posted"),
        ("key = 'remittance-reversed:0'", "30.000 was reversed, 0 was remitted and 0 was posted"),
    ])  # fmt: skip
    def test_sees_a_reversal_that_takes_back_something_else(self, reversal, agency, change, says):
        plant(f"UPDATE invoicing_placementrecord SET {change} WHERE id = {reversal.pk}")
        reversal.refresh_from_db()
        assert f"{reversal.key}: {says}." in said()

    def test_sees_more_recovered_than_was_written_off(self, agency):
        collected = agency[2].invoices.get().invoice
        plant(
            "UPDATE invoicing_posting SET amount = -amount"
            f" WHERE ledger_account = 'BAD_DEBT' AND invoice_id = {collected.pk}"
        )
        sentence = f"Invoice {collected.number}: 10.000000 USD more was recovered than was ever written off."
        assert sentence in said()

    def test_has_a_test_for_each_check(self):
        tests = [name for name in dir(type(self)) if name.startswith("test_sees")]
        assert len(tests) >= len(CHECKS_OF_COLLECTIONS)
