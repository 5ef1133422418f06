"""The run's pages in a real browser: progress that moves by itself, the approval, and accessibility."""

from datetime import UTC, date, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, expect

from accounts.actors import command_line
from invoicing.runs.models import Run
from invoicing.runs.operations import advance, approve
from tests.invoicing import factories as make
from tests.invoicing.console_seed import Seeded, seed_console
from tests.invoicing.staff import PASSWORD, make_staff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_worker")]

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PAGES = [
    "/admin/invoicing/run/",
    "/admin/invoicing/run/start/",
    "/admin/invoicing/run/{run}/change/",
    "/admin/invoicing/run/{run}/discard/",
    "/admin/invoicing/runitem/",
    "/admin/invoicing/runitem/{parked}/change/",
    "/admin/invoicing/invoice/",
    "/admin/invoicing/invoice/{invoice}/change/",
    "/admin/invoicing/invoice/{invoice}/credit/",
    "/admin/invoicing/creditnote/",
    "/admin/invoicing/delivery/?failed=1",
    "/admin/invoicing/delivery/{mail}/change/",
    "/admin/invoicing/document/",
    "/admin/reports/vendors/?month=2026-10",
]


@pytest.fixture
def seeded() -> Seeded:
    return seed_console()


@pytest.fixture
def faults(page: Page) -> list[str]:
    """What the browser complains about: scripts that fail, and what the security policy refuses."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


@pytest.fixture
def manager(page: Page, live_server) -> Page:
    user = make_staff()
    page.goto(f"{live_server.url}/accounts/login/?next=/admin/")
    page.fill("input[name=login]", user.username)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live_server.url}/admin/")
    page.wait_for_load_state()
    return page


def run_page(live_server, run: Run) -> str:
    return f"{live_server.url}/admin/invoicing/run/{run.pk}/change/"


class TestRunPage:
    def test_is_approved_and_shows_the_progress_until_it_is_done(self, manager, live_server, seeded, faults):
        run = seeded.runs[-1]
        manager.goto(run_page(live_server, run))
        manager.get_by_role("button", name="Approve and issue 11 invoices").click()
        expect(manager.get_by_text("Approved: the invoices are being issued.")).to_be_visible()
        expect(manager.get_by_role("progressbar", name="Issuing")).to_be_visible()
        expect(manager.locator("#progress").get_by_text("3 of 14").last).to_be_visible()
        # A worker comes: the page follows by itself, without being loaded anew by hand.
        advance(Run.objects.get(pk=run.pk), actor=command_line(), now=NOW)
        expect(manager.get_by_text("Numbers issued")).to_be_visible(timeout=10_000)
        expect(manager.get_by_role("progressbar", name="Documents drawn")).to_be_visible()
        expect(manager.get_by_role("button", name="Approve")).to_have_count(0)
        assert faults == []

    def test_compares_with_the_last_period_and_filters(self, manager, live_server, seeded, faults):
        manager.goto(run_page(live_server, seeded.runs[-1]))
        expect(manager.get_by_role("heading", name="Difference by account")).to_be_visible()
        manager.locator("#reason-filter").select_option("new")
        manager.locator("#differences").get_by_role("button", name="Show").click()
        expect(manager.locator("#differences table").get_by_text("Quarry Hill Law")).to_have_count(0)
        expect(manager.locator("#differences table").get_by_text("Zephyr Logistics")).to_be_visible()
        assert faults == []

    def test_retries_one_parked_account(self, manager, live_server, seeded, faults):
        make.add_price(make.Plan.objects.get(code="legacy-fax"), "15")
        manager.goto(run_page(live_server, seeded.runs[-1]))
        manager.get_by_role("button", name=f"Retry account {seeded.parked.number}").click()
        expect(manager.get_by_text("none of them is parked any more")).to_be_visible()
        assert faults == []

    def test_is_started_after_a_preview(self, manager, live_server, faults):
        make.subscription(make.customer(), make.plan("pbx"), date(2026, 11, 1))
        manager.goto(f"{live_server.url}/admin/invoicing/run/start/")
        manager.fill("input[name=on]", "2026-12-01")
        manager.get_by_role("button", name="Preview").click()
        manager.get_by_role("button", name="Start the run of 1 December 2026").click()
        expect(manager.get_by_text("No worker has answered,")).to_be_visible()
        manager.get_by_role("button", name="Continue here").click()
        expect(manager.get_by_text("is now: done")).to_be_visible()
        assert faults == []


@pytest.mark.slow
class TestEveryPage:
    def test_is_accessible_and_fits_a_phone(self, manager, live_server, seeded, faults):
        """axe, WCAG 2 A and AA; nothing wider than the window."""
        run = approve(seeded.runs[-1], actor=command_line(), now=NOW)
        found = {
            "run": run.pk,
            "parked": run.items.filter(outcome="PARKED", superseded_by=None).first().pk,
            "invoice": seeded.runs[0].items.filter(outcome="INVOICED").first().invoice_id,
            "mail": seeded.parked.deliveries.model.objects.earliest("pk").pk,
        }
        complaints = []
        for width in (1280, 390):
            manager.set_viewport_size({"width": width, "height": 900})
            for path in PAGES:
                manager.goto(live_server.url + path.format(**found), wait_until="networkidle")
                complaints += [f"{path} at {width}: {fault}" for fault in violations(manager)]
                if manager.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                    complaints.append(f"{path} at {width}: wider than the window")
        assert complaints == []
        assert faults == []


def violations(page: Page) -> list[str]:
    """What axe finds in the page's own part; the frame around it is tested where it is made."""
    rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
    report = Axe().run(page, context="#content", options=rules)
    return [
        f"{violation['id']}: {node['target']} {node['html'][:120]}"
        for violation in report.response["violations"]
        for node in violation["nodes"][:3]
    ]
