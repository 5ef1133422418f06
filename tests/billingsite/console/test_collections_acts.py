"""What staff do about what is not paid: each act changes what it says, or says why not; an auditor does none."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from invoicing.collections.models import (
    Hold,
    Placement,
    PlacementBatch,
    PlatformEndpoint,
    PlatformNotice,
    Reminder,
    Suspension,
)
from invoicing.collections.operations import approve_placements, propose, write_off
from tests.billingsite.console.test_money_acts import told
from tests.invoicing.collections.factories import MIA, invoice, money, open_of
from tests.invoicing.factories import customer, seller

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def _documents(settings, tmp_path):
    settings.DOCUMENTS_ROOT = tmp_path


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def today():
    """Where the seller is, which is what the console works with."""
    seller()
    return timezone.localdate()


def late(today, account=None, amount="100"):
    """An invoice that is ripe for the agency whenever the test runs."""
    return invoice(account, amount, issued_on=today - timedelta(days=80), due_on=today - timedelta(days=50))


@pytest.fixture
def proposal(now, today):
    made = late(today)
    propose(on=today, now=now, actor=MIA)
    return Placement.objects.get(account=made.account)


@pytest.fixture
def placed(proposal, now, today):
    approve_placements(on=today, now=now, actor=MIA)
    proposal.refresh_from_db()
    return proposal


def of(placement):
    return placement.invoices.get().invoice


def at(row, act: str) -> str:
    return f"/admin/invoicing/{row._meta.model_name}/{row.pk}/{act}/"


def remittance(today, **values) -> dict[str, str]:
    given = {"collected": "60", "commission": "15", "reference": "R-1", "on": f"{today}", "do": "1"}
    return given | values


class TestPlacement:
    def test_is_handed_over_with_its_file(self, manager, proposal):
        answer = manager.post(at(proposal, "approve"), {"do": "1"})
        proposal.refresh_from_db()
        assert (proposal.state, open_of(of(proposal)), told(answer)) == ("PLACED", (D(0), D(100)), "Done: 1 placed.")
        assert PlacementBatch.objects.get().sha256

    def test_says_what_the_agency_is_to_be_told_since(self, auditor, manager, proposal, now, today):
        manager.post(at(proposal, "approve"), {"do": "1"})
        manager.post(at(proposal, "recall"), {"why": "A mistake.", "do": "1"})
        manager.post("/admin/invoicing/placement/do/hand-off/", {"seller": seller().pk, "on": f"{today}", "do": "1"})
        batch = PlacementBatch.objects.get()
        name = f"updates-{seller().pk}-{timezone.localdate(timezone=ZoneInfo(seller().time_zone))}.csv"
        assert name in auditor.get(at(batch, "change")).text
        content = b"".join(auditor.get(f"/admin/invoicing/placementbatch/{batch.pk}/files/{name}").streaming_content)
        assert b"Recalled,100.00,A mistake." in content
        assert auditor.get(f"/admin/invoicing/placementbatch/{batch.pk}/files/updates-0.csv").status_code == 404

    def test_is_not_handed_over_once_it_is_disputed(self, manager, proposal, now, today):
        Hold.objects.create(account=proposal.account, kind="DISPUTE", why="Asked.", placed_by="Mia", placed_at=now)
        answer = manager.post(at(proposal, "approve"), {"do": "1"})
        proposal.refresh_from_db()
        assert (proposal.state, open_of(of(proposal)), told(answer)) == (
            "DECLINED", (D(100), D(0)), "Done: 1 declined.",
        )  # fmt: skip

    def test_all_are_handed_over_in_one_batch(self, manager, proposal, now, today):
        late(today)
        propose(on=today, now=now, actor=MIA)
        manager.post("/admin/invoicing/placement/do/approve-all/", {"seller": seller().pk, "do": "1"})
        assert list(Placement.objects.values_list("state", flat=True)) == ["PLACED", "PLACED"]
        assert PlacementBatch.objects.get().rows == 2

    def test_the_selected_are_handed_over_on_their_sellers_day(self, manager, today, now):
        """COLL-1: the day where the seller is; here one that is never the day of UTC."""
        zone = "Pacific/Kiritimati" if now.hour >= 12 else "Etc/GMT+12"
        seller(time_zone=zone)
        late(today)
        propose(on=today, now=now, actor=MIA)
        chosen = Placement.objects.get()
        manager.post("/admin/invoicing/placement/", {"action": "approve_selected", "_selected_action": [chosen.pk]})
        chosen.refresh_from_db()
        assert chosen.placed_on == timezone.localdate(timezone=ZoneInfo(zone)) != now.date()

    def test_is_declined_with_a_reason_and_a_day(self, manager, proposal, today):
        assert "required" in manager.post(at(proposal, "decline"), {"why": "So.", "do": "1"}).text
        past = manager.post(at(proposal, "decline"), {"why": "So.", "until_on": "2020-01-01", "do": "1"})
        assert "is past" in past.text
        manager.post(at(proposal, "decline"), {"why": "Pays soon.", "until_on": f"{today}", "do": "1"})
        proposal.refresh_from_db()
        assert (proposal.state, Hold.objects.get().kind) == ("DECLINED", "EXEMPTION")

    def test_is_recalled_once(self, manager, placed):
        manager.post(at(placed, "recall"), {"why": "A mistake.", "do": "1"})
        placed.refresh_from_db()
        assert (placed.state, open_of(of(placed))) == ("RECALLED", (D(100), D(0)))
        again = manager.post(at(placed, "recall"), {"why": "A mistake.", "do": "1"})
        assert "is recalled, so it cannot become recalled" in again.text

    def test_a_remittance_is_booked_refused_twice_and_reversed(self, manager, placed, today):
        manager.post(at(placed, "remittance"), remittance(today))
        assert open_of(of(placed)) == (D(0), D(40))
        assert "R-1 was booked on" in manager.post(at(placed, "remittance"), remittance(today)).text
        more = manager.post(at(placed, "remittance"), remittance(today, reference="R-2", collected="41")).text
        assert "USD 40.00 is with the agency" in more
        remitted = placed.records.get(kind="REMITTANCE")
        typed = {"remittance": remitted.pk, "why": "Another's.", "do": "1"}
        manager.post(at(placed, "reverse-remittance"), typed)
        assert open_of(of(placed)) == (D(0), D(100))
        assert AuditEntry.objects.filter(action="reverse remittance", why="Another's.").exists()
        assert "Select a valid choice" in manager.post(at(placed, "reverse-remittance"), typed).text

    def test_is_written_off_and_recovered(self, manager, placed, today):
        owed = of(placed)
        more = {"invoice": owed.pk, "amount": "101", "why": "Bankrupt.", "do": "1"}
        assert "is open of invoice" in manager.post(at(placed, "write-off"), more).text
        manager.post(at(placed, "write-off"), more | {"amount": ""})
        assert open_of(owed) == (D(0), D(0))
        payment = money(owed.account, "100", on=today)
        address = f"/admin/invoicing/placement/account/{owed.account_id}/recover/"
        typed = {"invoice": owed.pk, "money": payment.pk, "amount": "101", "why": "It came.", "do": "1"}
        assert "can be recovered" in manager.post(address, typed).text
        manager.post(address, typed | {"amount": ""})
        assert AuditEntry.objects.get(action="recover debt").detail["amount"] == "100.000000"

    def test_an_invoice_is_written_off_on_its_accounts_page(self, manager, today):
        owed = late(today)
        address = f"/admin/invoicing/placement/account/{owed.account_id}/write-off-invoice/"
        manager.post(address, {"invoice": owed.pk, "amount": "30", "why": "Goodwill.", "do": "1"})
        assert open_of(owed) == (D(70), D(0))

    @pytest.mark.parametrize("act", ["approve", "decline", "recall", "remittance", "reverse-remittance", "write-off"])
    def test_is_changed_by_no_auditor_and_no_agent(self, auditor, agent, placed, act):
        for client in (auditor, agent):
            assert client.post(at(placed, act), {"do": "1"}).status_code == 403
        placed.refresh_from_db()
        assert (placed.state, placed.records.count()) == ("PLACED", 0)

    def test_nothing_is_written_off_or_recovered_by_an_auditor(self, auditor, today, now):
        owed = late(today)
        write_off(invoice=owed, amount=D(30), why="Goodwill.", actor=MIA, now=now)
        for act in ("write-off-invoice", "recover"):
            address = f"/admin/invoicing/placement/account/{owed.account_id}/{act}/"
            assert auditor.post(address, {"invoice": owed.pk, "why": "So.", "do": "1"}).status_code == 403
        assert open_of(owed) == (D(70), D(0))


class TestSweeps:
    """A day that has not come may be looked at: nobody is dunned, suspended or handed over before it."""

    @pytest.mark.parametrize(("path", "model"), [
        ("reminder/do/remind", Reminder), ("suspension/do/sweep", Suspension), ("placement/do/hand-off", Placement),
    ])  # fmt: skip
    def test_are_for_no_day_to_come(self, manager, today, path, model):
        invoice(issued_on=today, due_on=today + timedelta(days=10))
        typed = {"seller": seller().pk, "on": f"{today + timedelta(days=60)}"}
        shown = manager.post(f"/admin/invoicing/{path}/", {**typed, "preview": "1"})
        assert "is due on that day" not in shown.text
        answer = manager.post(f"/admin/invoicing/{path}/", {**typed, "do": "1"})
        assert "That day has not come" in answer.text
        assert not model.objects.exists()

    @pytest.mark.parametrize(("path", "model"), [
        ("reminder/do/remind", Reminder), ("suspension/do/sweep", Suspension), ("placement/do/hand-off", Placement),
    ])  # fmt: skip
    def test_do_what_is_due_today_and_not_for_an_auditor(self, manager, auditor, today, path, model):
        late(today)
        typed = {"seller": seller().pk, "on": f"{today}", "do": "1"}
        assert auditor.post(f"/admin/invoicing/{path}/", typed).status_code == 403
        assert not model.objects.exists()
        manager.post(f"/admin/invoicing/{path}/", typed)
        assert model.objects.count() == 1


class TestHold:
    @pytest.mark.parametrize("kind", ["DISPUTE", "PROMISE", "EXEMPTION", "OTHER"])
    def test_of_each_kind_keeps_the_sweeps_away(self, agent, today, kind):
        owed = late(today)
        typed = {"kind": kind, "invoice": owed.pk, "until_on": f"{today}", "why": "Called.", "do": "1"}
        agent.post(f"/admin/invoicing/hold/account/{owed.account_id}/place/", typed)
        assert Hold.objects.get().invoice == owed
        assert Hold.objects.get().placed_by == "agent"

    def test_is_for_no_day_that_is_past_and_no_others_invoice(self, agent, today):
        owed, theirs = late(today), late(today)
        address = f"/admin/invoicing/hold/account/{owed.account_id}/place/"
        typed = {"kind": "PROMISE", "invoice": "", "until_on": "2020-01-01", "why": "Called.", "do": "1"}
        assert "is past" in agent.post(address, typed).text
        agent.post(address, typed | {"invoice": theirs.pk, "until_on": f"{today}"})
        assert not Hold.objects.exists()

    def test_is_placed_and_lifted_by_no_auditor(self, auditor, today, now):
        account = late(today).account
        hold = Hold.objects.create(account=account, kind="OTHER", why="Called.", placed_by="Mia", placed_at=now)
        typed = {"kind": "OTHER", "invoice": "", "until_on": "", "why": "Called.", "do": "1"}
        assert auditor.post(f"/admin/invoicing/hold/account/{account.pk}/place/", typed).status_code == 403
        assert auditor.post(at(hold, "lift"), {"why": "So.", "do": "1"}).status_code == 403
        hold.refresh_from_db()
        assert (Hold.objects.count(), hold.lifted_at) == (1, None)


class TestSuspension:
    def test_is_lifted_once_and_by_no_auditor(self, manager, auditor, today):
        account = late(today).account
        manager.post(f"/admin/invoicing/suspension/account/{account.pk}/suspend/", {"why": "Abuse.", "do": "1"})
        one = Suspension.objects.get()
        assert auditor.post(at(one, "restore"), {"why": "So.", "do": "1"}).status_code == 403
        manager.post(at(one, "restore"), {"why": "Cleared up.", "do": "1"})
        assert "is lifted already" in manager.post(at(one, "restore"), {"why": "Cleared up.", "do": "1"}).text
        assert list(PlatformNotice.objects.order_by("pk").values_list("event", flat=True)) == ["SUSPEND", "RESTORE"]


class TestNotice:
    @pytest.fixture
    def notice(self, now):
        return PlatformNotice.objects.create(
            account=customer(), event="SUSPEND", key="suspend:1", payload={}, state="PARKED", made_at=now, attempts=8
        )

    def test_is_told_again(self, manager, notice):
        manager.post(at(notice, "retry"), {"why": "It is back.", "do": "1"})
        notice.refresh_from_db()
        assert (notice.state, notice.attempts) == ("PENDING", 0)

    def test_that_was_overtaken_is_not_and_is_settled_by_hand(self, manager, notice, now):
        PlatformNotice.objects.create(account=notice.account, event="RESTORE", key="restore:1", payload={}, made_at=now)
        assert "was overtaken" in manager.post(at(notice, "retry"), {"why": "It is back.", "do": "1"}).text
        manager.post(at(notice, "by-hand"), {"why": "Restored since.", "do": "1"})
        notice.refresh_from_db()
        assert notice.state == "TOLD"
        assert "cannot become to be told" in manager.post(at(notice, "retry"), {"why": "So.", "do": "1"}).text

    @pytest.mark.parametrize("act", ["retry", "by-hand"])
    def test_is_left_by_an_auditor(self, auditor, notice, act):
        assert auditor.post(at(notice, act), {"why": "So.", "do": "1"}).status_code == 403
        notice.refresh_from_db()
        assert notice.state == "PARKED"


class TestEndpoint:
    NEW = "/admin/invoicing/platformendpoint/do/new/"

    @pytest.fixture
    def endpoint(self):
        return PlatformEndpoint.objects.create(name="platform", url="https://platform.example/", secret="0" * 64)

    def test_is_added_and_its_secret_shown_once(self, manager):
        answer = manager.post(self.NEW, {"name": "Switch", "url": "https://platform.example/hook", "do": "1"})
        endpoint = PlatformEndpoint.objects.get()
        assert endpoint.secret in answer.text
        assert endpoint.secret not in manager.get(at(endpoint, "change")).text

    @pytest.mark.parametrize("url", ["http://platform.example/", "https://me:pw@platform.example/", "platform"])
    def test_is_added_at_no_other_address_than_https(self, manager, url):
        assert manager.post(self.NEW, {"name": "Switch", "url": url, "do": "1"}).status_code == 200
        assert not PlatformEndpoint.objects.exists()

    def test_is_moved_turned_off_and_given_a_new_secret(self, manager, endpoint):
        manager.post(at(endpoint, "edit"), {"url": "https://two.example/", "do": "1"})
        manager.post(at(endpoint, "renew"), {"do": "1"})
        endpoint.refresh_from_db()
        assert (endpoint.url, endpoint.is_on, endpoint.secret == "0" * 64) == ("https://two.example/", False, False)

    def test_is_left_by_an_auditor(self, auditor, endpoint):
        for address in (self.NEW, at(endpoint, "edit"), at(endpoint, "renew")):
            typed = {"name": "Mine", "url": "https://mine.example/", "do": "1"}
            assert auditor.post(address, typed).status_code == 403
        endpoint.refresh_from_db()
        assert (PlatformEndpoint.objects.count(), endpoint.url) == (1, "https://platform.example/")
