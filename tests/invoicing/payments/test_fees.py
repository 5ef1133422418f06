"""FEE-1 to FEE-4 as quoted to an account."""

from datetime import date
from decimal import Decimal

import pytest

from invoicing.ledger.models import LedgerEntry
from invoicing.payments.fees import fee_if_paid_by_card, fee_of_method
from tests.invoicing import factories as made
from tests.invoicing.payments import factories as money

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 2)


def quote(account, amount="200"):
    return fee_if_paid_by_card(account, Decimal(amount), currency="USD", on=DAY)


class TestQuote:
    """FEE-3: looking adds nothing."""

    def test_is_one_percent(self):
        assert quote(made.customer()).amount == Decimal("2.00")

    @pytest.mark.parametrize("state", ["CO", "CT", "FL", "KS", "ME", "MA", "TX", "tx"])
    def test_is_nothing_in_an_exempt_state(self, state):
        assert quote(made.customer(state=state)).amount == 0

    def test_of_como_in_italy_is_no_colorado(self):
        assert quote(made.customer(state="CO", country="IT")).amount == Decimal("2.00")

    def test_is_of_the_accounts_own_card(self):
        account = made.customer()
        made.terms("hosted-direct", fee_on_debit=False)
        money.card(account, funding="DEBIT")
        assert quote(account).amount == 0

    def test_is_of_a_credit_card_where_it_has_none(self):
        account = made.customer()
        made.terms("hosted-direct", fee_on_debit=False)
        money.bank_account(account)
        assert quote(account).amount == Decimal("2.00")

    def test_of_a_client_is_its_partners(self):
        partner, (client, _) = made.partner_with_clients()
        partner.state = "TX"
        partner.save()
        assert quote(client).amount == 0

    def test_changes_nothing(self):
        """Invoice Ninja added the card fee when the method was looked at."""
        account = made.customer()
        money.card(account)
        invoice = money.invoice(account)
        before = LedgerEntry.objects.count()
        for _ in range(3):
            quote(account)
        assert LedgerEntry.objects.count() == before
        assert money.open_of(invoice) == 100


class TestOfMethod:
    def test_is_none_for_a_bank_account(self):
        account = made.customer()
        fee = fee_of_method(account.billing_profile, money.bank_account(account), Decimal(200), currency="USD", on=DAY)
        assert (fee.amount, fee.clause) == (0, "FEE-1")

    def test_keeps_why(self):
        account = made.customer()
        fee = fee_of_method(account.billing_profile, money.card(account), Decimal(200), currency="USD", on=DAY)
        assert fee.why()["rate_percent"] == "1"
        assert fee.why()["clause"] == "FEE-1"
        assert fee.why()["legal_reference"]
