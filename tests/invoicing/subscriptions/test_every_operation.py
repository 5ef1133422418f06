"""What holds for each change of what accounts hold: it is on record, it is asked for, and nobody else may ask."""

from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, Role, command_line
from accounts.decisions import Refused
from accounts.models import AuditEntry, Decision
from invoicing.subscriptions import operations
from invoicing.subscriptions.models import (
    BillingDayChange,
    BillingProfile,
    Inactivity,
    OneOffCharge,
    PlanChange,
    QuantityChange,
    Subscription,
)
from invoicing.subscriptions.operations import record_inactivity
from tests.invoicing import factories as made

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
TODAY = date(2026, 3, 10)

# One call of every operation: its clause, its audit action, who may ask in the portal, and its arguments.
CHANGES = {
    "start_subscription": (
        "AUTH-7", "subscription.start", Role.ADMINISTRATOR,
        lambda book: {"account": book.account, "plan": book.licensed, "quantity": Decimal(2), "started_on": TODAY},
    ),
    "end_subscription": (
        "AUTH-7", "subscription.end", Role.ADMINISTRATOR,
        lambda book: {"subscription": book.licence, "ended_on": date(2026, 3, 20)},
    ),
    "change_quantity": (
        "AUTH-7", "subscription.quantity", Role.ADMINISTRATOR,
        lambda book: {"subscription": book.licence, "quantity": Decimal(5), "from_on": date(2026, 3, 20)},
    ),
    "change_plan": (
        "AUTH-6", "subscription.plan", Role.PRIMARY,
        lambda book: {"subscription": book.seat, "plan": book.better, "on": TODAY},
    ),
    "request_charge": (
        "AUTH-6", "charge.request", Role.BILLING,
        lambda book: {
            "account": book.account, "plan": book.work, "description": "Migration", "quantity": Decimal(2),
            "unit_price": None, "on": TODAY,
        },
    ),
    "authorize_charge": (
        "AUTH-6", "charge.authorize", Role.PRIMARY_BILLING, lambda book: {"charge": book.waiting}
    ),
    "withdraw_charge": (
        "AUTH-6", "charge.withdraw", Role.BILLING, lambda book: {"charge": book.waiting}
    ),
    "change_billing_day": (
        "BILL-5", "billing_day.change", Role.BILLING,
        lambda book: {"account": book.account, "day": 20, "today": TODAY},
    ),
}  # fmt: skip
# The platform's own report of a fact, the part of the others that tells the run, and what follows of an unpaid order.
ASKED_OF_NOBODY = {"record_inactivity", "look_again", "end_never_started"}


@pytest.fixture
def book(db):
    """A company with a licensed service and a seat, held since the tenth of February, and a charge that waits."""
    account = made.per_seat_company(10)
    licensed = made.plan("licence", "12", licensed=True)
    better = made.plan("seat-better", "90")
    seat = made.subscription(account, made.plan("seat", "70"), date(2026, 2, 10), "3")
    licence = made.subscription(account, licensed, date(2026, 2, 10), "3")
    work = made.plan("work", "150", charge="ONE_OFF")
    waiting = made.one_off_charge(account, work, TODAY, authorized_by="", authorized_at=None)
    return SimpleNamespace(**locals())


def everything() -> list:
    """All that the operations may change, row by row."""
    models = (
        BillingProfile, Subscription, QuantityChange, PlanChange, Inactivity, OneOffCharge, BillingDayChange
    )  # fmt: skip
    return [list(model.objects.order_by("pk").values()) for model in models]


