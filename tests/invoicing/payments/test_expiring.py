"""Cards that end soon: a letter from the 1st on, and one more before a charge; each once."""

import json
from datetime import UTC, date, datetime

import pytest
from django.core.management import call_command

from invoicing.documents.models import Letter
from invoicing.payments import method_tasks
from invoicing.payments.expiring import warn_of_expiring_cards
from invoicing.payments.models import PaymentMethod
from tests.invoicing import factories as made
from tests.invoicing.payments.factories import bank_account, card

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
FIRST = date(2026, 12, 1)


def warn(on: date = FIRST, **values) -> dict:
    return dict(warn_of_expiring_cards(on=on, now=NOW, **values).letters)


def keys() -> list[str]:
    return list(Letter.objects.order_by("pk").values_list("key", flat=True))


class TestACardThatEndsSoon:
    @pytest.mark.parametrize(
        ("expires_on", "written"),
        [
            pytest.param(date(2026, 11, 30), False, id="last month"),
            pytest.param(date(2026, 12, 31), True, id="this month"),
            pytest.param(date(2027, 1, 31), True, id="next month"),
            pytest.param(date(2027, 2, 28), False, id="the month after"),
        ],
    )
    def test_is_written_about_this_month_and_the_one_before(self, expires_on, written):
        method = card(made.customer(), expires_on=expires_on)

        warn()

        assert keys() == ([f"card-expiring:{method.pk}:{expires_on:%Y-%m}"] if written else [])

    def test_is_named_by_its_last_four_digits(self):
        account = made.customer()
        card(account, expires_on=date(2026, 12, 31))

        warn()

        letter = Letter.objects.get()
        assert (letter.account, letter.kind, letter.on) == (account, "NOTICE", FIRST)
        assert letter.details["subject"] == "Your card ending in 4242 expires in December 2026"
        assert letter.details["paragraphs"][0].startswith("Visa ending in 4242 is good until the end of December 2026.")
        assert letter.details["clauses"] == ["FEE-3"]

    def test_is_written_about_once_on_whatever_day_the_sweep_comes(self):
        card(made.customer(), expires_on=date(2027, 1, 31))

        assert warn(date(2026, 12, 3)) == {"expiring": 1}
        assert warn(date(2026, 12, 4)) == warn(date(2027, 1, 1)) == {}

    @pytest.mark.parametrize("state", ["REMOVED", "BLOCKED"])
    def test_is_not_written_about_when_it_is_not_used_any_more(self, state):
        card(made.customer(), expires_on=date(2026, 12, 31), state=state)

        assert warn() == {}

    def test_is_no_bank_account(self):
        bank_account(made.customer())

        assert warn() == {}

    def test_is_counted_but_not_written_about_in_a_dry_run(self):
        card(made.customer(), expires_on=date(2026, 12, 31))

        assert warn(dry_run=True) == {"expiring": 1}
        assert keys() == []

    def test_takes_as_many_statements_for_many_as_for_one(self, django_assert_max_num_queries):
        for _ in range(20):
            card(made.customer(), expires_on=date(2026, 12, 31))

        with django_assert_max_num_queries(14):
            assert warn() == {"expiring": 20}


class TestBeforeACharge:
    """SEAT-5: the default card will have ended when it is charged next."""

    def charged(self, next_billing_on: date, expires_on: date, **profile) -> PaymentMethod:
        given = {"next_billing_on": next_billing_on, "auto_charge": True} | profile
        return card(made.customer(profile=given), expires_on=expires_on)

    @pytest.mark.parametrize(
        ("on", "written"),
        [
            pytest.param(date(2026, 12, 26), False, id="six days before"),
            pytest.param(date(2026, 12, 27), True, id="five days before"),
            pytest.param(date(2027, 1, 1), True, id="on the day"),
            pytest.param(date(2027, 1, 2), False, id="the day after"),
        ],
    )
    def test_it_is_written_about_once_more_within_five_days(self, on, written):
        method = self.charged(date(2027, 1, 1), date(2026, 12, 31))
        warn()

        assert warn(on).get("before a charge", 0) == written
        warn(on)

        assert keys()[1:] == ([f"card-expiring:{method.pk}:2026-12:charge"] if written else [])

    def test_the_letter_names_the_day(self):
        self.charged(date(2027, 1, 1), date(2026, 12, 31))

        warn(date(2026, 12, 30))

        letter = Letter.objects.get(key__endswith=":charge")
        assert "Your next charge is due on 1 January 2027, when this card has ended." in letter.details["paragraphs"][0]
        assert letter.details["clauses"] == ["SEAT-5", "FEE-3"]

    def test_not_where_the_card_outlives_the_charge(self):
        self.charged(date(2026, 12, 31), date(2026, 12, 31))

        assert warn(date(2026, 12, 30)) == {"expiring": 1}

    def test_not_where_nothing_is_charged_by_itself(self):
        self.charged(date(2027, 1, 1), date(2026, 12, 31), auto_charge=False)

        assert warn(date(2026, 12, 30)) == {"expiring": 1}

    def test_where_the_terms_say_so(self):
        made.terms("hosted-direct", auto_charge=True)
        self.charged(date(2027, 1, 1), date(2026, 12, 31), auto_charge=None)

        assert warn(date(2026, 12, 30)) == {"expiring": 1, "before a charge": 1}


class TestTheCommand:
    def test_tells_what_it_did_for_a_day(self, capsys):
        card(made.customer(), expires_on=date(2026, 12, 31))

        call_command("warn_of_expiring_cards", "--on", "2026-12-01", "--dry-run", "--json")
        assert json.loads(capsys.readouterr().out) == {"on": "2026-12-01", "dry_run": True, "letters": {"expiring": 1}}
        call_command("warn_of_expiring_cards", "--on", "2026-12-01")
        assert capsys.readouterr().out == "2026-12-01: 1 expiring\n"
        assert len(keys()) == 1


class TestTheTick:
    def test_takes_the_day_that_it_is_where_the_seller_is(self, monkeypatch):
        """In New York it is still the 30th of November."""
        monkeypatch.setattr(method_tasks.timezone, "now", lambda: datetime(2026, 12, 1, 2, 0, tzinfo=UTC))
        made.seller(time_zone="America/New_York")
        card(made.customer(), expires_on=date(2027, 1, 31))

        method_tasks.warn_of_cards()
        assert keys() == []
        made.seller(time_zone="UTC")
        method_tasks.warn_of_cards()
        assert len(keys()) == 1
