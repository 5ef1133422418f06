"""Holds, promises and exemptions, and what stands in the way of asking for money."""

from datetime import date, timedelta

import pytest

from accounts.actors import NotPermitted
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from invoicing.collections.holds import HoldRefused, exempt_account, lift_hold, place_hold, promise_to_pay
from invoicing.collections.models import Hold, Placement, Suspension
from invoicing.collections.policy import Reason
from invoicing.collections.queries import in_the_way, suspended
from invoicing.collections.restoring import suspend_account
from invoicing.payments.excluding import excluded
from invoicing.payments.models import Chargeback, PaymentTarget
from invoicing.prepaid.standing import suspended_among
from tests.invoicing.collections.factories import DUE, MIA, NOBODY, NOW, invoice, pending
from tests.invoicing.factories import customer

pytestmark = pytest.mark.django_db
TODAY = date(2026, 4, 1)


def hold(account, **values):
    given = {"kind": "OTHER", "why": "They called.", "actor": MIA, "now": NOW, "today": TODAY}
    return place_hold(account=account, **(given | values))


class TestPlaceHold:
    def test_is_on_record_with_who_and_why(self):
        account = customer()
        made = hold(account)
        assert (made.placed_by, made.why, made.until_on) == ("Mia Manager", "They called.", None)
        assert AuditEntry.objects.filter(action="place hold", account=account, why="They called.").count() == 1

    def test_is_refused_without_the_right(self):
        with pytest.raises(NotPermitted):
            hold(customer(), actor=NOBODY)

    def test_says_why(self):
        with pytest.raises(BadValue, match="give the reason"):
            hold(customer(), why="  ")

    @pytest.mark.parametrize("kind", ["PROMISE", "EXEMPTION"])
    def test_of_these_kinds_has_a_day(self, kind):
        with pytest.raises(BadValue, match="needs the last day"):
            hold(customer(), kind=kind)

    def test_is_not_over_before_it_begins(self):
        with pytest.raises(BadValue, match="is past"):
            hold(customer(), until_on=TODAY - timedelta(days=1))

    def test_of_somebody_elses_invoice_is_refused(self):
        with pytest.raises(HoldRefused, match="no issued invoice of account"):
            hold(customer(), invoice=invoice())
        assert not Hold.objects.exists()


class TestLiftHold:
    def test_ends_it(self):
        made = invoice()
        lift_hold(hold=hold(made.account), actor=MIA, now=NOW)
        assert in_the_way([made.pk], on=TODAY) == {}

    def test_twice_is_refused(self):
        made = hold(customer())
        lift_hold(hold=made, actor=MIA, now=NOW)
        with pytest.raises(HoldRefused, match="was lifted on"):
            lift_hold(hold=made, actor=MIA, now=NOW)

    def test_is_refused_without_the_right(self):
        with pytest.raises(NotPermitted):
            lift_hold(hold=hold(customer()), actor=NOBODY, now=NOW)


class TestInTheWay:
    def test_is_nothing_for_most(self):
        assert in_the_way([invoice().pk], on=TODAY) == {}

    def test_names_the_dispute_first(self):
        made = invoice()
        pending(made)
        hold(made.account, kind="DISPUTE", invoice=made)
        assert in_the_way([made.pk], on=TODAY) == {made.pk: Reason.DISPUTE}

    def test_holds_the_whole_account_where_no_invoice_is_named(self):
        first, second = invoice(), None
        second = invoice(first.account)
        exempt_account(account=first.account, until_on=TODAY, why="Flood.", actor=MIA, now=NOW, today=TODAY)
        assert in_the_way([first.pk, second.pk], on=TODAY) == dict.fromkeys([first.pk, second.pk], Reason.EXEMPTION)

    def test_ends_with_the_day(self):
        made = invoice()
        promise_to_pay(account=made.account, until_on=TODAY, why="Friday.", actor=MIA, now=NOW, today=TODAY)
        assert in_the_way([made.pk], on=TODAY) == {made.pk: Reason.PROMISE}
        assert in_the_way([made.pk], on=TODAY + timedelta(days=1)) == {}

    @pytest.mark.parametrize("state", ["CREATED", "UNKNOWN", "PENDING"])
    def test_is_a_payment_that_may_still_come(self, state):
        made = invoice()
        pending(made, state=state)
        assert in_the_way([made.pk], on=TODAY) == {made.pk: Reason.PENDING_PAYMENT}

    @pytest.mark.parametrize(("state", "is_in_dispute"), [("OPEN", True), ("WON", False), ("LOST", False)])
    def test_is_a_chargeback_that_the_bank_has_not_decided(self, state, is_in_dispute):
        one = invoice()
        payment = pending(one, state="SUCCEEDED")
        PaymentTarget.objects.filter(payment=payment).update(is_open=False)
        Chargeback.objects.create(
            payment=payment, account=one.account, gateway_reference="dp_1", currency="USD", amount=payment.amount,
            state=state, opened_at=NOW,
        )  # fmt: skip
        assert (in_the_way([one.pk], on=DUE) == {one.pk: Reason.DISPUTE}) is is_in_dispute

    def test_is_the_agency_for_each_invoice_of_the_account(self):
        made = invoice()
        later = invoice(made.account)
        Placement.objects.create(
            account=made.account, state="PLACED", currency="USD", amount=5, proposed_on=DUE, proposed_at=NOW
        )
        assert in_the_way([made.pk, later.pk], on=TODAY) == dict.fromkeys([made.pk, later.pk], Reason.WITH_AGENCY)

    @pytest.mark.parametrize("state", ["PROPOSED", "CLOSED", "RECALLED", "DECLINED"])
    def test_is_not_the_agency_before_and_after(self, state):
        made = invoice()
        Placement.objects.create(
            account=made.account, state=state, currency="USD", amount=5, proposed_on=DUE, proposed_at=NOW
        )
        assert in_the_way([made.pk], on=TODAY) == {}


class TestSuspended:
    @pytest.mark.parametrize(("state", "is_one"), [("WARNED", False), ("ACTIVE", True), ("LIFTED", False)])
    def test_is_who_is_suspended_and_nobody_else(self, state, is_one):
        """Kazoo charged disabled accounts because a boolean was read the other way round."""
        account, other = customer(), customer()
        Suspension.objects.create(
            account=account, reason="OTHER", clause="SUSP-1", why="Asked.", state=state, effective_on=TODAY,
            made_by="Mia", made_at=NOW,
        )  # fmt: skip
        assert suspended([account.pk, other.pk]) == ({account.pk} if is_one else set())


class TestNotCharged:
    """What the schedule does not charge, and why."""

    @pytest.mark.parametrize(("kind", "is_charged"), [
        ("DISPUTE", False), ("OTHER", False), ("PROMISE", False), ("EXEMPTION", True),
    ])  # fmt: skip
    def test_is_what_is_disputed_held_or_promised(self, kind, is_charged):
        made, other = invoice(), invoice()
        hold(made.account, kind=kind, until_on=TODAY)
        assert bool(excluded([made.pk, other.pk], on=TODAY)) is not is_charged
        assert other.pk not in excluded([made.pk, other.pk], on=TODAY)

    def test_says_why(self):
        made = invoice()
        hold(made.account, kind="DISPUTE", invoice=made)
        assert excluded([made.pk], on=TODAY) == {made.pk: "It is in dispute."}


class TestSuspendedAmong:
    def test_is_what_prepaid_is_told(self):
        account, other = customer(), customer()
        suspend_account(account=account, why="Fraud", actor=MIA, now=NOW)
        assert suspended_among([account.pk, other.pk]) == {account.pk}
