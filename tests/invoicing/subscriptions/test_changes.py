"""Changing the quantity and the plan of what is held."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from accounts.actors import Channel, Role
from accounts.decisions import Refused
from accounts.models import AuditEntry, Decision
from accounts.refusals import BadValue
from invoicing.subscriptions.models import PlanChange, QuantityChange, Subscription
from invoicing.subscriptions.operations import change_plan, change_quantity
from tests.invoicing import factories as made

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 10)


def held_since(started_on=date(2026, 1, 5), quantity="5", **values):
    return made.subscription(made.customer(), made.plan("mail"), started_on, quantity, **values)


def set_quantity(subscription, quantity, from_on, *, now=NOW):
    asker = made.contact_of(subscription.account, Role.ADMINISTRATOR)
    return change_quantity(subscription, Decimal(quantity), from_on, actor=asker, now=now)


def move(subscription, plan, on=TODAY, *, actor=None):
    asker = actor or made.contact_of(subscription.account, Role.ADMINISTRATOR)
    return change_plan(subscription, plan, on, actor=asker, now=NOW)


def quantities_of(subscription):
    return list(
        QuantityChange.objects.filter(subscription=subscription).order_by("from_on").values_list("from_on", "quantity")
    )


class TestChangeQuantity:
    """BILL-3: the highest quantity held in a billing month."""

    @pytest.mark.parametrize(
        ("quantity", "from_on"),
        [
            pytest.param("6", TODAY, id="raised today"),
            pytest.param("6", date(2026, 2, 10), id="raised, reported late"),
            pytest.param("6", date(2026, 4, 1), id="raised in the future"),
            pytest.param("4", TODAY, id="lowered today"),
            pytest.param("4", date(2026, 4, 1), id="lowered in the future"),
            pytest.param("0", date(2026, 4, 1), id="to none"),
        ],
    )
    def test_holds_from_the_day(self, quantity, from_on):
        held = held_since()

        set_quantity(held, quantity, from_on)

        assert quantities_of(held) == [(from_on, Decimal(quantity))]
        assert AuditEntry.objects.get().detail["before"] == {"quantity": "5"}
        assert AuditEntry.objects.get().detail["after"] == {"quantity": quantity, "from_on": from_on.isoformat()}

    def test_of_the_first_day_stands_with_the_subscription(self):
        held = held_since()

        set_quantity(held, "8", date(2026, 1, 5))

        held.refresh_from_db()
        assert held.quantity == 8
        assert quantities_of(held) == []

    def test_on_the_same_day_again_takes_the_place_of_the_first(self):
        held = held_since()

        set_quantity(held, "8", date(2026, 4, 1))
        set_quantity(held, "3", date(2026, 4, 1))

        assert quantities_of(held) == [(date(2026, 4, 1), 3)]

    def test_of_the_quantity_held_is_no_change(self):
        held = held_since()

        set_quantity(held, "5", TODAY)

        assert quantities_of(held) == []
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize(
        ("quantity", "from_on", "way_out"),
        [
            pytest.param(
                "4", date(2026, 3, 9), "Lower it from 10 March 2026 or a later day.", id="lowered for a day gone by"
            ),
            pytest.param("6", date(2026, 1, 4), "Choose a day on which it is held.", id="before it starts"),
            pytest.param("6", date(2026, 5, 1), "Choose a day on which it is held.", id="the day it ends"),
        ],
    )
    def test_is_refused(self, quantity, from_on, way_out):
        held = held_since(ended_on=date(2026, 5, 1))

        with pytest.raises(Refused) as caught:
            set_quantity(held, quantity, from_on)

        assert [(refusal.clause, refusal.way_out) for refusal in caught.value.refusals] == [("BILL-3", way_out)]
        assert quantities_of(held) == []

    @pytest.mark.parametrize(
        ("from_on", "refused"),
        [pytest.param(TODAY, True, id="the same day"), pytest.param(date(2026, 3, 11), False, id="tomorrow")],
    )
    def test_raised_today_is_lowered_from_tomorrow(self, from_on, refused):
        """BILL-3: it was held today, if only for an hour, and counts (CRED-1 credits half of a mistake)."""
        held = held_since()
        set_quantity(held, "50", TODAY)

        if refused:
            with pytest.raises(Refused):
                set_quantity(held, "5", from_on)
        else:
            set_quantity(held, "5", from_on)

        assert quantities_of(held)[0] == (TODAY, 50)

    def test_bought_today_is_lowered_from_tomorrow(self):
        held = held_since(TODAY)

        with pytest.raises(Refused):
            set_quantity(held, "1", TODAY)

        held.refresh_from_db()
        assert held.quantity == 5

    @pytest.mark.parametrize("quantity", ["-1", "0.0000001", "NaN"])
    def test_refuses_what_is_no_quantity(self, quantity):
        with pytest.raises(BadValue) as caught:
            set_quantity(held_since(), quantity, TODAY)

        assert caught.value.field == "quantity"

    @pytest.mark.parametrize(("quantity", "action"), [("6", "ADD_LICENSED_SERVICE"), ("4", "REMOVE_LICENSED_SERVICE")])
    def test_of_a_licensed_service_is_on_record_as_adding_or_removing(self, quantity, action):
        """AUTH-7."""
        held = made.subscription(made.customer(), made.plan("licence", licensed=True), date(2026, 1, 5), "5")

        set_quantity(held, quantity, TODAY)

        assert Decision.objects.get().action == action


class TestChangePlan:
    """SEAT-4."""

    def test_tells_the_fee_and_from_when_the_new_rate_holds(self):
        company = made.per_seat_company(5)
        held = made.subscription(company, made.plan("seat", "70"), date(2026, 1, 5))
        better = made.plan("better", "90", change_fee="25")

        changed = move(held, better)

        held.refresh_from_db()
        assert held.plan == better
        assert (changed.fee, changed.currency, changed.new_rate_from) == (25, "USD", date(2026, 4, 5))
        row = PlanChange.objects.get()
        assert (row.on, row.from_plan.code, row.to_plan.code) == (TODAY, "seat", "better")
        assert AuditEntry.objects.get().detail["before"] == {"plan": "seat"}

    def test_on_a_billing_date_holds_from_that_day(self):
        company = made.per_seat_company(10)
        held = made.subscription(company, made.plan("seat", "70"), date(2026, 1, 10))

        assert move(held, made.plan("better", "90")).new_rate_from == TODAY

    def test_to_the_same_plan_is_refused(self):
        held = held_since()

        with pytest.raises(Refused) as caught:
            move(held, held.plan)

        assert [(refusal.clause, refusal.sentence) for refusal in caught.value.refusals] == [
            ("SEAT-4", "It is on that plan already.")
        ]

    @pytest.mark.parametrize(
        ("on", "clause"),
        [
            pytest.param(date(2026, 3, 9), "SEAT-4", id="a day gone by"),
            pytest.param(date(2026, 1, 4), "BILL-3", id="before it starts"),
            pytest.param(date(2026, 5, 1), "BILL-3", id="the day it ends"),
        ],
    )
    def test_is_refused_for(self, on, clause):
        held = held_since(ended_on=date(2026, 5, 1))

        with pytest.raises(Refused) as caught:
            move(held, made.plan("better"), on)

        assert [refusal.clause for refusal in caught.value.refusals] == [clause]
        assert not PlanChange.objects.exists()

    def test_twice_a_day_is_refused(self):
        held = held_since()
        move(held, made.plan("better"))

        with pytest.raises(Refused) as caught:
            move(held, made.plan("best"))

        assert caught.value.refusals[0].way_out == "Change it again on a day after 10 March 2026."
        assert PlanChange.objects.count() == 1

    @pytest.mark.parametrize("plan", [{"price": None}, {"currency": "EUR"}, {"charge": "ONE_OFF"}])
    def test_refuses_a_plan_that_cannot_be_billed_by_the_month(self, plan):
        held = held_since()

        with pytest.raises(BadValue) as caught:
            move(held, made.plan("better", **plan))

        assert caught.value.field == "plan"
        held.refresh_from_db()
        assert held.plan.code == "mail"

    @pytest.mark.parametrize(
        ("from_licensed", "to_licensed", "allowed"),
        [(False, False, True), (True, False, False), (False, True, False), (True, True, False)],
    )
    def test_from_or_to_a_licensed_one_is_not_the_primary_s(self, from_licensed, to_licensed, allowed):
        """AUTH-7."""
        account = made.customer()
        held = made.subscription(account, made.plan("seat", licensed=from_licensed), date(2026, 1, 5))
        better = made.plan("better", licensed=to_licensed)

        if allowed:
            move(held, better, actor=made.contact_of(account, Role.PRIMARY))
        else:
            with pytest.raises(Refused) as caught:
                move(held, better, actor=made.contact_of(account, Role.PRIMARY))
            assert caught.value.decision.clauses == ["AUTH-7"]
        assert Subscription.objects.get().plan.code == ("better" if allowed else "seat")

    def test_of_an_unlicensed_one_is_taken_from_a_recorded_call(self):
        account = made.customer()
        held = made.subscription(account, made.plan("seat"), date(2026, 1, 5))
        caller = made.contact_of(account, Role.PRIMARY, channel=Channel.PHONE, recorded_by="sam")

        move(held, made.plan("better"), actor=caller)

        assert AuditEntry.objects.get().who.endswith("(recorded by sam)")
