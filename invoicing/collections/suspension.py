"""SUSP-1: warned, suspended, restored: found from the data, by account, each for its own reason."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial

from accounts.actors import Actor
from invoicing.collections.grounds import Grounds, grounds_of, next_to_look_at
from invoicing.collections.models import PlatformNotice, Suspension
from invoicing.collections.platform import NoticeDraft, record_notices
from invoicing.collections.queries import Dunned, UnpaidInvoice, by_day, dunned
from invoicing.collections.sweeping import PAGE, Swept, sweep
from invoicing.collections.wording import restored_text, suspended_text, warning_text
from invoicing.collections.writing import Done, audit_all
from invoicing.documents.letters import LetterDraft, LetterText, write_letters
from invoicing.documents.models import Document
from invoicing.sellers.models import Seller
from invoicing.subscriptions.locking import lock_billings

MAY_SUSPEND = "invoicing.suspend_account"
State, Reason = Suspension.State, Suspension.Reason

NOT_PAID = "Invoices were not paid on time"
NO_CREDIT = "The prepaid balance does not cover the monthly charges"


def suspend(*, on: date, now: datetime, actor: Actor, seller: Seller | None = None, dry_run: bool = False) -> Swept:
    """
    Warn, suspend and restore what is due on a day: of one seller's accounts, or of all. A past day is today.

    Non-payment is warned of first and lifted by payment; want of credit (PRE-4) withholds service at once and is
    lifted by credit. What staff suspended for another reason, only staff lifts. Safe to run twice and beside itself.

    :raises NotPermitted: unless the actor may suspend accounts
    """
    actor.require(MAY_SUSPEND)
    return sweep(
        lambda after: next_to_look_at(after, seller=seller, limit=PAGE),
        partial(_page, on=on, now=now, actor=actor),
        dry_run=dry_run,
    )


@dataclass
class Changes:
    """What becomes of a page's suspensions; each list is written in one statement."""

    warned: list[Suspension] = field(default_factory=list)
    made_active: list[Suspension] = field(default_factory=list)
    activated: list[Suspension] = field(default_factory=list)
    lifted: list[Suspension] = field(default_factory=list)
    withdrawn: list[Suspension] = field(default_factory=list)

    def count(self) -> Counter[str]:
        suspended = len(self.activated) + len(self.made_active)
        return Counter(
            warned=len(self.warned), suspended=suspended, restored=len(self.lifted), withdrawn=len(self.withdrawn)
        )


def _page(account_ids: Sequence[int], *, on: date, now: datetime, actor: Actor) -> Counter[str]:
    people = dunned(lock_billings(account_ids).values())
    done: Counter[str] = Counter()
    for day, some in by_day(people, on=on, now=now):
        done.update(_day(some, on=day, now=now, actor=actor))
    return done


def _day(people: dict[int, Dunned], *, on: date, now: datetime, actor: Actor) -> Counter[str]:
    grounds = grounds_of(people, on=on)
    in_force = in_force_of(people)
    changes = Changes()
    for account_id, who in people.items():
        _for_non_payment(changes, who, grounds[account_id], in_force[account_id], on=on, now=now, actor=actor)
        _for_want_of_credit(changes, who, grounds[account_id], in_force[account_id], on=on, now=now, actor=actor)
    write(changes, people, grounds, in_force, on=on, now=now, actor=actor)
    return changes.count()


def in_force_of(account_ids: Iterable[int]) -> dict[int, dict[str, Suspension]]:
    """By account and reason, what is warned of or withholds service. One query, under the accounts' locks."""
    found: dict[int, dict[str, Suspension]] = defaultdict(dict)
    for one in Suspension.objects.filter(account_id__in=list(account_ids)).exclude(state=State.LIFTED).order_by("pk"):
        found[one.account_id][one.reason] = one
    return found


def _for_non_payment(
    changes: Changes,
    who: Dunned,
    grounds: Grounds,
    in_force: dict[str, Suspension],
    *,
    on: date,
    now: datetime,
    actor: Actor,
) -> None:
    one = in_force.get(Reason.NON_PAYMENT)
    if one is not None and one.state == State.ACTIVE:
        if not grounds.to_stay:
            changes.lifted.append(_ended(one, grounds.why_lifted, now=now, actor=actor))
        return
    if one is not None:
        if not warned_of(one, grounds.to_warn):
            changes.withdrawn.append(
                _ended(one, "Nothing that it listed is left to suspend for.", now=now, actor=actor)
            )
            one = None
        elif one.effective_on <= on and warned_of(one, grounds.to_suspend):
            changes.activated.append(one)
    if one is None and grounds.to_warn:
        assert grounds.effective_on is not None, "whoever is warned is told from when on"
        made = _suspension(who, Reason.NON_PAYMENT, "SUSP-1", NOT_PAID, grounds.effective_on, now=now, actor=actor)
        made.warned_of = [invoice.id for invoice in grounds.to_warn]
        changes.warned.append(made)


def warned_of(one: Suspension, invoices: Sequence[UnpaidInvoice]) -> bool:
    """Whether the warning listed any of them: nobody is suspended for an invoice of which no warning spoke."""
    return any(invoice.id in one.warned_of for invoice in invoices)


