import hashlib
import io
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from decimal import Decimal

import pdfplumber
import pypdf
import pytest
from PIL import Image

from invoicing.invoices.document import Party, TaxRow
from invoicing.invoices.drawing import render
from tests.invoicing.invoices.document_factory import (
    SELLER,
    credit_note,
    invoice,
    line,
    long_invoice,
    partner_invoice,
    section,
)

MARGIN = 46.0
GREEK = "Γραμμή τηλεφώνου"
CYRILLIC = "Телефонная линия Ґ"
AMOUNT_AT_END = re.compile(r"(-?[\d,]+\.\d\d)$")


def pages_of(document) -> list[str]:
    """Text of each page."""
    with pdfplumber.open(io.BytesIO(render(document))) as pdf:
        return [page.extract_text() for page in pdf.pages]


def text_of(document) -> str:
    return "\n".join(pages_of(document))


def words_of(document) -> list[list[dict]]:
    """Words of each page with their edges."""
    with pdfplumber.open(io.BytesIO(render(document))) as pdf:
        return [page.extract_words() for page in pdf.pages]


def fonts_of(pdf: bytes) -> dict[str, pypdf.generic.DictionaryObject]:
    found = {}
    for page in pypdf.PdfReader(io.BytesIO(pdf)).pages:
        resources = page["/Resources"]
        assert isinstance(resources, pypdf.generic.DictionaryObject)
        fonts = resources["/Font"]
        assert isinstance(fonts, pypdf.generic.DictionaryObject)
        found.update({name: font.get_object() for name, font in fonts.items()})
    return found


