"""What an invoice says of being paid: what was applied as it was issued, and what paying by card would add."""

import io
from datetime import date
from decimal import Decimal

import pytest
from django.core import mail
from pypdf import PdfReader

from invoicing.documents.sending import send_pending
from invoicing.invoices.composing import InvoiceComposer
from invoicing.invoices.document import Applied, faults
from invoicing.invoices.drawing import render
from invoicing.invoices.fee_note import fee_note
from invoicing.ledger.operations import Side, post
from invoicing.payments.fee_table import CardFeeRate
from tests.invoicing import factories
from tests.invoicing.documents.factories import NOW, drawn, line, make_account, make_invoice, make_seller
from tests.invoicing.payments.factories import ship_rates

ONE_PERCENT = {"rate_percent": "1", "cap": "", "clause": "FEE-1", "state": "NY"}


class TestFeeNote:
    """FEE-1, FEE-2: what is quoted is the rate on what is due."""

    @pytest.mark.parametrize(
        ("kept", "due", "words"),
        [
            pytest.param(ONE_PERCENT, "100.00", "service fee of 1 %: USD 1.00 (FEE-1)", id="one percent"),
            pytest.param(ONE_PERCENT, "100.50", "USD 1.01", id="half a cent up"),
            pytest.param(ONE_PERCENT | {"rate_percent": "2.500"}, "10.00", "of 2.5 %: USD 0.25", id="another rate"),
            pytest.param(
                ONE_PERCENT | {"debit": "no"}, "100.00", "by credit card adds a service fee of 1 %", id="not debit"
            ),
            pytest.param(ONE_PERCENT | {"cap": "5"}, "1000.00", "USD 5.00 (FEE-1)", id="capped"),
            pytest.param(
                {"rate_percent": "0", "cap": "", "clause": "FEE-2", "state": "CO"}, "100.00",
                "no service fee in CO (FEE-2)", id="exempt state",
            ),
            pytest.param(
                {"rate_percent": "0", "cap": "", "clause": "FEE-4"}, "9.00", "no service fee (FEE-4)", id="no rate"
            ),
        ],
    )  # fmt: skip
    def test_says_what_a_card_would_add(self, kept, due, words):
        assert words in fee_note(kept, Decimal(due), "USD")

    def test_says_nothing_where_nothing_is_due_or_nothing_was_kept(self):
        assert fee_note(ONE_PERCENT, Decimal(0), "USD") == ""
        assert fee_note(None, Decimal(100), "USD") == ""


def settle(invoice, source: str, **sides: str) -> None:
    post(
        account_id=invoice.account_id,
        source=f"{source}:{invoice.pk}",
        kind="SETTLEMENT" if source == "settlement" else "APPLICATION",
        currency="USD",
        on=invoice.issued_on,
        now=NOW,
        sides=[Side(name, Decimal(amount), invoice_id=invoice.pk) for name, amount in sides.items()],
    )


def owing(**buyer):
    """An invoice of USD 100.00 to a customer in New York, with the rate of its day."""
    account = make_account(name="Harbor & Lane")
    kept = {"name": account.name, "lines": ["48 Wall Street"], "account_number": account.number} | buyer
    make_seller()
    return make_invoice(account, [line("50.00", 2)], buyer=kept)


def printed(invoice) -> str:
    pdf = InvoiceComposer.draw(InvoiceComposer().pdf_inputs([invoice.pk])[invoice.pk])
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.django_db
class TestAnInvoicePaidInPart:
    def test_shows_credit_and_deposit_apart_and_what_is_due(self):
        invoice = owing(card_fee=ONE_PERCENT)
        settle(invoice, "credit", CUSTOMER_CREDIT="30", DEPOSIT_HELD="20", RECEIVABLE="-50")
        text = printed(invoice)
        assert "Credit applied -30.00" in text
        assert "Deposit applied -20.00" in text
        assert "Amount due (USD) 50.00" in text
        assert "Paying by card adds a service fee of 1 %: USD 0.50 (FEE-1)." in text
        assert "How to pay" in text

    def test_needs_no_payment_where_all_of_it_was_applied(self):
        invoice = owing(card_fee=ONE_PERCENT)
        settle(invoice, "credit", CUSTOMER_CREDIT="100", RECEIVABLE="-100")
        text = printed(invoice)
        assert "No payment is needed" in text
        assert "Paying by card" not in text
        assert "How to pay" not in text

    def test_says_that_the_prepaid_balance_paid(self):
        invoice = owing(card_fee=ONE_PERCENT)
        settle(invoice, "settlement", RECEIVABLE="-100", PREPAID_BALANCE="60", UNBILLED_USAGE="40")
        text = printed(invoice)
        assert "Paid from the prepaid balance -100.00" in text
        assert "Amount due (USD) 0.00" in text
        drawn(invoice)
        send_pending(limit=10, now=NOW)
        assert "Paid from the prepaid balance: USD 100.00" in mail.outbox[0].body
        assert "Nothing is to be paid." in mail.outbox[0].body

    def test_is_the_same_page_after_it_was_paid(self):
        invoice = owing(card_fee=ONE_PERCENT)
        composer = InvoiceComposer()
        before = composer.draw(composer.pdf_inputs([invoice.pk])[invoice.pk])
        settle(invoice, "allocation", CUSTOMER_CREDIT="100", RECEIVABLE="-100")
        assert composer.draw(composer.pdf_inputs([invoice.pk])[invoice.pk]) == before

    def test_of_before_says_nothing_of_fees(self):
        assert "Paying by card" not in printed(owing())

    def test_that_does_not_add_up_is_not_drawn(self):
        invoice = owing()
        settle(invoice, "credit", CUSTOMER_CREDIT="30", RECEIVABLE="-30")
        document = InvoiceComposer().pdf_inputs([invoice.pk])[invoice.pk]
        assert document.applied == (Applied("Credit applied", Decimal(30)),)
        assert faults(document) == []
        assert render(document)


@pytest.mark.django_db
class TestTheRun:
    """FEE-1, FEE-2: what is kept with the invoice is the rate of its date in the account's state."""

    @pytest.mark.parametrize(
        ("state", "words"),
        [("NY", "Paying by card adds a service fee of 1 %: USD 0.10 (FEE-1)."), ("TX", "no service fee in TX (FEE-2)")],
    )
    def test_keeps_the_rate_with_the_invoice(self, state, words):
        ship_rates()
        account = factories.customer(state=state)
        factories.subscription(account, factories.plan("mail", "10"), date(2026, 2, 1))
        factories.bill(date(2026, 3, 1))
        invoice = account.invoices.get()
        CardFeeRate.objects.all().delete()
        assert words in printed(invoice)
