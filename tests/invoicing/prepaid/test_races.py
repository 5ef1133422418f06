"""P5 and P9: deductions and top-ups at the same time; each race with its negative control."""

import random
import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError, connection, transaction

from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side
from invoicing.prepaid import balances, usage_payers
from invoicing.prepaid.balances import lock_balance, post_credit
from invoicing.prepaid.models import PrepaidBalance
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import UsageEvent, UsageTotal
from tests.chaos.at_once import at_once, failures
from tests.invoicing.prepaid.factories import NOW, balance_of, give, per_use, posted_balance, prepaid, take, use

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal


def in_order() -> None:
    """Each balance is the sum of its postings, and each use and total is posted."""
    for kept in PrepaidBalance.objects.select_related("account"):
        assert kept.balance == posted_balance(kept.account), kept
        assert kept.balance >= kept.floor
    used = Posting.objects.filter(ledger_account=LedgerAccount.UNBILLED_USAGE)
    by_events = sum(UsageEvent.objects.values_list("amount", flat=True), D(0))
    assert -sum(used.values_list("amount", flat=True), D(0)) == by_events
    assert sum(UsageTotal.objects.values_list("amount", flat=True), D(0)) == by_events


class TestConcurrentDeductions:
    """P9, PRE-4."""

    def test_never_pass_the_floor(self):
        per_use()
        account = prepaid("1")
        results = at_once([lambda: take(*(use(account) for _ in range(3))) for _ in range(8)])
        assert not failures(results)
        outcomes = [answer.outcome for taken in results for answer in taken.answers]
        assert (outcomes.count("accepted"), outcomes.count("refused")) == (10, 14)
        assert balance_of(account) == 0
        in_order()

    def test_without_the_lock_are_refused_by_the_database_instead(self, monkeypatch):
        """The negative control: what each believed covered is not, and the check constraint alone stops it."""
        monkeypatch.setattr(usage_payers, "LOCK", usage_payers.LOCK.replace("FOR NO KEY UPDATE", ""))
        per_use()
        account = prepaid("1")
        looked = threading.Barrier(4)
        known_uses = usage_payers.known_uses

        def all_have_looked(keys):
            looked.wait(20)
            return known_uses(keys)

        monkeypatch.setattr("invoicing.prepaid.usage.known_uses", all_have_looked)
        results = at_once([lambda: take(use(account, "8")) for _ in range(4)])
        refused = failures(results)
        assert len(refused) == 3
        assert all("balance_not_below_floor" in str(error) for error in refused)
        in_order()

    def test_of_the_same_keys_count_once(self):
        """P8: the same batch by eight connections at the same moment."""
        per_use()
        accounts = [prepaid("100") for _ in range(3)]
        batch = [use(account, key=f"{index}-{n}") for n in range(20) for index, account in enumerate(accounts)]
        results = at_once([lambda: take(*batch) for _ in range(8)])
        assert not failures(results)
        outcomes = [answer.outcome for taken in results for answer in taken.answers]
        assert outcomes.count("accepted") == 60
        assert outcomes.count("duplicate") == 420
        assert [balance_of(account) for account in accounts] == [D(98)] * 3
        in_order()

    def test_of_the_same_keys_for_other_accounts_are_known_at_the_second_try(self):
        """No lock is shared: the unique index on the key decides, and the loser looks again."""
        per_use()
        mine, theirs = prepaid("100"), prepaid("100")
        for round_ in range(5):
            batches = [
                [use(account, key=f"{round_}-{n}") for n in order]
                for account, order in ((mine, range(30)), (theirs, range(29, -1, -1)))
            ]
            results = at_once([lambda batch=batch: take(*batch) for batch in batches])
            assert not failures(results)
            outcomes = [answer.outcome for taken in results for answer in taken.answers]
            assert (outcomes.count("accepted"), outcomes.count("refused")) == (30, 30)
        in_order()

    def test_rate_a_month_as_one(self):
        """Included units and tiers are given once, however many connections count them."""
        per_use(included="10", tiers={"20": "0.05"})
        account = prepaid("100")
        assert not failures(at_once([lambda: take(*(use(account) for _ in range(5))) for _ in range(8)]))
        assert D(100) - balance_of(account) == D(10) * D("0.10") + D(20) * D("0.05")
        in_order()


TOP_UPS, DEDUCTIONS, CONNECTIONS = 2_000, 8_000, 16


def credit(account, number: int) -> None:
    """A top-up as the payments room settles one: the lock of the account's money, then the balance."""
    with transaction.atomic():
        lock_billing(account.pk)
        post_credit(
            lock_balance(account.pk), D("0.40"), source=f"credit:{number}", kind=LedgerEntry.Kind.TOP_UP,
            against=[Side(LedgerAccount.GATEWAY_CLEARING, D("0.40"))], on=NOW.date(), now=NOW,
        )  # fmt: skip


