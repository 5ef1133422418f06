"""The states of a run and the steps between them, each under the run's row lock."""

from datetime import date, datetime

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.runs.due import count_due
from invoicing.runs.models import Run, RunItem
from invoicing.runs.queries import holds
from invoicing.sellers.models import Seller

State = Run.State
Outcome = RunItem.Outcome


class RunRefused(Exception):
    """The run is not in a state in which this can be done to it."""


@transaction.atomic
def open_run(*, seller: Seller, on: date, actor: Actor, now: datetime) -> Run:
    """The seller's run of that day, opened if there is none; two calls at once get the same one."""
    run, opened = Run.objects.exclude(state=State.DISCARDED).get_or_create(
        seller=seller, on=on, defaults={"opened_by": actor.name, "opened_at": now}
    )
    if opened:
        record_change("open run", subject=str(run), actor=actor, now=now)
    return run


def locked(run: Run) -> Run:
    """The run's row, locked until the transaction ends; the caller's object takes its values."""
    Run.objects.select_for_update(no_key=True).get(pk=run.pk)
    run.refresh_from_db()
    return run


def move(run: Run, state: str) -> None:
    """:raises RunRefused: if the lifecycle has no such step"""
    if state == run.state:
        return
    if state not in Run.TRANSITIONS[State(run.state)]:
        raise RunRefused(
            f"The run of {run.on} is {run.get_state_display().lower()} and cannot become {State(state).label.lower()}."
        )
    run.state = state
    run.save(update_fields=["state"])


@transaction.atomic
def begin_proposing(run: Run) -> bool:
    """Reopen the run for proposals if any account is due; False where there is none, or it was discarded."""
    locked(run)
    if run.state in (State.DISCARDED, State.ISSUING) or not count_due(run.seller_id, run.on):
        return False
    move(run, State.PROPOSING)
    return True


@transaction.atomic
def review(run: Run, *, actor: Actor, now: datetime, approve: bool = False) -> None:
    """
    Decide how the run goes on: done where nothing is proposed, held where the bounds or the terms say so, else issued.
    """
    locked(run)
    if run.state in (State.ISSUING, State.DISCARDED):
        return
    if not run.items.filter(outcome=Outcome.PROPOSED).exists():
        if run.state != State.DONE:
            finish(run, now=now)
        return
    if run.state == State.DONE:
        move(run, State.PROPOSING)
    run.hold_reasons = holds(run)
    if run.hold_reasons and not approve:
        run.save(update_fields=["hold_reasons"])
        move(run, State.REVIEW)
        return
    release(run, actor=actor, now=now)


def release(run: Run, *, actor: Actor, now: datetime) -> None:
    run.approved_by = actor.name if run.hold_reasons else f"{actor.name}, within the bounds"
    run.approved_at = now
    run.save(update_fields=["approved_by", "approved_at", "hold_reasons"])
    move(run, State.ISSUING)
    record_change(
        "approve run",
        subject=str(run),
        actor=actor,
        now=now,
        detail={"holds": run.hold_reasons, "on": run.on.isoformat()},
    )


def finish(run: Run, *, now: datetime) -> None:
    run.finished_at = now
    run.hold_reasons = []
    run.save(update_fields=["finished_at", "hold_reasons"])
    move(run, State.DONE)


def hold_or_finish(run: Run, *, now: datetime) -> None:
    if not run.items.filter(outcome=Outcome.PROPOSED).exists():
        finish(run, now=now)
        return
    run.hold_reasons = holds(run) or ["Proposals wait that were made one account at a time."]
    run.save(update_fields=["hold_reasons"])
    move(run, State.REVIEW)
