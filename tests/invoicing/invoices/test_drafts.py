"""From charges to a draft: taxes a line, and totals that are the sums of what is printed."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.invoices.charges import Charge
from invoicing.invoices.drafts import Draft, draft_of
from invoicing.periods import Period
from invoicing.tax.policy import Address, Rate
from tests.invoicing.invoices.pricing_factory import MAIL

MARCH, APRIL = Period(date(2026, 3, 1), date(2026, 4, 1)), Period(date(2026, 4, 1), date(2026, 5, 1))


def charge(amount: str, kind: str = "RECURRING", *, category: str = "service", period: Period = MARCH) -> Charge:
    plan = MAIL._replace(tax_category=category)
    one = Decimal(1)
    return Charge(
        kind, 1, None, None, plan, "Mail", period, Decimal(0), one, Decimal(amount), Decimal(amount), "BILL-1", {}
    )


def rate(percent: str, category: str = "", number: int = 1) -> Rate:
    return Rate(number, Address("US"), category, f"Tax {number}", Decimal(percent), date(2020, 1, 1), None)


def drafted(*charges: Charge, rates: tuple[Rate, ...] = (), currency: str = "USD", payment_due_days: int = 30) -> Draft:
    return draft_of(
        list(charges), rates=rates, currency=currency, on=date(2026, 3, 1), payment_due_days=payment_due_days
    )


class TestTotals:
    """TAX-1: the total is the sum of what is printed."""

    def test_of_a_draft_without_taxes_are_the_lines(self):
        draft = drafted(charge("10.00"), charge("2.50"))
        assert [str(total) for total in (draft.subtotal, draft.tax_total, draft.total)] == ["12.50", "0", "12.50"]

    def test_are_of_taxes_rounded_line_by_line_and_rate_by_rate(self):
        """Six times 0.125 is printed as six times 0.13; a rate on the sum would come to 0.75."""
        draft = drafted(*[charge("10.00")] * 3, rates=(rate("1.25", number=1), rate("1.25", number=2)))
        assert [str(line.tax_amount) for line in draft.lines] == ["0.26", "0.26", "0.26"]
        assert (str(draft.tax_total), str(draft.total)) == ("0.78", "30.78")

    def test_tax_each_line_by_its_own_category(self):
        rates = (rate("10", "service", 1), rate("5", "goods", 2), rate("1", "", 3))
        draft = drafted(charge("100.00", category="service"), charge("100.00", category="goods"), rates=rates)
        assert [[tax.rate_id for tax in line.taxes] for line in draft.lines] == [[1, 3], [2, 3]]
        assert str(draft.tax_total) == "17.00"

    def test_leave_a_deposit_untaxed(self):
        """SEAT-1: it is the customer's own money."""
        draft = drafted(charge("90.00"), charge("500.00", "DEPOSIT"), rates=(rate("10"),))
        assert [line.taxes == () for line in draft.lines] == [False, True]
        assert (str(draft.tax_total), str(draft.total)) == ("9.00", "599.00")

    def test_give_the_tax_of_a_rebate_back(self):
        """SEAT-3."""
        draft = drafted(charge("60.00"), charge("-45.00", "REBATE"), rates=(rate("8.25"),))
        assert [str(line.tax_amount) for line in draft.lines] == ["4.95", "-3.71"]
        assert str(draft.total) == "16.24"

    @given(
        st.lists(
            st.tuples(
                st.decimals("-9999", "9999", places=3),
                st.sampled_from(["RECURRING", "SETUP", "REBATE", "DEPOSIT", "ONE_OFF"]),
                st.sampled_from(["", "service", "goods"]),
            ),
            min_size=1,
            max_size=12,
        ),
        st.lists(st.tuples(st.decimals("0", "100", places=4), st.sampled_from(["", "service", "goods"])), max_size=4),
        st.sampled_from([("USD", "0.01"), ("JPY", "1"), ("KWD", "0.001")]),
    )
    def test_are_always_the_sum_of_the_lines_and_of_every_tax_shown(self, amounts, percents, money):
        currency, unit = money
        charges = [
            charge(str(amount.quantize(Decimal(unit))), kind, category=category) for amount, kind, category in amounts
        ]
        rates = tuple(rate(str(percent), category, number) for number, (percent, category) in enumerate(percents))
        draft = drafted(*charges, rates=rates, currency=currency)
        shown = [tax.amount for line in draft.lines for tax in line.taxes]
        assert draft.total == sum(line.charge.amount for line in draft.lines) + sum(shown)
        assert draft.tax_total == sum(line.tax_amount for line in draft.lines) == sum(shown)
        assert all(tax == tax.quantize(Decimal(unit)) for tax in shown)


class TestKind:
    """BILL-6: a total below zero becomes a credit note."""

    @pytest.mark.parametrize(
        ("amounts", "kind"),
        [
            pytest.param(["60.00", "-45.00"], "INVOICE", id="owed by the account"),
            pytest.param(["-45.00"], "CREDIT_NOTE", id="a rebate after the last seat went"),
            pytest.param(["0.01"], "INVOICE", id="a cent"),
            pytest.param(["45.00", "-45.01"], "CREDIT_NOTE", id="a cent back"),
        ],
    )
    def test_follows_the_total_s_sign(self, amounts, kind):
        assert drafted(*map(charge, amounts)).kind == kind

    def test_counts_the_taxes_too(self):
        draft = drafted(charge("45.00", category="goods"), charge("-45.00"), rates=(rate("10", "service"),))
        assert (str(draft.total), draft.kind) == ("-4.50", "CREDIT_NOTE")


class TestDates:
    @pytest.mark.parametrize(
        ("payment_due_days", "due_on"),
        [pytest.param(30, date(2026, 3, 31), id="thirty days"), pytest.param(0, date(2026, 3, 1), id="at once")],
    )
    def test_make_it_due_as_the_terms_say(self, payment_due_days, due_on):
        assert drafted(charge("10.00"), payment_due_days=payment_due_days).due_on == due_on

    def test_span_the_recurring_periods(self):
        draft = drafted(charge("10.00", period=APRIL), charge("10.00", period=MARCH))
        assert (draft.period_start, draft.period_end) == (date(2026, 3, 1), date(2026, 5, 1))

    def test_leave_out_the_days_of_fees_and_rebates(self):
        draft = drafted(charge("10.00", period=APRIL), charge("-4.00", "REBATE", period=MARCH))
        assert (draft.period_start, draft.period_end) == (date(2026, 4, 1), date(2026, 5, 1))

    def test_are_no_period_where_nothing_recurs(self):
        draft = drafted(charge("75.00", "ONE_OFF"))
        assert (draft.period_start, draft.period_end) == (None, None)