def picture(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA" if kind == "PNG" else "RGB", (400, 100), "navy").save(buffer, kind, **options)
    return buffer.getvalue()


def picture_said_to_be(width: int, height: int) -> bytes:
    """The head of a PNG that claims a size and holds nothing."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


class TestInvoice:
    @pytest.mark.parametrize(
        "said",
        [
            "Northwind Telecom LLC",
            "200 Madison Avenue, Floor 9",
            "Number INV-2026-000042",
            "Issued 1 March 2026",
            "Due 31 March 2026",
            "Account A-100042",
            "Period 1 to 31 March 2026",
            "Purchase order PO 4500017731",
            "Harbor & Lane Architects, P.C.",
            "EIN 98-7654321",
            "USD 41.26",
            "Hosted PBX seat 2 18.95 37.90",
            "New York sales tax 8.875% 37.90 3.36",
            "Amount due (USD) 41.26",
            "Routing 021000021",
            "Northwind Telecom LLC · EIN 12-3456789",
            "Page 1 of 1",
        ],
    )
    def test_says(self, said):
        assert said in text_of(invoice(tax="8.875"))

    def test_says_what_was_paid_before(self):
        text = text_of(replace(invoice(), amount_due=Decimal("7.90")))
        assert "Paid or credited before -30.00" in text
        assert "USD 7.90" in text

    def test_asks_for_no_payment_when_nothing_is_due(self):
        text = text_of(replace(invoice(), amount_due=Decimal("0.00")))
        assert "No payment is needed" in text

    def test_leaves_out_what_is_empty(self):
        text = text_of(replace(invoice(), purchase_order="", period_text="", due_on=None))
        assert "Purchase order" not in text
        assert "Period" not in text
        assert "Due on receipt" in text

    def test_shows_no_columns_of_quantity_when_no_line_has_one(self):
        text = text_of(invoice(section("", line(quantity=None, unit_price=None))))
        assert "Quantity" not in text
        assert "Hosted PBX seat 37.90" in text

    def test_prints_a_rebate_as_a_negative_amount(self):
        text = text_of(invoice(section("", line(), line("Rebate", "-7.90", quantity=None, unit_price=None))))
        assert "Rebate -7.90" in text

    def test_prints_detail_and_tax_mark(self):
        text = text_of(invoice(section("", line(detail="BILL-1 · 30 of 31 days", tax_mark="A"))))
        assert "BILL-1 · 30 of 31 days" in text
        assert "Hosted PBX seat 2 18.95 A 37.90" in text

    def test_prints_without_any_line(self):
        text = text_of(replace(invoice(), sections=(), subtotal=Decimal(0), total=Decimal(0), amount_due=Decimal(5)))
        assert "Carried over from before 5.00" in text
        assert "Description" not in text

    @pytest.mark.parametrize(
        ("currency", "exponent", "amount", "printed"),
        [
            pytest.param("JPY", 0, "1234567", "1,234,567", id="no places"),
            pytest.param("USD", 2, "1234567.80", "1,234,567.80", id="two places"),
            pytest.param("KWD", 3, "1234567.125", "1,234,567.125", id="three places"),
        ],
    )
    def test_prints_amounts_at_the_exponent(self, currency, exponent, amount, printed):
        text = text_of(invoice(section("", line(amount=amount)), currency=currency, exponent=exponent))
        assert f"{currency} {printed}" in text
        assert f"Amount due ({currency}) {printed}" in text

    @pytest.mark.parametrize(("size", "width", "height"), [("A4", 595.28, 841.89), ("LETTER", 612, 792)])
    def test_stands_on_the_paper_asked_for(self, size, width, height):
        (page,) = pypdf.PdfReader(io.BytesIO(render(replace(invoice(), page_size=size)))).pages
        assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx((width, height), abs=0.01)


class TestCreditNote:
    def test_says_what_it_corrects_and_why(self):
        text = text_of(credit_note())
        assert "Credit note" in text
        assert "Corrects invoice INV-2026-000042" in text
        assert "Reason: Two seats were ended on 1 March and billed for the month." in text

    def test_prints_the_positive_amount_credited(self):
        text = text_of(credit_note())
        assert "Total credited (USD) 37.90" in text
        assert "Amount due" not in text

    def test_asks_for_no_payment(self):
        text = text_of(credit_note(payment_instructions="Pay here"))
        assert "Pay here" not in text
        assert "How to pay" not in text


class TestLongInvoice:
    def test_counts_its_pages(self):
        pages = pages_of(long_invoice(500))
        assert len(pages) > 10
        for number, text in enumerate(pages, start=1):
            assert f"Page {number} of {len(pages)}" in text

    def test_prints_every_line_once_and_in_order(self):
        printed = re.findall(r"Call (\d{3})", text_of(long_invoice(500)))
        assert printed == [f"{number:03d}" for number in range(1, 501)]

    def test_prints_lines_that_sum_to_the_printed_subtotal(self):
        text = text_of(long_invoice(500))
        lines = [AMOUNT_AT_END.search(row) for row in text.splitlines() if row.startswith("Call ")]
        assert sum(Decimal(match[1].replace(",", "")) for match in lines) == Decimal("125300.00")
        assert "Subtotal Usage 125,300.00" in text

    def test_repeats_the_names_of_the_columns_above_lines_on_every_page(self):
        for text in pages_of(long_invoice(500)):
            rows = text.splitlines()
            header = next(at for at, row in enumerate(rows) if row.startswith("Description"))
            assert rows[header + 1].startswith("Usage")
            assert rows[header + 2].startswith("Call")

    def test_repeats_whose_it_is_on_the_pages_after_the_first(self):
        for text in pages_of(long_invoice(500))[1:]:
            assert text.startswith("Northwind Telecom LLC Invoice INV-2026-000042 · 1 March 2026")

    @pytest.mark.parametrize("lines", range(8, 32))
    def test_keeps_tax_and_totals_together_with_a_line_above_them(self, lines):
        last = next(text for text in reversed(pages_of(long_invoice(lines))) if "Amount due (USD)" in text)
        rows = last.splitlines()
        totals = [at for at, row in enumerate(rows) if row.startswith(("Subtotal", "Tax summary", "How to pay"))]
        assert rows[totals[0] - 1].startswith("Call")
        assert "Tax summary Rate Taxable Tax" in last
        assert "New York sales tax 20%" in last

    def test_breaks_a_description_that_is_longer_than_a_page(self):
        words = [f"w{number}" for number in range(2000)]
        document = invoice(section("", line(" ".join(words)), line("Next")))
        text = text_of(document)
        assert re.findall(r"\bw\d+\b", text) == words
        assert text.count(" 18.95 37.90") == 2


class TestSections:
    def test_print_title_and_subtotal_of_each(self):
        text = text_of(partner_invoice(clients=60, lines=4))
        for number in range(1, 61):
            assert len(re.findall(rf"^Client {number:02d}$", text, re.MULTILINE)) == 1
            assert len(re.findall(rf"^Subtotal Client {number:02d} {number * 4}\.10$", text, re.MULTILINE)) == 1

    def test_that_break_repeat_their_title(self):
        pages = pages_of(partner_invoice(clients=60, lines=4))
        continued = 0
        for before, text in zip(pages, pages[1:], strict=False):
            first = text.splitlines()[2]
            if " (continued)" not in first:
                continue
            continued += 1
            title = first.removesuffix(" (continued)")
            assert f"Subtotal {title} " not in before
            assert f"Subtotal {title} " in text
        assert continued > 5

    @pytest.mark.parametrize("lines", [1, 2, 3, 4, 5])
    def test_leave_no_title_at_the_foot_and_no_subtotal_at_the_head(self, lines):
        for text in pages_of(partner_invoice(clients=40, lines=lines)):
            rows = text.splitlines()
            body = rows[next(at for at, row in enumerate(rows) if row.startswith("Description")) + 1 : -1]
            assert not re.fullmatch(r"Client \d\d( \(continued\))?", body[-1])
            assert not body[0].startswith("Subtotal")
            for title, below in zip(body, body[1:], strict=False):
                if title.startswith("Client"):
                    assert below.startswith("Seat")

    def test_of_taxes_too_long_for_a_page_repeat_their_title(self):
        taxes = tuple(TaxRow(f"District {at:02d}", Decimal(1), Decimal("37.90"), Decimal("0.38")) for at in range(90))
        total = Decimal("37.90") + 90 * Decimal("0.38")
        pages = pages_of(replace(invoice(), taxes=taxes, total=total, amount_due=total))
        assert "Tax summary (continued) Rate Taxable Tax" in pages[1]
        assert re.findall(r"District (\d\d) ", "\n".join(pages)) == [f"{at:02d}" for at in range(90)]


class TestText:
    @pytest.mark.parametrize("said", [GREEK, CYRILLIC, "Łódź, São Paulo, İstanbul", "Đà Nẵng", "“€ 5” – № 7 …"])
    def test_is_printed_in_other_alphabets(self, said):
        assert said in text_of(invoice(section(said, line(said)), notes=(said,)))

    @pytest.mark.parametrize(
        ("given", "printed"),
        [
            pytest.param("Seat 😀 漢", "Seat � �", id="not in the font"),
            pytest.param("Seat \x07\ud800", "Seat ��", id="control character and half a surrogate"),
            pytest.param("Cafe\u0301", "Café", id="decomposed"),
            pytest.param("one\ntwo\tthree\u00a0four", "one two three four", id="white space"),
            pytest.param("in\u200bvisible\u00ad", "invisible", id="invisible"),
            pytest.param(r"(a\b) %PDF", r"(a\b) %PDF", id="what means something in a PDF"),
        ],
    )
    def test_is_never_more_than_the_font_can_print(self, given, printed):
        document = invoice(section(given, line(given)), seller=Party(given, (given,)), buyer=Party(given, (given,)))
        text = text_of(document)
        assert f"{printed} 2 18.95 37.90" in text
        assert f"Subtotal {printed} 37.90" in text

    def test_stays_within_the_margins(self):
        endless = "Supercalifragilistic" * 12
        wordy = "Very long name of a service and of its terms " * 6
        party = Party(wordy, (wordy, endless), tuple([wordy] * 4), endless, endless)
        document = invoice(
            section(wordy, line(endless, tax_mark=endless), line(wordy, detail=endless + wordy)),
            seller=party, buyer=party, purchase_order=endless, period_text=wordy, number=f"INV-{endless}",
            account_number=endless, payment_instructions=f"{endless}\n{wordy}", notes=(wordy, endless),
        )  # fmt: skip
        for words in words_of(document):
            assert min(word["x0"] for word in words) >= MARGIN - 0.1
            assert max(word["x1"] for word in words) <= 612 - MARGIN + 0.1

    def test_of_a_line_ends_before_its_quantity_begins(self):
        (words,) = words_of(invoice(section("", line("Supercalifragilistic" * 12))))
        quantity = next(word for word in words if word["text"] == "2" and word["x0"] > 300)
        assert max(word["x1"] for word in words if "calif" in word["text"]) < quantity["x0"]

    def test_of_numbers_ends_at_one_edge(self):
        (words,) = words_of(invoice(section("", line(amount="1234567.80"), line(amount="0.05"), line(amount="-3.00"))))
        edges = {round(word["x1"], 1) for word in words if word["text"] in ("1,234,567.80", "0.05", "-3.00")}
        assert len(edges) == 1

    def test_of_an_amount_too_long_for_its_box_is_set_smaller(self):
        document = invoice(section("", line(amount="98765432109876.54")))
        (words,) = words_of(document)
        assert "Amount due (USD) 98,765,432,109,876.54" in text_of(document)
        assert max(word["x1"] for word in words) <= 612 - MARGIN + 0.1


class TestLogo:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_is_drawn_once_and_the_name_stays(self, kind):
        document = replace(long_invoice(60), seller_logo=picture(kind))
        reader = pypdf.PdfReader(io.BytesIO(render(document)))
        assert [len(page.images) for page in reader.pages] == [1] + [0] * (len(reader.pages) - 1)
        assert "Northwind Telecom LLC" in reader.pages[0].extract_text()

    @pytest.mark.parametrize(
        "broken",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"not a picture", id="text"),
            pytest.param(picture("PNG")[:60], id="cut off"),
            pytest.param(picture_said_to_be(8_000, 8_000), id="too big"),
            pytest.param(picture_said_to_be(60_000, 60_000), id="bomb"),
        ],
    )
    def test_that_is_no_picture_gives_way_to_the_name(self, broken):
        assert render(replace(invoice(), seller_logo=broken)) == render(invoice())


class TestPdf:
    @pytest.mark.parametrize(
        "document",
        [
            pytest.param(invoice(), id="ASCII"),
            pytest.param(invoice(section(GREEK, line(CYRILLIC), line("Łódź"))), id="other alphabets"),
            pytest.param(long_invoice(60), id="several pages"),
        ],
    )
    def test_embeds_every_font(self, document):
        pdf = render(document)
        fonts = fonts_of(pdf)
        assert fonts
        for font in fonts.values():
            assert "DejaVuSansCondensed" in font["/BaseFont"]
            assert len(font["/FontDescriptor"]["/FontFile2"].get_data()) > 1000
            assert "/ToUnicode" in font
        assert b"Helvetica" not in pdf

    def test_carries_only_the_alphabets_it_uses(self):
        assert len(fonts_of(render(invoice()))) == 2
        assert len(fonts_of(render(invoice(section("", line(GREEK)))))) == 3
        assert len(render(invoice())) < 30_000

    def test_has_metadata_and_a_language(self):
        reader = pypdf.PdfReader(io.BytesIO(render(invoice())))
        assert reader.metadata.title == "Invoice INV-2026-000042"
        assert reader.metadata.author == SELLER.name
        assert reader.metadata.subject == (
            "Invoice INV-2026-000042 for Harbor & Lane Architects, P.C., account A-100042"
        )
        assert reader.metadata.creation_date.date().isoformat() == "2026-03-01"
        assert reader.trailer["/Root"]["/Lang"] == "en"

    def test_is_read_without_a_complaint(self):
        reader = pypdf.PdfReader(io.BytesIO(render(partner_invoice())), strict=True)
        assert all(page.extract_text() for page in reader.pages)

    def test_is_the_same_after_other_documents(self):
        before = render(invoice())
        render(invoice(section(GREEK, line(CYRILLIC))))
        assert render(invoice()) == before

    def test_is_the_same_in_another_process(self):
        script = (
            "import hashlib; from invoicing.invoices.drawing import render;"
            "from tests.invoicing.invoices.document_factory import partner_invoice;"
            "print(hashlib.sha256(render(partner_invoice())).hexdigest())"
        )
        digests = {
            subprocess.run(
                [sys.executable, "-c", script], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
            ).stdout.strip()
            for seed in ("1", "2")
        }
        assert digests == {hashlib.sha256(render(partner_invoice())).hexdigest()}
