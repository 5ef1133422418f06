"""When the run looks at an account next: never after something became due."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account
from invoicing.invoices.holdings import Billable, Holding, OneOff, PlanSold, PriceVersion, Terms
from invoicing.invoices.pricing import charges_due
from invoicing.periods import BillingCalendar
from invoicing.subscriptions.models import BillingDayChange, BillingProfile
from invoicing.subscriptions.operations import look_again
from invoicing.subscriptions.policy import first_look_on
from tests.invoicing import factories as made

CALENDAR, ON_31ST = BillingCalendar(), BillingCalendar(31)
ARREARS = {"arrears": True, "at_once": False}
ADVANCE = {"arrears": False, "at_once": False}
AT_ONCE = {"arrears": False, "at_once": True}


class TestFirstLookOn:
    @pytest.mark.parametrize(
        ("calendar", "terms", "begin", "day", "look_on"),
        [
            pytest.param(CALENDAR, ARREARS, None, "2026-11-15", "2026-12-01", id="arrears, when its month has ended"),
            pytest.param(CALENDAR, ARREARS, None, "2026-11-01", "2026-12-01", id="arrears, held all month"),
            pytest.param(CALENDAR, ARREARS, "2026-11-01", "2020-05-05", "2026-12-01", id="arrears, taken over"),
            pytest.param(CALENDAR, ADVANCE, None, "2026-11-15", "2026-11-01", id="advance, the month it falls in"),
            pytest.param(CALENDAR, ADVANCE, "2026-12-01", "2020-05-05", "2026-12-01", id="advance, taken over"),
            pytest.param(
                CALENDAR, ADVANCE, "2026-11-15", "2020-05-05", "2026-12-01", id="advance, taken over mid-month"
            ),
            pytest.param(ON_31ST, AT_ONCE, None, "2026-11-15", "2026-11-15", id="at once, on the day"),
            pytest.param(ON_31ST, AT_ONCE, "2026-11-30", "2026-10-31", "2026-11-30", id="at once, taken over"),
        ],
    )
    def test_is_the_first_day_on_which_something_can_be_due(self, calendar, terms, begin, day, look_on):
        begin = begin and date.fromisoformat(begin)

        assert first_look_on(calendar, bill_from_on=begin, day=date.fromisoformat(day), **terms) == date.fromisoformat(
            look_on
        )

    @given(
        anchor=st.integers(1, 31),
        timing=st.sampled_from(["ARREARS", "AT_ONCE", "NEXT_INVOICE", "NOT_BILLED"]),
        start=st.dates(date(2026, 1, 1), date(2026, 3, 31)),
        begin=st.none() | st.dates(date(2026, 1, 1), date(2026, 4, 30)),
        charged_once=st.booleans(),
    )
    def test_is_never_after_the_billing_date_on_which_pricing_finds_the_first_charge(
        self, anchor, timing, start, begin, charged_once
    ):
        calendar = BillingCalendar(anchor)
        plan = PlanSold(
            1, "mail", "Mailbox", "mail", "", False, {"USD": (PriceVersion(1, date(2000, 1, 1), Decimal(5)),)}
        )
        terms = Terms(1, "x", "BILL-1", timing == "ARREARS", True, False, timing, "OVER_HALF", 30)
        held = Holding(1, "M-1", "", None, plan, None, start, None, Decimal(1))
        once = OneOff(1, None, plan, "", Decimal(1), None, start)
        account = Billable(
            1, terms, "USD", calendar, begin, None, () if charged_once else (held,), (once,) if charged_once else ()
        )
        look_on = first_look_on(
            calendar, arrears=terms.arrears, at_once=timing == "AT_ONCE", bill_from_on=begin, day=start
        )

        early = start - timedelta(days=31)
        days = (early + timedelta(days=count) for count in range((look_on - early).days))
        before = [day for day in days if timing == "AT_ONCE" or calendar.period_of(day).start == day]
        assert not [day for day in before if charges_due(account, on=day)]


def profile(terms: str, **values) -> BillingProfile:
    given = {"kind": "PARTNER"} if terms == "hosted-partner" else {}
    account = Account.objects.create(number="A-1", name="Acme", signed_up_on=date(2026, 1, 1), **given)
    return BillingProfile.objects.create(
        account=account,
        seller=made.seller(),
        terms=made.terms(terms),
        currency="USD",
        **values,
    )


NEVER_BILLED: dict = {}
BILLED = {"billed_until_on": date(2026, 12, 1), "next_billing_on": date(2027, 1, 1)}


class TestLookAgain:
    @pytest.mark.parametrize(
        ("terms", "stands", "day", "look_on", "billed_until_on"),
        [
            pytest.param("hosted-direct", NEVER_BILLED, "2026-11-15", "2026-12-01", None, id="arrears, new"),
            pytest.param("hosted-direct", BILLED, "2026-11-15", "2027-01-01", "2026-11-15", id="arrears, late"),
            pytest.param("hosted-direct", BILLED, "2026-12-15", "2027-01-01", "2026-12-01", id="arrears, in time"),
            pytest.param(
                "hosted-partner", BILLED, "2026-12-15", "2027-01-01", "2026-12-01", id="partner, next invoice"
            ),
            pytest.param("per-seat", BILLED, "2026-12-15", "2026-12-15", "2026-12-01", id="per seat, at once"),
            pytest.param("per-seat", BILLED, "2027-02-15", "2027-01-01", "2026-12-01", id="per seat, far ahead"),
            pytest.param(
                "hosted-direct",
                {"billed_until_on": date(2026, 12, 1)},
                "2027-03-10",
                "2027-04-01",
                "2026-12-01",
                id="billed before, and then held nothing",
            ),
            pytest.param(
                "hosted-direct",
                BILLED | {"bill_from_on": date(2026, 11, 1)},
                "2020-01-01",
                "2027-01-01",
                "2026-11-01",
                id="no further back than we bill",
            ),
        ],
    )
    def test_sets_the_next_look_and_reopens_from_the_day(self, db, terms, stands, day, look_on, billed_until_on):
        kept = profile(terms, billing_day=1, revision=7, **stands)
        look_again({kept.account_id: date.fromisoformat(day)})

        kept.refresh_from_db()
        assert kept.next_billing_on == date.fromisoformat(look_on)
        assert kept.billed_until_on == (billed_until_on and date.fromisoformat(billed_until_on))
        assert kept.revision == 8

    def test_a_clients_change_is_its_partners(self, db):
        partner = profile("hosted-partner")
        client = Account.objects.create(
            number="K-1", name="Kite", kind="CLIENT", parent=partner.account, signed_up_on=date(2026, 1, 1)
        )
        look_again({client.pk: date(2026, 12, 1), partner.account_id: date(2026, 11, 1)})

        partner.refresh_from_db()
        assert (partner.next_billing_on, partner.revision) == (date(2026, 11, 1), 1)

    def test_heeds_a_changed_billing_day(self, db):
        kept = profile("per-seat", billing_day=31)
        made.terms("per-seat", late_start="NEXT_INVOICE")
        BillingDayChange.objects.create(account=kept.account, day=10, effective_on=date(2026, 11, 30))
        look_again({kept.account_id: date(2026, 12, 12)})

        kept.refresh_from_db()
        assert kept.next_billing_on == date(2026, 12, 10)

    @pytest.mark.parametrize(("stands", "look_on"), [(BILLED, date(2027, 1, 1)), (NEVER_BILLED, date(2026, 11, 15))])
    def test_of_what_waits_for_the_next_invoice_pulls_nothing_that_was_billed_forward(self, db, stands, look_on):
        kept = profile("per-seat", billing_day=1, **stands)
        look_again({kept.account_id: date(2026, 11, 15)}, with_next_invoice=True)

        kept.refresh_from_db()
        assert kept.next_billing_on == look_on
        assert kept.billed_until_on == (date(2026, 11, 15) if stands else None)

    def test_takes_three_statements_for_any_number(self, db, django_assert_num_queries):
        kept = profile("per-seat", billing_day=1)
        with django_assert_num_queries(3):
            look_again({kept.account_id: date(2026, 12, 12), kept.account_id + 1: date(2026, 12, 12)})
