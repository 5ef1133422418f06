"""The reports as a person meets them: in Chromium, on a wide screen and a telephone, and with axe's eyes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from invoicing.reports.catalog import REPORTS
from tests.invoicing.reports.book import hand_book

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUERY = "?on=2026-02-28&from_on=2026-01-01&to_on=2026-02-28&currency=USD"
ADDRESSES = ["/admin/reports/", *(f"/admin/reports/{name}/{QUERY}" for name in REPORTS)]
DRAWN = (
    "Array.from(document.querySelectorAll('canvas.chart')).every(one => Chart.getChart(one)?.data.labels.length > 0)"
)


@pytest.fixture
def console(page, live_server):
    """Signed in; `said` is everything that the browser complained of."""
    hand_book()
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page.said = []
    page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    yield page
    page.goto("about:blank")
    connection.close()


def faults(page) -> list[str]:
    """What axe finds that is serious or critical, with where it is."""
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


class TestPages:
    def test_are_accessible_draw_their_charts_and_fit_a_telephone(self, console, live_server):
        for address in ADDRESSES:
            console.set_viewport_size({"width": 1280, "height": 900})
            console.goto(live_server.url + address)
            assert (address, faults(console), console.said) == (address, [], [])
            assert console.evaluate(DRAWN), address
            console.set_viewport_size({"width": 390, "height": 844})
            assert console.evaluate("document.documentElement.scrollWidth") <= 390, address
