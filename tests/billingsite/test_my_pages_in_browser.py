"""The customers' pages as people meet them: with data, empty, with errors and refused; by eye, keyboard and axe."""

from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.actors import Role
from invoicing.payments.gateways.demo import DemoGateway
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Payment
from tests.accounts.factories import make_contact
from tests.invoicing.factories import plan
from tests.invoicing.payments.factories import card, invoice, ship_rates
from tests.invoicing.prepaid.factories import per_use, prepaid, take, use

PASSWORD = "correct horse battery"
PAGES = (
    "", "pay/", "methods/", "prepaid/", "prepaid/?amount=50", "prepaid/?amount=x", "prepaid/uses/",
    "prepaid/uses/?from=x", "orders/", "orders/ask/", "documents/", "documents/statement.pdf?from=x",
)  # fmt: skip


@pytest.fixture(autouse=True)
def gateway() -> Iterator[None]:
    with installed(DemoGateway(clock=timezone.now)):
        yield


@pytest.fixture
def signed_in(transactional_db: None, page: Page, live_server: LiveServer, settings: Settings) -> str:
    """Signed in as the Primary of a prepaid account that owes; the address of its pages."""
    ship_rates()
    per_use("calls", "0.10")
    service = plan("onboarding", "400", charge="ONE_OFF").product
    service.invoiced_at_once = True
    service.save()
    account = prepaid("20")
    take(use(account, at=timezone.now()), now=timezone.now())
    invoice(account, "30"), card(account)
    contact = make_contact(account, "Pat Primary", Role.PRIMARY)
    user = User.objects.create_user("pat", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=contact.email, verified=True)
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_label("User name or e-mail address").fill(contact.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/my/**")
    return page.url


@pytest.mark.browser
@pytest.mark.slow
class TestCustomersPages:
    def test_fit_to_be_seen(self, page: Page, signed_in: str) -> None:
        """Nothing that axe finds serious, in light and dark; nothing wider than a telephone."""
        for where in PAGES:
            page.goto(signed_in + where)
            for scheme in ("dark", "light"):
                page.emulate_media(color_scheme=scheme)
                found = [
                    (one["id"], [node["html"] for node in one["nodes"]])
                    for one in Axe().run(page).response["violations"]
                ]
                assert found == [], (where, scheme)
            page.set_viewport_size({"width": 390, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, where
            page.set_viewport_size({"width": 1280, "height": 900})

    def test_a_balance_is_topped_up_by_the_keyboard_alone_and_once_by_two_presses(
        self, page: Page, signed_in: str
    ) -> None:
        page.goto(signed_in + "prepaid/")
        page.get_by_label("Amount in USD").focus()
        page.keyboard.type("50")
        page.keyboard.press("Enter")
        button = page.get_by_role("button", name="Top up for USD 50.50 now")
        form = page.locator("form", has=button).element_handle()
        typed = page.evaluate("form => new URLSearchParams(new FormData(form)).toString()", form)
        button.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("your balance is topped up")
        again = page.evaluate(
            """async ([address, typed]) => {
                const body = new URLSearchParams(typed);
                return (await fetch(address, {method: 'POST', body})).text();
            }""",
            [signed_in + "prepaid/top-up/", typed],
        )
        assert "it is not done a second time" in again
        assert Payment.objects.count() == 1
