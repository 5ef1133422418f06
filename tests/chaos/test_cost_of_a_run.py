"""The shape of a run's cost: a constant number of statements a page; nothing for a second run."""

from datetime import date

import pytest

from accounts.actors import schedule
from invoicing.runs.operations import dry_run, run_billing
from invoicing.runs.queries import figures
from invoicing.runs.schedule import bill_what_is_due
from tests.chaos.books import many_customers
from tests.chaos.crashing import statements
from tests.chaos.results import row_hashes
from tests.invoicing.factories import NOW, plan, seller

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)


def bill():
    return run_billing(seller=seller(), on=MARCH, actor=schedule(), now=NOW)


def cost_of(accounts: int, monkeypatch) -> int:
    """How many statements the run of so many accounts takes: all of them stand on one page."""
    many_customers(accounts, plan(f"mail-{accounts}", "10"), started_on=date(2026, 2, 1))
    with statements(monkeypatch) as done:
        run = bill()
    assert figures(run).as_json()["invoiced"] >= accounts
    return done.count


class TestTheNumberOfStatements:
    def test_is_the_same_for_two_hundred_accounts_and_for_two_thousand(self, monkeypatch):
        cost_of(1, monkeypatch)

        assert cost_of(200, monkeypatch) == cost_of(2000, monkeypatch)

    def test_is_under_a_tenth_an_invoice(self, monkeypatch):
        assert cost_of(1000, monkeypatch) < 100

    def test_of_a_dry_run_does_not_grow_either(self, monkeypatch):
        counts = []
        for accounts in (50, 500):
            many_customers(accounts, plan(f"mail-{accounts}", "10"), started_on=date(2026, 2, 1))
            with statements(monkeypatch) as done:
                dry_run(seller=seller(), on=MARCH)
            counts.append(done.count)

        assert counts[0] == counts[1]


class TestASecondRunOfTheDay:
    @pytest.fixture
    def billed(self):
        many_customers(500, plan("mail", "10"), started_on=date(2026, 2, 1))
        return bill()

    def test_touches_nothing_and_asks_little(self, billed, monkeypatch):
        before = row_hashes()

        with statements(monkeypatch) as done:
            bill()

        assert row_hashes() == before
        assert done.count < 30
        assert not [sql for sql in done.seen if sql.startswith(("COPY", "INSERT", "UPDATE", "DELETE"))]

    def test_by_the_tick_asks_whether_anything_is_due_and_no_more(self, billed, monkeypatch):
        issuer = seller()

        with statements(monkeypatch) as done:
            assert bill_what_is_due(issuer, actor=schedule(), now=NOW) == []

        assert done.count <= 3
