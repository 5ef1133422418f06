"""SEAT-5, AUTH-5: an account chooses whether it is charged by itself."""

from datetime import date

import pytest

from accounts.actors import Role
from accounts.decisions import Refused
from accounts.models import AuditEntry
from invoicing.payments.choosing import choose_automatic_charge
from invoicing.payments.sweeping import charge_due
from tests.invoicing import factories as made
from tests.invoicing.payments.factories import MIA, NOW, card, invoice

pytestmark = pytest.mark.django_db(transaction=True)


def choose(account, wanted, *roles):
    actor = made.contact_of(account, *(roles or (Role.BILLING,)))
    return choose_automatic_charge(account, wanted=wanted, actor=actor, now=NOW)


class TestChooseAutomaticCharge:
    def test_has_what_is_invoiced_charged(self, gateway):
        account = made.customer()
        invoice(account), card(account)
        assert charge_due(on=date(2026, 3, 2), now=NOW, actor=MIA).charged == []
        choose(account, True)
        assert [one.state for one in charge_due(on=date(2026, 3, 2), now=NOW, actor=MIA).charged] == ["SUCCEEDED"]

    def test_is_taken_back_by_who_chose_it(self, gateway):
        account = made.customer()
        invoice(account), card(account)
        choose(account, True), choose(account, False)
        assert charge_due(on=date(2026, 3, 2), now=NOW, actor=MIA).charged == []

    def test_is_no_way_out_of_terms_that_charge_on_the_billing_date(self, gateway):
        """SEAT-5: the clause says that it is charged, and asks nobody."""
        account = made.per_seat_company(1)
        invoice(account), card(account)
        with pytest.raises(Refused, match="SEAT-5: Under the terms"):
            choose(account, False)
        assert [one.state for one in charge_due(on=date(2026, 3, 2), now=NOW, actor=MIA).charged] == ["SUCCEEDED"]

    def test_is_asked_for_by_the_primary_or_a_billing_contact(self):
        account = made.customer()
        with pytest.raises(Refused, match="AUTH-5"):
            choose(account, True, Role.TECHNICAL)
        assert account.billing_profile.auto_charge is None

    def test_leaves_an_audit_entry_once(self):
        account = made.customer()
        choose(account, True)
        choose(account, True)
        assert AuditEntry.objects.filter(action="account.automatic_charge").count() == 1
