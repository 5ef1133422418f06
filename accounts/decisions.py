"""
The authority's answers, on record: allowed or refused, in the words that were shown.

A refused operation rolls back and the record of the refusal must not go with it, so a decision is written in a
transaction of its own. `decide` therefore raises RuntimeError when its caller has a transaction open (tests that run
inside one are excepted): call operations from outside `transaction.atomic`, and in the admin from an action or a view
of one's own, not from `save_model`, which Django wraps in a transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.authority import Action, clause_of, refusals
from accounts.models import Account, Decision
from accounts.queries import as_held_in
from accounts.refusals import Refusal, in_words


class Refused(Exception):
    """The request was refused, and the refusal is on record."""

    def __init__(self, decision: Decision, refusals: Sequence[Refusal]) -> None:
        self.decision = decision
        self.refusals = tuple(refusals)
        super().__init__(in_words(self.refusals))


class StandsInTheWay(Exception):
    """Raised by an operation inside `asking`, which puts it on record as a refusal."""

    def __init__(self, *refusals: Refusal) -> None:
        self.refusals = refusals
        super().__init__(in_words(refusals))


def decide(action: Action, account: Account | None, *, actor: Actor, now: datetime) -> Decision:
    """Ask the authority, with the roles that the actor holds at this moment, and record its answer."""
    return _record(action, account, actor, now, refusals(as_held_in(actor, account), action))


def refusals_of(decision: Decision) -> tuple[Refusal, ...]:
    """What was answered, in the words of then."""
    return tuple(Refusal(**refusal) for refusal in decision.refusals)


@dataclass(frozen=True)
class Authorized:
    """What was allowed: the account, locked until the change is made, and the decision that the change goes by."""

    account: Account
    decision: Decision
    actor: Actor
    now: datetime

    def audit(
        self, action: str, *, subject: str, before: Mapping[str, Any], after: Mapping[str, Any], why: str = ""
    ) -> None:
        """P11: the change with the values before and after; without a `why`, the clause it was asked for under."""
        record_change(
            action,
            subject=subject,
            actor=self.actor,
            now=self.now,
            account=self.account,
            why=why or f"Asked for under {self.decision.clauses[0]}.",
            detail={"decision": self.decision.pk, "before": dict(before), "after": dict(after)},
        )


@contextmanager
def asking(action: Action, account: Account, *, actor: Actor, now: datetime) -> Iterator[Authorized]:
    """
    Decide, then open the transaction of the change with the account locked.

    The authority is asked again under the lock: in between, another request may have taken the actor's role away.

    :raises Refused: by the authority, or by a `StandsInTheWay` from the body
    """
    decision = decide(action, account, actor=actor, now=now)
    if not decision.allowed:
        raise Refused(decision, refusals_of(decision))
    try:
        with transaction.atomic():
            locked = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
            if overtaken := refusals(as_held_in(actor, locked), action):
                raise StandsInTheWay(*overtaken)
            yield Authorized(locked, decision, actor, now)
    except StandsInTheWay as stopped:
        raise Refused(_record(action, account, actor, now, stopped.refusals), stopped.refusals) from stopped


def _record(action: Action, account: Account | None, actor: Actor, now: datetime, found: Sequence[Refusal]) -> Decision:
    with transaction.atomic(durable=True):
        return Decision.objects.create(
            account=account,
            action=action,
            allowed=not found,
            who=actor.name[:200],
            actor_kind=actor.kind,
            contact_id_asked=actor.contact_id,
            recorded_by=actor.recorded_by[:200],
            channel=actor.channel,
            clauses=list(dict.fromkeys(refusal.clause for refusal in found)) or [clause_of(action)],
            refusals=[asdict(refusal) for refusal in found],
            at=now,
        )
