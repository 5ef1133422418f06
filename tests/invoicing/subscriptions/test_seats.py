"""SEAT-3: which seats were inactive in which billing month."""

from datetime import UTC, date, datetime

import pytest

from accounts.actors import command_line
from accounts.models import AuditEntry
from invoicing.subscriptions.models import Inactivity
from invoicing.subscriptions.operations import record_inactivity
from invoicing.subscriptions.seats import InactivityRefused
from tests.invoicing import factories as made

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


@pytest.fixture
def seat():
    """A seat since 5 February, billed on the fifth; 40 while inactive."""
    company = made.per_seat_company(5)
    return made.subscription(company, made.plan("seat", "70", inactive_price="40"), date(2026, 2, 5))


def record(seat, day, **values):
    return record_inactivity(seat, day, actor=command_line(), now=NOW, **values)


class TestRecordInactivity:
    """SEAT-3, SEAT-6."""

    def test_is_credited_on_the_next_month_s_invoice(self, seat):
        made.bill(date(2026, 3, 5))

        record(seat, date(2026, 3, 5))
        assert made.bill(date(2026, 3, 10)).items.count() == 0
        made.bill(date(2026, 4, 5))

        assert made.lines_of(made.invoices_of(seat.account)[-1]) == [
            ("REBATE", "seat", date(2026, 3, 5), date(2026, 4, 5), 1, -30),
            ("RECURRING", "seat", date(2026, 4, 5), date(2026, 5, 5), 1, 70),
        ]

    def test_late_waits_for_the_next_invoice(self, seat):
        """It makes no credit note of its own in the middle of a month."""
        made.bill(date(2026, 3, 5))

        record(seat, date(2026, 2, 5))
        made.bill(date(2026, 3, 10))
        made.bill(date(2026, 4, 5))

        totals = [(invoice.kind, invoice.issued_on, invoice.total) for invoice in made.invoices_of(seat.account)]
        assert totals == [("INVOICE", date(2026, 3, 5), 140), ("INVOICE", date(2026, 4, 5), 40)]

    def test_of_the_last_seat_becomes_a_credit_note(self, seat):
        """SEAT-6: at the end of the billing month."""
        made.bill(date(2026, 3, 5))
        type(seat).objects.filter(pk=seat.pk).update(ended_on=date(2026, 3, 20))

        record(seat, date(2026, 3, 5))
        made.bill(date(2026, 4, 5))

        assert [(invoice.kind, invoice.total) for invoice in made.invoices_of(seat.account)] == [
            ("INVOICE", 140),
            ("CREDIT_NOTE", -30),
        ]

    @pytest.mark.parametrize(
        ("day", "way_out"),
        [
            pytest.param(date(2026, 3, 6), "Give 5 March 2026 or 5 April 2026.", id="the day after"),
            pytest.param(date(2026, 3, 1), "Give 5 February 2026 or 5 March 2026.", id="a calendar month"),
            pytest.param(date(2026, 1, 5), "Choose a billing month in which it is held.", id="before it was held"),
            pytest.param(date(2026, 5, 5), "Choose a billing month in which it is held.", id="after it ends"),
        ],
    )
    def test_refuses(self, seat, day, way_out):
        type(seat).objects.filter(pk=seat.pk).update(ended_on=date(2026, 5, 5))

        with pytest.raises(InactivityRefused) as caught:
            record(seat, day)

        assert [(refusal.clause, refusal.way_out) for refusal in caught.value.refusals] == [("SEAT-3", way_out)]
        assert not Inactivity.objects.exists()

    def test_again_is_no_change(self, seat):
        record(seat, date(2026, 2, 5))
        record(seat, date(2026, 2, 5))

        assert Inactivity.objects.count() == AuditEntry.objects.count() == 1

    def test_can_be_deemed_later(self, seat):
        record(seat, date(2026, 2, 5))
        record(seat, date(2026, 2, 5), deemed=True, why="Left the company.")

        assert Inactivity.objects.get().kind == "DEEMED"
        assert AuditEntry.objects.latest("pk").detail["before"] == {"kind": "INACTIVE"}
        assert AuditEntry.objects.latest("pk").why == "Left the company."

    def test_is_refused_once_the_rebate_was_billed(self, seat):
        """BILL-6."""
        record(seat, date(2026, 2, 5))
        made.bill(date(2026, 3, 5))

        with pytest.raises(InactivityRefused) as caught:
            record(seat, date(2026, 2, 5), deemed=True)

        assert [(refusal.clause, refusal.way_out) for refusal in caught.value.refusals] == [
            ("BILL-6", "Correct it by a credit note.")
        ]
        assert Inactivity.objects.get().kind == "INACTIVE"
