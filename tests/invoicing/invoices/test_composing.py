"""From the rows of issued invoices to what is printed: sums kept, clients apart, credits positive."""

import io
from datetime import date
from decimal import Decimal

import pytest
from pypdf import PdfReader

from invoicing.invoices.composing import InvoiceComposer
from invoicing.invoices.document import InvoiceDocument, TaxRow, faults
from invoicing.invoices.models import Invoice
from invoicing.sellers.addresses import printed_address
from invoicing.sellers.letterheads import current_letterhead
from tests.invoicing.documents.factories import (
    line,
    make_account,
    make_client,
    make_invoice,
    make_rate,
    make_seller,
)


def composed(invoice: Invoice) -> InvoiceDocument:
    return InvoiceComposer().pdf_inputs([invoice.pk])[invoice.pk]


@pytest.mark.django_db
class TestInvoiceComposer:
    def test_prints_what_the_rows_say(self):
        account = make_account(name="Harbor & Lane")
        invoice = make_invoice(account, [line("18.95", quantity=2)])
        document = composed(invoice)
        assert faults(document) == []
        assert (document.kind, document.number) == ("INVOICE", invoice.number)
        assert (document.seller.name, document.seller.address_lines) == (
            "Northwind Telecom LLC",
            ("200 Madison Avenue, Floor 9", "New York, NY 10016"),
        )
        assert (document.buyer.name, document.buyer.address_lines[1]) == ("Harbor & Lane", "New York, NY 10005")
        assert (document.account_number, document.purchase_order) == (account.number, "PO 4500017731")
        assert (document.period_text, document.due_on) == ("1 to 31 December 2026", date(2026, 12, 31))
        assert (document.total, document.amount_due, document.exponent) == (Decimal("37.90"), Decimal("37.90"), 2)
        (section,) = document.sections
        assert (section.title, section.subtotal) == ("", None)
        (printed,) = section.lines
        assert (printed.quantity, printed.unit_price, printed.amount) == (2, Decimal("18.95"), Decimal("37.90"))
        assert printed.detail == "1 to 31 December 2026 · BILL-2"

    def test_says_what_was_out_of_the_ordinary(self):
        invoice = make_invoice(lines=[line("10.00", why={"terms": "hosted-partner", "late": True, "agreed": True})])
        (printed,) = composed(invoice).sections[0].lines
        reasons = "added after the month had begun · at the agreed price"
        assert printed.detail == f"1 to 31 December 2026 · {reasons} · BILL-2"

    def test_gives_each_client_of_a_partner_a_section(self):
        """BILL-2."""
        partner = make_account(kind="PARTNER", name="Partner Ltd")
        north, south = (make_client(partner, name) for name in ("North", "South"))
        invoice = make_invoice(
            partner,
            [
                line("5.00"),
                line("10.00", client=north),
                line("20.00", client=south),
                line("30.00", client=north),
            ],
        )
        found = [(section.title, section.subtotal) for section in composed(invoice).sections]
        assert found == [
            ("Partner Ltd", Decimal("5.00")),
            (f"{north.number} North", Decimal("40.00")),
            (f"{south.number} South", Decimal("20.00")),
        ]

    def test_prints_a_clients_name_as_it_was_at_issue(self):
        partner = make_account(kind="PARTNER")
        client = make_client(partner, "Before")
        buyer = {"name": "P", "lines": [], "account_number": "P-1", "clients": {str(client.pk): "C-1 Before"}}
        invoice = make_invoice(partner, [line("5.00", client=client)], buyer=buyer)
        client.name = "After"
        client.save()
        assert composed(invoice).sections[0].title == "C-1 Before"

    def test_sums_each_tax_at_each_rate(self):
        """TAX-1."""
        state, city = make_rate("New York State", "4"), make_rate("New York City", "4.5")
        invoice = make_invoice(
            lines=[
                line("10.00", taxes=[(state, Decimal("0.40")), (city, Decimal("0.45"))]),
                line("0.12", taxes=[(state, Decimal("0.01")), (city, Decimal("0.01"))]),
                line("7.00"),
            ]
        )
        document = composed(invoice)
        assert faults(document) == []
        assert document.taxes == (
            TaxRow("New York City", Decimal("4.5"), Decimal("10.12"), Decimal("0.46")),
            TaxRow("New York State", Decimal("4"), Decimal("10.12"), Decimal("0.41")),
        )
        assert [printed.tax_mark for printed in document.sections[0].lines] == ["T", "T", ""]

    def test_prints_a_credit_note_with_positive_amounts(self):
        state = make_rate("New York State", "4")
        invoice = make_invoice()
        credit = make_invoice(
            invoice.account,
            [
                line("-10.00", kind="CREDIT", taxes=[(state, Decimal("-0.40"))]),
                line("5.00", quantity=-2, kind="CREDIT"),
                line("1.00", description="A charge set against it"),
            ],
            corrects=invoice,
            reason="Ended before the 1st.",
        )
        document = composed(credit)
        assert faults(document) == []
        assert (document.kind, document.due_on, document.amount_due) == ("CREDIT_NOTE", None, 0)
        assert (document.corrects_number, document.reason) == (invoice.number, "Ended before the 1st.")
        assert (document.subtotal, document.total) == (Decimal("19.00"), Decimal("19.40"))
        printed = [(one.quantity, one.unit_price, one.amount) for one in document.sections[0].lines]
        assert printed == [(1, 10, 10), (2, 5, 10), (1, -1, -1)]
        assert document.taxes == (TaxRow("New York State", Decimal(4), Decimal(10), Decimal("0.40")),)

    def test_prints_the_seller_as_it_was_at_issue(self):
        invoice = make_invoice()
        seller = make_seller()
        seller.phone = "+1 212 555 0199"
        seller.save()
        assert composed(invoice).seller.phone == "+1 212 555 0100"

    def test_leaves_drafts_out(self):
        draft = make_invoice().__class__.objects.create(
            account=make_account(), seller=make_seller(), issued_on=date(2026, 12, 1), due_on=date(2026, 12, 31),
            currency="USD", terms_code="x", subtotal=1, tax_total=0, total=1, buyer={},
        )  # fmt: skip
        assert InvoiceComposer().pdf_inputs([draft.pk]) == {}

    def test_reads_any_number_in_five_queries(self, django_assert_num_queries):
        ids = [make_invoice(lines=[line("1.00"), line("2.00")]).pk for _ in range(20)]
        with django_assert_num_queries(5):
            assert len(InvoiceComposer().pdf_inputs(ids)) == 20

    def test_gives_every_number_a_path_of_its_own(self):
        composer, document = InvoiceComposer(), composed(make_invoice())
        assert composer.path(document) == f"invoices/2026-12/{document.number}.pdf"
        odd = [self.numbered(document, number) for number in ("../../etc/x", "A/1", "A-1", "A 1")]
        paths = [composer.path(one) for one in odd]
        assert paths[0] == "invoices/2026-12/..%2F..%2Fetc%2Fx.pdf"
        assert len(set(paths)) == 4

    def numbered(self, document: InvoiceDocument, number: str) -> InvoiceDocument:
        return InvoiceDocument(**{name: getattr(document, name) for name in document.__slots__} | {"number": number})

    def test_is_drawn_with_every_figure(self):
        invoice = make_invoice(lines=[line("1234.50")])
        text = PdfReader(io.BytesIO(InvoiceComposer.draw(composed(invoice)))).pages[0].extract_text()
        for told in (invoice.number, "1,234.50", "31 December 2026", "Routing 021000021", "BILL-2"):
            assert told in text


@pytest.mark.django_db
class TestCurrentLetterhead:
    def test_is_kept_once_as_long_as_nothing_printed_changes(self):
        seller = make_seller()
        first = current_letterhead(seller)
        seller.time_zone = "America/Denver"
        assert current_letterhead(seller) == first

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("name", "Other"),
            ("tax_ids", ["EIN 1"]),
            ("logo", b"png"),
            ("page_size", "A4"),
            ("payment_instructions", ""),
        ],
    )
    def test_is_another_when_something_printed_changes(self, name, value):
        seller = make_seller()
        first = current_letterhead(seller)
        setattr(seller, name, value)
        assert current_letterhead(seller) != first


class TestPrintedAddress:
    @pytest.mark.parametrize(
        ("given", "printed"),
        [
            (("48 Wall Street", "New York", "NY", "10005", "US"), ("48 Wall Street", "New York, NY 10005")),
            (("1 Main", "Köln", "", "50667", "DE"), ("1 Main", "Köln, 50667", "DE")),
            (("", "", "", "", "US"), ()),
            (("", "", "NY", "", "US"), ("NY",)),
        ],
    )
    def test_leaves_out_what_is_empty(self, given, printed):
        assert printed_address(*given) == printed
