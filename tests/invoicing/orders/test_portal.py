"""SVC-1 on the customers' pages: asked for, authorized, paid, cancelled, with the refusals in their words."""

from decimal import Decimal

import pytest
from django.test import Client

from accounts.actors import Role
from accounts.models import AuditEntry
from invoicing.orders.following import set_state
from invoicing.orders.models import Order
from invoicing.orders.operations import OrderRefused, buy_seat, cancel_order, order_service
from invoicing.payments.models import Payment, Refund
from tests.accounts.factories import make_contact
from tests.accounts.visitors import visitor
from tests.invoicing import factories
from tests.invoicing.payments.factories import MIA, NOW, card, ship_rates
from tests.invoicing.prepaid.factories import prepaid

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The orders' portal asks it at the moment that the money of these tests is from."""
    for module in ("orders.portal", "payments.portal"):
        monkeypatch.setattr(f"invoicing.{module}.timezone.now", lambda: NOW)


@pytest.fixture(autouse=True)
def rates():
    ship_rates()


@pytest.fixture
def service():
    made = factories.plan("onboarding", "400", charge="ONE_OFF")
    made.product.invoiced_at_once = True
    made.product.save()
    return made


@pytest.fixture
def account():
    return factories.customer()


def client_of(account, role) -> Client:
    return visitor(make_contact(account, f"Ann {role.value.title()}", role))


def ask(client, account, service, **typed):
    form = client.get(f"/my/{account.pk}/orders/ask/")
    given = {"plan": service.pk, "quantity": "1", "description": "Moving", "ticket": form.context["ticket"]} | typed
    return client.post(f"/my/{account.pk}/orders/ask/", given)


class TestAsk:
    def test_by_the_primary_is_invoiced_at_once_and_links_to_paying_it(self, account, service):
        client = client_of(account, Role.PRIMARY)
        ask(client, account, service)
        order = Order.objects.get()
        page = client.get(f"/my/{account.pk}/orders/{order.pk}/")
        assert (order.state, order.invoice.total) == ("INVOICED", Decimal(400))
        assert f"/my/{account.pk}/pay/?invoice={order.invoice_id}" in page.text

    def test_by_a_billing_contact_waits_and_says_for_whom(self, account, service):
        client = client_of(account, Role.BILLING)
        ask(client, account, service)
        order = Order.objects.get()
        page = client.get(f"/my/{account.pk}/orders/{order.pk}/")
        assert order.state == "REQUESTED"
        assert "Primary Billing Contact (AUTH-6)" in page.text
        assert "/authorize/" not in page.text

    def test_twice_by_one_form_is_one_order(self, account, service):
        client = client_of(account, Role.PRIMARY)
        ticket = client.get(f"/my/{account.pk}/orders/ask/").context["ticket"]
        for _ in range(2):
            ask(client, account, service, ticket=ticket)
        assert Order.objects.count() == 1

    @pytest.mark.parametrize(
        "typed", [{"plan": "x"}, {"plan": ""}, {"quantity": "0"}, {"quantity": "-1"}, {"quantity": "NaN"},
                  {"quantity": "1e99"}, {"description": "x" * 400}]
    )  # fmt: skip
    def test_takes_nothing_that_is_none_and_shows_the_form_again(self, account, service, typed):
        answer = ask(client_of(account, Role.PRIMARY), account, service, **typed)
        assert (answer.status_code, bool(answer.context["fault"]), Order.objects.count()) == (200, True, 0)

    def test_keeps_no_card_number_that_somebody_writes_into_it(self, account, service):
        ask(client_of(account, Role.PRIMARY), account, service, description="Use 4242 4242 4242 4242")
        assert "4242 4242 4242 4242" not in Order.objects.get().description

    def test_a_client_sees_no_price_of_its_partners(self, service):
        _, (client_account, _) = factories.partner_with_clients()
        page = client_of(client_account, Role.PRIMARY).get(f"/my/{client_account.pk}/orders/ask/")
        assert "Onboarding" in page.text
        assert "400" not in page.text

    def test_of_a_prepaid_account_without_credit_says_what_it_waits_for(self, service):
        account = prepaid("20")
        client = client_of(account, Role.PRIMARY)
        ask(client, account, service)
        page = client.get(f"/my/{account.pk}/orders/{Order.objects.get().pk}/")
        assert "prepaid balance once that covers it (PRE-4)" in page.text


