"""Starting and ending a service: from which day, at which price, and what the run makes of it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from accounts.actors import Channel, Role
from accounts.decisions import Refused
from accounts.models import AuditEntry, Decision
from accounts.refusals import BadValue
from invoicing.subscriptions.models import BillingProfile, Subscription
from invoicing.subscriptions.operations import end_subscription, start_subscription
from invoicing.subscriptions.queries import calendar_of, preview_ending, profile_billed
from tests.invoicing import factories as made

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 10)


def start(account, plan, started_on=TODAY, quantity="1", *, now=NOW, actor=None, **values):
    """What the Administrator starts in the portal."""
    asker = actor or made.contact_of(account, Role.ADMINISTRATOR)
    return start_subscription(account, plan, Decimal(quantity), started_on, actor=asker, now=now, **values)


def end(subscription, ended_on, *, now=NOW, actor=None):
    asker = actor or made.contact_of(subscription.account, Role.ADMINISTRATOR)
    return end_subscription(subscription, ended_on, actor=asker, now=now)


class TestStartSubscription:
    """AUTH-7, BILL-5, SEAT-2."""

    def test_keeps_what_was_asked_for(self):
        account, mail = made.customer(), made.plan("mail", "4.50")

        held = start(account, mail, quantity="2.5", reference=" dom-7 ", label=" example.org  mail ")

        held.refresh_from_db()
        assert (held.account, held.plan, held.quantity) == (account, mail, Decimal("2.5"))
        assert (held.reference, held.label) == ("dom-7", "example.org mail")
        assert (held.started_on, held.ended_on, held.unit_price) == (TODAY, None, None)
        assert AuditEntry.objects.get().detail["after"] == {
            "plan_id": mail.pk,
            "quantity": "2.5",
            "started_on": "2026-03-10",
            "label": "example.org mail",
            "unit_price": None,
            "billing_day": None,
        }

    @pytest.mark.parametrize("role", [Role.PRIMARY, Role.PRIMARY_BILLING, Role.ADMINISTRATOR])
    def test_of_what_is_not_licensed_is_also_for_the_primary_and_primary_billing_contact(self, role):
        account, mail = made.customer(), made.plan("mail")

        start(account, mail, actor=made.contact_of(account, role))

        assert Subscription.objects.filter(account=account).count() == 1

    @pytest.mark.parametrize("role", [Role.PRIMARY, Role.PRIMARY_BILLING, Role.BILLING, Role.TECHNICAL])
    def test_of_a_licensed_service_is_for_the_administrator_alone(self, role):
        account, licence = made.customer(), made.plan("licence", licensed=True)

        with pytest.raises(Refused) as caught:
            start(account, licence, actor=made.contact_of(account, role))

        assert caught.value.decision.clauses == ["AUTH-7"]
        assert not Subscription.objects.exists()

    def test_goes_by_the_catalog_and_not_by_the_caller_s_copy_of_the_plan(self):
        """AUTH-7: the door's object may be older than the product's licence."""
        account, mail = made.customer(), made.plan("mail")
        type(mail.product).objects.update(licensed=True)

        with pytest.raises(Refused):
            start(account, mail, actor=made.contact_of(account, Role.PRIMARY))

    @pytest.mark.parametrize(
        ("started_on", "day"), [(date(2026, 3, 10), 10), (date(2026, 3, 31), 31), (date(2026, 2, 28), 28)]
    )
    def test_decides_the_billing_day_by_the_first_one(self, started_on, day):
        """BILL-5: the day of activation."""
        company, seat = made.per_seat_company(), made.plan("seat")

        start(company, seat, started_on)
        start(company, seat, date(2026, 3, 17))

        assert BillingProfile.objects.get(account=company).billing_day == day
        assert calendar_of(company).day == day

    def test_leaves_a_billing_day_that_stands(self):
        company = made.per_seat_company(5)

        start(company, made.plan("seat"))

        assert BillingProfile.objects.get(account=company).billing_day == 5

    def test_decides_no_billing_day_under_terms_of_the_first(self):
        account = made.customer()

        start(account, made.plan("mail"))

        assert BillingProfile.objects.get(account=account).billing_day is None

    def test_is_due_on_the_day_of_the_purchase(self):
        """SEAT-2."""
        company = made.per_seat_company(1)
        made.subscription(company, made.plan("seat"), date(2026, 3, 1))
        made.bill(date(2026, 3, 1))
        assert BillingProfile.objects.get(account=company).next_billing_on == date(2026, 4, 1)

        start(company, made.plan("extra"))

        assert BillingProfile.objects.get(account=company).next_billing_on == TODAY

    def test_of_a_client_is_looked_at_with_its_partner(self):
        """BILL-2: the partner is billed for each of its clients."""
        partner, (client, _) = made.partner_with_clients()

        start(client, made.plan("crm"))

        assert profile_billed(client) == profile_billed(partner) == partner.billing_profile
        assert BillingProfile.objects.get(account=partner).next_billing_on == date(2026, 3, 1)
        assert AuditEntry.objects.get().account == client

    def test_of_a_client_is_nothing_that_its_partner_s_contacts_ask_for(self):
        partner, (client, _) = made.partner_with_clients()

        with pytest.raises(Refused):
            start(client, made.plan("crm"), actor=made.contact_of(partner, *Role))

        assert Decision.objects.get(account=client).allowed is False

    def test_asked_twice_is_one(self):
        account, mail = made.customer(), made.plan("mail")

        first = start(account, mail, reference="dom-7")
        second = start(account, mail, reference="dom-7")

        assert first.pk == second.pk
        assert Subscription.objects.count() == AuditEntry.objects.count() == 1

    def test_makes_a_reference_up(self):
        account, mail = made.customer(number="K-7"), made.plan("mail")

        assert [start(account, mail).reference for _ in range(3)] == ["K-7/mail", "K-7/mail/2", "K-7/mail/3"]

    def test_makes_a_reference_up_that_fits(self):
        account, mail = made.customer(number="9" * 40), made.plan("m" * 60)

        references = {start(account, mail).reference for _ in range(2)}

        assert len(references) == 2
        assert max(map(len, references)) <= 80

    @pytest.mark.parametrize("values", [{"quantity": "2"}, {"label": "other"}, {"started_on": date(2026, 3, 11)}])
    def test_refuses_a_reference_that_stands_for_another_one(self, values):
        account, mail = made.customer(), made.plan("mail")
        start(account, mail, reference="dom-7")

        with pytest.raises(BadValue) as caught:
            start(account, mail, **({"reference": "dom-7"} | values))

        assert caught.value.field == "reference"

    def test_refuses_the_reference_of_another_account(self):
        mail = made.plan("mail")
        start(made.customer(), mail, reference="dom-7")

        with pytest.raises(BadValue) as caught:
            start(made.customer(), mail, reference="dom-7")

        assert caught.value.field == "reference"

    def test_late_is_caught_up(self):
        """BILL-1: a missed month is billed with the next invoice, oldest first."""
        account, mail = made.customer(), made.plan("mail", "4.50")
        made.subscription(account, mail, date(2026, 1, 1))
        made.bill(date(2026, 3, 1))

        start(account, made.plan("late", "10"), date(2026, 2, 20))
        made.bill(date(2026, 4, 1))

        assert made.lines_of(made.invoices_of(account)[-1]) == [
            ("RECURRING", "late", date(2026, 2, 1), date(2026, 3, 1), 1, 10),
            ("RECURRING", "mail", date(2026, 3, 1), date(2026, 4, 1), 1, Decimal("4.5")),
            ("RECURRING", "late", date(2026, 3, 1), date(2026, 4, 1), 1, 10),
        ]

    @pytest.mark.parametrize(
        ("started_on", "refused"),
        [pytest.param(date(2026, 1, 31), True, id="day before"), pytest.param(date(2026, 2, 1), False, id="the day")],
    )
    def test_is_refused_before_the_account_was_taken_over(self, started_on, refused):
        account, mail = made.customer(profile={"bill_from_on": date(2026, 2, 1)}), made.plan("mail")

        if refused:
            with pytest.raises(Refused) as caught:
                start(account, mail, started_on)
            assert [(refusal.clause, refusal.way_out) for refusal in caught.value.refusals] == [
                ("BILL-6", "Give 1 February 2026 or a later day.")
            ]
        else:
            start(account, mail, started_on)
        assert Subscription.objects.count() == (0 if refused else 1)

    @pytest.mark.parametrize(
        ("plan", "sentence"),
        [
            pytest.param({"price": None}, "has no price in USD", id="no price"),
            pytest.param({"currency": "EUR"}, "has no price in USD", id="other currency"),
            pytest.param({"valid_from_on": date(2026, 3, 11)}, "has no price in USD", id="from tomorrow"),
            pytest.param({"charge": "ONE_OFF"}, "is not charged by the month", id="one-off"),
            pytest.param({"charge": "PER_USE"}, "is not charged by the month", id="per use"),
        ],
    )
    def test_refuses_a_plan_that_cannot_be_billed_by_the_month(self, plan, sentence):
        account = made.customer()

        with pytest.raises(BadValue, match=sentence) as caught:
            start(account, made.plan("mail", **plan))

        assert caught.value.field == "plan"
        assert not Subscription.objects.exists()
        assert not AuditEntry.objects.exists()

    @pytest.mark.parametrize("quantity", ["0", "-1", "0.0000001", "NaN", "Infinity", "1e12"])
    def test_refuses_what_is_no_quantity(self, quantity):
        with pytest.raises(BadValue) as caught:
            start(made.customer(), made.plan("mail"), quantity=quantity)

        assert caught.value.field == "quantity"

    @pytest.mark.parametrize("started_on", [date(1, 1, 1), date(1999, 12, 31), date(9999, 12, 31)])
    def test_refuses_a_day_that_nobody_meant(self, started_on):
        with pytest.raises(BadValue) as caught:
            start(made.customer(), made.plan("mail"), started_on)

        assert caught.value.field == "started_on"

    def test_refuses_an_account_without_billing_terms(self):
        account = made.customer()
        account.billing_profile.delete()

        with pytest.raises(BadValue, match="has no billing terms yet"):
            start(account, made.plan("mail"))


class TestAgreedPrice:
    """An agreed price wins over the plan's; it takes two to agree."""

    def test_is_kept_from_a_request_that_staff_records(self):
        account = made.customer()
        asker = made.contact_of(account, Role.PRIMARY, channel=Channel.PHONE, recorded_by="sam")

        held = start(account, made.plan("mail", None), unit_price=Decimal("3.25"), actor=asker)

        assert held.unit_price == Decimal("3.25")

    @pytest.mark.parametrize("channel", [Channel.PORTAL, Channel.API])
    def test_is_not_the_customer_s_to_name(self, channel):
        account = made.customer()
        asker = made.contact_of(account, Role.PRIMARY, Role.ADMINISTRATOR, channel=channel)

        with pytest.raises(BadValue) as caught:
            start(account, made.plan("mail"), unit_price=Decimal("0.01"), actor=asker)

        assert caught.value.field == "unit_price"
        assert not Subscription.objects.exists()

    def test_is_not_negative(self):
        account = made.customer()
        asker = made.contact_of(account, Role.PRIMARY, channel=Channel.PHONE, recorded_by="sam")

        with pytest.raises(BadValue):
            start(account, made.plan("mail"), unit_price=Decimal("-1"), actor=asker)