def _for_want_of_credit(
    changes: Changes,
    who: Dunned,
    grounds: Grounds,
    in_force: dict[str, Suspension],
    *,
    on: date,
    now: datetime,
    actor: Actor,
) -> None:
    """PRE-4."""
    one = in_force.get(Reason.WANT_OF_CREDIT)
    if one is None and grounds.wants_credit:
        changes.made_active.append(
            _suspension(who, Reason.WANT_OF_CREDIT, "PRE-4", NO_CREDIT, on, now=now, actor=actor)
        )
    elif one is not None and not grounds.awaits_credit:
        changes.lifted.append(_ended(one, "The balance was topped up.", now=now, actor=actor))


def _suspension(
    who: Dunned, reason: str, clause: str, why: str, effective_on: date, *, now: datetime, actor: Actor
) -> Suspension:
    return Suspension(
        account=who.account, reason=reason, clause=clause, why=why, effective_on=effective_on,
        made_by=actor.name[:200], made_at=now, state=State.WARNED,
    )  # fmt: skip


def _ended(one: Suspension, because: str, *, now: datetime, actor: Actor) -> Suspension:
    one.lifted_by, one.lifted_at, one.lifted_because = actor.name[:200], now, because[:300]
    return one


def write(
    changes: Changes,
    people: dict[int, Dunned],
    grounds: dict[int, Grounds],
    in_force: dict[int, dict[str, Suspension]],
    *,
    on: date,
    now: datetime,
    actor: Actor,
) -> None:
    """The rows, the letters, what the platform is told and the audit trail of a page: so many statements each."""
    # A warning that is withdrawn makes room for the one that is written anew.
    ended = [*changes.lifted, *changes.withdrawn]
    for one in ended:
        one.state = State.LIFTED
    if ended:
        Suspension.objects.bulk_update(ended, ["state", "lifted_by", "lifted_at", "lifted_because"])
    for one in changes.made_active:
        one.state, one.suspended_at = State.ACTIVE, now
    Suspension.objects.bulk_create([*changes.warned, *changes.made_active])
    Suspension.objects.filter(pk__in=[one.pk for one in changes.activated]).update(state=State.ACTIVE, suspended_at=now)
    suspended = [*changes.activated, *changes.made_active]
    still = _still(changes, in_force)
    letters = [_warning(people[one.account_id], one, grounds[one.account_id].to_warn, on=on) for one in changes.warned]
    letters += [_notice(people[one.account_id], one, grounds[one.account_id].to_suspend, on=on) for one in suspended]
    letters += [_restored(people[one.account_id], one, still[one.account_id], on=on) for one in changes.lifted]
    write_letters(letters, now=now)
    told = [_tell(people[one.account_id], one, PlatformNotice.Event.SUSPEND) for one in suspended]
    told += [
        _tell(people[one.account_id], one, PlatformNotice.Event.RESTORE)
        for one in changes.lifted
        if not still[one.account_id]
    ]
    record_notices(told, now=now)
    _audit(changes, now=now, actor=actor)


def _still(changes: Changes, in_force: dict[int, dict[str, Suspension]]) -> dict[int, list[Suspension]]:
    """By account, what withholds service once the changes are made: payment lifts only what non-payment caused."""
    lifted = {one.pk for one in changes.lifted}
    active: dict[int, list[Suspension]] = defaultdict(list)
    for suspensions in in_force.values():
        for one in suspensions.values():
            if one.state == State.ACTIVE and one.pk not in lifted:
                active[one.account_id].append(one)
    for one in [*changes.activated, *changes.made_active]:
        active[one.account_id].append(one)
    return active


def _warning(who: Dunned, one: Suspension, invoices: Sequence[UnpaidInvoice], *, on: date) -> LetterDraft:
    text = warning_text(who, invoices, effective_on=one.effective_on)
    return _letter(one, "suspension-warning", text, on=on)


def _notice(who: Dunned, one: Suspension, invoices: Sequence[UnpaidInvoice], *, on: date) -> LetterDraft:
    listed = invoices if one.reason == Reason.NON_PAYMENT else ()
    return _letter(one, "suspended", suspended_text(who, listed, why=one.why, clause=one.clause), on=on)


def _restored(who: Dunned, one: Suspension, still: Sequence[Suspension], *, on: date) -> LetterDraft:
    text = restored_text(who, because=one.lifted_because, clause=one.clause, still=[other.why for other in still])
    return _letter(one, "restored", text, on=on)


def _letter(one: Suspension, about: str, text: LetterText, *, on: date) -> LetterDraft:
    return LetterDraft(account_id=one.account_id, kind=Document.Kind.NOTICE, key=f"{about}:{one.pk}", on=on, text=text)


def _tell(who: Dunned, one: Suspension, event: str) -> NoticeDraft:
    payload = {
        "account": who.account.number,
        "reason": one.reason,
        "clause": one.clause,
        "why": one.lifted_because if event == PlatformNotice.Event.RESTORE else one.why,
        "suspension": one.pk,
    }
    return NoticeDraft(one.account_id, event, f"{event.lower()}:{one.pk}", payload)


def _audit(changes: Changes, *, now: datetime, actor: Actor) -> None:
    """P11: an entry a suspension that changed."""
    made: list[tuple[str, Collection[Suspension]]] = [
        ("warn of suspension", changes.warned),
        ("suspend", [*changes.activated, *changes.made_active]),
        ("restore", changes.lifted),
        ("withdraw warning", changes.withdrawn),
    ]
    done = [
        Done(
            action,
            one.account_id,
            f"suspension {one.pk}",
            why=one.lifted_because or one.why,
            detail={"reason": one.reason, "effective_on": one.effective_on.isoformat()},
        )
        for action, suspensions in made
        for one in suspensions
    ]
    audit_all(done, actor=actor, now=now)
