"""PRE-1: uses are rated, deducted and posted in batches."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.prepaid import standing
from invoicing.prepaid.models import PrepaidBalance, TopUpAgreement
from invoicing.subscriptions.models import UsageEvent, UsageTotal
from tests.chaos.results import row_hashes
from tests.invoicing.factories import add_price, customer, partner_with_clients, plan, seller, subscription, terms
from tests.invoicing.prepaid.factories import (
    NOW,
    balance_of,
    give,
    per_use,
    posted_balance,
    prepaid,
    take,
    use,
)

pytestmark = pytest.mark.django_db
D = Decimal


def outcomes(taken) -> list[str]:
    return [answer.outcome for answer in taken.answers]


def said(taken) -> list[str]:
    return [refusal.sentence for answer in taken.answers for refusal in answer.refusals]


class TestTakeUses:
    """PRE-1."""

    def test_deducts_and_posts_each_use(self):
        per_use(minimum="30", increment="6")
        account = prepaid("10")
        taken = take(use(account, "1"), use(account, "31"))

        assert [(answer.outcome, answer.amount) for answer in taken.answers] == [
            ("accepted", D("3.000000")), ("accepted", D("3.600000")),
        ]  # fmt: skip
        assert balance_of(account) == posted_balance(account) == D("3.4")
        event = UsageEvent.objects.order_by("key").last()
        assert (event.rated, event.amount, event.month_on) == (D(36), D("3.6"), date(2026, 3, 1))
        entry = LedgerEntry.objects.get(source=f"usage:{event.pk}")
        assert sorted(entry.postings.values_list("ledger_account", "category", "amount")) == [
            ("PREPAID_BALANCE", "", D("3.6")), ("UNBILLED_USAGE", "calls", D("-3.6")),
        ]  # fmt: skip
        total = UsageTotal.objects.get()
        assert (total.quantity, total.amount, total.invoiced_amount) == (D(66), D("6.6"), D(0))

    def test_answers_what_is_left_and_whether_the_account_may_go_on(self):
        per_use()
        rich, poor = prepaid("10"), prepaid("0.10")
        taken = take(use(rich), use(poor))
        assert [(row.account, row.currency, row.balance, row.available, row.may_go_on) for row in taken.accounts] == [
            (rich.number, "USD", D("9.9"), D("9.9"), True), (poor.number, "USD", D(0), D(0), False),
        ]  # fmt: skip

    def test_says_that_a_suspended_account_may_not_go_on(self, monkeypatch):
        per_use()
        account = prepaid("10")
        monkeypatch.setattr(standing, "_registered", [lambda ids: {account.pk} & set(ids)])
        assert not take(use(account)).accounts[0].may_go_on

    def test_says_that_an_account_whose_monthly_charges_wait_may_not_go_on(self):
        per_use()
        account = prepaid("10")
        PrepaidBalance.objects.update(awaiting=D(25))
        taken = take(use(account))
        assert outcomes(taken) == ["accepted"]
        assert not taken.accounts[0].may_go_on

    def test_takes_the_rest_where_some_are_refused(self):
        per_use()
        account, invoiced = prepaid("10"), customer()
        plan("mail", "5")
        taken = take(
            use(account),
            use(account, product="mail"),
            use(account, product="nothing"),
            use(invoiced),
            use(account)._replace(account="B-none"),
            use(account),
        )
        assert outcomes(taken) == ["accepted", "refused", "refused", "refused", "refused", "accepted"]
        assert said(taken) == [
            "The product mail is not charged per use.",
            "There is no product with the code nothing.",
            f"Account {invoiced.number} has no prepaid balance: its terms are not prepaid.",
            "There is no account with the number B-none.",
        ]
        assert {refusal.clause for answer in taken.answers for refusal in answer.refusals} == {"PRE-1"}
        assert balance_of(account) == D("9.8")
        assert PrepaidBalance.objects.count() == 1

    def test_refuses_a_partners_client_which_is_not_billed_itself(self):
        per_use()
        _, (client, _) = partner_with_clients()
        assert said(take(use(client))) == [
            f"Account {client.number} has no prepaid balance: its terms are not prepaid."
        ]

    def test_opens_a_balance_where_there_is_none(self):
        per_use(included="10")
        account = prepaid()
        taken = take(use(account, "10"), use(account, "1"))
        assert outcomes(taken) == ["accepted", "refused"]
        assert balance_of(account) == 0
        assert not LedgerEntry.objects.exists()

    def test_sends_a_constant_number_of_statements(self):
        per_use()
        accounts = [prepaid("10") for _ in range(12)]
        counts = []
        for number in (1, 12):
            with CaptureQueriesContext(
                connection,
            ) as captured:
                take(*(use(account) for account in accounts[:number] for _ in range(number)))
            counts.append(len(captured))
        assert counts[0] == counts[1] <= 20

    def test_names_the_accounts_to_top_up(self):
        per_use()
        low, high, off = prepaid("10"), prepaid("10.2"), prepaid("10")
        for account, is_on in ((low, True), (high, True), (off, False)):
            TopUpAgreement.objects.create(account=account, threshold=D(10), amount=D(50), is_on=is_on)
        assert take(use(low), use(high), use(off)).to_top_up == (low.pk,)


class TestTheFloor:
    """PRE-4, P9."""

    def test_is_never_passed(self):
        per_use()
        account = prepaid("0.25")
        taken = take(use(account), use(account), use(account))
        assert outcomes(taken) == ["accepted", "accepted", "refused"]
        assert taken.answers[2].refusals[0].clause == "PRE-4"
        assert said(taken) == ["The use costs USD 0.10, and USD 0.05 is left of the prepaid balance."]
        assert balance_of(account) == posted_balance(account) == D("0.05")

    def test_is_below_zero_by_the_terms_credit_limit(self):
        terms("prepaid", credit_limit=D("0.20"))
        per_use()
        account = prepaid("0.10")
        assert outcomes(take(*(use(account) for _ in range(4)))) == ["accepted"] * 3 + ["refused"]
        assert balance_of(account) == D("-0.20")

    def test_follows_a_credit_limit_that_is_lowered(self):
        limited = terms("prepaid", credit_limit=D(5))
        per_use()
        account = prepaid("0.10")
        take(use(account, "21"))
        limited.credit_limit = D(1)
        limited.save()
        assert outcomes(take(use(account))) == ["refused"]
        give(account, "1.50")
        assert outcomes(take(use(account, "5"), use(account, "1"))) == ["accepted", "refused"]
        assert balance_of(account) == D("-1.00")

    def test_lets_a_refused_use_come_again_under_its_key(self):
        per_use()
        account = prepaid()
        again = use(account)
        assert outcomes(take(again)) == ["refused"]
        give(account, "1")
        assert outcomes(take(again)) == ["accepted"]


class TestTheSameKeyAgain:
    """P8."""

    def test_changes_nothing_and_gets_the_same_answer(self):
        per_use()
        account = prepaid("10")
        batch = [use(account), use(account, "2")]
        first = take(*batch)
        before = row_hashes()
        second = take(*batch)
        assert row_hashes() == before
        assert outcomes(second) == ["duplicate", "duplicate"]
        assert [answer.amount for answer in second.answers] == [answer.amount for answer in first.answers]
        assert second.accounts == first.accounts

    def test_counts_once_within_one_batch(self):
        per_use()
        account = prepaid("10")
        assert outcomes(take(use(account, key="a"), use(account, key="a"))) == ["accepted", "duplicate"]
        assert balance_of(account) == D("9.9")

    @pytest.mark.parametrize(("changed", "field"), [
        ({"quantity": D(2)}, "quantity"),
        ({"product": "minutes"}, "product"),
        ({"at": NOW - timedelta(seconds=1)}, "at"),
        ({"detail": "+1 555 0100"}, "detail"),
    ])  # fmt: skip
    def test_is_refused_with_other_content(self, changed, field):
        per_use()
        account = prepaid("10")
        one = use(account, key="a")
        take(one)
        assert said(take(one._replace(**changed))) == [f"The key a was used before for a use with another {field}."]
        assert balance_of(account) == D("9.9")

    def test_is_refused_for_another_account(self):
        per_use()
        mine, theirs = prepaid("10"), prepaid("10")
        take(use(mine, key="a"))
        assert said(take(use(theirs, key="a"))) == ["The key a was used before for a use with another account."]
        assert balance_of(theirs) == 10


class TestBilledElsewhere:
    """BILL-6: what was used before the account was taken over is on invoices of others."""

    def test_is_refused_by_the_sellers_day(self):
        seller(time_zone="America/Denver")
        per_use()
        account = prepaid("10", profile={"bill_from_on": date(2026, 3, 1)})
        before = use(account, at=datetime(2026, 3, 1, 6, 59, tzinfo=UTC))
        first = use(account, at=datetime(2026, 3, 1, 7, 0, tzinfo=UTC))
        taken = take(before, first)
        assert outcomes(taken) == ["refused", "accepted"]
        assert said(taken) == ["What was used before 1 March 2026 was billed elsewhere."]
        assert (taken.answers[0].refusals[0].clause, taken.answers[0].fields) == ("BILL-6", ("at",))
        assert balance_of(account) == D("9.9")


class TestThePrice:
    """PRE-1: the version valid on the day of the use, where the seller is."""

    def test_is_of_the_sellers_day(self):
        seller(time_zone="America/Denver")
        calls = per_use()
        add_price(calls, "0.20", valid_from_on=date(2026, 3, 1))
        account = prepaid("10")
        late = use(account, at=datetime(2026, 3, 1, 6, 59, tzinfo=UTC))
        early = use(account, at=datetime(2026, 3, 1, 7, 0, tzinfo=UTC))
        assert [answer.amount for answer in take(late, early).answers] == [D("0.10"), D("0.20")]
        assert sorted(UsageTotal.objects.values_list("month_on", "amount")) == [
            (date(2026, 2, 1), D("0.10")), (date(2026, 3, 1), D("0.20")),
        ]  # fmt: skip

    @pytest.mark.parametrize(("at", "day"), [
        pytest.param(datetime(2026, 3, 8, 6, 59, tzinfo=UTC), date(2026, 3, 7), id="23:59 before the day of 23 hours"),
        pytest.param(datetime(2026, 3, 8, 7, 0, tzinfo=UTC), date(2026, 3, 8), id="its midnight"),
        pytest.param(datetime(2026, 3, 9, 5, 59, tzinfo=UTC), date(2026, 3, 8), id="its last minute, an hour earlier"),
        pytest.param(datetime(2026, 3, 9, 6, 0, tzinfo=UTC), date(2026, 3, 9), id="the next midnight"),
        pytest.param(datetime(2026, 11, 1, 7, 30, tzinfo=UTC), date(2026, 11, 1), id="half past one, the first time"),
        pytest.param(datetime(2026, 11, 1, 8, 30, tzinfo=UTC), date(2026, 11, 1), id="half past one, the second time"),
        pytest.param(datetime(2026, 11, 2, 6, 59, tzinfo=UTC), date(2026, 11, 1), id="the last minute of 25 hours"),
    ])  # fmt: skip
    def test_keeps_to_days_across_a_change_of_the_clock(self, at, day):
        seller(time_zone="America/Denver")
        calls = per_use(price="1")
        add_price(calls, "2", valid_from_on=day)
        add_price(calls, "3", valid_from_on=day + timedelta(days=1))
        account = prepaid("10")
        assert take(use(account, at=at), now=at + timedelta(minutes=1)).answers[0].amount == 2

    def test_is_the_agreed_one_of_the_plan_that_the_account_holds(self):
        calls = per_use(tiers={"5": "0.01"})
        other = per_use("other")
        other.product = calls.product
        other.save()
        account, stranger = prepaid("10"), prepaid("10")
        subscription(account, other, date(2026, 1, 1), unit_price=D("0.07"))
        taken = take(use(account, "10"), use(stranger))
        assert taken.answers[0].amount == D("0.70")
        assert said(taken) == ["The product calls has 2 plans, and the account holds none of them on that day."]

    def test_is_refused_where_there_is_none_in_the_accounts_currency(self):
        per_use()
        account = prepaid(profile={"currency": "EUR"})
        assert said(take(use(account))) == ["The product calls has no price in EUR on 2 March 2026."]

    def test_counts_included_units_and_tiers_by_the_calendar_month(self):
        """A month of 28 days: what was included ends with its last minute."""
        per_use(included="100", tiers={"200": "0.05"})
        account = prepaid("1000")
        last = datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
        march = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
        amounts = [
            answer.amount
            for answer in take(
                use(account, "100", at=last), use(account, "101", at=last), use(account, "100", at=march)
            ).answers
        ]
        assert amounts == [D(0), D("10.05"), D(0)]

    def test_sums_to_the_month_whatever_the_batches(self):
        per_use(price="0.0000333", included="2.5", tiers={"7": "0.0000111"})
        at_once, one_by_one = prepaid("10"), prepaid("10")
        quantities = ["0.333333", "1.1", "3", "2.71", "0.000001", "9.9"]
        take(*(use(at_once, quantity) for quantity in quantities))
        for quantity in reversed(quantities):
            take(use(one_by_one, quantity))
        assert balance_of(at_once) == balance_of(one_by_one)


class TestAMonthTooLarge:
    def test_is_refused(self):
        per_use(price="0")
        account = prepaid()
        take(use(account))
        UsageTotal.objects.update(quantity=D("999999999999"))
        assert said(take(use(account))) == [
            "With this use, the month's quantity of calls would be larger than can be kept."
        ]
        assert not Posting.objects.exists()
