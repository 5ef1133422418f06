"""From what is asked for in the portal to what stands on the invoice, through the run."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import Role
from invoicing.invoices.models import Invoice
from invoicing.subscriptions.models import BillingProfile, OneOffCharge
from invoicing.subscriptions.operations import (
    authorize_charge,
    change_billing_day,
    change_plan,
    change_quantity,
    end_subscription,
    request_charge,
    start_subscription,
)
from tests.invoicing import factories as made

pytestmark = pytest.mark.django_db

JAN, FEB, MAR, APR, MAY = (date(2026, month, 1) for month in range(1, 6))


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


class Customer:
    """An account whose Administrator, who is its Primary, asks for things on a day."""

    def __init__(self, account):
        self.account = account
        self.asker = made.contact_of(account, Role.PRIMARY, Role.ADMINISTRATOR)

    def on(self, day):
        return {"actor": self.asker, "now": noon(day)}

    def starts(self, plan, day, quantity="1"):
        return start_subscription(self.account, plan, Decimal(quantity), day, **self.on(day))

    def sets(self, held, quantity, day):
        change_quantity(held, Decimal(quantity), day, **self.on(day))

    @property
    def invoices(self):
        return made.invoices_of(self.account)

    @property
    def totals(self):
        return [(invoice.issued_on, invoice.total) for invoice in self.invoices]


def bill_each_day(first, last):
    """The beat tick of each day, which bills where something is due."""
    day = first
    while day <= last:
        if BillingProfile.objects.filter(next_billing_on__lte=day).exists():
            made.bill(day, now=noon(day))
        day += timedelta(days=1)


class TestPurchaseOfASeat:
    """SEAT-1, SEAT-2: the set-up fee, the first month and the deposit, on the day of the purchase."""

    def test_is_invoiced_on_the_day(self):
        company = Customer(made.per_seat_company())
        seat = made.plan("seat", "70", setup_fee="100", deposit="500")

        company.starts(seat, date(2026, 1, 31), "3")
        made.bill(date(2026, 1, 31))

        (invoice,) = company.invoices
        assert (invoice.issued_on, invoice.total) == (date(2026, 1, 31), 810)
        assert made.lines_of(invoice) == [
            ("RECURRING", "seat", date(2026, 1, 31), date(2026, 2, 28), 3, 210),
            ("SETUP", "seat", date(2026, 1, 31), FEB, 1, 100),
            ("DEPOSIT", "seat", date(2026, 1, 31), FEB, 1, 500),
        ]

    def test_of_a_second_one_on_a_later_day_is_too_without_a_second_deposit(self):
        company = Customer(made.per_seat_company())
        seat = made.plan("seat", "70", setup_fee="100", deposit="500")
        company.starts(seat, date(2026, 1, 31))
        made.bill(date(2026, 1, 31))

        company.starts(seat, date(2026, 2, 10), "2")
        bill_each_day(FEB, MAR)

        assert company.totals == [
            (date(2026, 1, 31), 670),
            (date(2026, 2, 10), 240),
            (date(2026, 2, 28), 210),
        ]

    def test_after_the_day_s_run_is_billed_on_that_day_too(self):
        company = Customer(made.per_seat_company(1))
        seat = made.plan("seat", "70")
        company.starts(seat, MAR)
        made.bill(MAR)

        company.starts(seat, MAR)
        made.bill(MAR)
        made.bill(MAR)

        assert company.totals == [(MAR, 70), (MAR, 70)]


class TestQuantityRaisedInTheMonth:
    """BILL-3: the highest quantity held in the billing month."""

    def test_per_seat_is_billed_on_the_day(self):
        company = Customer(made.per_seat_company())
        held = company.starts(made.plan("seat", "70"), MAR, "3")
        made.bill(MAR)

        company.sets(held, "5", date(2026, 3, 10))
        bill_each_day(date(2026, 3, 2), APR)

        assert company.totals == [(MAR, 210), (date(2026, 3, 10), 140), (APR, 350)]

    def test_in_arrears_is_billed_with_the_month_at_its_highest(self):
        customer = Customer(made.customer("hosted-direct"))
        held = customer.starts(made.plan("mail", "10"), MAR, "3")

        customer.sets(held, "7", date(2026, 3, 10))
        customer.sets(held, "2", date(2026, 3, 20))
        bill_each_day(date(2026, 3, 2), MAY)

        assert customer.totals == [(APR, 70), (MAY, 20)]

    def test_in_advance_is_carried_by_the_next_invoice(self):
        partner, (client, _) = made.partner_with_clients()
        customer = Customer(client)
        held = customer.starts(made.plan("crm", "10"), MAR, "3")
        made.bill(MAR)

        customer.sets(held, "7", date(2026, 3, 10))
        customer.sets(held, "2", date(2026, 3, 20))
        bill_each_day(date(2026, 3, 2), MAY)

        invoices = made.invoices_of(partner)
        assert [(invoice.issued_on, invoice.total) for invoice in invoices] == [(MAR, 30), (APR, 60), (MAY, 20)]
        assert made.lines_of(invoices[1]) == [
            ("RECURRING", "crm", MAR, APR, 4, 40),
            ("RECURRING", "crm", APR, MAY, 2, 20),
        ]


class TestChangeOfPlan:
    """SEAT-4: the change fee at once, the new rate from the next billing month."""

    def test_per_seat_bills_its_fee_on_the_day(self):
        company = Customer(made.per_seat_company())
        held = company.starts(made.plan("seat", "70"), MAR)
        made.bill(MAR)

        change_plan(
            held, made.plan("better", "90", change_fee="25"), date(2026, 3, 10), **company.on(date(2026, 3, 10))
        )
        bill_each_day(date(2026, 3, 2), APR)

        assert made.lines_of(company.invoices) == [
            ("RECURRING", "seat", MAR, APR, 1, 70),
            ("CHANGE", "better", date(2026, 3, 10), date(2026, 3, 11), 1, 25),
            ("RECURRING", "better", APR, MAY, 1, 90),
        ]

    def test_back_and_forth_bills_each_fee_once(self):
        company = Customer(made.per_seat_company())
        seat, better = made.plan("seat", "70", change_fee="5"), made.plan("better", "90", change_fee="25")
        held = company.starts(seat, MAR)

        change_plan(held, better, date(2026, 3, 10), **company.on(date(2026, 3, 10)))
        change_plan(held, seat, date(2026, 3, 12), **company.on(date(2026, 3, 12)))
        bill_each_day(MAR, APR)

        assert company.totals == [(MAR, 70), (date(2026, 3, 10), 25), (date(2026, 3, 12), 5), (APR, 70)]


class TestChangeOfTheBillingDay:
    """BILL-5: periods tile, and the bridge costs one month or nothing."""

    @pytest.mark.parametrize(
        ("day", "billed"),
        [
            pytest.param(
                20, [(5, 3, 5, 4), (20, 4, 20, 5), (20, 5, 20, 6)], id="a short bridge is free"
            ),
            pytest.param(
                25, [(5, 3, 5, 4), (5, 4, 25, 4), (25, 4, 25, 5), (25, 5, 25, 6)], id="a long one costs a month"
            ),
            pytest.param(
                31, [(5, 3, 5, 4), (5, 4, 30, 4), (30, 4, 31, 5), (31, 5, 30, 6)], id="to the last day"
            ),
        ],
    )  # fmt: skip
    def test_bills_each_day_once(self, day, billed):
        company = Customer(made.per_seat_company())
        company.starts(made.plan("seat", "70"), date(2026, 3, 5))
        made.bill(date(2026, 3, 5))

        change_billing_day(company.account, day, today=date(2026, 3, 10), **company.on(date(2026, 3, 10)))
        bill_each_day(date(2026, 3, 6), date(2026, 6, 4))

        assert made.lines_of(company.invoices) == [
            ("RECURRING", "seat", date(2026, month, start), date(2026, end_month, end), 1, 70)
            for start, month, end, end_month in billed
        ]
        assert [invoice.issued_on for invoice in company.invoices] == [
            date(2026, month, start) for start, month, _, _ in billed
        ]

    def test_is_billed_the_same_by_a_run_that_comes_late(self):
        """A clock that stood still over all the billing dates (Lago)."""
        company = Customer(made.per_seat_company())
        company.starts(made.plan("seat", "70"), date(2026, 3, 5))
        change_billing_day(company.account, 25, today=date(2026, 3, 10), **company.on(date(2026, 3, 10)))

        made.bill(date(2026, 6, 4))

        (invoice,) = company.invoices
        assert [line[2:4] for line in made.lines_of(invoice)] == [
            (date(2026, 3, 5), date(2026, 4, 5)),
            (date(2026, 4, 5), date(2026, 4, 25)),
            (date(2026, 4, 25), date(2026, 5, 25)),
            (date(2026, 5, 25), date(2026, 6, 25)),
        ]

    def test_a_second_time_tiles_still(self):
        company = Customer(made.per_seat_company())
        company.starts(made.plan("seat", "70"), date(2026, 3, 5))
        made.bill(date(2026, 3, 5))
        change_billing_day(company.account, 25, today=date(2026, 3, 10), **company.on(date(2026, 3, 10)))
        bill_each_day(date(2026, 3, 6), date(2026, 4, 10))
        change_billing_day(company.account, 1, today=date(2026, 4, 10), **company.on(date(2026, 4, 10)))
        bill_each_day(date(2026, 4, 11), date(2026, 6, 2))

        assert [line[2:4] for line in made.lines_of(company.invoices)] == [
            (date(2026, 3, 5), date(2026, 4, 5)),
            (date(2026, 4, 5), date(2026, 4, 25)),
            (date(2026, 5, 1), date(2026, 6, 1)),
            (date(2026, 6, 1), date(2026, 7, 1)),
        ]


class TestPartnersLateService:
    """BILL-2, reading: added after the 1st, it is carried by the next invoice for the full month."""

    def test_comes_on_the_next_invoice_and_not_before(self):
        partner, (first, second) = made.partner_with_clients()
        Customer(first).starts(made.plan("crm", "10"), MAR)
        made.bill(MAR)

        Customer(second).starts(made.plan("mail", "4.50"), date(2026, 3, 12), "2")
        bill_each_day(date(2026, 3, 2), APR)

        invoices = made.invoices_of(partner)
        assert [invoice.issued_on for invoice in invoices] == [MAR, APR]
        assert made.lines_of(invoices[1]) == [
            ("RECURRING", "crm", APR, MAY, 1, 10),
            ("RECURRING", "mail", MAR, APR, 2, 9),
            ("RECURRING", "mail", APR, MAY, 2, 9),
        ]

    def test_removed_before_the_first_is_not_billed(self):
        partner, (client, _) = made.partner_with_clients()
        customer = Customer(client)
        held = customer.starts(made.plan("crm", "10"), MAR)
        made.bill(MAR)

        end_subscription(held, APR, **customer.on(date(2026, 3, 31)))
        bill_each_day(date(2026, 3, 2), MAY)

        assert [invoice.issued_on for invoice in made.invoices_of(partner)] == [MAR]


class TestEndOfAService:
    """BILL-3: billed through the month it ends in."""

    def test_in_arrears_bills_the_whole_last_month(self):
        customer = Customer(made.customer())
        held = customer.starts(made.plan("mail", "10"), MAR)

        end_subscription(held, date(2026, 4, 2), **customer.on(date(2026, 3, 20)))
        bill_each_day(MAR, date(2026, 6, 1))

        assert customer.totals == [(APR, 10), (MAY, 10)]

    def test_of_a_purchase_called_off_before_it_begins_bills_nothing(self):
        company = Customer(made.per_seat_company())
        seat = made.plan("seat", "70", setup_fee="100")
        held = start_subscription(company.account, seat, Decimal(1), date(2026, 3, 20), **company.on(MAR))

        end_subscription(held, date(2026, 3, 20), **company.on(date(2026, 3, 10)))
        bill_each_day(MAR, MAY)

        assert company.invoices == []


class TestOneOffWork:
    """AUTH-6: only what was authorized is billed."""

    @pytest.mark.parametrize("code", ["hosted-direct", "per-seat"])
    def test_that_waits_is_never_invoiced(self, code):
        account = made.customer(code, profile={"billing_day": 1 if code == "per-seat" else None})
        made.subscription(account, made.plan("mail", "10"), MAR)
        asker = made.contact_of(account, Role.BILLING)
        work = made.plan("work", "150", charge="ONE_OFF")
        charge = request_charge(
            account, work, "Move", Decimal(1), None, date(2026, 3, 5), actor=asker, now=noon(date(2026, 3, 5))
        )

        bill_each_day(date(2026, 3, 5), MAY)
        assert "ONE_OFF" not in [line[0] for line in made.lines_of(made.invoices_of(account))]
        authorize_charge(charge, actor=made.contact_of(account, Role.PRIMARY_BILLING), now=noon(date(2026, 5, 10)))
        bill_each_day(date(2026, 5, 10), date(2026, 6, 1))

        lines = [line for line in made.lines_of(made.invoices_of(account)) if line[0] == "ONE_OFF"]
        assert lines == [("ONE_OFF", "work", date(2026, 3, 5), date(2026, 3, 6), 1, 150)]
        charge = OneOffCharge.objects.get()
        assert charge.billed_on == (date(2026, 5, 10) if code == "per-seat" else date(2026, 6, 1))

    def test_of_an_account_that_holds_nothing_is_invoiced(self):
        customer = Customer(made.customer())
        work = made.plan("work", "150", charge="ONE_OFF")

        request_charge(
            customer.account, work, "Move", Decimal(2), None, date(2026, 3, 5), **customer.on(date(2026, 3, 5))
        )
        bill_each_day(date(2026, 3, 5), MAY)

        assert customer.totals == [(APR, 300)]
        assert Invoice.objects.count() == 1
        assert BillingProfile.objects.get(account=customer.account).next_billing_on is None
