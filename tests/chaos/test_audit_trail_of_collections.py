"""P11 for collections: each operation that somebody can ask for leaves an audit entry, and refused changes nothing."""

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import AuditEntry
from invoicing.collections import (
    batch_files,
    following,
    handing_over,
    holds,
    placing,
    platform,
    proposing,
    recovering,
    reminders,
    restoring,
    reversing,
    suspension,
    telling,
    writing,
)
from invoicing.collections.models import Placement, PlacementRecord, PlatformEndpoint, PlatformNotice
from invoicing.invoices.models import Invoice
from invoicing.payments.models import Payment
from tests.chaos.results import row_hashes
from tests.invoicing.collections.factories import MIA, NOBODY, NOW, at, invoice, money, pay
from tests.invoicing.collections.test_placements import RIPE, daily, handed
from tests.invoicing.collections.test_suspension import WARN
from tests.invoicing.factories import customer

pytestmark = pytest.mark.django_db
MODULES = (
    batch_files, following, handing_over, holds, placing, platform, proposing, recovering, reminders, restoring,
    reversing, suspension, telling, writing,
)  # fmt: skip
# What an operation calls once it has asked for the right: it writes the entry, or its caller does.
STEPS = {"write", "recall_all", "close_all", "audit_all", "recall_held"}


@pytest.fixture(autouse=True)
def _documents(settings, tmp_path):
    settings.DOCUMENTS_ROOT = tmp_path


def a_hold():
    return holds.place_hold(account=customer(), kind="OTHER", why="Called.", actor=MIA, now=NOW, today=RIPE)


def a_notice(state: str) -> PlatformNotice:
    return PlatformNotice.objects.create(
        account=customer(), event="SUSPEND", key="suspend:1", payload={}, state=state, made_at=NOW
    )


def an_endpoint() -> PlatformEndpoint:
    return PlatformEndpoint.objects.create(name="platform", url="https://platform.example/", secret="s")


def a_proposal() -> Placement:
    account = invoice().account
    daily()
    return Placement.objects.get(account=account)


def paid_placement() -> Placement:
    made, one = handed()
    pay(made, on=RIPE)
    return one


def a_remittance() -> PlacementRecord:
    return recovering.book_remittance(
        placement=handed()[1], collected=Decimal(60), commission=Decimal(15), reference="R-1", on=RIPE, actor=MIA,
        now=at(RIPE),
    )  # fmt: skip


def a_written_off_invoice() -> tuple[Invoice, Payment]:
    made = invoice()
    recovering.write_off(invoice=made, actor=MIA, **WHY)
    return made, money(made.account, "100", on=RIPE)


ON: dict[str, Any] = {"on": RIPE, "now": at(RIPE)}
WHY: dict[str, Any] = {"why": "Asked.", "now": NOW}
UNTIL: dict[str, Any] = {"why": "Asked.", "now": NOW, "today": RIPE, "until_on": RIPE}
# Each operation by its name: what has to be there before, and the call itself.
CALLS: dict[str, tuple[Callable, Callable]] = {
    "place_hold": (customer, lambda one, actor: holds.place_hold(account=one, kind="DISPUTE", actor=actor, **UNTIL)),
    "promise_to_pay": (customer, lambda one, actor: holds.promise_to_pay(account=one, actor=actor, **UNTIL)),
    "exempt_account": (customer, lambda one, actor: holds.exempt_account(account=one, actor=actor, **UNTIL)),
    "lift_hold": (a_hold, lambda one, actor: holds.lift_hold(hold=one, actor=actor, **WHY)),
    "add_endpoint": (
        lambda: None,
        lambda _, actor: platform.add_endpoint(name="x", url="https://platform.example/", actor=actor, now=NOW),
    ),
    "change_endpoint": (
        an_endpoint, lambda one, actor: platform.change_endpoint(endpoint=one, is_on=False, actor=actor, now=NOW),
    ),
    "renew_secret": (an_endpoint, lambda one, actor: platform.renew_secret(endpoint=one, actor=actor, now=NOW)),
    "retry_notice": (
        lambda: a_notice("PARKED"), lambda one, actor: platform.retry_notice(notice=one, actor=actor, **WHY),
    ),
    "told_by_hand": (
        lambda: a_notice("PENDING"), lambda one, actor: platform.told_by_hand(notice=one, actor=actor, **WHY),
    ),
    "suspend": (invoice, lambda _, actor: suspension.suspend(on=WARN, now=NOW, actor=actor)),
    "suspend_account": (customer, lambda one, actor: restoring.suspend_account(account=one, actor=actor, **WHY)),
    "restore_account": (
        lambda: restoring.suspend_account(account=customer(), actor=MIA, **WHY),
        lambda one, actor: restoring.restore_account(suspension=one, actor=actor, **WHY),
    ),
    "propose": (invoice, lambda _, actor: proposing.propose(actor=actor, **ON)),
    "hand_off": (invoice, lambda _, actor: handing_over.hand_off(actor=actor, **ON)),
    "approve_placements": (a_proposal, lambda _, actor: placing.approve_placements(actor=actor, **ON)),
    "decline_placement": (
        a_proposal, lambda one, actor: placing.decline_placement(placement=one, actor=actor, **UNTIL),
    ),
    "follow_up": (paid_placement, lambda _, actor: following.follow_up(actor=actor, **ON)),
    "recall_placement": (
        lambda: handed()[1], lambda one, actor: following.recall_placement(placement=one, actor=actor, **WHY),
    ),
    "book_remittance": (
        lambda: handed()[1],
        lambda one, actor: recovering.book_remittance(
            placement=one, collected=Decimal(60), commission=Decimal(15), reference="R-1", on=RIPE, actor=actor,
            now=NOW,
        ),
    ),
    "reverse_remittance": (
        a_remittance, lambda one, actor: reversing.reverse_remittance(remittance=one, actor=actor, **WHY),
    ),
    "recover_debt": (
        a_written_off_invoice,
        lambda one, actor: reversing.recover_debt(invoice=one[0], payment=one[1], actor=actor, **WHY),
    ),
    "write_off": (invoice, lambda one, actor: recovering.write_off(invoice=one, actor=actor, **WHY)),
}  # fmt: skip


class TestEachOperation:
    """P11."""

    def test_is_listed_here(self):
        """A new public function that takes an actor fails this until it has its own line above."""
        found = {
            name
            for module in MODULES
            for name, function in inspect.getmembers(module, inspect.isfunction)
            if not name.startswith("_")
            and function.__module__ == module.__name__
            and "actor" in inspect.signature(function).parameters
        }
        assert found - STEPS == set(CALLS)

    @pytest.mark.parametrize("name", CALLS)
    def test_leaves_an_audit_entry_with_who_when_and_channel(self, name):
        prepare, call = CALLS[name]
        given = prepare()
        last = AuditEntry.objects.order_by("pk").values_list("pk", flat=True).last() or 0

        call(given, MIA)

        left = AuditEntry.objects.filter(pk__gt=last)
        assert left, "nothing is on record"
        for entry in left:
            assert (entry.who, entry.channel) == ("Mia Manager", "CONSOLE")
            assert entry.at in (NOW, at(RIPE))
            assert entry.action
            assert entry.subject

    @pytest.mark.parametrize("name", CALLS)
    def test_refused_changes_nothing(self, name):
        prepare, call = CALLS[name]
        given = prepare()
        before = row_hashes()

        with pytest.raises(Exception, match="Nora Nobody may not do this: it needs the permission"):
            call(given, NOBODY)

        assert row_hashes() == before
