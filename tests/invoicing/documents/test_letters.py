"""Letters: written once, drawn the same for ever, mailed as the seller with the PDF beside the words."""

import hashlib
import io
from datetime import date

import pytest
from django.core import mail
from PIL import Image
from pypdf import PdfReader

from invoicing.documents.letter_composer import LetterComposer
from invoicing.documents.letters import LetterDraft, LetterTable, LetterText, write_letters
from invoicing.documents.models import Delivery, Document, Letter
from invoicing.documents.parties import recipient_of, seller_of
from invoicing.documents.reading import read_document
from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import send_pending
from tests.invoicing.documents.factories import NOW, make_account, make_seller

ON = date(2026, 12, 3)


def receipt_text(account, **values) -> LetterText:
    """A receipt over two invoices by card, with its fee."""
    seller = make_seller()
    given = {
        "subject": "Receipt for USD 1,111.00 from Northwind Telecom LLC",
        "title": "Receipt",
        "seller": seller_of(seller),
        "recipient": recipient_of(account, home=seller.country),
        "paragraphs": ("We have received your payment of USD 1,111.00 by Visa ending in 4242. Thank you.",),
        "facts": (("Payment", "P-17"), ("Paid by", "Visa ending in 4242")),
        "table": LetterTable(
            ("Invoice", "Dated", "Amount (USD)"),
            (("INV-000012", "1 December 2026", "1,000.00"), ("INV-000013", "1 December 2026", "100.00")),
            (("Card service fee of 1 %", "", "11.00"), ("Total", "", "1,111.00")),
        ),
        "closing": ("Nothing more is open.",),
        "clauses": ("FEE-1: a card payment carries a service fee of 1 % of the amount paid.",),
    }
    return LetterText(**(given | values))  # type: ignore[arg-type]


def draft(account, key: str = "receipt:17", **values) -> LetterDraft:
    copy_to = values.pop("copy_to", ())
    kind = values.pop("kind", "RECEIPT")
    return LetterDraft(account.pk, kind, key, ON, receipt_text(account, **values), copy_to)


def drawn(letter: Letter) -> Document:
    render_pending(limit=100, now=NOW)
    document = Document.objects.get(kind=letter.kind, subject_id=letter.pk)
    assert document.state == "RENDERED", document.error
    return document


@pytest.fixture
def png() -> bytes:
    """A small logo."""
    file = io.BytesIO()
    Image.new("RGB", (180, 46), "#1F4E79").save(file, "PNG")
    return file.getvalue()


