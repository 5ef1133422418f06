"""What staff do about money on its pages: each act calls its operation, and its refusal is shown in its words."""

import re
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages

from accounts.models import ApiToken, AuditEntry
from accounts.tokens import token_of
from invoicing.collections.models import Hold, PlatformEndpoint, Suspension
from invoicing.payments.models import Payment, Refund
from invoicing.payments.operations import book_payment, charge
from invoicing.payments.queries import standing_of, unallocated
from tests.invoicing import factories as make
from tests.invoicing.payments.factories import MIA, NOW, TODAY, card, invoice, open_of, ship_rates

pytestmark = pytest.mark.django_db


def booked(account, amount: str = "150") -> Payment:
    return book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference="4711", received_on=TODAY, actor=MIA,
        now=NOW,
    )  # fmt: skip


def told(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def secret_in(response) -> str:
    """What the answer shows once."""
    shown = re.search(r'<code class="bk-secret">([^<]+)</code>', response.text)
    assert shown, response.text
    return shown[1]


def kept_of(client, response, caplog) -> str:
    """All that outlives the answer: cookies, the session, messages, the log and the trail of changes."""
    trail = list(AuditEntry.objects.values_list("detail", "subject", "why"))
    return f"{response.cookies} {client.cookies} {dict(client.session)} {told(response)} {caplog.text} {trail}"


class TestRefund:
    def test_shows_what_goes_back_with_the_fee_before_anything_does(self, manager, gateway):
        ship_rates()
        account = make.customer()
        invoice(account, "200")
        paid = charge(account.pk, card(account), actor=MIA, now=NOW)
        address = f"/admin/invoicing/payment/{paid.pk}/refund/"
        shown = manager.post(address, {"amount": "50", "reason": "Too much.", "preview": "1"})
        assert "USD 50.50" in shown.text
        assert not Refund.objects.exists()
        manager.post(address, {"amount": "50", "reason": "Too much.", "do": "1"})
        made = Refund.objects.get()
        assert (made.amount, made.fee, made.state) == (Decimal(50), Decimal("0.50"), "SUCCEEDED")
        assert AuditEntry.objects.filter(action="payment.refund").exists()

    def test_says_why_not_and_gives_nothing(self, manager):
        account = make.customer()
        paid = booked(account)
        address = f"/admin/invoicing/payment/{paid.pk}/refund/"
        answer = manager.post(address, {"amount": "151", "reason": "So.", "reference": "W-1", "do": "1"})
        assert "may be refunded" in answer.text
        assert not Refund.objects.exists()

    def test_is_not_done_by_an_agent(self, agent):
        paid = booked(make.customer())
        typed = {"reason": "So.", "reference": "W-1", "do": "1"}
        assert agent.post(f"/admin/invoicing/payment/{paid.pk}/refund/", typed).status_code == 403
        assert not Refund.objects.exists()


class TestBook:
    def test_pays_the_chosen_invoice_and_keeps_the_rest_as_credit(self, agent):
        account = make.customer()
        first, second = invoice(account, "100"), invoice(account, "60")
        answer = agent.post(
            f"/admin/invoicing/payment/account/{account.pk}/book/",
            {
                "kind": "WIRE", "amount": "70", "currency": "usd", "reference": "W-1", "received_on": "2026-03-02",
                "invoices": [second.pk], "do": "1",
            },
        )  # fmt: skip
        assert answer.headers["Location"] == f"/admin/accounts/account/{account.pk}/change/?tab=money"
        assert (open_of(first), open_of(second)) == (Decimal(100), 0)
        assert unallocated(Payment.objects.get().pk) == Decimal(10)

    def test_takes_no_other_accounts_invoice(self, agent):
        account, theirs = make.customer(), invoice(make.customer(), "60")
        answer = agent.post(
            f"/admin/invoicing/payment/account/{account.pk}/book/",
            {
                "kind": "WIRE", "amount": "60", "currency": "USD", "reference": "W-1", "received_on": "2026-03-02",
                "invoices": [theirs.pk], "do": "1",
            },
        )  # fmt: skip
        assert answer.status_code == 200
        assert not Payment.objects.exists()


class TestAllocation:
    def test_is_taken_back_and_put_on_another_invoice(self, agent):
        account = make.customer()
        first = invoice(account, "100")
        paid = booked(account, "100")
        second = invoice(account, "40")
        address = f"/admin/invoicing/payment/{paid.pk}"
        agent.post(f"{address}/take-back/", {"invoice": first.pk, "amount": "40", "why": "For the other.", "do": "1"})
        agent.post(f"{address}/allocate/", {"invoices": [second.pk], "do": "1"})
        assert {one.invoice_id: one.amount for one in standing_of(paid.pk)} == {first.pk: 60, second.pk: 40}


class TestHold:
    def test_is_placed_and_lifted(self, agent):
        account = make.customer()
        typed = {"kind": "PROMISE", "invoice": "", "until_on": "2999-01-01", "why": "They called.", "do": "1"}
        agent.post(f"/admin/invoicing/hold/account/{account.pk}/place/", typed)
        hold = Hold.objects.get()
        agent.post(f"/admin/invoicing/hold/{hold.pk}/lift/", {"why": "Paid.", "do": "1"})
        hold.refresh_from_db()
        assert hold.lifted_at

    def test_names_the_field_that_is_wrong(self, agent):
        account = make.customer()
        typed = {"kind": "PROMISE", "invoice": "", "until_on": "", "why": "They called.", "do": "1"}
        answer = agent.post(f"/admin/invoicing/hold/account/{account.pk}/place/", typed)
        assert "needs the last day" in answer.text
        assert not Hold.objects.exists()


class TestSuspension:
    def test_is_made_and_lifted_with_a_reason(self, manager):
        account = make.customer()
        manager.post(f"/admin/invoicing/suspension/account/{account.pk}/suspend/", {"why": "Abuse.", "do": "1"})
        one = Suspension.objects.get()
        manager.post(f"/admin/invoicing/suspension/{one.pk}/restore/", {"why": "Cleared up.", "do": "1"})
        one.refresh_from_db()
        assert one.state == "LIFTED"

    def test_the_sweep_is_shown_before_it_is_done(self, manager):
        due = invoice(make.customer(), "100")
        typed = {"seller": due.seller_id, "on": "2026-06-01"}
        shown = manager.post("/admin/invoicing/suspension/do/sweep/", {**typed, "preview": "1"})
        assert "Warned" in shown.text
        assert not Suspension.objects.exists()
        manager.post("/admin/invoicing/suspension/do/sweep/", {**typed, "do": "1"})
        assert Suspension.objects.get().state == "WARNED"


class TestToken:
    MAKE = ("/admin/accounts/apitoken/do/new/", {"name": "Switch", "scopes": ["usage:write"], "do": "1"})

    def test_is_shown_once_and_revoked(self, manager):
        key = secret_in(manager.post(*self.MAKE))
        token = ApiToken.objects.get()
        assert token_of(key) == token
        manager.post(f"/admin/accounts/apitoken/{token.pk}/revoke/", {"why": "Left.", "do": "1"})
        assert token_of(key) is None

    def test_stands_in_the_answer_alone_and_nowhere_that_keeps_it(self, manager, caplog):
        answer = manager.post(*self.MAKE)
        key = secret_in(answer)
        assert "no-store" in answer["Cache-Control"]
        assert kept_of(manager, answer, caplog).count(key) == 0

    def test_is_not_made_a_second_time_when_the_page_is_reloaded(self, manager):
        manager.post(*self.MAKE)
        assert "There is a token called Switch." in manager.post(*self.MAKE).text
        assert ApiToken.objects.count() == 1


class TestEndpointSecret:
    """SUSP-1: calls to the platform are signed."""

    ADD = (
        "/admin/invoicing/platformendpoint/do/new/",
        {"name": "Switch", "url": "https://switch.example.net/billing", "do": "1"},
    )

    def test_stands_in_the_answer_alone_and_nowhere_that_keeps_it(self, manager, caplog):
        added = manager.post(*self.ADD)
        endpoint = PlatformEndpoint.objects.get()
        renewed = manager.post(f"/admin/invoicing/platformendpoint/{endpoint.pk}/renew/", {"do": "1"})
        for answer in (added, renewed):
            assert "no-store" in answer["Cache-Control"]
            assert kept_of(manager, answer, caplog).count(secret_in(answer)) == 0
        assert secret_in(renewed) == PlatformEndpoint.objects.get().secret != endpoint.secret

    def test_is_masked_on_the_page_of_the_endpoint(self, manager):
        secret = secret_in(manager.post(*self.ADD))
        page = manager.get(f"/admin/invoicing/platformendpoint/{PlatformEndpoint.objects.get().pk}/change/")
        assert secret not in page.text


class TestInvoicePage:
    def test_says_what_paid_it(self, agent):
        account = make.customer()
        due = invoice(account, "100")
        paid = booked(account, "30")
        page = agent.get(f"/admin/invoicing/invoice/{due.pk}/change/").text
        assert f"Payment {paid.pk}" in page
        assert "USD 70.00 open" in page
