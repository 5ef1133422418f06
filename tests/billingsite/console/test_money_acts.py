"""What staff do about money on its pages: each act calls its operation, and its refusal is shown in its words."""

import html
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages

from accounts.models import ApiToken, AuditEntry
from accounts.tokens import token_of
from invoicing.collections.models import Hold, PlatformEndpoint, Suspension
from invoicing.invoices.deposits import deposit_held
from invoicing.invoices.models import Invoice
from invoicing.ledger.operations import Side, post
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.protocol import ChargeRequest, RefundRequest
from invoicing.payments.models import Payment, Refund
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import book_payment, charge, take_back, work_off_events
from invoicing.payments.queries import standing_of, unallocated
from invoicing.payments.receiving import take_in
from invoicing.sellers.models import Seller
from tests.invoicing import factories as make
from tests.invoicing.payments.factories import MIA, NOW, TODAY, card, invoice, open_of, ship_rates

pytestmark = pytest.mark.django_db


def booked(account, amount: str = "150") -> Payment:
    return book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference="4711", received_on=TODAY, actor=MIA,
        now=NOW,
    )  # fmt: skip


def charged_unheard(account, gateway, fault: Fault) -> Payment:
    """A charge whose answer never came."""
    gateway.stripe.faults = Told([fault])
    return charge(account.pk, card(account), actor=MIA, now=NOW)


def deposit_paid(account) -> Payment:
    """The payment of an invoice that took a deposit of USD 500.00."""
    due = invoice(account, "500")
    post(
        account_id=account.pk, source=f"test-deposit:{due.pk}", kind="DEPOSIT", currency="USD", on=TODAY, now=NOW,
        sides=[Side("REVENUE", Decimal(500)), Side("DEPOSIT_HELD", Decimal(-500), invoice_id=due.pk)],
    )  # fmt: skip
    return booked(account, "500")


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


class TestRefundThatFailed:
    def test_is_given_back_by_check_from_the_payments_page(self, manager, gateway):
        account = make.customer()
        invoice(account, "200")
        paid = charge(account.pk, card(account), actor=MIA, now=NOW)
        address = f"/admin/invoicing/payment/{paid.pk}/refund/"
        assert "How it goes back" not in manager.get(address).text
        manager.post(address, {"reason": "Closed.", "do": "1"})
        gateway.fail_refund(Refund.objects.get().gateway_reference)
        take_in(gateway)
        work_off_events(now=NOW)
        assert (
            "came to nothing, and its money is here" in manager.get(f"/admin/invoicing/payment/{paid.pk}/change/").text
        )
        assert f">{paid.pk}<" in manager.get("/admin/invoicing/payment/?queue=refund").text
        manager.post(address, {"reason": "Closed.", "by_hand": "CHECK", "reference": "c-9", "do": "1"})
        assert list(Refund.objects.order_by("pk").values_list("state", flat=True)) == ["FAILED", "SUCCEEDED"]

    def test_made_at_the_gateway_itself_is_booked_from_its_notice(self, manager, auditor, gateway):
        account = make.customer()
        due = invoice(account, "200")
        paid = charge(account.pk, card(account), actor=MIA, now=NOW)
        gateway.refund(RefundRequest("elsewhere", paid.gateway_reference, Decimal("50.50"), "USD"))
        take_in(gateway)
        work_off_events(now=NOW)
        notice = WebhookEvent.objects.filter(state="PARKED").first()
        address = f"/admin/invoicing/webhookevent/{notice.pk}/book-refund/"
        assert auditor.post(address, {"reason": "By phone.", "do": "1"}).status_code == 403
        assert not Refund.objects.exists()
        manager.post(address, {"reason": "By phone.", "do": "1"})
        assert (Refund.objects.get().amount, open_of(due)) == (50, 50)


class TestLook:
    def test_finds_what_was_charged(self, agent, gateway):
        account = make.customer()
        due, unheard = invoice(account, "200"), charged_unheard(account, gateway, Fault.LOST_REPLY)
        agent.post(f"/admin/invoicing/payment/{unheard.pk}/look/", {"do": "1"})
        unheard.refresh_from_db()
        assert (unheard.state, open_of(due)) == ("SUCCEEDED", 0)
        assert AuditEntry.objects.filter(action="payment.look", subject=f"payment {unheard.pk}").exists()

    def test_is_refused_for_what_came_by_hand(self, agent):
        paid = booked(make.customer())
        answer = agent.post(f"/admin/invoicing/payment/{paid.pk}/look/", {"do": "1"})
        assert "came by hand" in answer.text + told(answer)

    def test_is_not_done_by_an_auditor(self, auditor, gateway):
        invoice(account := make.customer(), "200")
        unheard = charged_unheard(account, gateway, Fault.LOST_REPLY)
        assert auditor.post(f"/admin/invoicing/payment/{unheard.pk}/look/", {"do": "1"}).status_code == 403
        unheard.refresh_from_db()
        assert unheard.state == "UNKNOWN"


