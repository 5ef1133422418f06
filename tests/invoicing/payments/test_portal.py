"""The customers' pages: AUTH-4 and AUTH-5 at the door, the fee before it is paid (FEE-3), nothing of anybody else's."""

from decimal import Decimal

import pytest
from django.db import transaction
from django.test import Client

from accounts.actors import Actor, ActorKind, Channel, Role
from accounts.models import Decision
from accounts.once import new_ticket
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.typed import typed_amount
from tests.accounts.factories import make_contact
from tests.accounts.visitors import visitor
from tests.invoicing.factories import customer, partner_with_clients, per_seat_company, terms
from tests.invoicing.payments.factories import NOW, bank_account, card, invoice, ship_rates
from tests.invoicing.prepaid.factories import prepaid

pytestmark = pytest.mark.django_db
CREDITOR = Actor(ActorKind.STAFF, "Mia", Channel.CONSOLE, permissions=frozenset({"invoicing.issue_credit_note"}))


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
        typed = {"invoice": due.pk, "method": method.pk, "together": "101.00"}
        answer = payer.post(f"/my/{account.pk}/pay/", typed, follow=True)
        assert "has changed meanwhile" in answer.text
        assert not Payment.objects.exists()

    def test_twice_charges_once(self, account, payer, gateway):
        due, method = invoice(account, "200"), card(account)
        typed = {"invoice": due.pk, "method": method.pk, "together": "202.00"}
        for _ in range(2):
            payer.post(f"/my/{account.pk}/pay/", typed)
        assert Payment.objects.count() == 1

    def test_a_method_that_was_removed_is_not_replaced_by_another(self, account, payer, gateway):
        """The fee of both cards is the same, so that the sum alone would not tell them apart."""
        due, shown = invoice(account, "200"), card(account, is_default=False)
        card(account)
        payer.post(f"/my/{account.pk}/methods/{shown.pk}/remove/")
        payer.post(f"/my/{account.pk}/pay/", {"invoice": due.pk, "method": shown.pk, "together": "202.00"})
        assert not Payment.objects.exists()

    def test_charges_nothing_for_no_invoice(self, account, payer, gateway):
        invoice(account, "200")
        method = card(account)
        payer.post(f"/my/{account.pk}/pay/", {"method": method.pk, "together": "202.00"})
        assert not Payment.objects.exists()

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


class TestAutomatic:
    """SEAT-5, FEE-3."""

    def test_is_chosen_and_given_up_and_charges_nothing_by_it(self, account, payer, gateway):
        invoice(account, "200")
        card(account)
        page = payer.get(f"/my/{account.pk}/methods/")
        assert "what is open now, USD 200.00" in page.text
        assert "1 % service fee with each payment (FEE-1)" in page.text
        for wanted, kept in (("yes", True), ("no", False)):
            payer.post(f"/my/{account.pk}/methods/automatic/", {"wanted": wanted})
            account.billing_profile.refresh_from_db()
            assert account.billing_profile.auto_charge is kept
        assert not Payment.objects.exists()

    def test_is_not_given_up_under_terms_that_charge_on_the_billing_date(self):
        company = per_seat_company(1)
        card(company)
        client = visitor(make_contact(company, "Bea Billing", Role.BILLING))
        page = client.get(f"/my/{company.pk}/methods/")
        assert "as your terms say (SEAT-5)" in page.text
        assert "Stop charging" not in page.text
        refused = client.post(f"/my/{company.pk}/methods/automatic/", {"wanted": "no"})
        assert refused.status_code == 403
        assert "each invoice is charged on its billing date" in refused.text

    def test_needs_a_method_that_can_be_charged(self, account, payer):
        answer = payer.post(f"/my/{account.pk}/methods/automatic/", {"wanted": "yes"}, follow=True)
        account.billing_profile.refresh_from_db()
        assert "default payment method first" in answer.text
        assert account.billing_profile.auto_charge is None

    def test_a_card_in_a_state_without_the_fee_says_so(self, account, payer):
        account.state = "CO"
        account.save()
        card(account)
        assert "no service fee (FEE-2)" in payer.get(f"/my/{account.pk}/methods/").text


