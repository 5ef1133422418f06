"""The demo gateway's page for adding a method, which is there on a demonstration site only."""

import pytest
from django.test import Client

from invoicing.payments.gateways.demo_page import CHOICES
from invoicing.payments.gateways.protocol import Outcome
from invoicing.payments.gateways.registry import installed
from tests.invoicing.payments.gateways.demo_gateways import charge_request, make_gateway

pytestmark = pytest.mark.django_db
BACK = "https://billing.example/methods/"


@pytest.fixture
def gateway():
    with installed(make_gateway()) as made:
        yield made


@pytest.fixture
def address(gateway) -> str:
    return gateway.page_to_add_method(account_number="B-1", email="", customer_token="", return_to=BACK)


class TestThePage:
    def test_says_what_each_choice_does(self, address):
        page = Client().get(address).content.decode()

        assert "For account B-1. Adding a method charges nothing (FEE-3)." in page
        for choice in CHOICES.values():
            assert f"{choice.label}, ending in {choice.shown['last4']}" in page
            assert choice.note in page

    @pytest.mark.parametrize("slug", CHOICES)
    def test_adds_what_was_picked_and_goes_back(self, gateway, address, slug):
        session = address.rstrip("/").rpartition("/")[2]

        answer = Client().post(address, {"choice": slug})

        assert (answer.status_code, answer.headers["Location"]) == (302, f"{BACK}?session={session}")
        added = gateway.added_method(session)
        assert added.last_four == CHOICES[slug].shown["last4"]
        kind = {"method_token": added.token, "customer_token": added.customer_token, "kind": added.kind}
        outcome = gateway.charge(charge_request(**kind)).outcome
        failed = "decline" in CHOICES[slug].does or "action" in CHOICES[slug].does
        assert outcome is (Outcome.FAILED if failed else Outcome.PENDING if added.kind == "ACH" else Outcome.SUCCEEDED)

    def test_that_was_filled_in_before_only_goes_back(self, gateway, address):
        Client().post(address, {"choice": "visa"})
        events = len(gateway.events_since())

        for answer in (Client().get(address), Client().post(address, {"choice": "stolen"})):
            assert answer.status_code == 302
        assert len(gateway.events_since()) == events

    @pytest.mark.parametrize("choice", ["", "bitcoin"])
    def test_takes_nothing_else(self, gateway, address, choice):
        assert Client().post(address, {"choice": choice}).status_code == 400
        assert gateway.events_since() == []

    def test_wants_its_own_form(self, address):
        assert Client(enforce_csrf_checks=True).post(address, {"choice": "visa"}).status_code == 403

    def test_is_not_there_for_a_page_that_was_not_asked_for(self, gateway):
        assert Client().get("/demo-gateway/cs_none/").status_code == 404

    def test_is_not_there_on_any_other_site(self):
        assert Client().get("/demo-gateway/cs_demo/").status_code == 404
