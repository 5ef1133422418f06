"""The customers' pages: AUTH-4 and AUTH-5 at the door, the fee before it is paid (FEE-3), nothing of anybody else's."""

from decimal import Decimal

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.test import Client

from accounts.actors import Role
from accounts.models import Decision
from invoicing.payments.models import Payment, PaymentMethod
from tests.accounts.factories import make_contact
from tests.invoicing.factories import customer, partner_with_clients, terms
from tests.invoicing.payments.factories import bank_account, card, invoice, ship_rates
from tests.invoicing.prepaid.factories import prepaid

pytestmark = pytest.mark.django_db


def visitor(contact, *, verified: bool = True) -> Client:
    user = User.objects.create_user(f"user-{contact.pk}")
    EmailAddress.objects.create(user=user, email=contact.email.upper(), verified=verified)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def account():
    ship_rates()
    return customer()


@pytest.fixture
def payer(account):
    return visitor(make_contact(account, "Pat Primary", Role.PRIMARY))


class TestWho:
    PAGES = ("", "pay/", "methods/", "prepaid/")

    @pytest.mark.parametrize("page", PAGES)
    def test_a_technical_contact_sees_no_billing_information(self, account, page):
        prepaid_account = prepaid("20")
        client = visitor(make_contact(prepaid_account, "Tom Technical", Role.TECHNICAL))
        response = client.get(f"/my/{prepaid_account.pk}/{page}")
        assert (response.status_code, "AUTH-" in response.text) == (403, True)
        assert not Decision.objects.latest("pk").allowed

    @pytest.mark.parametrize("page", PAGES)
    def test_another_accounts_pages_do_not_exist_in_the_same_words_as_none(self, account, payer, page):
        other, none = customer(), 999_999
        invoice(other)
        answers = {payer.get(f"/my/{pk}/{page}").content for pk in (other.pk, none)}
        assert len(answers) == 1
        assert payer.get(f"/my/{other.pk}/{page}").status_code == 404

    def test_an_address_that_nobody_has_verified_makes_nobody_a_contact(self, account):
        client = visitor(make_contact(account, "Pat Primary", Role.PRIMARY), verified=False)
        assert client.get(f"/my/{account.pk}/").status_code == 404
        assert "No account names you" in client.get("/my/").text

    def test_a_visitor_signs_in_first(self, account):
        assert Client().get(f"/my/{account.pk}/").headers["Location"].startswith("/accounts/login/")

    def test_a_contact_of_one_account_is_taken_there_from_the_start(self, account, payer):
        assert payer.get("/", follow=True).redirect_chain[-1][0] == f"/my/{account.pk}/"

    def test_another_accounts_invoice_is_no_page(self, account, payer):
        theirs = invoice(customer())
        assert payer.get(f"/my/{account.pk}/invoices/{theirs.pk}.pdf").status_code == 404

    def test_another_accounts_method_is_no_page(self, account, payer):
        theirs = card(customer())
        assert payer.post(f"/my/{account.pk}/methods/{theirs.pk}/remove/").status_code == 404
        theirs.refresh_from_db()
        assert theirs.state == "ACTIVE"

    def test_a_client_of_a_partner_is_told_who_is_billed(self):
        partner, (client_account, _) = partner_with_clients()
        page = visitor(make_contact(client_account, "Pat Primary", Role.PRIMARY)).get(f"/my/{client_account.pk}/")
        assert partner.name in page.text


class TestPolicy:
    def test_lets_nothing_inline(self, account, payer):
        response = payer.get(f"/my/{account.pk}/")
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert "<script" not in response.text
        assert " style=" not in response.text


