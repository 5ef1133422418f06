"""SUSP-1: warned the day before, suspended with its reason, and lifted by what it was for and by nothing else."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from accounts.actors import NotPermitted, schedule
from accounts.models import AuditEntry
from accounts.refusals import BadValue
from invoicing.collections import suspension
from invoicing.collections.holds import place_hold, promise_to_pay
from invoicing.collections.models import PlatformEndpoint, PlatformNotice, Suspension
from invoicing.collections.restoring import SuspensionRefused, restore_account, restore_paid, suspend_account
from invoicing.collections.suspension import suspend
from invoicing.documents.models import Letter
from invoicing.ledger.operations import Side, post
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from tests.chaos.at_once import at_once, failures
from tests.invoicing.collections.factories import MIA, NOBODY, NOW, at, invoice, pay, pending, statements
from tests.invoicing.factories import customer, partner_with_clients, terms

WARN, DAY = date(2026, 3, 15), date(2026, 3, 16)
FIRST = date(2026, 4, 1)


def swept(on=DAY, **options):
    return suspend(on=on, now=at(on), actor=schedule(), **options)


def suspended_for_not_paying(account=None):
    made = invoice(account)
    swept(WARN)
    swept(DAY)
    assert Suspension.objects.get(account=made.account, reason="NON_PAYMENT").state == "ACTIVE"
    return made


def state_of(account, reason="NON_PAYMENT") -> str:
    return Suspension.objects.filter(account=account, reason=reason).latest("pk").state


def keys() -> list[str]:
    return sorted(Letter.objects.filter(kind="NOTICE").values_list("key", flat=True))


def told() -> list[tuple[int, str]]:
    return list(PlatformNotice.objects.order_by("pk").values_list("account_id", "event"))


@pytest.mark.django_db
class TestNonPayment:
    """SUSP-1."""

    def test_is_warned_of_the_day_before_and_suspended_on_its_day(self):
        made = invoice()
        swept(WARN - timedelta(days=1))
        assert not Suspension.objects.exists()
        swept(WARN)
        one = Suspension.objects.get()
        assert (one.state, one.effective_on, one.clause) == ("WARNED", DAY, "SUSP-1")
        assert told() == []
        swept(DAY)
        one.refresh_from_db()
        assert (one.state, one.suspended_at) == ("ACTIVE", at(DAY))
        assert keys() == [f"suspended:{one.pk}", f"suspension-warning:{one.pk}"]
        assert told() == [(made.account_id, "SUSPEND")]

    def test_changes_nothing_when_it_runs_again(self):
        suspended_for_not_paying()
        for _ in range(10):
            swept(DAY)
        assert (Suspension.objects.count(), len(keys()), len(told())) == (1, 2, 1)

    def test_gives_the_last_warning_its_day_where_the_clock_was_down(self):
        late = date(2026, 5, 10)
        made = invoice()
        swept(late)
        assert state_of(made.account) == "WARNED"
        swept(late)
        assert state_of(made.account) == "WARNED"
        swept(late + timedelta(days=1))
        assert state_of(made.account) == "ACTIVE"

    def test_is_not_for_an_invoice_of_which_no_warning_spoke(self):
        """What the warning listed is paid: the invoice after it gets a warning of its own, and its day."""
        first = invoice()
        second = invoice(first.account, due_on=date(2026, 3, 2))
        swept(WARN)
        pay(first, on=DAY)
        swept(DAY)
        assert list(Suspension.objects.order_by("pk").values_list("state", "effective_on", "warned_of")) == [
            ("LIFTED", DAY, [first.pk]), ("WARNED", date(2026, 3, 17), [second.pk]),
        ]  # fmt: skip
        listed = [[row[0] for row in one.details["table"]["rows"]] for one in Letter.objects.order_by("pk")]
        assert listed == [[first.number], [second.number]]
        swept(date(2026, 3, 17))
        assert state_of(first.account) == "ACTIVE"

    def test_sweep_for_a_past_day_is_one_for_today(self):
        """As of a day that is past nothing was overdue: it would restore whoever has not paid."""
        made = suspended_for_not_paying()
        suspend(on=WARN - timedelta(days=9), now=at(DAY), actor=schedule())
        assert state_of(made.account) == "ACTIVE"
        late = invoice()
        suspend(on=WARN, now=at(date(2026, 6, 1)), actor=schedule())
        assert Suspension.objects.get(account=late.account).effective_on == date(2026, 6, 2)

    def test_withdraws_the_warning_of_who_pays_in_time(self):
        made = invoice()
        swept(WARN)
        pay(made, on=WARN)
        swept(DAY)
        assert state_of(made.account) == "LIFTED"
        assert told() == []

    def test_lists_what_is_open_and_not_the_total(self):
        """Lago duns for full totals."""
        made = invoice(amount="100")
        pay(made, "60", on=date(2026, 3, 2))
        swept(WARN)
        assert Letter.objects.get().details["table"]["totals"] == [["Total", "", "", "", "USD 40.00"]]

    @pytest.mark.parametrize("kind", ["DISPUTE", "PROMISE", "EXEMPTION", "OTHER"])
    def test_leaves_alone_what_is_held(self, kind):
        made = invoice()
        place_hold(account=made.account, kind=kind, why="Asked.", actor=MIA, now=NOW, today=WARN, until_on=DAY)
        swept(WARN)
        swept(DAY)
        assert not Suspension.objects.exists()

    def test_leaves_alone_what_is_being_paid(self):
        pending(invoice())
        swept(WARN)
        assert not Suspension.objects.exists()

    def test_suspends_nobody_where_the_terms_say_so(self):
        terms("hosted-direct", suspend_after_days=None)
        invoice()
        swept(DAY)
        assert not Suspension.objects.exists()

    def test_is_lifted_by_payment_and_the_platform_is_told(self):
        made = suspended_for_not_paying()
        pay(made, on=DAY)
        swept(DAY)
        one = Suspension.objects.get()
        assert (one.state, one.lifted_because) == ("LIFTED", "What was overdue is paid.")
        assert told() == [(made.account_id, "SUSPEND"), (made.account_id, "RESTORE")]
        assert f"restored:{one.pk}" in keys()

    def test_is_not_lifted_by_part_of_the_payment(self):
        """Invoice Ninja: any partial credit marked the invoice paid."""
        made = suspended_for_not_paying()
        pay(made, "99.99", on=DAY)
        swept(DAY)
        assert state_of(made.account) == "ACTIVE"

    def test_is_not_lifted_by_a_payment_under_way(self):
        made = suspended_for_not_paying()
        pending(made)
        swept(DAY)
        assert state_of(made.account) == "ACTIVE"

    def test_is_lifted_by_a_promise_and_warned_of_anew_when_it_is_broken(self):
        made = suspended_for_not_paying()
        promise_to_pay(account=made.account, until_on=DAY, why="Today.", actor=MIA, now=NOW, today=DAY)
        swept(DAY)
        assert state_of(made.account) == "LIFTED"
        swept(DAY + timedelta(days=1))
        assert state_of(made.account) == "WARNED"

    def test_is_not_lifted_by_a_write_off(self):
        made = suspended_for_not_paying()
        post(
            account_id=made.account_id, source="write-off:1", kind="WRITE_OFF", currency="USD", on=DAY, now=at(DAY),
            sides=[Side("BAD_DEBT", Decimal(100)), Side("RECEIVABLE", Decimal(-100), invoice_id=made.pk)],
        )  # fmt: skip
        swept(DAY)
        assert state_of(made.account) == "ACTIVE"

    def test_leaves_a_trail(self):
        suspended_for_not_paying()
        actions = AuditEntry.objects.filter(subject__startswith="suspension").order_by("pk")
        assert list(actions.values_list("action", "who")) == [
            ("warn of suspension", "schedule"), ("suspend", "schedule"),
        ]  # fmt: skip

    def test_writes_nothing_in_a_dry_run(self):
        invoice()
        assert swept(WARN, dry_run=True).done["warned"] == 1
        assert not Suspension.objects.exists()

    def test_takes_a_constant_number_of_statements_a_page(self):
        invoice()
        with statements() as few:
            swept(WARN)
        for _ in range(7):
            invoice()
        with statements() as many:
            swept(WARN)
        assert len(many) == len(few)

    def test_leaves_out_one_that_fails_and_does_the_others(self, monkeypatch):
        broken, sound = invoice(), invoice()
        plain = suspension.warning_text

        def poisoned(who, *rest, **named):
            if who.account.pk == broken.account_id:
                raise ValueError("no such address")
            return plain(who, *rest, **named)

        monkeypatch.setattr(suspension, "warning_text", poisoned)
        monkeypatch.setattr("invoicing.collections.sweeping.logger.exception", lambda *_: None)
        assert len(swept(WARN).failed) == 1
        assert list(Suspension.objects.values_list("account_id", flat=True)) == [sound.account_id]


@pytest.mark.django_db
class TestRestorePaid:
    """SUSP-1: at once, with the payment."""

    def test_lifts_what_the_payment_has_paid(self):
        made = suspended_for_not_paying()
        payment = pay(made, on=DAY)
        restore_paid(payment, now=at(DAY))
        restore_paid(payment, now=at(DAY))
        assert state_of(made.account) == "LIFTED"
        assert told() == [(made.account_id, "SUSPEND"), (made.account_id, "RESTORE")]

    def test_does_nothing_for_one_that_failed(self):
        made = suspended_for_not_paying()
        restore_paid(pending(made, state="FAILED"), now=at(DAY))
        assert state_of(made.account) == "ACTIVE"

    def test_does_nothing_while_something_is_open(self):
        account = customer()
        invoice(account)
        made = suspended_for_not_paying(account)
        restore_paid(pay(made, on=DAY), now=at(DAY))
        assert state_of(made.account) == "ACTIVE"

    def test_lifts_only_what_non_payment_caused(self):
        made = suspended_for_not_paying()
        suspend_account(account=made.account, why="Fraud", actor=MIA, now=at(DAY))
        restore_paid(pay(made, on=DAY), now=at(DAY))
        swept(DAY)
        assert (state_of(made.account), state_of(made.account, "OTHER")) == ("LIFTED", "ACTIVE")
        assert "RESTORE" not in [event for _, event in told()]
        assert "stays suspended" in Letter.objects.latest("pk").details["paragraphs"][1]


def awaiting(account=None, amount="50", since=FIRST):
    account = account or customer("prepaid")
    PrepaidBalance.objects.create(
        account=account, currency="USD", awaiting=Decimal(amount), awaiting_since_on=since if amount != "0" else None
    )
    return account


def top_up(account, state):
    method = PaymentMethod.objects.create(
        account=account, kind="ACH", gateway="demo", token=f"t{account.pk}", customer_token="c", last_four="4242",
        added_at=NOW,
    )  # fmt: skip
    payment = Payment.objects.create(
        account=account, method=method, kind="ACH", gateway="demo", currency="USD", amount=50, key=f"k{account.pk}",
        made_by="schedule", on=FIRST, created_at=NOW, purpose="TOP_UP",
    )  # fmt: skip
    return TopUp.objects.create(
        account=account, payment=payment, automatic=True, on=FIRST, number=1, currency="USD", amount=50, state=state,
        made_by="schedule", made_at=NOW,
    )  # fmt: skip


@pytest.mark.django_db
class TestWantOfCredit:
    """PRE-4."""

    def test_suspends_at_once_who_has_no_top_up(self):
        account = awaiting()
        swept(FIRST)
        assert state_of(account, "WANT_OF_CREDIT") == "ACTIVE"
        assert told() == [(account.pk, "SUSPEND")]

    def test_waits_for_the_top_up_that_is_agreed(self):
        account = awaiting()
        TopUpAgreement.objects.create(account=account, threshold=10, amount=50)
        swept(FIRST)
        assert not Suspension.objects.exists()

    def test_waits_no_longer_than_the_day(self):
        account = awaiting()
        TopUpAgreement.objects.create(account=account, threshold=10, amount=50)
        swept(FIRST + timedelta(days=1))
        assert state_of(account, "WANT_OF_CREDIT") == "ACTIVE"

    @pytest.mark.parametrize(("state", "is_suspended"), [("INTENDED", False), ("CHARGED", False), ("FAILED", True)])
    def test_waits_for_a_top_up_under_way(self, state, is_suspended):
        account = awaiting()
        TopUpAgreement.objects.create(account=account, threshold=10, amount=50)
        top_up(account, state)
        swept(FIRST + timedelta(days=5 if not is_suspended else 0))
        assert Suspension.objects.filter(account=account, state="ACTIVE").exists() is is_suspended

    def test_does_not_take_an_agreement_that_is_off_for_one_that_is_on(self):
        """Kazoo: a boolean read the other way round."""
        account = awaiting()
        TopUpAgreement.objects.create(account=account, threshold=10, amount=50, is_on=False)
        swept(FIRST)
        assert state_of(account, "WANT_OF_CREDIT") == "ACTIVE"

    def test_leaves_alone_who_has_enough(self):
        awaiting(amount="0")
        swept(FIRST)
        assert not Suspension.objects.exists()

    def test_is_lifted_by_credit(self):
        account = awaiting()
        swept(FIRST)
        PrepaidBalance.objects.filter(account=account).update(awaiting=0)
        swept(FIRST)
        assert state_of(account, "WANT_OF_CREDIT") == "LIFTED"

    def test_is_not_lifted_by_paying_an_invoice(self):
        account = awaiting()
        made = invoice(account)
        swept(FIRST)
        restore_paid(pay(made), now=at(FIRST))
        swept(FIRST)
        assert state_of(account, "WANT_OF_CREDIT") == "ACTIVE"


@pytest.mark.django_db
class TestSuspendAccount:
    def test_is_told_and_on_record(self):
        account = customer()
        made = suspend_account(account=account, why="Fraud", actor=MIA, now=NOW)
        assert (made.state, made.reason, made.made_by) == ("ACTIVE", "OTHER", "Mia Manager")
        assert told() == [(account.pk, "SUSPEND")]

    def test_needs_the_right(self):
        with pytest.raises(NotPermitted):
            suspend_account(account=customer(), why="Fraud", actor=NOBODY, now=NOW)

    def test_needs_a_reason(self):
        with pytest.raises(BadValue):
            suspend_account(account=customer(), why=" ", actor=MIA, now=NOW)

    def test_twice_is_refused(self):
        account = customer()
        suspend_account(account=account, why="Fraud", actor=MIA, now=NOW)
        with pytest.raises(SuspensionRefused, match="suspended already: Fraud"):
            suspend_account(account=account, why="Again", actor=MIA, now=NOW)

    def test_of_a_partners_client_is_refused(self):
        _, clients = partner_with_clients()
        with pytest.raises(SuspensionRefused, match="suspend the partner"):
            suspend_account(account=clients[0], why="Fraud", actor=MIA, now=NOW)

    def test_is_lifted_by_staff_alone(self):
        account = customer()
        made = suspend_account(account=account, why="Fraud", actor=MIA, now=NOW)
        swept(DAY)
        assert state_of(account, "OTHER") == "ACTIVE"
        restore_account(suspension=made, why="A mistake.", actor=MIA, now=NOW)
        assert told() == [(account.pk, "SUSPEND"), (account.pk, "RESTORE")]

    def test_is_lifted_once(self):
        made = suspend_account(account=customer(), why="Fraud", actor=MIA, now=NOW)
        restore_account(suspension=made, why="A mistake.", actor=MIA, now=NOW)
        with pytest.raises(SuspensionRefused, match="lifted already"):
            restore_account(suspension=made, why="A mistake.", actor=MIA, now=NOW)

    def test_is_lifted_with_the_right_only(self):
        made = suspend_account(account=customer(), why="Fraud", actor=MIA, now=NOW)
        with pytest.raises(NotPermitted):
            restore_account(suspension=made, why="A mistake.", actor=NOBODY, now=NOW)

    def test_is_for_each_endpoint_that_is_on_and_waits_for_one_that_is_off(self):
        on = PlatformEndpoint.objects.create(name="on", url="https://platform.example/", secret="s")
        off = PlatformEndpoint.objects.create(name="off", url="https://platform.example/", secret="s", is_on=False)
        suspend_account(account=customer(), why="Fraud", actor=MIA, now=NOW)
        assert list(PlatformNotice.objects.order_by("pk").values_list("endpoint", flat=True)) == [on.pk, off.pk]


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_eight_sweeps_suspend_once(self):
        made = invoice()
        swept(WARN)
        results = at_once([swept] * 8)
        assert failures(results) == []
        assert told() == [(made.account_id, "SUSPEND")]
        assert len(keys()) == 2