class TestAuthorize:
    def test_by_the_primary_billing_contact_has_it_invoiced(self, account, service):
        ask(client_of(account, Role.BILLING), account, service)
        order = Order.objects.get()
        client_of(account, Role.PRIMARY_BILLING).post(f"/my/{account.pk}/orders/{order.pk}/authorize/")
        order.refresh_from_db()
        assert (order.state, order.one_off.authorized_by[:3]) == ("INVOICED", "Ann")

    def test_by_a_billing_contact_is_refused_with_clause_and_way_out(self, account, service):
        client = client_of(account, Role.BILLING)
        ask(client, account, service)
        answer = client.post(f"/my/{account.pk}/orders/{Order.objects.get().pk}/authorize/")
        assert answer.status_code == 403
        assert "AUTH-6" in answer.text
        assert Order.objects.get().state == "REQUESTED"

    def test_of_a_cancelled_one_is_told_that_it_waits_for_none(self, account, service):
        client = client_of(account, Role.PRIMARY)
        ask(client, account, service)
        order = Order.objects.get()
        cancel_order(order=order, actor=factories.contact_of(account, Role.PRIMARY_BILLING), now=NOW, reason="No.")
        answer = client.post(f"/my/{account.pk}/orders/{order.pk}/authorize/", follow=True)
        assert "waits for no authorization" in answer.text

    def test_of_other_work_puts_it_on_the_next_invoice(self, account):
        work = factories.plan("training", "100", charge="ONE_OFF")
        waiting = factories.one_off_charge(account, work, NOW.date(), authorized_at=None)
        client = client_of(account, Role.PRIMARY)
        assert "Migration work" in client.get(f"/my/{account.pk}/orders/").text
        client.post(f"/my/{account.pk}/work/{waiting.pk}/authorize/")
        waiting.refresh_from_db()
        assert waiting.authorized_at == NOW


class TestPayAndCancel:
    @pytest.fixture
    def paid(self, account, service):
        client = client_of(account, Role.PRIMARY)
        ask(client, account, service)
        order, method = Order.objects.get(), card(account)
        typed = {"invoice": order.invoice_id, "method": method.pk, "together": "404.00"}
        client.post(f"/my/{account.pk}/pay/", typed)
        order.refresh_from_db()
        return client, order

    def test_paid_it_may_start(self, paid):
        client, order = paid
        page = client.get(f"/my/{order.account_id}/orders/{order.pk}/")
        assert (order.state, "may start" in page.text) == ("PAID", True)

    def test_cancelled_before_the_start_the_money_goes_back_with_its_fee(self, paid):
        client, order = paid
        client.post(f"/my/{order.account_id}/orders/{order.pk}/cancel/", {"reason": "Not needed"})
        order.refresh_from_db()
        refund = Refund.objects.get()
        assert (order.state, refund.amount, refund.fee) == ("CANCELLED", Decimal(400), Decimal(4))
        assert "paid, USD 404.00 given back" in client.get(f"/my/{order.account_id}/").text
        assert Payment.objects.get().state == "SUCCEEDED"

    def test_started_it_is_not_cancelled_and_nothing_says_that_it_was(self, paid):
        client, order = paid
        set_state(order, Order.State.STARTED, actor=MIA, now=NOW, started_at=NOW)
        answer = client.post(f"/my/{order.account_id}/orders/{order.pk}/cancel/", follow=True)
        assert "what has started is not cancelled" in answer.text
        assert not AuditEntry.objects.filter(action__startswith="order.cancel").exists()
        assert not Refund.objects.exists()

    def test_a_licensed_seat_is_taken_back_by_the_administrator_and_nothing_says_that_it_was(self):
        """AUTH-7."""
        company = factories.per_seat_company(2)
        licensed = factories.plan("seat-plan", "30", licensed=True)
        order = buy_seat(company, licensed, actor=factories.contact_of(company, Role.ADMINISTRATOR), now=NOW)
        answer = client_of(company, Role.PRIMARY).post(f"/my/{company.pk}/orders/{order.pk}/cancel/")
        order.refresh_from_db()
        assert (answer.status_code, "AUTH-7" in answer.text, order.state) == (403, True, "INVOICED")
        assert not AuditEntry.objects.filter(action__startswith="order.cancel").exists()

    def test_twice_gives_back_once(self, paid):
        client, order = paid
        for _ in range(2):
            answer = client.post(f"/my/{order.account_id}/orders/{order.pk}/cancel/", follow=True)
        assert "is cancelled already" in answer.text
        assert Refund.objects.count() == 1

    def test_a_billing_contact_takes_back_what_waits_and_no_more(self, account, service):
        client = client_of(account, Role.BILLING)
        ask(client, account, service)
        client.post(f"/my/{account.pk}/orders/{Order.objects.get().pk}/cancel/")
        assert Order.objects.get().state == "CANCELLED"
        authorized = order_service(
            account, service, "Again", actor=factories.contact_of(account, Role.PRIMARY), now=NOW
        )  # fmt: skip
        assert client.post(f"/my/{account.pk}/orders/{authorized.pk}/cancel/").status_code == 403

    def test_a_clients_order_is_paid_by_its_partner_and_shows_none_of_its_invoice(self, service):
        partner, (client_account, _) = factories.partner_with_clients()
        client = client_of(client_account, Role.PRIMARY)
        ask(client, client_account, service)
        order = Order.objects.get()
        page = client.get(f"/my/{client_account.pk}/orders/{order.pk}/")
        assert order.invoice.account == partner
        assert partner.name in page.text
        assert order.invoice.number not in page.text
        assert "/pay/" not in page.text


class TestCancelOrder:
    def test_says_so_of_one_that_is_cancelled_already(self, account, service):
        primary = factories.contact_of(account, Role.PRIMARY)
        order = order_service(account, service, "Moving", actor=primary, now=NOW)
        cancel_order(order=order, actor=primary, now=NOW, reason="No.")
        with pytest.raises(OrderRefused, match="cancelled already"):
            cancel_order(order=order, actor=primary, now=NOW, reason="No.")
