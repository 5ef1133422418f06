"""P8: a replayed import, run, drawing or mail changes nothing: the rows are the same, version by version."""

from datetime import date, timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import call_command

from accounts.actors import command_line, schedule
from invoicing.book.operations import import_book, read_book
from invoicing.documents.models import Delivery, Document
from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import send_pending
from invoicing.runs.models import Run
from invoicing.runs.operations import advance, run_billing
from invoicing.sellers.models import Seller
from tests.chaos.books import small_book
from tests.chaos.results import result, row_hashes
from tests.invoicing.book.books import NOW, WHOLE_BOOK, write_folder
from tests.invoicing.factories import PRESETS, seller, terms

pytestmark = pytest.mark.django_db(transaction=True)

DECEMBER = date(2026, 12, 1)


@pytest.fixture
def folder(tmp_path, settings):
    settings.DOCUMENTS_ROOT = tmp_path / "documents"
    seller()
    # A test before may have emptied the tables.
    for code in PRESETS:
        terms(code)
    return write_folder(tmp_path / "book", WHOLE_BOOK)


def import_it(folder):
    return import_book(read_book(folder), actor=command_line(), now=NOW)


def bill():
    issuer = Seller.objects.get(is_default=True)
    return run_billing(seller=issuer, on=DECEMBER, actor=schedule(), now=NOW, approve=True)


class TestTwice:
    """P8."""

    def test_importing_a_book_changes_nothing(self, folder):
        import_it(folder)
        before = row_hashes()

        again = import_it(folder)

        assert not again.changes_something
        assert row_hashes() == before

    def test_importing_a_book_that_is_billed_meanwhile_changes_nothing(self, folder):
        import_it(folder)
        bill()
        before = row_hashes()

        import_it(folder)
        bill()

        assert row_hashes() == before

    def test_running_a_day_changes_nothing(self, folder):
        import_it(folder)
        bill()
        before = row_hashes()

        for _ in range(2):
            bill()
            for run in Run.objects.all():
                advance(run, actor=schedule(), now=NOW + timedelta(hours=5), approve=True)
            call_command("run_billing", "--on", "2026-12-01", "--json", stdout=StringIO())

        assert row_hashes() == before

    def test_drawing_and_mailing_change_nothing(self, folder):
        import_it(folder)
        bill()
        render_pending(limit=100, now=NOW)
        send_pending(limit=100, now=NOW)
        mails = len(mail.outbox)
        assert mails == Delivery.objects.filter(state="SENT").count() > 0
        assert not Document.objects.exclude(state="RENDERED").exists()
        before = row_hashes()

        for later in (NOW, NOW + timedelta(days=1)):
            render_pending(limit=100, now=later)
            send_pending(limit=100, now=later)
        call_command("render_documents", "--processes", "1", stdout=StringIO())
        call_command("send_deliveries", stdout=StringIO())

        assert row_hashes() == before
        assert len(mail.outbox) == mails

    def test_drawing_again_gives_the_same_bytes(self, folder):
        import_it(folder)
        bill()
        render_pending(limit=100, now=NOW)
        drawn = dict(Document.objects.values_list("subject_id", "sha256"))

        Document.objects.update(state="PENDING", sha256="", path="")
        render_pending(limit=100, now=NOW)

        assert dict(Document.objects.values_list("subject_id", "sha256")) == drawn

    def test_a_hash_does_change_where_a_row_is_written_with_its_own_values(self):
        """The negative control: what these tests compare would see even an update of nothing."""
        small_book()
        before = row_hashes()

        Seller.objects.update(name=Seller.objects.get().name)

        assert row_hashes() != before


class TestTheSameDayAnotherWay:
    def test_account_by_account_comes_to_the_same_lines(self):
        """The books do not depend on how a day was cut into calls."""
        book = small_book()
        for account in reversed(book.values()):
            run_billing(seller=seller(), on=date(2026, 3, 1), actor=schedule(), now=NOW, account=account)

        one_by_one = result(with_numbers=False)
        run_billing(seller=seller(), on=date(2026, 3, 1), actor=schedule(), now=NOW)

        assert result(with_numbers=False) == one_by_one
