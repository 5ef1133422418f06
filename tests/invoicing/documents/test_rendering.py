"""Documents drawn from rows: each once, by whoever comes, one that fails alone, and always the same bytes."""

import io
from concurrent.futures.process import BrokenProcessPool
from datetime import timedelta
from hashlib import sha256

import pytest
from pypdf import PdfReader

from invoicing.documents import files
from invoicing.documents.composers import register
from invoicing.documents.models import Document
from invoicing.documents.policy import LEASE
from invoicing.documents.reading import DocumentChanged, NotDrawnYet, read_document
from invoicing.documents.rendering import Rendering, render_pending
from invoicing.invoices.composing import InvoiceComposer
from invoicing.invoices.drawing import render
from tests.invoicing.documents import deadly_drawing
from tests.invoicing.documents.factories import NOW, line, make_account, make_invoice, requested

pytestmark = pytest.mark.django_db


class CountingComposer(InvoiceComposer):
    """Notes which numbers it draws, and fails at those it is told to."""

    def __init__(self, fails_at=()):
        self.drawn = []
        self.fails_at = set(fails_at)

    @property
    def draw(self):
        return self._draw

    def _draw(self, document):
        self.drawn.append(document.number)
        if document.number in self.fails_at:
            raise ZeroDivisionError("the page has no height")
        return render(document)


class DeadlyComposer(InvoiceComposer):
    draw = staticmethod(deadly_drawing.draw)


def use(composer):
    register(Document.Kind.INVOICE, composer)
    return composer


class TestRenderPending:
    def test_writes_the_file_and_keeps_its_hash(self, documents_root):
        invoice = make_invoice()
        document = requested(invoice)

        assert render_pending(limit=10, now=NOW) == Rendering(drawn=1, parked=0)

        document.refresh_from_db()
        assert (document.state, document.rendered_at, document.leased_until) == ("RENDERED", NOW, None)
        assert document.path == f"invoices/2026-12/{invoice.number}.pdf"
        content = (documents_root / document.path).read_bytes()
        assert (document.size, document.sha256) == (len(content), sha256(content).hexdigest())
        assert invoice.number in PdfReader(io.BytesIO(content)).pages[0].extract_text()

    def test_draws_nothing_twice(self):
        composer = use(CountingComposer())
        requested(make_invoice())
        render_pending(limit=10, now=NOW)
        assert render_pending(limit=10, now=NOW + timedelta(days=1)) == Rendering(0, 0)
        assert len(composer.drawn) == 1

    def test_keeps_to_its_limit_and_goes_on_where_it_stopped(self):
        for _ in range(5):
            requested(make_invoice())
        assert [render_pending(limit=2, now=NOW).drawn for _ in range(4)] == [2, 2, 1, 0]

    def test_parks_one_that_cannot_be_drawn_and_draws_the_others(self):
        bad, *good = (make_invoice() for _ in range(4))
        documents = [requested(invoice) for invoice in (good[0], bad, *good[1:])]
        use(CountingComposer(fails_at=[bad.number]))

        assert render_pending(limit=10, now=NOW) == Rendering(drawn=3, parked=1)

        parked = Document.objects.get(state="PARKED")
        assert parked.pk == documents[1].pk
        assert parked.error == "ZeroDivisionError: the page has no height"

    def test_parks_one_whose_rows_cannot_be_read_and_draws_the_others(self):
        bad = make_invoice(buyer={"name": "No lines"})
        documents = [requested(invoice) for invoice in (make_invoice(), bad, make_invoice())]

        assert render_pending(limit=10, now=NOW) == Rendering(drawn=2, parked=1)

        documents[1].refresh_from_db()
        assert (documents[1].state, documents[1].error) == ("PARKED", "KeyError: account_number")

    def test_parks_one_that_does_not_add_up(self):
        document = requested(make_invoice(lines=[line("10.00")], subtotal=11, total=11))
        assert render_pending(limit=10, now=NOW).parked == 1
        document.refresh_from_db()
        assert document.error.startswith("DocumentDoesNotAddUp: ")

    def test_parks_one_whose_subject_is_not_issued(self):
        account = make_account()
        document = Document.objects.create(account=account, kind="INVOICE", subject_id=987654)
        render_pending(limit=10, now=NOW)
        document.refresh_from_db()
        assert (document.state, document.error) == ("PARKED", "What it shows is not there, or is not issued.")

    def test_reads_a_batch_in_as_many_queries_as_one(self, django_assert_num_queries):
        requested(make_invoice(lines=[line("10.00"), line("12.00")]))
        # Four to claim (two are the savepoint), five to read, one to record; three a kind to find no more.
        with django_assert_num_queries(28):
            render_pending(limit=10, now=NOW)
        for _ in range(30):
            requested(make_invoice(lines=[line("10.00"), line("12.00")]))
        with django_assert_num_queries(28):
            assert render_pending(limit=40, now=NOW).drawn == 30

    def test_draws_in_other_processes_to_the_same_bytes(self, documents_root):
        documents = [requested(make_invoice()) for _ in range(3)]
        assert render_pending(limit=10, now=NOW, processes=2) == Rendering(drawn=3, parked=0)
        hashes = [Document.objects.get(pk=document.pk).sha256 for document in documents]

        Document.objects.update(state="PENDING")
        assert render_pending(limit=10, now=NOW, processes=1) == Rendering(drawn=3, parked=0)
        assert [Document.objects.get(pk=document.pk).sha256 for document in documents] == hashes