class TestOwed:
    def test_a_credited_invoice_is_not_called_paid(self, account, payer):
        due = invoice(account, "200")
        with transaction.atomic():
            credit_invoice(invoice=due, actor=CREDITOR, now=NOW, reason="Wrong.")
        page = payer.get(f"/my/{account.pk}/")
        assert "credited" in page.text
        assert ">paid<" not in page.text

    def test_an_overdue_account_is_told_why_and_under_which_clause(self, account, payer):
        invoice(account, "200")
        page = payer.get(f"/my/{account.pk}/")
        assert "not in good standing" in page.text
        assert "SUSP-1" in page.text

    def test_a_client_is_told_nothing_of_its_partners_invoices(self):
        """AUTH-4: a client's standing is its partner's, whose contacts are told."""
        partner, (client_account, _) = partner_with_clients()
        theirs = invoice(partner, "200")
        page = visitor(make_contact(client_account, "Pat Primary", Role.PRIMARY)).get(f"/my/{client_account.pk}/")
        assert theirs.number not in page.text
        assert "200.00" not in page.text

    def test_older_invoices_are_page_by_page(self, account, payer):
        numbers = [invoice(account, "1").number for _ in range(15)]
        first = payer.get(f"/my/{account.pk}/")
        second = payer.get(f"/my/{account.pk}/", {"before": first.context["older"]})
        listed = [one.invoice.number for page in (first, second) for one in page.context["invoices"]]
        assert listed == numbers[::-1]


class TestTypedAmount:
    @pytest.mark.parametrize(
        ("text", "places", "amount"),
        [("1.255", 3, Decimal("1.255")), ("1.255", 2, None), ("500", 0, Decimal(500)), ("500.5", 0, None)],
    )
    def test_is_as_fine_as_the_currency(self, text, places, amount):
        assert typed_amount(text, places=places) == amount


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
        self.send(account, payer, page, {"amount": "50.00", "method": method.pk, "together": "50.50"})
        account.prepaid_balance.refresh_from_db()
        assert account.prepaid_balance.balance == Decimal(70)

    @staticmethod
    def send(account, payer, page, typed):
        return payer.post(f"/my/{account.pk}/prepaid/top-up/", {"ticket": page.context["ticket"], **typed})

    def test_a_form_sent_twice_tops_up_once(self, topped, gateway):
        account, payer, method = topped
        typed = {"amount": "50", "method": method.pk}
        page = payer.get(f"/my/{account.pk}/prepaid/", typed)
        for _ in range(2):
            self.send(account, payer, page, {**typed, "together": "50.50"})
        assert Payment.objects.count() == 1
        assert "was sent before" in payer.get(f"/my/{account.pk}/prepaid/").text

    def test_a_form_of_another_account_or_of_nobody_tops_up_nothing(self, topped, gateway):
        account, payer, method = topped
        typed = {"amount": "50", "method": method.pk, "together": "50.50"}
        for ticket in ("", "forged", new_ticket(customer().pk)):
            payer.post(f"/my/{account.pk}/prepaid/top-up/", {**typed, "ticket": ticket})
        assert not Payment.objects.exists()

    def test_a_method_that_was_removed_is_not_replaced_by_another(self, topped, gateway):
        """The fee of both cards is the same, so that the sum alone would not tell them apart."""
        account, payer, method = topped
        shown = card(account, is_default=False)
        page = payer.get(f"/my/{account.pk}/prepaid/", {"amount": "50", "method": shown.pk})
        payer.post(f"/my/{account.pk}/methods/{shown.pk}/remove/")
        self.send(account, payer, page, {"amount": "50", "method": shown.pk, "together": "50.50"})
        assert not Payment.objects.exists()

    def test_an_account_to_which_nothing_was_posted_yet_has_its_page(self, gateway):
        """The link in the warning of PRE-3 leads there."""
        ship_rates()
        account = prepaid()
        payer = visitor(make_contact(account, "Pat Primary", Role.PRIMARY))
        method = card(account)
        page = payer.get(f"/my/{account.pk}/prepaid/")
        assert "USD 0.00" in page.text
        assert f"/my/{account.pk}/prepaid/" in payer.get(f"/my/{account.pk}/").text
        self.send(account, payer, page, {"amount": "50", "method": method.pk, "together": "50.50"})
        assert Payment.objects.get().state == "SUCCEEDED"

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