class TestNothingWasTaken:
    def test_ends_an_attempt_and_its_invoice_may_be_charged_again(self, manager, gateway):
        invoice(account := make.customer(), "200")
        unheard = charged_unheard(account, gateway, Fault.TIMEOUT_BEFORE)
        address = f"/admin/invoicing/payment/{unheard.pk}/give-up/"
        manager.post(address, {"why": "Their list of charges has none.", "do": "1"})
        unheard.refresh_from_db()
        assert (unheard.state, unheard.targets.get().is_open) == ("FAILED", False)
        assert AuditEntry.objects.get(action="payment.give_up").why == "Their list of charges has none."
        assert "its answer stands" in (again := manager.post(address, {"why": "So.", "do": "1"})).text + told(again)

    @pytest.mark.parametrize("who", ["agent", "auditor"])
    def test_is_not_said_by_an_agent_or_auditor(self, request, gateway, who):
        client = request.getfixturevalue(who)
        invoice(account := make.customer(), "200")
        unheard = charged_unheard(account, gateway, Fault.TIMEOUT_BEFORE)
        typed = {"why": "So.", "do": "1"}
        assert client.post(f"/admin/invoicing/payment/{unheard.pk}/give-up/", typed).status_code == 403
        unheard.refresh_from_db()
        assert unheard.state == "UNKNOWN"


class TestCharge:
    def test_takes_what_is_chosen_with_its_fee(self, agent, gateway):
        ship_rates()
        account = make.customer()
        first, second = invoice(account, "100"), invoice(account, "200")
        method = card(account)
        address = f"/admin/invoicing/payment/account/{account.pk}/charge/"
        shown = agent.post(address, {"method": method.pk, "invoices": [second.pk], "preview": "1"})
        assert "USD 202.00" in shown.text
        assert not Payment.objects.exists()
        agent.post(address, {"method": method.pk, "invoices": [second.pk], "do": "1"})
        assert (open_of(first), open_of(second)) == (100, 0)
        assert (Payment.objects.get().fee, len(gateway.charges())) == (2, 1)

    def test_says_why_not(self, agent, gateway):
        account = make.customer()
        method = card(account)
        answer = agent.post(f"/admin/invoicing/payment/account/{account.pk}/charge/", {"method": method.pk, "do": "1"})
        assert "Nothing is due any more" in answer.text
        assert not gateway.charges()

    def test_takes_no_other_accounts_method(self, agent, gateway):
        account, theirs = make.customer(), card(make.customer())
        invoice(account, "100")
        card(account)
        agent.post(f"/admin/invoicing/payment/account/{account.pk}/charge/", {"method": theirs.pk, "do": "1"})
        assert not Payment.objects.exists()

    def test_is_not_done_by_an_auditor(self, auditor, gateway):
        account = make.customer()
        invoice(account, "100")
        typed = {"method": card(account).pk, "do": "1"}
        assert auditor.post(f"/admin/invoicing/payment/account/{account.pk}/charge/", typed).status_code == 403
        assert not Payment.objects.exists()


class TestDeposit:
    """SEAT-1."""

    def held(self):
        account = make.customer()
        return account, deposit_paid(account)

    def test_is_given_back_as_credit_of_the_payment_that_brought_it(self, manager):
        account, paid = self.held()
        address = f"/admin/invoicing/payment/account/{account.pk}/deposit/"
        assert "USD 500.00" in manager.post(address, {"why": "They leave.", "preview": "1"}).text
        assert unallocated(paid.pk) == 0
        manager.post(address, {"why": "They leave.", "do": "1"})
        assert (unallocated(paid.pk), deposit_held(account.pk)) == (500, {})
        assert AuditEntry.objects.get(action="deposit.release").why == "They leave."

    def test_is_refused_while_its_invoice_is_not_paid(self, manager):
        account, paid = self.held()
        due = Invoice.objects.get(account=account)
        take_back(paid, due, actor=MIA, now=NOW, why="Booked on the wrong account.")
        address = f"/admin/invoicing/payment/account/{account.pk}/deposit/"
        answer = manager.post(address, {"why": "They leave.", "do": "1"})
        assert "is not paid, so the deposit is not there to be given back" in html.unescape(answer.text)
        assert deposit_held(account.pk) == {"USD": 500}

    @pytest.mark.parametrize("who", ["agent", "auditor"])
    def test_is_not_given_back_by_an_agent_or_auditor(self, request, who):
        account, _ = self.held()
        client = request.getfixturevalue(who)
        typed = {"why": "They leave.", "do": "1"}
        assert client.post(f"/admin/invoicing/payment/account/{account.pk}/deposit/", typed).status_code == 403
        assert deposit_held(account.pk) == {"USD": 500}


