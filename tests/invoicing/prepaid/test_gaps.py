"""What a balance lacks where a payment was returned, the terms changed, or a top-up is on its way (PRE-2 to PRE-4)."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import schedule
from invoicing.catalog.models import Price
from invoicing.documents.models import Letter
from invoicing.invoices.models import Invoice
from invoicing.prepaid.models import PrepaidBalance, TopUp
from invoicing.prepaid.topping_up import top_up_due, top_up_if_due
from invoicing.prepaid.warnings import warn_low_balances
from invoicing.runs.awaiting import post_what_waited
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import RunItem
from invoicing.runs.operations import retry_parked
from tests.invoicing.factories import bill, plan, subscription, terms
from tests.invoicing.payments.factories import card
from tests.invoicing.prepaid.factories import NOW, agreement, balance_of, give, prepaid

pytestmark = pytest.mark.django_db
D = Decimal
APRIL_1 = date(2026, 4, 1)
SPRING = datetime(2026, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def account():
    """25.00 a month for its line, from April on."""
    made = prepaid()
    subscription(made, plan("line", "25"), APRIL_1)
    return made


class TestADebt:
    """P9: a returned payment takes the balance below its floor; what is charged next makes that good first."""

    def test_is_part_of_what_an_automatic_top_up_closes(self, account, gateway):
        give(account, "-30")
        card(account)
        agreement(account, "0", "10")
        bill(APRIL_1)
        made = top_up_if_due(account.pk, actor=schedule(), now=SPRING)
        assert made is not None
        assert made.amount == D(55)
        assert post_what_waited(actor=schedule(), now=SPRING) == 1
        assert balance_of(account) == 0
        assert PrepaidBalance.objects.get(account=account).awaiting == 0
        assert list(differences_in_books()) == []

    def test_is_part_of_the_shortfall_that_is_warned_of(self, account):
        give(account, "-30")
        (short,) = warn_low_balances(now=NOW, on=date(2026, 3, 27))
        assert (short.charges, short.missing) == (D(25), D(55))
        assert Letter.objects.get().details["facts"][1] == ["Missing", "USD 55.00"]

    def test_is_part_of_what_the_run_says_is_missing(self, account):
        give(account, "-30")
        run = bill(APRIL_1)
        assert "USD 55.00 is missing" in RunItem.objects.get(run=run, account=account).reason

    def test_is_not_lent_again_by_a_settlement(self, account):
        give(account, "-30")
        give(account, "60")
        bill(APRIL_1)
        kept = PrepaidBalance.objects.get(account=account)
        assert (kept.balance, kept.floor) == (D(5), 0)


class TestTheCreditLimit:
    """PRE-4: how far a balance may fall is what the terms say on the day, not what they said when it last moved."""

    def test_that_was_raised_lets_what_waited_be_posted(self, account):
        bill(APRIL_1)
        terms("prepaid", credit_limit=D(25))
        assert post_what_waited(actor=schedule(), now=SPRING) == 1
        kept = PrepaidBalance.objects.get(account=account)
        assert (kept.balance, kept.floor, kept.awaiting) == (D(-25), D(-25), 0)

    def test_that_was_lowered_is_not_lent_any_more(self, account):
        terms("prepaid", credit_limit=D(100))
        give(account, "1")
        terms("prepaid", credit_limit=D(0))
        run = bill(APRIL_1)
        assert RunItem.objects.get(run=run, account=account).outcome == "PARKED"
        assert balance_of(account) == 1

    def test_that_was_lowered_has_the_gap_topped_up(self, account, gateway):
        terms("prepaid", credit_limit=D(100))
        give(account, "1")
        terms("prepaid", credit_limit=D(0))
        card(account)
        agreement(account, "0", "5")
        bill(APRIL_1)
        assert top_up_due(actor=schedule(), now=SPRING).made == 1
        assert TopUp.objects.get().amount == D(24)


class TestATopUpByHand:
    """PRE-2: pending ones are counted."""

    def test_that_is_under_way_keeps_the_automatic_one_from_closing_the_same_gap(self, gateway):
        account = prepaid("1")
        card(account)
        agreement(account, "10", "50")
        TopUp.objects.create(account=account, on=NOW.date(), currency="USD", amount=D(9), made_by="Pat", made_at=NOW)
        assert top_up_if_due(account.pk, actor=schedule(), now=NOW) is None
        TopUp.objects.update(amount=D("8.99"))
        made = top_up_if_due(account.pk, actor=schedule(), now=NOW + timedelta(minutes=1))
        assert made is not None
        assert made.amount == D(50)


class TestWhatWaits:
    """PRE-4."""

    def test_is_forgotten_when_it_is_not_due_any_more(self, account):
        run = bill(APRIL_1)
        assert PrepaidBalance.objects.get(account=account).awaiting == D(25)
        Price.objects.update(unit_price=0)
        retry_parked(run, actor=schedule(), now=SPRING)
        kept = PrepaidBalance.objects.get(account=account)
        assert (kept.awaiting, kept.awaiting_since_on) == (0, None)
        assert not Invoice.objects.filter(account=account, status="ISSUED").exists()
