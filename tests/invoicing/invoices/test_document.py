from dataclasses import replace
from decimal import Decimal

import pytest

from invoicing.invoices.document import faults
from invoicing.invoices.drawing import DocumentDoesNotAddUp, render
from tests.invoicing.invoices.document_factory import credit_note, invoice, line, section


class TestFaults:
    def test_finds_none_in_an_invoice_that_adds_up(self):
        assert faults(invoice(section("Seats", line(), line("Rebate", "-10.00")), tax="8.875")) == []

    def test_finds_none_in_a_credit_note_that_adds_up(self):
        assert faults(credit_note()) == []

    def test_names_a_credit_note_of_a_negative_amount(self):
        document = credit_note(section("", line(amount="-37.90")))
        assert faults(document) == ["a credit note prints what is credited as a positive amount, not -37.90"]

    def test_names_a_section_whose_lines_do_not_make_its_subtotal(self):
        document = invoice(replace(section("Seats", line()), subtotal=Decimal("37.91")))
        assert faults(document) == ["the lines of 'Seats' sum to 37.90, not to 37.91"]

    def test_names_lines_that_do_not_make_the_subtotal(self):
        document = replace(invoice(), subtotal=Decimal("38.00"), total=Decimal("38.00"))
        assert faults(document) == ["the lines sum to 37.90, not to the subtotal 38.00"]

    def test_names_taxes_that_do_not_make_the_total(self):
        document = replace(invoice(tax="10"), total=Decimal("41.70"))
        assert faults(document) == ["subtotal 37.90 and tax 3.79 do not make the total 41.70"]

    @pytest.mark.parametrize(
        ("exponent", "amount"),
        [
            pytest.param(0, "1.5", id="half a yen"),
            pytest.param(2, "1.005", id="half a cent"),
            pytest.param(3, "1.0005", id="half a fils"),
        ],
    )
    def test_names_an_amount_that_the_currency_cannot_hold(self, exponent, amount):
        document = invoice(section("", line(amount=amount)), exponent=exponent)
        assert f"line amount {amount} has more than {exponent} decimal places" in faults(document)

    def test_does_not_mind_noughts_beyond_the_exponent(self):
        assert faults(invoice(section("", line(amount="37.900000")))) == []

    def test_lets_the_amount_due_differ_from_the_total(self):
        assert faults(replace(invoice(), amount_due=Decimal("10.00"))) == []


class TestRenderOfAFaultyDocument:
    def test_is_refused_with_the_reasons(self):
        document = replace(invoice(), subtotal=Decimal("38.00"), total=Decimal("38.00"))
        with pytest.raises(DocumentDoesNotAddUp, match="not to the subtotal 38.00"):
            render(document)
