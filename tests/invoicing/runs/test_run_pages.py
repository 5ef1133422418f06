"""The pages of the month-start run: what they show, who may do what, and what the buttons do."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account, AuditEntry
from invoicing.invoices.models import Invoice
from invoicing.runs.models import Run, RunItem
from tests.invoicing import factories as make
from tests.invoicing.staff import AGENT, AUDITOR, MANAGER, NO_GROUP, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_worker")]

DECEMBER = date(2026, 12, 1)


def customers(count: int, price: str | None = "10", *, prefix: str = "pbx") -> list[Account]:
    """So many customers with one subscription since November, under terms that bill by the month just ended."""
    plan = make.plan(f"{prefix}-{make.Plan.objects.count()}", price)
    found = []
    for _ in range(count):
        account = make.customer()
        make.subscription(account, plan, date(2026, 11, 1))
        found.append(account)
    return found


def waiting_run(count: int = 2, parked: int = 1) -> Run:
    """A run in review: so many proposals, and so many accounts that are parked for want of a price."""
    make.terms("hosted-direct", approval="REVIEW")
    customers(count)
    if parked:
        customers(parked, None, prefix="unpriced")
    return make.bill(DECEMBER, approve=False)


def address(name: str, run: Run, **values: object) -> str:
    return reverse(f"admin:invoicing_run_{name}", kwargs={"run_id": run.pk, **values})


def page_of(run: Run) -> str:
    return reverse("admin:invoicing_run_change", args=[run.pk])


def said(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def queries(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


class TestRunPage:
    def test_proves_that_the_outcomes_add_up_to_the_accounts(self):
        text = signed_in().get(page_of(waiting_run(2, 1))).content.decode()
        assert (
            "<b>3</b> accounts = <b>0</b> invoiced + <b>2</b> proposed + <b>0</b> nothing due + <b>1</b> parked" in text
        )
        assert "No account whose billing date has come by 1 December 2026 is left out." in text

    def test_says_in_plain_words_why_the_run_is_held(self):
        text = signed_in().get(page_of(waiting_run())).content.decode()
        assert "This run waits for a person." in text
        assert "The terms “hosted-direct” ask for a review of each run; 2 invoices wait." in text

    def test_names_the_reason_of_a_parked_account(self):
        run = waiting_run()
        text = signed_in().get(page_of(run)).content.decode()
        assert "has no price in USD" in text
        assert "Retry all" in text

    def test_shows_the_numbers_once_issued(self):
        make.terms("hosted-direct", approval="AUTOMATIC")
        customers(3)
        text = signed_in().get(page_of(make.bill(DECEMBER))).content.decode()
        assert "INV-000001" in text
        assert "INV-000003" in text
        assert "Approve and issue" not in text

    def test_says_what_to_do_when_no_worker_answers(self):
        run = waiting_run()
        Run.objects.filter(pk=run.pk).update(state="PROPOSING")
        text = signed_in().get(page_of(run)).content.decode()
        assert "No worker has answered," in text
        assert "manage.py run_billing --on 2026-12-01" in text
        assert "Continue here" in text

    @pytest.mark.parametrize("path", ["999", "x", "9" * 30, "0"])
    def test_is_not_found_for_another_id_in_the_same_words(self, path):
        assert signed_in().get(f"/admin/invoicing/run/{path}/change/").status_code == 404


class TestConstantQueries:
    """As many queries for fifty rows as for five."""

    @pytest.fixture
    def both(self) -> tuple[Run, Run]:
        few = waiting_run(5, 5)
        Run.objects.filter(pk=few.pk).update(seller=make.Seller.objects.create(name="Other"))
        return few, waiting_run(50, 40)

    @pytest.mark.parametrize("name", ["change", "progress", "differences", "items"])
    def test_of_a_runs_pages(self, both, name):
        client = signed_in()
        few, many = (page_of(run) if name == "change" else address(name, run) for run in both)
        assert queries(client, few) == queries(client, many)

    def test_of_the_list_of_runs(self):
        client = signed_in()
        path = reverse("admin:invoicing_run_changelist")
        waiting_run(2, 1)
        one = queries(client, path)
        for day in range(2, 12):
            customers(1)
            make.bill(date(2026, 12, day))
        assert queries(client, path) == one

    def test_of_the_parked_accounts(self):
        client = signed_in()
        path = reverse("admin:invoicing_runitem_changelist")
        waiting_run(0, 5)
        few = queries(client, path)
        customers(45, None, prefix="more")
        make.bill(DECEMBER)
        assert RunItem.objects.filter(outcome="PARKED").count() == 50
        assert queries(client, path) == few


class TestApprove:
    def test_issues_the_proposals_and_says_so(self, monkeypatch, eager_workers):
        monkeypatch.undo()
        run = waiting_run()
        response = signed_in().post(address("approve", run))
        assert "Approved: the invoices are being issued." in said(response)
        assert Run.objects.get(pk=run.pk).state == "DONE"
        assert Invoice.objects.filter(status="ISSUED").count() == 2
        assert AuditEntry.objects.get(action="approve run").channel == "CONSOLE"

    def test_twice_is_refused_in_a_sentence(self):
        run = waiting_run()
        client = signed_in()
        client.post(address("approve", run))
        assert "does not wait for review" in said(client.post(address("approve", run)))

    def test_says_so_where_the_broker_takes_no_message(self, monkeypatch):
        run = waiting_run()
        monkeypatch.setattr("invoicing.runs.pages.hand_over", lambda *message: False)
        assert "the message broker did not answer" in said(signed_in().post(address("approve", run)))
        assert Run.objects.get(pk=run.pk).state == "ISSUING"

    def test_can_be_carried_on_with_in_the_request(self):
        run = waiting_run()
        client = signed_in()
        client.post(address("approve", run))
        assert "is now: done" in said(client.post(address("continue", run)))
        assert Invoice.objects.filter(status="ISSUED").count() == 2


class TestDiscard:
    def test_asks_for_a_reason_first(self):
        run = waiting_run()
        client = signed_in()
        assert "2 drafts of" in client.get(address("discard", run)).content.decode()
        assert "Say why the run is discarded." in client.post(address("discard", run), {"why": " "}).content.decode()
        assert Run.objects.get(pk=run.pk).state == "REVIEW"

    def test_drops_the_drafts_and_keeps_the_reason(self):
        run = waiting_run()
        signed_in().post(address("discard", run), {"why": "Wrong price list"})
        assert Run.objects.get(pk=run.pk).state == "DISCARDED"
        assert not Invoice.objects.exists()
        assert AuditEntry.objects.get(action="discard run").why == "Wrong price list"

    def test_is_refused_after_the_issue(self):
        """BILL-6."""
        make.terms("hosted-direct", approval="AUTOMATIC")
        customers(1)
        run = make.bill(DECEMBER)
        response = signed_in().post(address("discard", run), {"why": "Too late"})
        assert "an issued invoice is corrected by a credit note (BILL-6)" in said(response)
        assert Invoice.objects.filter(status="ISSUED").count() == 1


class TestRetry:
    """P2: what is mended and retried is billed once."""

    @pytest.fixture
    def run(self) -> Run:
        run = waiting_run(1, 3)
        make.add_price(make.Plan.objects.get(code__startswith="unpriced"), "20")
        return run

    def parked(self, run: Run) -> list[str]:
        still = RunItem.objects.filter(run=run, outcome="PARKED", superseded_by=None).order_by("pk")
        return list(still.values_list("account__number", flat=True))

    def test_of_one_leaves_the_others(self, run):
        one, *others = self.parked(run)
        response = signed_in().post(address("retry", run), {"account": one})
        assert said(response) == "1 account was tried again, and none of them is parked any more."
        assert self.parked(run) == others

    def test_of_all_leaves_none(self, run):
        response = signed_in(AGENT).post(address("retry", run))
        assert said(response) == "3 accounts were tried again, and none of them is parked any more."
        assert self.parked(run) == []

    def test_of_what_is_not_mended_says_so(self):
        run = waiting_run(1, 2)
        response = signed_in().post(address("retry", run))
        assert said(response) == "2 accounts were tried again; 2 still cannot be billed, for the reason shown."

    def test_of_an_account_that_is_not_parked_here_is_not_found(self, run):
        proposed = RunItem.objects.get(run=run, outcome="PROPOSED").account
        assert signed_in().post(address("retry", run), {"account": proposed.number}).status_code == 404

    def test_from_the_queue_across_runs(self, run):
        items = RunItem.objects.filter(outcome="PARKED", superseded_by=None)
        chosen = {"action": "retry_selected", "_selected_action": list(items.values_list("pk", flat=True))}
        response = signed_in(AGENT).post(reverse("admin:invoicing_runitem_changelist"), chosen)
        assert said(response) == "3 accounts were tried again, and none of them is parked any more."

    def test_prices_a_proposal_anew_from_the_book(self, run):
        item = RunItem.objects.get(run=run, outcome="PROPOSED")
        item.account.subscriptions.update(quantity=Decimal(7))
        path = address("propose_again", run, account_id=item.account_id)
        assert "is priced anew" in said(signed_in().post(path))
        assert RunItem.objects.get(run=run, account=item.account).total == Decimal(70)

    def test_does_not_price_anew_what_is_not_proposed(self, run):
        parked = RunItem.objects.filter(run=run, outcome="PARKED").first()
        path = address("propose_again", run, account_id=parked.account_id)
        assert signed_in().post(path).status_code == 404


class TestStart:
    START = "/admin/invoicing/run/start/"

    def form(self, **button: str) -> dict[str, object]:
        return {"seller": make.seller().pk, "on": "2026-12-01", **button}

    def test_shows_the_figures_before_anything_is_written(self):
        customers(2)
        text = signed_in().post(self.START, self.form(preview="1")).content.decode()
        assert "<b>2</b> accounts = <b>2</b> to invoice + <b>0</b> nothing due + <b>0</b> parked" in text
        assert "USD 20.00" in text
        assert not Run.objects.exists()

    def test_opens_the_run_and_leaves_the_work_to_a_worker(self):
        customers(2)
        response = signed_in().post(self.START, self.form(start="1"))
        run = Run.objects.get()
        assert (run.state, response.headers["Location"]) == ("PROPOSING", page_of(run))

    def test_bills_when_a_worker_is_there(self, monkeypatch, eager_workers):
        monkeypatch.undo()
        customers(2)
        signed_in().post(self.START, self.form(start="1"))
        assert Run.objects.get().state == "DONE"
        assert Invoice.objects.filter(status="ISSUED").count() == 2

    def test_twice_joins_the_run_of_the_day(self):
        customers(1)
        for _ in range(2):
            signed_in().post(self.START, self.form(start="1"))
        assert Run.objects.count() == 1

    def test_says_when_there_is_nothing_to_bill(self):
        text = signed_in().post(self.START, self.form(preview="1")).content.decode()
        assert "there is nothing to bill" in text

    def test_names_a_date_that_is_none(self):
        text = signed_in().post(self.START, {"seller": make.seller().pk, "on": "soon", "preview": "1"}).content.decode()
        assert "Enter a valid date." in text


class TestPermissions:
    """Each page and verb by group; the refusal of an operation is a sentence on the page, of a page a 403."""

    SEEN = ["change", "progress", "differences", "items"]

    @pytest.mark.parametrize("name", SEEN)
    @pytest.mark.parametrize(("group", "status"), [(MANAGER, 200), (AGENT, 200), (AUDITOR, 200), (NO_GROUP, 403)])
    def test_of_what_is_shown(self, name, group, status):
        run = waiting_run(1, 0)
        path = page_of(run) if name == "change" else address(name, run)
        assert signed_in(group).get(path).status_code == status

    @pytest.mark.parametrize("name", [*SEEN, "approve", "discard", "retry", "continue", "propose_again"])
    def test_sends_those_who_are_no_staff_to_the_sign_in(self, name):
        run = waiting_run(1, 0)
        values = {"account_id": 1} if name == "propose_again" else {}
        path = page_of(run) if name == "change" else address(name, run, **values)
        for client in (Client(), signed_in(MANAGER, is_staff=False)):
            response = client.post(path)
            assert (response.status_code, "login" in response.headers["Location"]) == (302, True)
        assert Run.objects.get(pk=run.pk).state == "REVIEW"

    @pytest.mark.parametrize("name", ["approve", "continue"])
    @pytest.mark.parametrize("group", [AGENT, AUDITOR])
    def test_refuses_others_than_managers_in_a_sentence(self, name, group):
        run = waiting_run(1, 0)
        assert "may not do this: it needs the permission" in said(signed_in(group).post(address(name, run)))
        assert Run.objects.get(pk=run.pk).state == "REVIEW"

    @pytest.mark.parametrize("group", [AGENT, AUDITOR, NO_GROUP])
    def test_refuses_others_the_page_to_discard_and_to_start(self, group):
        run = waiting_run(1, 0)
        client = signed_in(group)
        assert client.post(address("discard", run), {"why": "Because"}).status_code == 403
        assert client.get("/admin/invoicing/run/start/").status_code == 403

    def test_lets_no_auditor_retry(self):
        run = waiting_run(1, 1)
        assert "may not do this" in said(signed_in(AUDITOR).post(address("retry", run)))
        text = signed_in(AUDITOR).get(page_of(run)).content.decode()
        assert "Retry" not in text
        assert "Approve and issue" not in text

    @pytest.mark.parametrize("name", ["approve", "retry", "continue"])
    def test_refuses_get_where_something_would_change(self, name):
        assert signed_in().get(address(name, waiting_run(1, 0))).status_code == 405

    @pytest.mark.parametrize("name", ["approve", "retry", "continue", "discard"])
    def test_refuses_a_post_without_its_token(self, name):
        run = waiting_run(1, 0)
        client = Client(enforce_csrf_checks=True)
        client.force_login(signed_in().get("/admin/").wsgi_request.user)
        assert client.post(address(name, run), {"why": "Because"}).status_code == 403

    @pytest.mark.parametrize("name", [*SEEN[1:], "approve", "discard", "retry", "continue"])
    def test_finds_no_other_id(self, name):
        run = waiting_run(1, 0)
        run.pk = 999
        client = signed_in()
        assert (client.get if name in self.SEEN else client.post)(address(name, run)).status_code == 404

    @pytest.mark.parametrize("model", ["run", "runitem"])
    def test_offers_no_form_to_change_a_row(self, model):
        waiting_run(1, 1)
        client = signed_in()
        assert client.get(f"/admin/invoicing/{model}/add/").status_code == 403
        row = (Run if model == "run" else RunItem).objects.first()
        assert client.post(f"/admin/invoicing/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


class TestDifferences:
    @pytest.fixture
    def run(self) -> Run:
        grown, same = customers(2)
        make.bill(DECEMBER)
        grown.subscriptions.update(quantity=Decimal(3))
        make.terms("hosted-direct", approval="REVIEW")
        return make.bill(date(2027, 1, 1), approve=False)

    def test_by_reason_and_account(self, run):
        text = signed_in().get(address("differences", run)).content.decode()
        assert "More services or a higher price" in text
        assert "+USD 20.00" in text

    def test_are_filtered_by_reason_and_searched_by_account(self, run):
        client = signed_in()
        grown = RunItem.objects.get(run=run, total=30).account
        for asked, found in [({"reason": "new"}, False), ({"q": grown.number}, True), ({"q": "nobody"}, False)]:
            text = client.get(address("differences", run), asked).content.decode()
            assert (f">{grown.number}</a>" in text) is found

    @pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999", "²"])
    def test_take_a_page_that_is_none_for_the_first_or_an_empty_one(self, run, page):
        assert signed_in().get(address("differences", run), {"page": page}).status_code == 200


class TestProgress:
    def test_asks_again_while_the_run_goes_on(self):
        run = waiting_run(2, 0)
        Run.objects.filter(pk=run.pk).update(state="ISSUING")
        response = signed_in().get(address("progress", run), {"state": "ISSUING"})
        text = response.content.decode()
        assert 'hx-trigger="every 2s"' in text
        assert '<progress id="accounts-progress" max="2" value="0">' in text
        assert "HX-Refresh" not in response.headers

    def test_stops_and_has_the_page_read_again_when_the_state_is_another(self):
        response = signed_in().get(address("progress", waiting_run(1, 0)), {"state": "PROPOSING"})
        assert response.headers["HX-Refresh"] == "true"
        assert "every 2s" not in response.content.decode()


class TestExport:
    def test_is_safe_from_formulas(self):
        """OTRS: formulas in CSV exports."""
        run = waiting_run(1, 0)
        Account.objects.filter(run_items__run=run).update(name='=HYPERLINK("http://evil.example")')
        response = signed_in().get(address("items", run))
        assert response.streaming
        text = b"".join(response.streaming_content).decode()
        assert "\"'=HYPERLINK(" in text
        assert "USD,10.00" in text
