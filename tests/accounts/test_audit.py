"""P11: the audit entry of a change."""

from accounts.actors import Actor, ActorKind, Channel
from accounts.audit import record_change
from tests.accounts.factories import NOW


class TestRecordChange:
    def test_keeps_who_recorded_it_however_long_the_name(self, db):
        caller = Actor(ActorKind.CONTACT, "x" * 300, Channel.EMAIL, recorded_by="sam")

        entry = record_change("account.change", subject="account", actor=caller, now=NOW)

        assert entry.who == "x" * 182 + " (recorded by sam)"
