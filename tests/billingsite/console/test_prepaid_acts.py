"""What staff do about orders and prepaid balances on their pages: the act, its refusal in words, and who may not."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from accounts.actors import Role, schedule
from accounts.models import AuditEntry
from invoicing.invoices.models import Invoice
from invoicing.ledger.models import LedgerEntry
from invoicing.orders.models import Order
from invoicing.orders.operations import order_service, start_order
from invoicing.payments.models import Payment, Refund
from invoicing.payments.operations import book_payment
from invoicing.prepaid.models import PrepaidBalance, TopUp
from invoicing.prepaid.topping_up import top_up
from invoicing.runs.models import RunItem
from invoicing.subscriptions.models import BillingProfile
from tests.invoicing import factories as make
from tests.invoicing.payments.factories import MIA, NOW, TODAY, card, ship_rates
from tests.invoicing.prepaid.factories import balance_of, give, per_use, prepaid, take, use

pytestmark = pytest.mark.django_db
D = Decimal
MIA_WORKS = replace(MIA, permissions=MIA.permissions | {"invoicing.work_order"})


def send(client, address: str, **typed: str) -> str:
    """What the page says after the act was sent, wherever it led."""
    return client.post(f"/admin/invoicing/{address}/", {**typed, "do": "1"}, follow=True).text


@pytest.fixture
def order():
    """A service for 400.00, authorized and invoiced."""
    ship_rates()
    plan = make.plan("onboarding", "400", charge="ONE_OFF")
    plan.product.invoiced_at_once = True
    plan.product.save()
    account = make.customer()
    return order_service(account, plan, "Moving", actor=make.contact_of(account, Role.PRIMARY), now=NOW)


def paid(order: Order) -> Order:
    assert order.invoice is not None
    book_payment(
        order.invoice.account, kind="CHECK", amount=D(400), currency="USD", reference="4711", received_on=TODAY,
        actor=MIA, now=NOW,
    )  # fmt: skip
    order.refresh_from_db()
    return order


class TestAnOrder:
    """SVC-1."""

    def test_is_started_and_done(self, order, agent):
        paid(order)
        assert "The work has started." in send(agent, f"order/{order.pk}/start")
        assert "The work is done." in send(agent, f"order/{order.pk}/finish")
        order.refresh_from_db()
        assert order.state == "DONE"
        done = AuditEntry.objects.filter(action__in=["order.started", "order.done"]).values_list("who", "channel")
        assert list(done) == [("agent", "CONSOLE"), ("agent", "CONSOLE")]

    def test_is_not_started_before_it_is_paid(self, order, agent):
        said = send(agent, f"order/{order.pk}/start")
        order.refresh_from_db()
        assert order.state == "INVOICED"
        assert "not offered" in said or "nothing starts before" in said or "cannot" in said

    def test_is_cancelled_with_a_credit_note(self, order, agent):
        assert "The order is cancelled" in send(agent, f"order/{order.pk}/cancel", why="Asked for twice.")
        order.refresh_from_db()
        note = Invoice.objects.get(kind="CREDIT_NOTE")
        assert (order.state, note.total, note.reason) == ("CANCELLED", D(-400), "Asked for twice.")

    def test_is_not_cancelled_once_it_has_started(self, order, manager):
        start_order(order=paid(order), actor=MIA_WORKS, now=NOW)
        send(manager, f"order/{order.pk}/cancel", why="Too late.")
        order.refresh_from_db()
        assert order.state == "STARTED"
        assert not Invoice.objects.filter(kind="CREDIT_NOTE").exists()

    @pytest.mark.parametrize("act", ["start", "finish", "cancel"])
    def test_is_none_of_an_auditors(self, order, auditor, act):
        paid(order)
        assert auditor.post(f"/admin/invoicing/order/{order.pk}/{act}/", {"why": "So.", "do": "1"}).status_code == 403
        order.refresh_from_db()
        assert order.state == "PAID"


class TestATopUpByHand:
    """PRE-2."""

    @pytest.fixture
    def account(self):
        ship_rates()
        return prepaid("5")

    def test_shows_what_is_charged_and_then_credits_it(self, account, manager, gateway):
        typed = {"method": str(card(account).pk), "amount": "50"}
        address = f"/admin/invoicing/prepaidbalance/account/{account.pk}/top-up/"
        shown = manager.post(address, {**typed, "preview": "1"}).text
        assert "USD 50.50" in shown
        assert "USD 55.00" in shown
        assert not Payment.objects.exists()
        send(manager, f"prepaidbalance/account/{account.pk}/top-up", **typed)
        assert (TopUp.objects.get().state, balance_of(account)) == ("CREDITED", D(55))

    def test_says_that_it_was_declined(self, account, manager, gateway):
        method = card(account, "decline.insufficient_funds")
        said = send(manager, f"prepaidbalance/account/{account.pk}/top-up", method=str(method.pk), amount="50")
        assert "failed" in said
        assert balance_of(account) == D(5)

    def test_is_none_of_an_auditors_or_agents(self, account, auditor, agent, gateway):
        typed = {"method": str(card(account).pk), "amount": "50", "do": "1"}
        for client in (auditor, agent):
            address = f"/admin/invoicing/prepaidbalance/account/{account.pk}/top-up/"
            assert client.post(address, typed).status_code == 403
        assert not Payment.objects.exists()


class TestTheRefundOfATopUp:
    @pytest.fixture
    def made(self, gateway):
        ship_rates()
        account = prepaid()
        card(account)
        made = top_up(account, D(100), actor=schedule(), now=NOW)
        made.refresh_from_db()
        return made

    @pytest.mark.django_db(transaction=True)
    def test_gives_back_and_refuses_what_is_used_up(self, made, manager, auditor):
        per_use(price="1")
        take(use(made.account, "25"))
        assert "used up" in send(manager, f"topup/{made.pk}/refund", reason="Leaves.", amount="75.01")
        assert not Refund.objects.exists()
        typed = {"reason": "Leaves.", "amount": "75", "do": "1"}
        assert auditor.post(f"/admin/invoicing/topup/{made.pk}/refund/", typed).status_code == 403
        assert "USD 75.75" in send(manager, f"topup/{made.pk}/refund", reason="Leaves.", amount="75")
        assert (Refund.objects.get().amount, balance_of(made.account)) == (D(75), 0)


class TestTheMigrationCredit:
    """MIG-1."""

    @pytest.fixture
    def moved(self):
        account = make.per_seat_company(15, profile={"bill_from_on": date(2026, 2, 15)})
        make.subscription(account, make.plan("seat", "28"), date(2026, 1, 15))
        make.bill(date(2026, 2, 15))
        BillingProfile.objects.update(terms=make.terms("prepaid"))
        return account

    def test_is_what_the_preview_said_once(self, moved, manager):
        typed = {"cut_over_on": "2026-03-01", "why": "Moved."}
        address = f"prepaidbalance/account/{moved.pk}/migrate"
        shown = manager.post(f"/admin/invoicing/{address}/", {**typed, "preview": "1"}).text
        assert "USD 14.00" in shown
        assert not LedgerEntry.objects.filter(kind="MIGRATION").exists()
        for _ in range(2):
            assert "The migration credit is on the balance" in send(manager, address, **typed)
        assert balance_of(moved) == D(14)

    def test_says_why_not(self, moved, manager, auditor):
        address = f"prepaidbalance/account/{moved.pk}/migrate"
        assert "Nothing was billed for days after 15 March 2026" in send(manager, address, cut_over_on="2026-03-15")
        answer = auditor.post(f"/admin/invoicing/{address}/", {"cut_over_on": "2026-03-01", "do": "1"})
        assert answer.status_code == 403
        assert not LedgerEntry.objects.filter(kind="MIGRATION").exists()


class TestWhatWaitsForCredit:
    """PRE-4: the run's page tries parked accounts again."""

    def test_is_posted_by_a_retry(self, agent, auditor):
        account = prepaid("5")
        make.subscription(account, make.plan("line", "25"), date(2026, 4, 1))
        run = make.bill(date(2026, 4, 1))
        give(account, "20")
        auditor.post(f"/admin/invoicing/run/{run.pk}/retry/")
        assert balance_of(account) == D(25)
        agent.post(f"/admin/invoicing/run/{run.pk}/retry/")
        assert balance_of(account) == 0
        assert PrepaidBalance.objects.get(account=account).awaiting == 0
        assert not RunItem.objects.filter(run=run, outcome="PARKED").exists()
