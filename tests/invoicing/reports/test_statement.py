"""The statement of account: opening balance, everything that changed it, closing balance, from the books (AUTH-4)."""

from datetime import date
from decimal import Decimal

import pytest
from django.core import mail
from django.db.models import Sum

from accounts.actors import NotPermitted, Role
from accounts.decisions import Refused
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from invoicing.documents.models import Delivery, Letter
from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import send_pending
from invoicing.ledger.models import Posting
from invoicing.reports.operations import request_statement
from invoicing.reports.statements import statement_of
from tests.invoicing import factories as made
from tests.invoicing.reports.factories import (
    MIA,
    NOBODY,
    NOW,
    booked,
    day,
    invoice,
    paid,
    refunded,
    returned,
)

pytestmark = pytest.mark.django_db

FIRST, LAST = date(2026, 2, 1), date(2026, 2, 28)


@pytest.fixture
def account():
    """
    January: 40.00 open. February: 100.00 invoiced; 60.00 by card, of which 10.00 is refunded; a debit of 20.00 that
    comes back; 5.00 credited; a check of 30.00. Closing: 40 + 100 − 60 + 10 − 20 + 20 − 5 − 30 = 55.00.
    """
    account = made.customer(profile={"currency": "USD"})
    invoice(account, "40", date(2026, 1, 1), date(2026, 1, 31))
    february = invoice(account, "100", day(1), day(28))
    by_card = paid(account, "60", day(5), kind="CARD", fee="0.60", invoices={february.pk: "60"})
    refunded(by_card, "10", "0.10", day(9))
    debit = paid(account, "20", day(10), kind="ACH", invoices={february.pk: "20"})
    returned(debit, day(20))
    invoice(account, "-5", day(21), day(21))
    paid(account, "30", day(25), reference="1042", invoices={february.pk: "30"})
    return account


def said(account, from_on=FIRST, to_on=LAST):
    return statement_of(account.pk, currency="USD", from_on=from_on, to_on=to_on)


class TestStatementOf:
    def test_runs_from_the_opening_to_the_closing_balance(self, account):
        found = said(account)
        assert found.opening == Decimal("40")
        assert [(line.on.day, line.what, f"{line.charge:.2f}", f"{line.credit:.2f}", f"{line.balance:.2f}")
                for line in found.lines] == [
            (1, "Invoice INV-000002, due 28 February 2026", "100.00", "0.00", "140.00"),
            (5, "Payment, Visa ending in 4242", "0.00", "60.00", "80.00"),
            (5, "Card service fee (FEE-1), Visa ending in 4242", "0.60", "0.60", "80.00"),
            (9, "Refund, Visa ending in 4242", "10.00", "0.00", "90.00"),
            (9, "Card service fee returned (FEE-3), Visa ending in 4242", "0.10", "0.10", "90.00"),
            (10, "Payment, ACH / eCheck", "0.00", "20.00", "70.00"),
            (20, "Payment returned by the bank, ACH / eCheck", "20.00", "0.00", "90.00"),
            (21, "Credit note CN-000001", "0.00", "5.00", "85.00"),
            (25, "Payment, Check 1042", "0.00", "30.00", "55.00"),
        ]  # fmt: skip
        assert found.closing == Decimal("55")

    def test_closes_with_what_the_ledger_says(self, account):
        owed = Posting.objects.filter(
            account=account, ledger_account__in=("RECEIVABLE", "CUSTOMER_CREDIT", "COLLECTIONS")
        ).aggregate(Sum("amount"))
        assert said(account).closing == owed["amount__sum"]

    def test_opens_where_the_one_before_closed(self, account):
        middle = date(2026, 2, 15)
        assert said(account, to_on=middle).closing == said(account, from_on=date(2026, 2, 16)).opening

    def test_shows_deposit_and_prepaid_balance_apart(self, account):
        before = said(account).closing
        booked(account, "d", "PAYMENT", day(3), GATEWAY_CLEARING="500", DEPOSIT_HELD="-500")
        booked(account, "p", "PAYMENT", day(4), GATEWAY_CLEARING="12.345678", PREPAID_BALANCE="-12.345678")
        found = said(account)
        assert (found.closing, found.deposit, found.prepaid) == (before, Decimal("500"), Decimal("12.345678"))

    def test_knows_what_was_applied_of_a_deposit_and_what_is_with_the_agency(self, account):
        booked(account, "a", "APPLICATION", day(26), DEPOSIT_HELD="15", RECEIVABLE="-15")
        booked(account, "b", "PLACEMENT", day(27), COLLECTIONS="40", RECEIVABLE="-40")
        found = said(account)
        assert found.lines[-1].what == "Deposit applied"
        assert (found.closing, found.placed) == (Decimal("40"), Decimal("40"))

    def test_takes_as_many_queries_for_fifty_entries_as_for_ten(self, account, django_assert_max_num_queries):
        for number in range(50):
            paid(account, "1", day(26), reference=f"{number}")
        with django_assert_max_num_queries(4):
            assert len(said(account).lines) == 59