class TestLeases:
    def test_leave_what_another_worker_is_at(self):
        document = requested(make_invoice())
        Document.objects.filter(pk=document.pk).update(leased_until=NOW + timedelta(minutes=1))
        assert render_pending(limit=10, now=NOW) == Rendering(0, 0)

    def test_that_ran_out_are_taken_again(self):
        document = requested(make_invoice())
        Document.objects.filter(pk=document.pk).update(leased_until=NOW, attempts=1)
        assert render_pending(limit=10, now=NOW) == Rendering(1, 0)

    def test_a_document_that_never_comes_to_an_end_is_parked(self):
        documents = [requested(make_invoice()) for _ in range(3)]
        Document.objects.filter(pk=documents[1].pk).update(attempts=5)

        assert render_pending(limit=10, now=NOW) == Rendering(drawn=2, parked=1)

        documents[1].refresh_from_db()
        assert documents[1].error == "It was begun 5 times and never finished."

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_document_that_kills_its_process_takes_no_others_along(self, processes):
        use(DeadlyComposer())
        documents = [requested(make_invoice(reason=reason)) for reason in ("", deadly_drawing.DEADLY, "")]
        if processes == 2:
            for sweep in range(2):
                with pytest.raises(BrokenProcessPool):
                    render_pending(limit=10, now=NOW + sweep * LEASE, processes=2)
        else:  # what is left after two workers died
            Document.objects.update(attempts=2, leased_until=NOW)

        assert render_pending(limit=10, now=NOW + 2 * LEASE, processes=processes) == Rendering(drawn=2, parked=1)

        documents[1].refresh_from_db()
        assert (documents[1].state, documents[1].error) == ("PARKED", "The process that drew it died.")

    def test_are_given_back_where_the_disk_fails(self, monkeypatch):
        document = requested(make_invoice())

        def full(path, content):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(files, "write_whole", full)
        with pytest.raises(OSError, match="No space left"):
            render_pending(limit=10, now=NOW)
        document.refresh_from_db()
        assert (document.state, document.leased_until, document.attempts) == ("PENDING", None, 0)


class TestReadDocument:
    def test_gives_what_was_drawn(self, documents_root):
        document = self.drawn()
        assert read_document(document) == (documents_root / document.path).read_bytes()

    @pytest.mark.parametrize("damage", ["missing", "cut short"])
    def test_draws_again_to_the_same_hash(self, documents_root, damage):
        document = self.drawn()
        path = documents_root / document.path
        before = path.read_bytes()
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(before[:100])

        assert read_document(document) == before
        assert path.read_bytes() == before

    def test_refuses_what_is_no_longer_the_same(self, documents_root):
        document = self.drawn()
        (documents_root / document.path).unlink()
        document.sha256 = "0" * 64
        with pytest.raises(DocumentChanged, match="drawn again it is not what it was"):
            read_document(document)
        assert not (documents_root / document.path).exists()

    def test_says_when_it_is_not_drawn_yet(self):
        with pytest.raises(NotDrawnYet, match="to be drawn"):
            read_document(requested(make_invoice()))

    def drawn(self) -> Document:
        document = requested(make_invoice())
        render_pending(limit=10, now=NOW)
        document.refresh_from_db()
        return document
