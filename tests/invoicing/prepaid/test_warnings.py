"""PRE-3: who will be short on the 1st is warned, once."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command

from invoicing.documents.models import Document, Letter
from invoicing.prepaid import forecast
from invoicing.prepaid.forecast import Coming, Part
from invoicing.prepaid.models import PrepaidBalance
from invoicing.prepaid.warnings import warn_low_balances
from tests.chaos.results import row_hashes
from tests.invoicing.factories import customer, plan, seller, subscription, terms
from tests.invoicing.prepaid.factories import NOW, agreement, give, prepaid

pytestmark = pytest.mark.django_db
D = Decimal
MARCH_27 = date(2026, 3, 27)


@pytest.fixture
def coming(monkeypatch):
    """What is coming, by account, as the test says; the real proposals are the runs'."""
    charges: dict = {}

    def asked(account_ids, on):
        assert on.day == 1
        return {pk: charges[pk] for pk in account_ids if pk in charges}

    monkeypatch.setattr(forecast, "_registered", [asked])
    return charges


def due(account, coming, *parts: tuple[str, str]) -> None:
    named = tuple(Part(words, D(amount)) for words, amount in parts)
    coming[account.pk] = Coming(sum((part.amount for part in named), D(0)), named)


class TestWarnLowBalances:
    """PRE-3."""

    def test_writes_the_shortfall_and_its_parts(self, coming):
        seller(email="billing@acme.example")
        account = prepaid("12.50")
        due(account, coming, ("Line", "10"), ("Number", "5.25"))
        assert [(row.missing, row.charges) for row in warn_low_balances(now=NOW, on=MARCH_27)] == [
            (D("2.75"), D("15.25"))
        ]
        letter = Letter.objects.get()
        assert (letter.kind, letter.key) == ("NOTICE", f"low-balance:{account.pk}:2026-04")
        said = letter.details
        assert said["subject"] == "Your prepaid balance is USD 2.75 short of the charges of 1 April 2026"
        assert said["table"]["rows"] == [["Line", "USD 10.00"], ["Number", "USD 5.25"]]
        assert said["table"]["totals"] == [["Total", "USD 15.25"], ["Missing", "USD 2.75"]]
        assert "billing@acme.example" in said["closing"][0]
        assert said["clauses"] == ["PRE-3"]
        assert Document.objects.filter(kind="NOTICE", subject_id=letter.pk).exists()

    def test_is_once_a_month(self, coming):
        account = prepaid("1")
        due(account, coming, ("Line", "10"))
        assert warn_low_balances(now=NOW, on=MARCH_27)
        before = row_hashes()
        for on in (MARCH_27, date(2026, 3, 28), date(2026, 3, 31)):
            assert warn_low_balances(now=NOW, on=on) == []
        assert row_hashes() == before
        assert warn_low_balances(now=NOW, on=date(2026, 4, 26))

    @pytest.mark.parametrize(("on", "warned"), [
        pytest.param(date(2026, 3, 26), 0, id="six days before"),
        pytest.param(date(2026, 3, 27), 1, id="five days before"),
        pytest.param(date(2026, 3, 31), 1, id="the day before, when no tick came before"),
        pytest.param(date(2026, 4, 1), 0, id="the 1st"),
        pytest.param(date(2026, 2, 24), 1, id="five days before, in a month of 28 days"),
        pytest.param(date(2026, 2, 23), 0, id="six days before, in a month of 28 days"),
        pytest.param(date(2026, 12, 27), 1, id="over the turn of the year"),
    ])  # fmt: skip
    def test_begins_five_days_before_the_1st(self, coming, on, warned):
        due(prepaid("1"), coming, ("Line", "10"))
        assert len(warn_low_balances(now=NOW, on=on)) == warned

    def test_begins_when_the_terms_say(self, coming):
        terms("prepaid", low_balance_warning_days=10)
        due(prepaid("1"), coming, ("Line", "10"))
        assert warn_low_balances(now=NOW, on=date(2026, 3, 22))

    def test_goes_by_the_sellers_day(self, coming):
        seller(time_zone="America/Denver")
        due(prepaid("1"), coming, ("Line", "10"))
        assert warn_low_balances(now=datetime(2026, 3, 27, 5, 59, tzinfo=UTC)) == []
        assert warn_low_balances(now=datetime(2026, 3, 27, 6, 0, tzinfo=UTC))

    def test_leaves_alone_whose_balance_covers_it(self, coming):
        exact, over, invoiced = prepaid("10"), prepaid("50"), customer()
        for account in (exact, over, invoiced):
            due(account, coming, ("Line", "10"))
        assert warn_low_balances(now=NOW, on=MARCH_27) == []

    def test_warns_later_of_what_was_used_up_later(self, coming):
        account = prepaid("10")
        due(account, coming, ("Line", "10"))
        assert warn_low_balances(now=NOW, on=MARCH_27) == []
        give(account, "-0.01")
        assert [row.missing for row in warn_low_balances(now=NOW, on=date(2026, 3, 29))] == [D("0.01")]

    def test_counts_the_credit_limit_and_what_waits_already(self, coming):
        terms("prepaid", credit_limit=D(5))
        limited, waiting = prepaid("5"), prepaid("5")
        PrepaidBalance.objects.filter(account=waiting).update(awaiting=D(30))
        due(limited, coming, ("Line", "10"))
        (short,) = warn_low_balances(now=NOW, on=MARCH_27)
        assert (short.profile.account, short.missing) == (waiting, D(20))

    def test_says_that_the_automatic_top_up_will_be_tried(self, coming):
        account = prepaid()
        agreement(account)
        due(account, coming, ("Line", "10"))
        warn_low_balances(now=NOW, on=MARCH_27)
        assert "automatic top-up will be tried" in Letter.objects.get().details["closing"][1]

    def test_asks_the_run_what_is_coming(self, db):
        """The registered forecast: the run's own proposals."""
        account = prepaid("3")
        subscription(account, plan("line", "10"), date(2026, 3, 1))
        (short,) = warn_low_balances(now=NOW, on=MARCH_27)
        assert short.charges > short.available == D(3)


class TestTheCommand:
    def test_says_who_and_how_much(self, coming):
        account = prepaid("1")
        due(account, coming, ("Line", "10"))
        out = StringIO()
        call_command("warn_low_balances", "--on", "2026-03-27", "--dry-run", stdout=out)
        assert out.getvalue() == (
            f"{account.number}: USD 9.00 missing for the charges of 2026-04-01, USD 10.00.\n"
            "1 accounts would be warned.\n"
        )
        assert not Letter.objects.exists()
        out = StringIO()
        call_command("warn_low_balances", "--on", "2026-03-27", "--json", stdout=out)
        assert json.loads(out.getvalue())["warned"] == [{
            "account": account.number, "on": "2026-04-01", "currency": "USD", "charges": "10",
            "available": "1.000000", "missing": "9.000000", "parts": [{"description": "Line", "amount": "10"}],
        }]  # fmt: skip
        assert Letter.objects.count() == 1