def text_of(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


@pytest.mark.django_db
class TestALetter:
    def test_is_written_once_by_its_key(self):
        account = make_account()
        first = write_letters([draft(account)], now=NOW)
        again = write_letters([draft(account, title="Another"), draft(account, "receipt:18")], now=NOW)
        assert [letter.key for letter in first + again] == ["receipt:17", "receipt:18"]
        assert Document.objects.count() == Delivery.objects.count() == 2

    def test_says_everything_on_its_page(self):
        (letter,) = write_letters([draft(make_account(name="Harbor & Lane"))], now=NOW)
        (page,) = text_of(read_document(drawn(letter)))
        for words in (
            "Receipt", "3 December 2026", "P-17", "Harbor & Lane", "Visa ending in 4242. Thank you.", "INV-000013",
            "1,111.00", "Card service fee of 1 %", "Nothing more is open.", "FEE-1: a card", "EIN 12-3456789",
            "Northwind Telecom LLC", "Page 1 of 1",
        ):  # fmt: skip
            assert words in page

    def test_is_the_same_bytes_when_the_seller_has_changed_since(self, png):
        seller = make_seller()
        seller.logo = png
        seller.save()
        (letter,) = write_letters([draft(make_account())], now=NOW)
        before = drawn(letter)
        seller.name, seller.logo = "Southwind Telecom LLC", None
        seller.save()
        composer = LetterComposer("RECEIPT")
        again = composer.draw(composer.pdf_inputs([letter.pk])[letter.pk])
        assert hashlib.sha256(again).hexdigest() == before.sha256
        assert b"/Subtype /Image" in again or b"/Subtype/Image" in again

    def test_stands_in_the_folder_of_its_kind_and_month(self):
        (letter,) = write_letters([draft(make_account(), kind="REMINDER")], now=NOW)
        assert drawn(letter).path == f"reminders/2026-12/reminder-2026-12-03-{letter.pk}.pdf"

    def test_is_read_in_two_queries_however_many(self, django_assert_num_queries):
        account = make_account()
        written = write_letters([draft(account, f"receipt:{number}") for number in range(30)], now=NOW)
        with django_assert_num_queries(2):
            assert len(LetterComposer("RECEIPT").pdf_inputs([letter.pk for letter in written])) == 30

    def test_of_another_kind_is_none_of_this_composers(self):
        (letter,) = write_letters([draft(make_account())], now=NOW)
        assert LetterComposer("REMINDER").pdf_inputs([letter.pk]) == {}


@pytest.mark.django_db
class TestALongTable:
    def test_repeats_its_heading_and_keeps_its_totals_with_the_last_row(self):
        rows = tuple((f"INV-{number:06d}", "1 December 2026", f"{number}.00") for number in range(1, 121))
        table = LetterTable(("Invoice", "Dated", "Amount (USD)"), rows, (("Total", "", "7,260.00"),))
        (letter,) = write_letters([draft(make_account(), table=table)], now=NOW)
        pages = text_of(read_document(drawn(letter)))
        assert len(pages) > 2
        assert all("Amount (USD)" in page for page in pages)
        assert next(page for page in pages if "7,260.00" in page).count("INV-000120") == 1
        assert sum(page.count("INV-") for page in pages) == 120

    def test_keeps_a_cell_that_never_ends_within_its_page(self):
        endless = LetterTable(("What", "Amount"), (("word " * 3000, "1.00"), ("x" * 400, "2.00")))
        (letter,) = write_letters([draft(make_account(), table=endless)], now=NOW)
        assert len(text_of(read_document(drawn(letter)))) <= 2

    def test_may_have_many_columns(self):
        many = tuple(f"Column {number}" for number in range(9))
        table = LetterTable(many, (tuple(f"Some words {number}" for number in range(9)),))
        (letter,) = write_letters([draft(make_account(), table=table)], now=NOW)
        assert "words 8" in text_of(read_document(drawn(letter)))[0].replace("\n", " ")

    def test_has_neither_rows_nor_harm(self):
        (letter,) = write_letters([draft(make_account(), table=LetterTable(("A", "B"), ()))], now=NOW)
        assert drawn(letter)


@pytest.mark.django_db
class TestTheMail:
    def sent(self, **values):
        (letter,) = write_letters([draft(make_account(name="Harbor & Lane"), **values)], now=NOW)
        drawn(letter)
        assert send_pending(limit=10, now=NOW).parked == 0
        return mail.outbox

    def test_comes_from_the_seller_with_text_page_and_pdf(self):
        (message,) = self.sent()
        assert message.from_email == "Northwind Telecom LLC <billing@northwind.example>"
        assert message.subject == "Receipt for USD 1,111.00 from Northwind Telecom LLC"
        assert "Visa ending in 4242" in message.body
        assert "Harbor & Lane" in message.body
        (page, kind), (name, pdf, of) = message.alternatives[0], message.attachments[0]
        assert kind == "text/html"
        assert "Harbor &amp; Lane" in page
        assert "1,111.00" in page
        assert name.startswith("receipt-2026-12-03-")
        assert (of, pdf[:5]) == ("application/pdf", b"%PDF-")

    def test_sets_the_table_in_columns(self):
        (message,) = self.sent()
        assert "INV-000012               1 December 2026      1,000.00\n" in message.body

    def test_goes_to_those_who_get_a_copy(self):
        assert sorted(message.to[0] for message in self.sent(copy_to=("Staff@northwind.example",)))[1:] == [
            "staff@northwind.example"
        ]

    def test_has_one_line_of_subject_whatever_was_written(self):
        (message,) = self.sent(subject="Receipt\r\nBcc: everybody@example.com")
        assert message.subject == "Receipt Bcc: everybody@example.com"

    def test_leaves_a_long_table_to_the_pdf(self):
        rows = tuple((f"INV-{number:06d}", "1.00") for number in range(21))
        (message,) = self.sent(table=LetterTable(("Invoice", "Amount"), rows))
        assert "The table stands in the attached PDF." in message.body
        assert "INV-000001" not in message.body

    def test_shows_what_was_written_and_no_markup_of_it(self):
        (message,) = self.sent(paragraphs=("<script>alert(1)</script> {{ seller }}",))
        assert "<script>" not in message.alternatives[0][0]
        assert "{{ seller }}" in message.body
