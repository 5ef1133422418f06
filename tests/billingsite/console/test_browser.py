"""The console as a person meets it: in Chromium, with the keyboard, and with axe's eyes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from accounts.models import Account
from tests.invoicing.console_seed import seed_console

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = [
    "/admin/",
    "/admin/search/?q=B-",
    "/admin/accounts/account/",
    "/admin/import-book/",
    "/admin/invoicing/subscription/",
    "/admin/invoicing/ledgerentry/",
]
TABS = ["overview", "contacts", "services", "invoices", "ledger", "decisions", "timeline"]


@pytest.fixture
def account():
    seed_console()
    return Account.objects.get(name="Harbor Dental Group")


@pytest.fixture
def console(page, live_server, account):
    """Signed in, on the opening page; `said` is everything that the browser complained of."""
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page.said = []
    page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(f"{live_server.url}/admin/")
    yield page
    page.goto("about:blank")
    connection.close()


def faults(page) -> list[str]:
    """What axe finds that is serious or critical, with where it is."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


class TestPages:
    def test_are_accessible_and_break_no_policy(self, console, live_server, account):
        tabs = [f"/admin/accounts/account/{account.pk}/change/?tab={tab}" for tab in TABS]
        request = f"/admin/accounts/account/{account.pk}/request/new-contact/"
        for address in [*PAGES, *tabs, request]:
            console.goto(live_server.url + address)
            assert (address, faults(console), console.said) == (address, [], [])

    def test_do_not_run_over_a_telephones_edge(self, console, live_server, account):
        console.set_viewport_size({"width": 390, "height": 844})
        for address in [*PAGES, f"/admin/accounts/account/{account.pk}/change/?tab=contacts"]:
            console.goto(live_server.url + address)
            assert console.evaluate("document.documentElement.scrollWidth") <= 390, address


class TestDashboard:
    def test_draws_its_charts(self, console):
        drawn = (
            "Array.from(document.querySelectorAll('canvas.chart')).map(one => Chart.getChart(one)?.data.labels.length)"
        )
        assert console.evaluate(drawn) == [12, 5]


class TestSearchBox:
    def test_is_reached_and_sent_by_the_keyboard(self, console, account):
        console.keyboard.press("s")
        console.keyboard.type("harbor dental")
        console.keyboard.press("Enter")
        console.wait_for_url("**/accounts/account/*/change/")
        assert console.inner_text("h1").startswith(account.number)


class TestNavigation:
    def test_is_reached_and_unfolded_by_the_keyboard(self, console):
        seen = []
        for _ in range(70):
            console.keyboard.press("Tab")
            text = console.evaluate("document.activeElement.innerText || ''").split("\n")[0].strip()
            seen.append(text)
            if text.startswith("Tax"):
                console.keyboard.press("Enter")
        assert any(text.startswith("Catalog") for text in seen)
        assert console.get_by_role("link", name="Exemptions").is_visible()