class TestEndSubscription:
    """BILL-3: never prorated, and never before the day it is asked for."""

    def test_tells_to_which_day_it_is_billed(self):
        account = made.customer()
        held = made.subscription(account, made.plan("mail"), date(2026, 1, 5))

        ending = end(held, date(2026, 3, 20))

        held.refresh_from_db()
        assert held.ended_on == ending.ended_on == date(2026, 3, 20)
        assert ending.billed_to == date(2026, 4, 1)
        assert ending.sentence == (
            "The service is held to 19 March 2026 and billed to 31 March 2026: "
            "any part of a billing month counts as the whole month (BILL-3)."
        )

    def test_is_previewed_in_the_same_words(self):
        company = made.per_seat_company(31)
        held = made.subscription(company, made.plan("seat"), date(2026, 1, 31))

        before = preview_ending(held, date(2026, 4, 1))

        assert before == end(held, date(2026, 4, 1))
        assert before.billed_to == date(2026, 4, 30)

    def test_tells_of_what_is_on_an_invoice_already(self):
        """BILL-6: an invoice once issued never changes."""
        company = made.per_seat_company(1)
        held = made.subscription(company, made.plan("seat"), date(2026, 3, 1))
        made.bill(date(2026, 4, 1))

        assert end(held, date(2026, 3, 20)).billed_to == date(2026, 5, 1)

    @pytest.mark.parametrize(
        ("started_on", "ended_on", "earliest"),
        [
            pytest.param(date(2026, 1, 5), date(2026, 3, 9), "10 March 2026", id="yesterday"),
            pytest.param(date(2026, 1, 5), date(2026, 3, 10), None, id="today"),
            pytest.param(date(2026, 3, 10), date(2026, 3, 10), "11 March 2026", id="bought today, today"),
            pytest.param(date(2026, 3, 10), date(2026, 3, 11), None, id="bought today, tomorrow"),
            pytest.param(date(2026, 3, 20), date(2026, 3, 19), "20 March 2026", id="before it starts"),
            pytest.param(date(2026, 3, 20), date(2026, 3, 20), None, id="called off before it starts"),
        ],
    )
    def test_is_not_before_it_was_held(self, started_on, ended_on, earliest):
        held = made.subscription(made.customer(), made.plan("mail"), started_on)

        if earliest is None:
            end(held, ended_on)
        else:
            with pytest.raises(Refused) as caught:
                end(held, ended_on)
            assert [(refusal.clause, refusal.way_out) for refusal in caught.value.refusals] == [
                ("BILL-3", f"End it on {earliest} or later.")
            ]
        held.refresh_from_db()
        assert held.ended_on == (None if earliest else ended_on)

    def test_reads_the_day_where_the_seller_is(self):
        """It is still the 9th in Denver."""
        held = made.subscription(made.customer(), made.plan("mail"), date(2026, 1, 5))
        made.seller(time_zone="America/Denver")

        end(held, date(2026, 3, 9), now=datetime(2026, 3, 10, 5, 0, tzinfo=UTC))

        held.refresh_from_db()
        assert held.ended_on == date(2026, 3, 9)

    def test_that_is_to_come_can_be_moved(self):
        held = made.subscription(made.customer(), made.plan("mail"), date(2026, 1, 5), ended_on=date(2026, 3, 20))

        end(held, date(2026, 4, 20))

        held.refresh_from_db()
        assert held.ended_on == date(2026, 4, 20)

    def test_that_has_come_cannot(self):
        held = made.subscription(made.customer(), made.plan("mail"), date(2026, 1, 5), ended_on=date(2026, 3, 10))

        with pytest.raises(Refused) as caught:
            end(held, date(2026, 4, 20))

        assert caught.value.refusals[0].way_out == "Start a new one if it is wanted again."

    def test_of_a_service_that_became_licensed_is_the_administrator_s(self):
        """AUTH-7: the door's object may be older than the plan it is on now."""
        account = made.customer()
        held = made.subscription(account, made.plan("mail"), date(2026, 1, 5))
        stale = Subscription.objects.select_related("plan__product").get(pk=held.pk)
        Subscription.objects.update(plan=made.plan("licence", licensed=True))

        with pytest.raises(Refused) as caught:
            end(stale, date(2026, 3, 20), actor=made.contact_of(account, Role.PRIMARY))

        assert caught.value.decision.clauses == ["AUTH-7"]
        held.refresh_from_db()
        assert held.ended_on is None

    def test_of_another_account_s_service_is_refused_whatever_account_is_said(self):
        """WHMCS: the role was checked, the object was not."""
        account = made.customer()
        other = made.subscription(made.customer(), made.plan("mail"), date(2026, 1, 5))
        forged = Subscription.objects.get(pk=other.pk)
        forged.account = account

        with pytest.raises(BadValue) as caught:
            end(forged, date(2026, 3, 20), actor=made.contact_of(account, Role.ADMINISTRATOR))

        assert caught.value.field == "subscription"
        other.refresh_from_db()
        assert other.ended_on is None