def storm(accounts, seed: int, *, top_ups: int, deductions: int, connections: int):
    """So many top-ups and deductions in a random order over so many connections; what each came to."""
    draw = random.Random(seed)
    works: list = [("credit", draw.choice(accounts), n) for n in range(top_ups)]
    left = deductions
    while left:
        size = min(left, draw.choice((1, 2, 5, 10, 25)))
        works.append(("uses", [(draw.choice(accounts), f"{seed}-{left - n}") for n in range(size)], size))
        left -= size
    draw.shuffle(works)

    def one(share):
        def run():
            counts: dict[str, int] = {}
            for kind, what, number in share:
                if kind == "credit":
                    credit(what, number)
                else:
                    for answer in take(*(use(account, key=key) for account, key in what)).answers:
                        counts[answer.outcome] = counts.get(answer.outcome, 0) + 1
            return counts

        return run

    return at_once([one(works[n::connections]) for n in range(connections)])


class TestTopUpsAndDeductions:
    """P5, P9."""

    @pytest.mark.slow
    def test_ten_thousand_on_ten_accounts_over_sixteen_connections(self):
        seed = random.randrange(10**6)
        print(f"seed {seed}")  # noqa: T201
        per_use()
        accounts = [prepaid() for _ in range(10)]
        for account in accounts:
            give(account, "1")
        results = storm(accounts, seed, top_ups=TOP_UPS, deductions=DEDUCTIONS, connections=CONNECTIONS)
        assert not failures(results)
        counts = {name: sum(one.get(name, 0) for one in results) for name in ("accepted", "refused", "duplicate")}
        assert counts["accepted"] + counts["refused"] == DEDUCTIONS
        assert counts["accepted"] > TOP_UPS
        assert sum((balance_of(account) for account in accounts), D(0)) == (
            D(10) + TOP_UPS * D("0.40") - counts["accepted"] * D("0.10")
        )
        in_order()

    def test_a_small_storm(self):
        per_use()
        accounts = [prepaid("1") for _ in range(4)]
        results = storm(accounts, 7, top_ups=60, deductions=300, connections=6)
        assert not failures(results)
        in_order()

    def test_without_an_order_of_the_locks_deadlock(self, monkeypatch):
        """The negative control: each takes the accounts in the order in which they are named."""
        unordered = usage_payers.LOCK.replace("ORDER BY account_id", "ORDER BY random()")
        monkeypatch.setattr(usage_payers, "LOCK", unordered)
        seen = self.deadlocks(lambda accounts: take(*(use(account) for account in accounts)))
        assert seen

    def test_with_it_do_not(self):
        assert not self.deadlocks(lambda accounts: take(*(use(account) for account in accounts)))

    def deadlocks(self, work) -> list[Exception]:
        per_use()
        accounts = [prepaid("1000") for _ in range(6)]
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('deadlock_timeout', '100ms', false)")

        def many_times():
            with connection.cursor() as cursor:
                cursor.execute("SET deadlock_timeout = '100ms'")
            for _ in range(25):
                work(accounts)

        found = failures(at_once([many_times] * 6))
        assert all(isinstance(error, OperationalError) and "deadlock" in str(error) for error in found), found
        return found

    def test_would_lose_deductions_without_the_lock(self, monkeypatch):
        """The negative control of the sum: a balance read without a lock and written back loses what came between."""
        per_use()
        account = prepaid("100")
        monkeypatch.setattr(
            balances, "_locked",
            lambda ids: {row.account_id: row for row in PrepaidBalance.objects.filter(account_id__in=list(ids))},
        )  # fmt: skip
        read = threading.Barrier(4)

        def read_together(number: int):
            with transaction.atomic():
                balance = lock_balance(account.pk)
                read.wait(20)
                post_credit(
                    balance, D(1), source=f"lost:{number}", kind=LedgerEntry.Kind.TOP_UP,
                    against=[Side(LedgerAccount.GATEWAY_CLEARING, D(1))], on=NOW.date(), now=NOW,
                )  # fmt: skip

        assert not failures(at_once([lambda n=n: read_together(n) for n in range(4)]))
        assert balance_of(account) == 101
        assert posted_balance(account) == 104

    def test_beside_a_billing_lock_do_not_wait(self):
        """Uses go on while a run or a payment holds the lock of the account's money."""
        per_use()
        account = prepaid("10")
        with transaction.atomic():
            lock_billing(account.pk)
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '5s'")
            (taken,) = at_once([lambda: take(use(account), now=NOW + timedelta(minutes=1))])
            assert taken.answers[0].outcome == "accepted"
