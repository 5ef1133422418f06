"""Payments and collections together: what a booked payment lifts, and what the schedule does not charge."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.actors import schedule
from invoicing.collections.holds import place_hold
from invoicing.collections.models import Placement, PlacementRecord, PlatformNotice, Suspension
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Payment
from invoicing.payments.operations import book_payment, charge_due
from tests.invoicing.collections.factories import MIA, at, invoice, open_of
from tests.invoicing.collections.test_placements import RIPE, follow, handed
from tests.invoicing.collections.test_suspension import DAY, suspended_for_not_paying, swept
from tests.invoicing.factories import customer
from tests.invoicing.payments.factories import MIA as CASHIER
from tests.invoicing.payments.factories import card

pytestmark = pytest.mark.django_db
D = Decimal


def check(account, amount, on=DAY, **values) -> Payment:
    return book_payment(
        account, kind="CHECK", amount=D(amount), currency="USD", reference=f"{amount} of {account.number}",
        received_on=on, actor=CASHIER, now=at(on), **values,
    )  # fmt: skip


class TestABookedPayment:
    """SUSP-1."""

    def test_restores_at_once_and_once(self):
        made = suspended_for_not_paying()
        check(made.account, "100")
        assert Suspension.objects.get().state == "LIFTED"
        swept(DAY)
        assert list(PlatformNotice.objects.order_by("pk").values_list("event", flat=True)) == ["SUSPEND", "RESTORE"]

    def test_of_a_part_restores_nothing(self):
        made = suspended_for_not_paying()
        check(made.account, "99.99")
        assert Suspension.objects.get().state == "ACTIVE"

    def test_of_what_is_with_the_agency_is_told_to_it(self):
        """COLL-1: money that arrives later is reported to the agency."""
        made, one = handed()
        check(made.account, "130", RIPE)
        follow()
        one.refresh_from_db()
        assert (open_of(made), one.state) == ((D(0), D(0)), "CLOSED")
        assert list(PlacementRecord.objects.values_list("kind", "amount")) == [("PAYMENT", D(100))]


class TestTheSchedule:
    """SEAT-5: what is charged by itself."""

    @pytest.fixture
    def demo(self):
        """The demo bank, in this process."""
        with installed(DemoGateway(clock=SetClock(at(RIPE)))):
            yield

    def charged(self, account) -> int:
        charge_due(on=RIPE, now=at(RIPE), actor=schedule(), dry_run=False, account_id=account.pk)
        return Payment.objects.filter(account=account).count()

    def account(self):
        account = customer(profile={"auto_charge": True})
        card(account)
        return account

    def test_charges_who_is_in_nobodys_way(self, demo):
        made = invoice(self.account())
        assert self.charged(made.account) == 1

    def test_does_not_charge_what_is_disputed(self, demo):
        made = invoice(self.account())
        place_hold(account=made.account, invoice=made, kind="DISPUTE", why="Asked.", actor=MIA, now=at(DAY), today=DAY)
        assert self.charged(made.account) == 0

    def test_does_not_charge_who_is_with_the_agency(self, demo):
        """COLL-1: reminders and card retries stop."""
        made, _ = handed(self.account())
        invoice(made.account, "5", due_on=date(2026, 3, 20))
        assert self.charged(made.account) == 0
        assert Placement.objects.get().state == "PLACED"