class TestEveryOperation:
    """P11: every change has who, when, channel and why; AUTH: whoever may not ask changes nothing."""

    def test_is_listed_here(self):
        assert set(operations.__all__) == set(CHANGES) | ASKED_OF_NOBODY

    @pytest.mark.parametrize("name", CHANGES)
    def test_leaves_an_audit_entry_that_names_its_decision(self, book, name):
        clause, audited, role, arguments = CHANGES[name]
        asker = made.contact_of(book.account, role)

        getattr(operations, name)(actor=asker, now=NOW, **arguments(book))

        entry, decision = AuditEntry.objects.get(), Decision.objects.get()
        assert (entry.account, entry.action, entry.at) == (book.account, audited, NOW)
        assert (entry.who, entry.channel) == (asker.name, "PORTAL")
        assert entry.why == f"Asked for under {clause}."
        assert entry.detail["decision"] == decision.pk
        assert entry.detail["before"] != entry.detail["after"]
        assert (decision.allowed, decision.clauses) == (True, [clause])

    @pytest.mark.parametrize("name", CHANGES)
    def test_keeps_the_reason_it_was_given(self, book, name):
        _, _, role, arguments = CHANGES[name]
        asker = made.contact_of(book.account, role)

        getattr(operations, name)(actor=asker, now=NOW, why="We grow.", **arguments(book))

        assert AuditEntry.objects.get().why == "We grow."

    @pytest.mark.parametrize("name", sorted(set(CHANGES) - {"request_charge", "withdraw_charge"}))
    def test_tells_the_run_that_the_account_changed(self, book, name):
        _, _, role, arguments = CHANGES[name]
        before = BillingProfile.objects.get(account=book.account).revision

        getattr(operations, name)(actor=made.contact_of(book.account, role), now=NOW, **arguments(book))

        assert BillingProfile.objects.get(account=book.account).revision == before + 1

    @pytest.mark.parametrize("name", CHANGES)
    @pytest.mark.parametrize(
        "by",
        [
            pytest.param(lambda book: command_line(), id="the command line"),
            pytest.param(
                lambda book: Actor(
                    ActorKind.STAFF, "sam", Channel.CONSOLE,
                    permissions=frozenset({"invoicing.change_subscription", "invoicing.add_subscription"}),
                ),
                id="staff in the console (AUTH-7)",
            ),
            pytest.param(lambda book: made.contact_of(book.account, Role.TECHNICAL), id="a Technical Contact"),
            pytest.param(lambda book: made.contact_of(book.account), id="a contact without a role"),
            pytest.param(
                lambda book: made.contact_of(made.customer(), *Role), id="a contact of another account, with every role"
            ),
        ],
    )  # fmt: skip
    def test_is_refused_and_recorded_without_a_change(self, book, name, by):
        clause, _, _, arguments = CHANGES[name]
        asker = by(book)
        before = everything()

        with pytest.raises(Refused) as caught:
            getattr(operations, name)(actor=asker, now=NOW, **arguments(book))

        assert everything() == before
        assert not AuditEntry.objects.exists()
        assert Decision.objects.get() == caught.value.decision
        assert (caught.value.decision.allowed, caught.value.decision.clauses) == (False, [clause])
        assert all(refusal.sentence and refusal.way_out for refusal in caught.value.refusals)

    @pytest.mark.parametrize("name", ["start_subscription", "end_subscription", "change_quantity"])
    @pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.PHONE])
    @pytest.mark.parametrize("recorded_by", ["", "sam"])
    def test_of_a_licensed_service_is_not_taken_by_mail_or_phone(self, book, name, channel, recorded_by):
        """AUTH-7: not even what staff records of the Administrator's mail."""
        asker = made.contact_of(book.account, *Role, channel=channel, recorded_by=recorded_by)
        before = everything()

        with pytest.raises(Refused) as caught:
            getattr(operations, name)(actor=asker, now=NOW, **CHANGES[name][3](book))

        assert everything() == before
        assert caught.value.decision.clauses == ["AUTH-7"]

    @pytest.mark.parametrize("name", sorted(set(CHANGES) - {"request_charge", "withdraw_charge"}))
    def test_is_not_taken_from_a_mail_that_nobody_has_recorded(self, book, name):
        """P12: mail can ask; alone it changes nothing."""
        asker = made.contact_of(book.account, *Role, channel=Channel.EMAIL)
        before = everything()

        with pytest.raises(Refused):
            getattr(operations, name)(actor=asker, now=NOW, **CHANGES[name][3](book))

        assert everything() == before

    @pytest.mark.parametrize("name", ["end_subscription", "change_quantity", "authorize_charge"])
    def test_done_twice_leaves_one_entry(self, book, name):
        _, _, role, arguments = CHANGES[name]
        asker = made.contact_of(book.account, role)

        for _ in range(2):
            getattr(operations, name)(actor=asker, now=NOW, **arguments(book))

        assert AuditEntry.objects.count() == 1


class TestRecordInactivity:
    """SEAT-3: a fact that the platform reports, and staff with a permission."""

    def test_leaves_an_audit_entry(self, book):
        record_inactivity(book.seat, date(2026, 2, 10), actor=command_line(), now=NOW)

        entry = AuditEntry.objects.get()
        assert (entry.action, entry.account, entry.who) == ("seat.inactive", book.account, "command line")
        assert entry.why == "Recorded under SEAT-3."

    @pytest.mark.parametrize(
        "asker",
        [
            pytest.param(
                lambda book: Actor(ActorKind.STAFF, "sam", Channel.CONSOLE), id="staff without the permission"
            ),
            pytest.param(lambda book: made.contact_of(book.account, *Role), id="the customer"),
        ],
    )
    def test_is_not_for(self, book, asker):
        with pytest.raises(NotPermitted):
            record_inactivity(book.seat, date(2026, 2, 10), actor=asker(book), now=NOW)

        assert not Inactivity.objects.exists()
        assert not AuditEntry.objects.exists()

    def test_is_for_staff_with_the_permission(self, book):
        sam = Actor(ActorKind.STAFF, "sam", Channel.CONSOLE, permissions=frozenset({"invoicing.change_subscription"}))

        record_inactivity(book.seat, date(2026, 2, 10), actor=sam, now=NOW, deemed=True)

        assert Inactivity.objects.get().kind == "DEEMED"
