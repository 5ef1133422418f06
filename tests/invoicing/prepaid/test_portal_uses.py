"""PRE-1 on the customers' pages: uses by day and product, each once; and what the coming 1st will lack."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import Role
from invoicing.prepaid import forecast
from invoicing.prepaid.forecast import Coming, Part
from tests.accounts.factories import make_contact
from tests.accounts.visitors import visitor
from tests.invoicing.factories import seller
from tests.invoicing.payments.factories import card
from tests.invoicing.prepaid.factories import NOW, per_use, prepaid, take, use

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    per_use("calls", "0.10")
    per_use("texts", "0.01")
    return prepaid("100")


@pytest.fixture
def payer(account):
    return visitor(make_contact(account, "Pat Primary", Role.PRIMARY))


def shown(payer, account, **typed):
    return payer.get(f"/my/{account.pk}/prepaid/uses/", typed)


def keys(page) -> list[str]:
    return [one.key for one, _ in page.context["uses"]]


class TestUses:
    def test_are_the_accounts_own_with_what_was_deducted(self, account, payer):
        take(use(account, "3", detail="+1 303 555 0100"), use(prepaid("5"), "7", key="theirs"))
        page = shown(payer, account)
        assert "USD 0.30" in page.text
        assert "+1 303 555 0100" in page.text
        assert "theirs" not in keys(page)
        assert len(keys(page)) == 1

    def test_of_some_days_end_with_the_last_days_midnight_where_the_seller_is(self, account, payer):
        seller(time_zone="America/Denver")
        # Denver is seven hours behind in February.
        moments = {
            "before": datetime(2026, 2, 10, 6, 59, tzinfo=UTC),
            "first": datetime(2026, 2, 10, 7, 0, tzinfo=UTC),
            "last": datetime(2026, 2, 12, 6, 59, tzinfo=UTC),
            "after": datetime(2026, 2, 12, 7, 0, tzinfo=UTC),
        }
        take(*(use(account, key=key, at=at) for key, at in moments.items()))
        page = shown(payer, account, **{"from": "2026-02-10", "to": "2026-02-11"})
        assert keys(page) == ["last", "first"]

    def test_of_one_product(self, account, payer):
        take(use(account, key="call"), use(account, key="text", product="texts"))
        plans = {one.product.code: one.pk for one in shown(payer, account).context["plans"]}
        assert keys(shown(payer, account, plan=plans["texts"])) == ["text"]

    def test_each_is_on_one_page_though_many_are_of_the_same_moment(self, account, payer):
        take(*(use(account, key=f"k{number}", at=NOW - timedelta(hours=number % 3)) for number in range(120)))
        seen, before = [], ""
        while before is not None:
            page = shown(payer, account, before=before)
            seen += keys(page)
            rows = page.context["uses"]
            before = rows[-1][0].pk if page.context["older"] else None
        assert sorted(seen) == sorted(f"k{number}" for number in range(120))

    def test_the_next_page_keeps_what_was_asked_for(self, account, payer):
        take(*(use(account, key=f"k{number}") for number in range(60)))
        page = shown(payer, account, **{"from": "2026-03-01"})
        assert "from=2026-03-01" in page.context["older"]

    @pytest.mark.parametrize(
        "typed", [{"from": "2026-02-31"}, {"from": "x"}, {"to": "9999-12-31"}, {"plan": "x"}, {"before": "9" * 30},
                  {"from": "0001-01-01"}]
    )  # fmt: skip
    def test_what_is_none_is_left_out(self, account, payer, typed):
        take(use(account, key="k"))
        assert keys(shown(payer, account, **typed)) == ["k"]


class TestComingFirst:
    def test_is_told_with_what_is_missing_rounded_up_so_that_it_is_enough(self, account, payer):
        """PRE-3: 100 less a use of 0.004 leaves 99.996: USD 0.01 short of 100.00 is what can be topped up."""
        card(account)
        per_use("tiny", "0.004")
        take(use(account, product="tiny"))
        before = forecast._registered[:]
        forecast.register(lambda accounts, on: {account.pk: Coming(Decimal(100), (Part("Lines", Decimal(100)),))})
        try:
            page = payer.get(f"/my/{account.pk}/prepaid/")
        finally:
            forecast._registered[:] = before
        assert "PRE-3" in page.text
        assert 'value="0.01"' in page.text