class TestNotice:
    @pytest.fixture
    def parked(self, gateway):
        """A charge of which we know nothing."""
        method = card(make.customer())
        request = ChargeRequest("k-1", Decimal(55), "USD", "CARD", method.token, method.customer_token, "Elsewhere")
        gateway.charge(request)
        take_in(gateway)
        work_off_events(now=NOW)
        return WebhookEvent.objects.get(type="payment_intent.succeeded")

    def test_is_settled_with_what_was_done_about_it(self, manager, parked):
        manager.post(f"/admin/invoicing/webhookevent/{parked.pk}/resolve/", {"why": "Refunded there.", "do": "1"})
        parked.refresh_from_db()
        assert parked.state == "DONE"
        assert AuditEntry.objects.get(action="event.resolve").why == "Refunded there."

    def test_wants_to_know_what_was_done(self, manager, parked):
        answer = manager.post(f"/admin/invoicing/webhookevent/{parked.pk}/resolve/", {"why": " ", "do": "1"})
        assert "This field is required" in answer.text
        parked.refresh_from_db()
        assert parked.state == "PARKED"

    def test_is_worked_off_again(self, manager, parked):
        manager.post(f"/admin/invoicing/webhookevent/{parked.pk}/retry/", {"do": "1"})
        parked.refresh_from_db()
        assert (parked.state, parked.attempts) == ("RECEIVED", 0)
        assert AuditEntry.objects.filter(action="event.retry").exists()

    def test_once_settled_is_worked_off_no_more_and_says_so(self, manager, parked):
        for typed in ({"why": "Refunded there.", "do": "1"},):
            manager.post(f"/admin/invoicing/webhookevent/{parked.pk}/resolve/", typed)
        for act in ("retry", "resolve"):
            answer = manager.post(f"/admin/invoicing/webhookevent/{parked.pk}/{act}/", {"why": "So.", "do": "1"})
            assert "worked off" in (answer.text + told(answer)).lower()
        parked.refresh_from_db()
        assert parked.state == "DONE"

    @pytest.mark.parametrize("act", ["resolve", "retry"])
    @pytest.mark.parametrize("who", ["agent", "auditor"])
    def test_is_settled_by_no_agent_or_auditor(self, request, parked, who, act):
        client = request.getfixturevalue(who)
        typed = {"why": "So.", "do": "1"}
        assert client.post(f"/admin/invoicing/webhookevent/{parked.pk}/{act}/", typed).status_code == 403
        parked.refresh_from_db()
        assert parked.state == "PARKED"


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


class TestAnAct:
    @pytest.mark.parametrize("typed", ["-1", "0"])
    def test_takes_no_amount_that_is_none(self, manager, gateway, typed):
        account = make.customer()
        invoice(account, "100")
        method = card(account)
        address = f"/admin/invoicing/payment/account/{account.pk}/charge/"
        shown = manager.post(address, {"method": method.pk, "amount": typed, "preview": "1"})
        assert "An amount is more than zero." in shown.text
        assert "What it would come to" not in shown.text

    def test_names_the_currency_and_what_it_is_done_to(self, manager):
        account = make.customer(profile={"currency": "EUR"})
        paid = book_payment(
            account, kind="CHECK", amount=Decimal(80), currency="EUR", reference="1", received_on=TODAY, actor=MIA,
            now=NOW,
        )  # fmt: skip
        shown = manager.get(f"/admin/invoicing/payment/{paid.pk}/refund/").text
        assert "Amount, EUR" in shown
        assert f"Payment {paid.pk} of EUR 80.00" in shown

    def test_of_a_statement_offers_days_that_it_takes(self, manager, monkeypatch):
        """It is tomorrow in UTC before it is in Denver."""
        account = make.customer()
        Seller.objects.update(time_zone="America/Denver")
        monkeypatch.setattr("invoicing.pages.acting.timezone.now", lambda: datetime(2026, 6, 3, 2, 0, tzinfo=UTC))
        shown = manager.get(f"/admin/invoicing/letter/account/{account.pk}/statement/").text
        assert 'value="2026-06-02"' in shown
        assert 'value="2026-06-03"' not in shown


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
