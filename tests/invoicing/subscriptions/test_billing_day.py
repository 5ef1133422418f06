"""BILL-5: the billing day is changed on request, from the next billing date on; no day is billed twice or left out."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.actors import Role
from accounts.decisions import Refused
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from invoicing.periods import AnchorChange, BillingCalendar, Period
from invoicing.subscriptions.models import BillingDayChange, BillingProfile
from invoicing.subscriptions.operations import change_billing_day
from invoicing.subscriptions.policy import billing_day_move
from invoicing.subscriptions.queries import calendar_of, preview_billing_day
from tests.invoicing import factories as made

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 10)


def change(account, day, *, role=Role.BILLING, today=TODAY):
    return change_billing_day(account, day, actor=made.contact_of(account, role), now=NOW, today=today)


@pytest.mark.django_db
class TestChangeBillingDay:
    @pytest.mark.parametrize(
        ("day", "bridge", "is_free"),
        [
            pytest.param(20, Period(date(2026, 4, 5), date(2026, 4, 20), bridge=True), True, id="half of April: free"),
            pytest.param(21, Period(date(2026, 4, 5), date(2026, 4, 21), bridge=True), False, id="longer: charged"),
            pytest.param(4, Period(date(2026, 4, 5), date(2026, 5, 4), bridge=True), False, id="the day before"),
            pytest.param(6, Period(date(2026, 4, 5), date(2026, 4, 6), bridge=True), True, id="the day after"),
            pytest.param(31, Period(date(2026, 4, 5), date(2026, 4, 30), bridge=True), False, id="the last day"),
        ],
    )
    def test_takes_effect_at_the_next_billing_date(self, day, bridge, is_free):
        company = made.per_seat_company(5)

        move = change(company, day)

        assert (move.former_day, move.day, move.effective_on) == (5, day, date(2026, 4, 5))
        assert (move.bridge, move.bridge_is_free) == (bridge, is_free)
        assert calendar_of(company) == BillingCalendar(5, (AnchorChange(date(2026, 4, 5), day),))
        assert BillingProfile.objects.get(account=company).billing_day == 5

    def test_tells_what_the_days_between_cost(self):
        company = made.per_seat_company(5)

        assert change(company, 20).sentence == (
            "The billing day changes from 5 to 20 on 5 April 2026. The days from 5 April 2026 to 19 April 2026 are "
            "free; full months begin on 20 April 2026 (BILL-5)."
        )

    def test_is_previewed_in_the_same_words(self):
        company = made.per_seat_company(5)

        before = preview_billing_day(company, 25, today=TODAY)

        assert not before.refusals
        assert before == change(company, 25)
        assert "are charged as one month" in before.sentence

    @pytest.mark.parametrize(
        ("bridge", "day", "is_free"), [("CHARGED", 6, False), ("FREE", 4, True), ("OVER_HALF", 6, True)]
    )
    def test_goes_by_the_terms_setting(self, bridge, day, is_free):
        made.terms("per-seat", bridge=bridge)

        assert change(made.per_seat_company(5), day).bridge_is_free is is_free

    def test_has_no_days_between_where_both_days_fall_on_one(self):
        """The 31st of April is the 30th."""
        company = made.per_seat_company(31)

        move = change(company, 30, today=date(2026, 4, 10))

        assert move.bridge is None
        assert move.sentence.endswith("No day lies between.")

    @pytest.mark.parametrize("role", [Role.PRIMARY, Role.BILLING, Role.PRIMARY_BILLING])
    def test_is_for_the_primary_and_billing_contacts(self, role):
        change(made.per_seat_company(5), 20, role=role)

        assert BillingDayChange.objects.count() == 1

    @pytest.mark.parametrize("role", [Role.TECHNICAL, Role.ADMINISTRATOR])
    def test_is_for_nobody_else(self, role):
        with pytest.raises(Refused) as caught:
            change(made.per_seat_company(5), 20, role=role)

        assert caught.value.decision.clauses == ["BILL-5"]

    def test_is_refused_under_terms_of_the_first(self):
        with pytest.raises(Refused) as caught:
            change(made.customer(), 20)

        assert caught.value.refusals[0].sentence == (
            "Under the account's billing terms every month is billed on the 1st."
        )
        assert not BillingDayChange.objects.exists()

    def test_is_refused_to_a_client_of_a_partner(self):
        _, (client, _) = made.partner_with_clients()

        with pytest.raises(Refused) as caught:
            change(client, 20)

        assert caught.value.refusals[0].way_out == "Ask the partner."

    def test_to_the_same_day_is_refused(self):
        with pytest.raises(Refused) as caught:
            change(made.per_seat_company(5), 5)

        assert caught.value.refusals[0].sentence == "The billing day is 5 already."

    @pytest.mark.parametrize(
        ("today", "refused"),
        [pytest.param(date(2026, 4, 4), True, id="day before"), pytest.param(date(2026, 4, 5), False, id="on the day")],
    )
    def test_is_refused_while_another_is_to_take_effect(self, today, refused):
        company = made.per_seat_company(5)
        asker = made.contact_of(company, Role.BILLING)
        change_billing_day(company, 20, actor=asker, now=NOW, today=TODAY)

        if refused:
            with pytest.raises(Refused) as caught:
                change_billing_day(company, 25, actor=asker, now=NOW, today=today)
            assert caught.value.refusals[0].way_out == "Ask again from 5 April 2026 on."
        else:
            change_billing_day(company, 25, actor=asker, now=NOW, today=today)
        assert BillingDayChange.objects.count() == AuditEntry.objects.count() == (1 if refused else 2)

    @pytest.mark.parametrize("day", [0, 32, -1])
    def test_refuses_what_is_no_day_of_a_month(self, day):
        with pytest.raises(BadValue) as caught:
            change(made.per_seat_company(5), day)

        assert caught.value.field == "day"

    def test_waits_for_a_billing_date_that_is_not_billed_yet(self):
        """A run ahead of today has billed the month from 5 April: it is not cut in two."""
        company = made.per_seat_company(5)
        made.subscription(company, made.plan("seat", "70"), date(2026, 3, 5))
        made.bill(date(2026, 4, 5))

        assert change(company, 20).effective_on == date(2026, 5, 5)


class TestBillingDayMove:
    """BILL-5: no day is billed twice or left out, whatever the days."""

    @given(
        former=st.integers(1, 31),
        day=st.integers(1, 31),
        today=st.dates(date(2024, 1, 1), date(2028, 12, 31)),
        billed_ahead=st.integers(0, 3),
    )
    def test_leaves_periods_that_tile(self, former, day, today, billed_ahead):
        calendar = BillingCalendar(former)
        billed = [calendar.period_of(today)]
        for _ in range(billed_ahead):
            billed.append(calendar.period_of(billed[-1].end))

        move = billing_day_move(calendar, day=day, today=today, billed_to=billed[-1].end, bridge_rule="OVER_HALF")

        after = BillingCalendar(former, (AnchorChange(move.effective_on, day),))
        periods = list(after.periods(billed[0].start, today + timedelta(days=200)))
        assert periods[: len(billed)] == billed
        assert all(one.end == other.start for one, other in zip(periods, periods[1:], strict=False))
        assert [period for period in periods if period.bridge] == ([move.bridge] if move.bridge else [])
        assert bool(move.refusals) == (former == day)
