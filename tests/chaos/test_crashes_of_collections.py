"""P3, P8: a crash at any statement of the jobs of collections is made good by running them again, and by that alone."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache

from accounts.actors import schedule
from accounts.models import Account, AuditEntry
from invoicing.collections.following import follow_up
from invoicing.collections.handing_over import hand_off
from invoicing.collections.models import Placement, PlacementRecord, PlatformNotice, Reminder, Suspension
from invoicing.collections.recovering import RemittanceRefused, book_remittance
from invoicing.collections.reminders import remind
from invoicing.collections.suspension import suspend
from invoicing.documents.models import Delivery, Document, Letter
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.runs.books import differences_in_books
from tests.chaos.crashing import Crashed, statements
from tests.invoicing.collections.factories import MIA, at, invoice, open_of, pay
from tests.invoicing.collections.test_placements import RIPE, handed
from tests.invoicing.collections.test_suspension import DAY, WARN
from tests.invoicing.factories import terms

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
D = Decimal
# An invoice may have the number of a letter.
KINDS = ("RECEIPT", "REMINDER", "NOTICE", "STATEMENT")


@pytest.fixture(autouse=True)
def _documents(settings, tmp_path):
    settings.DOCUMENTS_ROOT = tmp_path
    cache.clear()


def left_of(account: Account) -> dict[str, list[Any]]:
    """All that a job has made of one account, in values that are the same for each account."""
    mine = {"account": account}
    letters = list(Letter.objects.filter(**mine).values_list("pk", flat=True))
    return {
        "reminders": list(Reminder.objects.filter(**mine).order_by("days").values_list("days", "on", "amount")),
        "letters": list(Letter.objects.filter(**mine).order_by("pk").values_list("kind", "on", "details__subject")),
        "documents": [Document.objects.filter(**mine, kind__in=KINDS, subject_id__in=letters).count()],
        "mails": [Delivery.objects.filter(**mine, document__kind__in=KINDS, document__subject_id__in=letters).count()],
        "suspensions": list(Suspension.objects.filter(**mine).values_list("reason", "state", "effective_on")),
        "told": list(PlatformNotice.objects.filter(**mine).order_by("pk").values_list("event", "state")),
        "placements": list(Placement.objects.filter(**mine).values_list("state", "amount", "batch__rows")),
        "records": list(
            PlacementRecord.objects.filter(placement__account=account).order_by("pk").values_list("kind", "amount")
        ),
        "postings": sorted(
            Posting.objects.filter(**mine).values_list("entry__kind", "ledger_account", "category", "amount")
        ),
        "entries": [LedgerEntry.objects.filter(**mine).count()],
        "trail": sorted(AuditEntry.objects.filter(**mine).values_list("action", flat=True)),
    }


def crash_at_each(monkeypatch, prepare: Callable[[], Any], job: Callable[[Any], Any]) -> None:
    """Die at each statement of the job in turn, run it again, and compare with an account for which nothing failed."""
    given = prepare()
    with statements(monkeypatch) as whole:
        job(given)
    expected = left_of(account_of(given))
    assert whole.count > 8
    for at_statement in range(1, whole.count + 1):
        given = prepare()
        with pytest.raises(Crashed), statements(monkeypatch, die_at=at_statement):
            job(given)
        assert list(differences_in_books()) == []
        job(given)
        found = left_of(account_of(given))
        assert found == expected, f"crashed at statement {at_statement}: {whole.seen[at_statement - 1][:200]}"


def account_of(given) -> Account:
    return given.account


class TestACrashAtEachStatement:
    """P3."""

    def test_of_the_reminders(self, monkeypatch):
        crash_at_each(monkeypatch, invoice, lambda _: remind(on=date(2026, 3, 8), now=at(DAY)))

    def test_of_a_warning(self, monkeypatch):
        crash_at_each(monkeypatch, invoice, lambda _: suspend(on=WARN, now=at(WARN), actor=schedule()))

    def test_of_a_suspension(self, monkeypatch):
        def warned():
            made = invoice()
            suspend(on=WARN, now=at(WARN), actor=schedule())
            return made

        crash_at_each(monkeypatch, warned, lambda _: suspend(on=DAY, now=at(DAY), actor=schedule()))

    def test_of_a_hand_over_by_itself(self, monkeypatch):
        terms("hosted-direct", collections_approval="AUTOMATIC")
        crash_at_each(monkeypatch, invoice, lambda _: hand_off(on=RIPE, now=at(RIPE), actor=schedule()))

    def test_of_what_comes_afterwards(self, monkeypatch):
        def paid():
            made, _ = handed()
            pay(made, "40", on=RIPE)
            return made

        crash_at_each(monkeypatch, paid, lambda _: follow_up(on=RIPE, now=at(RIPE), actor=schedule()))

    def test_of_a_remittance_books_it_once(self, monkeypatch):
        def booked(placement):
            try:
                book_remittance(
                    placement=placement, collected=D(60), commission=D(15), reference="R-1", on=RIPE, actor=MIA,
                    now=at(RIPE),
                )  # fmt: skip
            except RemittanceRefused:
                """It was booked, and the crash came after it."""

        crash_at_each(monkeypatch, lambda: handed()[1], booked)


class TestWithoutItsGuard:
    """The negative controls: with the index taken away and the lock passed over, the fault is seen."""

    def test_an_account_is_reminded_twice(self, monkeypatch, take_away):
        made = invoice()
        take_away("reminded_once_a_stage", "letter_written_once")
        monkeypatch.setattr("invoicing.collections.reminders._reached", lambda _: {})
        monkeypatch.setattr("invoicing.collections.reminders._written", lambda *_, **__: set())
        remind(on=date(2026, 3, 8), now=at(DAY))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("invoicing.collections.reminders._key", lambda *_: "reminder:again")
            remind(on=date(2026, 3, 8), now=at(DAY))
        assert Reminder.objects.filter(invoice=made).count() == 2

    def test_with_the_index_alone_an_account_is_not(self, monkeypatch):
        """The checks before it taken away, the database still refuses the second."""
        made = invoice()
        monkeypatch.setattr("invoicing.collections.reminders._reached", lambda _: {})
        monkeypatch.setattr("invoicing.collections.reminders._written", lambda *_, **__: set())
        monkeypatch.setattr("invoicing.collections.sweeping.logger.exception", lambda *_: None)
        remind(on=date(2026, 3, 8), now=at(DAY))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("invoicing.collections.reminders._key", lambda *_: "reminder:again")
            swept = remind(on=date(2026, 3, 8), now=at(DAY))
        assert len(swept.failed) == 1
        assert Reminder.objects.filter(invoice=made).count() == Letter.objects.count() == 1

    def test_an_account_is_placed_twice(self, monkeypatch, take_away):
        made, _ = handed()
        take_away("one_open_placement")
        monkeypatch.setattr("invoicing.collections.queries.with_agency", lambda _: set())
        invoice(made.account, "5")
        hand_off(on=RIPE, now=at(RIPE), actor=schedule())
        assert Placement.objects.filter(account=made.account, state__in=["PROPOSED", "PLACED"]).count() == 2
        assert any("more than one open placement" in sentence for sentence in differences_in_books())

    def test_with_the_index_alone_it_is_not(self, monkeypatch):
        made, _ = handed()
        monkeypatch.setattr("invoicing.collections.queries.with_agency", lambda _: set())
        monkeypatch.setattr("invoicing.collections.sweeping.logger.exception", lambda *_: None)
        invoice(made.account, "5")
        assert len(hand_off(on=RIPE, now=at(RIPE), actor=schedule()).failed) == 1
        assert open_of(made) == (D(0), D(100))
        assert Placement.objects.filter(account=made.account).count() == 1