class TestRequestStatement:
    def ask(self, account, actor=MIA, **values):
        days = {"from_on": FIRST, "to_on": LAST} | values
        return request_statement(account, actor=actor, now=NOW, **days)

    def test_is_mailed_with_the_pdf(self, account):
        letter = self.ask(account)
        assert letter.key == f"statement:{account.pk}:2026-02-01:2026-02-28"
        Delivery.objects.exclude(document__kind="STATEMENT").delete()
        render_pending(limit=50, now=NOW)
        send_pending(limit=50, now=NOW)
        (message,) = mail.outbox
        assert message.subject == f"Statement of account {account.number}, 1 February 2026 to 28 February 2026"
        assert "On 28 February 2026, USD 55.00 was open." in message.body
        assert message.attachments[0][0].startswith("statement-2026-02-28-")

    def test_leaves_who_asked_for_it(self, account):
        letter = self.ask(account)
        entry = AuditEntry.objects.get(action="statement.request")
        assert (entry.who, entry.subject, entry.account_id) == ("Mia Manager", letter.key, account.pk)

    def test_asked_again_is_the_same_letter_mailed_once_more(self, account):
        assert self.ask(account) == self.ask(account)
        sent = Delivery.objects.filter(document__kind="STATEMENT").order_by("sequence")
        assert list(sent.values_list("sequence", flat=True)) == [1, 2]

    def test_is_a_new_letter_once_the_books_have_moved(self, account):
        first = self.ask(account)
        paid(account, "55", day(27))
        assert self.ask(account).key == f"{first.key}:2"
        assert Letter.objects.filter(kind="STATEMENT").count() == 2

    @pytest.mark.parametrize("role", [Role.PRIMARY, Role.BILLING, Role.PRIMARY_BILLING])
    def test_may_be_asked_for_by_who_sees_billing(self, account, role):
        assert self.ask(account, made.contact_of(account, role))

    @pytest.mark.parametrize("role", [Role.TECHNICAL, Role.ADMINISTRATOR])
    def test_is_refused_to_others_by_auth_4(self, account, role):
        with pytest.raises(Refused, match="AUTH-4"):
            self.ask(account, made.contact_of(account, role))

    def test_is_not_written_for_staff_without_the_permission(self, account):
        with pytest.raises(NotPermitted):
            self.ask(account, NOBODY)

    def test_refuses_days_that_are_none(self, account):
        with pytest.raises(BadValue, match="not after its last"):
            self.ask(account, from_on=date(2026, 3, 1))
        with pytest.raises(BadValue, match="at the latest"):
            self.ask(account, to_on=date(2026, 4, 1))

    def test_of_a_client_is_its_partners_own(self):
        _, (client, _) = made.partner_with_clients()
        with pytest.raises(BadValue, match="through its partner"):
            self.ask(client)
