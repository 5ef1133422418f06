"""AUTH-6: one-off work is asked for, authorized, and only then billed."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from accounts.actors import Channel, Role
from accounts.decisions import Refused
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from invoicing.subscriptions.models import BillingProfile, OneOffCharge
from invoicing.subscriptions.operations import authorize_charge, request_charge, withdraw_charge
from tests.invoicing import factories as made

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 10)


def ask(account, *roles, plan=None, on=TODAY, unit_price=None, channel=Channel.PORTAL, recorded_by="", quantity="2"):
    """Migration work that a contact with these roles asks for."""
    return request_charge(
        account,
        plan or made.plan("work", "150", charge="ONE_OFF"),
        " Move of  12 mailboxes ",
        Decimal(quantity),
        unit_price,
        on,
        actor=made.contact_of(account, *roles, channel=channel, recorded_by=recorded_by),
        now=NOW,
    )


def primary_of(account):
    return made.contact_of(account, Role.PRIMARY)


class TestRequestCharge:
    """AUTH-6."""

    @pytest.mark.parametrize(
        ("roles", "waits"),
        [
            pytest.param([Role.BILLING], True, id="a Billing Contact"),
            pytest.param([Role.PRIMARY], False, id="the Primary"),
            pytest.param([Role.PRIMARY_BILLING], False, id="the Primary Billing Contact"),
        ],
    )
    def test_waits_unless_whoever_asks_may_authorize(self, roles, waits):
        account = made.customer()

        charge = ask(account, *roles)

        charge.refresh_from_db()
        assert (charge.description, charge.quantity, charge.unit_price) == ("Move of 12 mailboxes", 2, None)
        assert charge.requested_by.startswith("Ann")
        assert charge.authorized_at == (None if waits else NOW)
        assert charge.authorized_by == ("" if waits else charge.requested_by)

    @pytest.mark.parametrize("roles", [[Role.TECHNICAL], [Role.ADMINISTRATOR], []])
    def test_is_refused_to_others(self, roles):
        with pytest.raises(Refused) as caught:
            ask(made.customer(), *roles)

        assert caught.value.decision.clauses == ["AUTH-6"]
        assert not OneOffCharge.objects.exists()

    def test_by_a_mail_of_the_primary_that_nobody_recorded_waits(self):
        """P12: mail can ask; alone it never moves money."""
        charge = ask(made.customer(), Role.PRIMARY, channel=Channel.EMAIL)

        assert charge.authorized_at is None

    def test_by_a_mail_of_the_primary_that_staff_recorded_is_authorized(self):
        charge = ask(made.customer(), Role.PRIMARY, channel=Channel.EMAIL, recorded_by="sam")

        assert charge.authorized_at == NOW
        assert AuditEntry.objects.get().who.endswith("(recorded by sam)")

    def test_that_waits_is_nothing_for_the_run(self):
        account = made.customer()

        ask(account, Role.BILLING)

        assert BillingProfile.objects.get(account=account).next_billing_on is None

    def test_of_a_client_is_looked_at_with_its_partner(self):
        partner, (client, _) = made.partner_with_clients()

        ask(client, Role.PRIMARY)

        assert BillingProfile.objects.get(account=partner).next_billing_on == date(2026, 3, 1)

    def test_takes_an_agreed_price_from_a_recorded_request_only(self):
        unpriced = made.plan("work", None, charge="ONE_OFF")
        price = Decimal("99.5")

        with pytest.raises(BadValue) as caught:
            ask(made.customer(), Role.PRIMARY, plan=unpriced, unit_price=price)
        charge = ask(
            made.customer(), Role.PRIMARY, plan=unpriced, unit_price=price, channel=Channel.PHONE, recorded_by="sam"
        )

        assert caught.value.field == "unit_price"
        assert charge.unit_price == price

    @pytest.mark.parametrize(
        ("plan", "field"),
        [
            pytest.param({"charge": "RECURRING"}, "plan", id="recurring"),
            pytest.param({"charge": "ONE_OFF", "price": None}, "plan", id="no price"),
            pytest.param({"charge": "ONE_OFF", "currency": "EUR"}, "plan", id="other currency"),
        ],
    )
    def test_refuses_a_plan_that_cannot_be_charged_once(self, plan, field):
        with pytest.raises(BadValue) as caught:
            ask(made.customer(), Role.PRIMARY, plan=made.plan("work", **plan))

        assert caught.value.field == field
        assert not OneOffCharge.objects.exists()

    @pytest.mark.parametrize("quantity", ["0", "-2", "NaN"])
    def test_refuses_what_is_no_quantity(self, quantity):
        with pytest.raises(BadValue):
            ask(made.customer(), Role.PRIMARY, quantity=quantity)

    def test_is_refused_before_the_account_was_taken_over(self):
        with pytest.raises(Refused) as caught:
            ask(made.customer(profile={"bill_from_on": date(2026, 3, 11)}), Role.PRIMARY)

        assert [refusal.clause for refusal in caught.value.refusals] == ["BILL-6"]


class TestAuthorizeCharge:
    """AUTH-6: the Primary or the Primary Billing Contact only."""

    @pytest.mark.parametrize("role", [Role.PRIMARY, Role.PRIMARY_BILLING])
    def test_lets_it_go_on_the_next_invoice(self, role):
        account = made.customer()
        charge = ask(account, Role.BILLING)

        authorize_charge(charge, actor=made.contact_of(account, role), now=NOW)

        charge.refresh_from_db()
        assert charge.authorized_at == NOW
        assert BillingProfile.objects.get(account=account).next_billing_on == date(2026, 4, 1)

    def test_is_not_for_the_billing_contact_who_asked(self):
        account = made.customer()
        charge = ask(account, Role.BILLING)

        with pytest.raises(Refused):
            authorize_charge(charge, actor=made.contact_of(account, Role.BILLING), now=NOW)

        charge.refresh_from_db()
        assert charge.authorized_at is None

    def test_leaves_who_authorized_it_first(self):
        account = made.customer()
        charge = ask(account, Role.PRIMARY)

        authorize_charge(
            charge, actor=made.contact_of(account, Role.PRIMARY_BILLING), now=datetime(2026, 3, 11, tzinfo=UTC)
        )

        charge.refresh_from_db()
        assert charge.authorized_at == NOW
        assert charge.authorized_by == charge.requested_by

    def test_of_another_account_s_charge_is_refused_whatever_account_is_said(self):
        account = made.customer()
        charge = ask(made.customer(), Role.BILLING)
        charge.account = account

        with pytest.raises(BadValue):
            authorize_charge(charge, actor=primary_of(account), now=NOW)

        assert OneOffCharge.objects.get().authorized_at is None

    def test_of_a_withdrawn_one_says_so(self):
        account = made.customer()
        charge = ask(account, Role.BILLING)
        OneOffCharge.objects.filter(pk=charge.pk).delete()

        with pytest.raises(BadValue, match="may have been withdrawn"):
            authorize_charge(charge, actor=primary_of(account), now=NOW)


class TestWithdrawCharge:
    """BILL-6: what is on an invoice stays."""

    def test_keeps_what_it_said_in_the_audit_entry(self):
        account = made.customer()
        charge = ask(account, Role.BILLING)

        withdraw_charge(charge, actor=made.contact_of(account, Role.BILLING), now=NOW)

        assert not OneOffCharge.objects.exists()
        kept = AuditEntry.objects.get(action="charge.withdraw").detail["before"]
        assert (kept["description"], kept["quantity"], kept["on"]) == ("Move of 12 mailboxes", "2", "2026-03-10")

    def test_of_an_authorized_one_is_not_for_any_billing_contact(self):
        account = made.customer()
        charge = ask(account, Role.PRIMARY)

        with pytest.raises(Refused):
            withdraw_charge(charge, actor=made.contact_of(account, Role.BILLING), now=NOW)
        withdraw_charge(charge, actor=made.contact_of(account, Role.PRIMARY_BILLING), now=NOW)

        assert not OneOffCharge.objects.exists()

    def test_twice_says_so(self):
        account = made.customer()
        charge = ask(account, Role.PRIMARY)
        stale = OneOffCharge.objects.get(pk=charge.pk)
        asker = made.contact_of(account, Role.PRIMARY_BILLING)
        withdraw_charge(charge, actor=asker, now=NOW)

        with pytest.raises(BadValue, match="may have been withdrawn"):
            withdraw_charge(stale, actor=asker, now=NOW)

    def test_of_a_billed_one_is_refused(self):
        account = made.customer()
        charge = ask(account, Role.PRIMARY)
        made.bill(date(2026, 4, 1))

        with pytest.raises(Refused) as caught:
            withdraw_charge(charge, actor=made.contact_of(account, Role.PRIMARY_BILLING), now=NOW)

        assert caught.value.refusals[0].sentence.startswith("The charge was invoiced on 1 April 2026")
        assert caught.value.refusals[0].way_out == "Ask for a credit note."
        assert OneOffCharge.objects.exists()

    def test_of_one_on_a_draft_is_refused(self):
        account = made.customer()
        made.terms("hosted-direct", approval="REVIEW")
        charge = ask(account, Role.PRIMARY)
        made.bill(date(2026, 4, 1), approve=False)

        with pytest.raises(Refused) as caught:
            withdraw_charge(charge, actor=made.contact_of(account, Role.PRIMARY_BILLING), now=NOW)

        assert caught.value.refusals[0].sentence == "The charge is on an invoice that is being prepared."
        assert OneOffCharge.objects.exists()