class TestPay:
    def test_shows_the_card_fee_and_charges_nothing_by_it(self, account, payer):
        """FEE-3."""
        invoice(account, "200")
        card(account)
        page = payer.get(f"/my/{account.pk}/pay/")
        assert "USD 2.00" in page.text
        assert "USD 202.00" in page.text
        assert not Payment.objects.exists()

    def test_shows_none_for_a_bank_account(self, account, payer):
        invoice(account, "200")
        bank_account(account)
        assert "USD 202.00" not in payer.get(f"/my/{account.pk}/pay/").text

    def test_charges_what_was_shown(self, account, payer, gateway):
        due, method = invoice(account, "200"), card(account)
        payer.post(f"/my/{account.pk}/pay/", {"invoice": due.pk, "method": method.pk, "together": "202.00"})
        payment = Payment.objects.get()
        assert (payment.state, payment.amount, payment.fee) == ("SUCCEEDED", Decimal(200), Decimal(2))
        assert payment.made_by.startswith("Pat Primary")

    def test_charges_nothing_that_was_not_shown(self, account, payer, gateway):
        due, method = invoice(account, "200"), card(account)
        answer = payer.post(f"/my/{account.pk}/pay/", {"invoice": due.pk, "method": method.pk, "together": "101.00"})
        assert "has changed meanwhile" in answer.text
        assert not Payment.objects.exists()

    def test_twice_charges_once(self, account, payer, gateway):
        due, method = invoice(account, "200"), card(account)
        typed = {"invoice": due.pk, "method": method.pk, "together": "202.00"}
        for _ in range(2):
            payer.post(f"/my/{account.pk}/pay/", typed)
        assert Payment.objects.count() == 1

    def test_takes_no_other_accounts_invoice(self, account, payer, gateway):
        due, theirs = invoice(account, "200"), invoice(customer(), "50")
        method = card(account)
        payer.post(f"/my/{account.pk}/pay/", {"invoice": theirs.pk, "method": method.pk, "together": "50.50"})
        assert not Payment.objects.exists()
        assert due.account_id == account.pk


class TestMethods:
    def test_are_added_on_the_gateways_page_which_comes_back_to_the_site_and_to_no_host_of_the_requests(
        self, account, payer, gateway, settings
    ):
        settings.PAYMENT_GATEWAY, settings.SITE_URL = "demo", "https://pay.example"
        settings.ALLOWED_HOSTS = ["*"]
        page = payer.post(f"/my/{account.pk}/methods/add/", HTTP_HOST="evil.example")
        session = page.context["address"].rstrip("/").rpartition("/")[2]
        back = gateway.complete_page(session)
        assert back.startswith(f"https://pay.example/my/{account.pk}/methods/added/")
        for _ in range(2):
            payer.get(back.removeprefix("https://pay.example"))
        assert PaymentMethod.objects.get().is_default

    def test_one_is_made_the_default_and_removed(self, account, payer):
        first = card(account)
        second = bank_account(account, is_default=False)
        payer.post(f"/my/{account.pk}/methods/{second.pk}/default/")
        payer.post(f"/my/{account.pk}/methods/{first.pk}/remove/")
        states = set(PaymentMethod.objects.values_list("kind", "state", "is_default"))
        assert states == {("CARD", "REMOVED", False), ("ACH", "ACTIVE", True)}

    def test_a_technical_contact_may_not_add_one(self, account, gateway, settings):
        settings.PAYMENT_GATEWAY = "demo"
        client = visitor(make_contact(account, "Tom Technical", Role.TECHNICAL))
        assert client.post(f"/my/{account.pk}/methods/add/").status_code == 403


class TestPrepaid:
    @pytest.fixture
    def topped(self):
        ship_rates()
        terms("prepaid")
        account = prepaid("20")
        return account, visitor(make_contact(account, "Pat Primary", Role.PRIMARY)), card(account)

    def test_shows_what_topping_up_comes_to_and_does_that(self, topped, gateway):
        account, payer, method = topped
        page = payer.get(f"/my/{account.pk}/prepaid/", {"amount": "50", "method": method.pk})
        assert "USD 50.50" in page.text
        payer.post(f"/my/{account.pk}/prepaid/top-up/", {"amount": "50.00", "method": method.pk, "together": "50.50"})
        account.prepaid_balance.refresh_from_db()
        assert account.prepaid_balance.balance == Decimal(70)

    @pytest.mark.parametrize("amount", ["-5", "abc", "1e400", "NaN", "0.001", ""])
    def test_takes_no_amount_that_is_none(self, topped, gateway, amount):
        account, payer, method = topped
        payer.get(f"/my/{account.pk}/prepaid/", {"amount": amount})
        payer.post(f"/my/{account.pk}/prepaid/top-up/", {"amount": amount, "method": method.pk, "together": "0"})
        assert not Payment.objects.exists()

    def test_the_agreement_is_set_and_ended(self, topped):
        account, payer, method = topped
        address = f"/my/{account.pk}/prepaid/agreement/"
        payer.post(address, {"threshold": "10", "amount": "100", "method": method.pk})
        agreement = account.top_up_agreement
        assert (agreement.threshold, agreement.amount, agreement.is_on) == (10, 100, True)
        payer.post(address, {"end": "1"})
        agreement.refresh_from_db()
        assert not agreement.is_on
