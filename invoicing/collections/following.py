"""COLL-1, afterwards: what came is told to the agency, what is in dispute is recalled, what is settled ends."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.db.models import Sum

from accounts.actors import Actor
from accounts.refusals import BadValue
from invoicing.collections.models import Placement, PlacementRecord
from invoicing.collections.proposing import MAY_APPROVE, invoices_in
from invoicing.collections.queries import holds_in_force
from invoicing.collections.sweeping import PAGE, Swept, sweep
from invoicing.collections.writing import Done, EntryDraft, audit_all, post_all
from invoicing.invoices.models import OpenInvoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side
from invoicing.money import ZERO
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of
from invoicing.states import NotPossibleNow
from invoicing.subscriptions.locking import lock_billing, lock_billings

State, Kind = Placement.State, PlacementRecord.Kind
HELD = "It is in dispute, on hold, promised or exempt."
SETTLED = "Nothing is left of it."
# What the agency is told by records of their own.
_TOLD_ELSEWHERE = (
    LedgerEntry.Kind.PLACEMENT, LedgerEntry.Kind.REMITTANCE, LedgerEntry.Kind.REMITTANCE_REVERSAL,
    LedgerEntry.Kind.WRITE_OFF,
)  # fmt: skip


def follow_up(*, on: date, now: datetime, actor: Actor, seller: Seller | None = None, dry_run: bool = False) -> Swept:
    """
    For what is with the agency: record what was paid or credited since, recall what is held, close what is settled.

    Found from the books, and each entry recorded once by its key, so that it may run twice, late and beside itself.

    :raises NotPermitted: unless the actor may approve placements
    """
    actor.require(MAY_APPROVE)
    placed = Placement.objects.filter(state=State.PLACED)
    if seller is not None:
        placed = placed.filter(account__billing_profile__seller=seller)

    def next_page(after: int) -> list[int]:
        later = placed.filter(account_id__gt=after).order_by("account_id")
        return list(later.values_list("account_id", flat=True)[:PAGE])

    return sweep(next_page, partial(_follow, on=on, now=now, actor=actor), dry_run=dry_run)


def _follow(account_ids: Sequence[int], *, on: date, now: datetime, actor: Actor) -> Counter[str]:
    lock_billings(account_ids)
    placed = list(Placement.objects.filter(account__in=account_ids, state=State.PLACED).order_by("account_id"))
    invoices = invoices_in(placed)
    recorded = _record_movements(placed, invoices, now=now, actor=actor)
    open_now = open_with_agency([pk for of_one in invoices.values() for pk in of_one])
    rest = {one.pk: {pk: open_now[pk] for pk in invoices[one.pk] if pk in open_now} for one in placed}
    held = _held([one for one in placed if rest[one.pk]], invoices, on=on)
    settled = [one for one in placed if not rest[one.pk]]
    recall_all(held, rest, because=HELD, on=on, now=now, actor=actor)
    close_all(settled, because=SETTLED, now=now, actor=actor)
    return Counter(recorded=recorded, recalled=len(held), closed=len(settled))


def open_with_agency(invoice_ids: Sequence[int]) -> dict[int, Decimal]:
    """What of each invoice is with the agency; nothing where it is settled."""
    rows = OpenInvoice.objects.filter(invoice_id__in=invoice_ids, placed__gt=0).order_by(
        "invoice__due_on", "invoice_id"
    )
    return dict(rows.values_list("invoice_id", "placed"))


def _record_movements(
    placed: Sequence[Placement], invoices: Mapping[int, Mapping[int, Decimal]], *, now: datetime, actor: Actor
) -> int:
    """A record an entry that moved what is with the agency since the hand-over; what went back is negative."""
    of_invoice = {pk: one for one in placed for pk in invoices[one.pk]}
    sources = [f"placement:{one.pk}" for one in placed]
    since = dict(LedgerEntry.objects.filter(source__in=sources).values_list("account_id", "pk"))
    moved = (
        Posting.objects.filter(invoice_id__in=list(of_invoice), ledger_account=LedgerAccount.COLLECTIONS)
        .exclude(entry__kind__in=_TOLD_ELSEWHERE)
        .order_by("entry_id", "invoice_id")
        .values_list("entry_id", "entry__source", "entry__on", "invoice_id", "amount")
    )
    records: dict[str, PlacementRecord] = {}
    for entry_id, source, on, invoice_id, amount in moved:
        assert invoice_id is not None, "they were asked for by their invoices"
        one = of_invoice[invoice_id]
        if entry_id <= since[one.account_id]:
            continue
        kind = Kind.CREDIT if source.startswith("given-back:") else Kind.PAYMENT
        key = f"entry:{entry_id}:{one.pk}"
        records.setdefault(
            key,
            PlacementRecord(placement=one, kind=kind, key=key, on=on, amount=ZERO, made_by=actor.name[:200], at=now),
        )
        records[key].amount -= amount
    before = set(PlacementRecord.objects.filter(key__in=list(records)).values_list("key", flat=True))
    fresh = [record for key, record in records.items() if key not in before]
    PlacementRecord.objects.bulk_create(fresh)
    return len(fresh)


def _held(
    placed: Sequence[Placement], invoices: Mapping[int, Mapping[int, Decimal]], *, on: date
) -> list[Placement]:  # fmt: skip
    holds: dict[int, set[int | None]] = defaultdict(set)
    for account_id, invoice_id, _ in holds_in_force([one.account_id for one in placed], on=on):
        holds[account_id].add(invoice_id)
    return [one for one in placed if None in holds[one.account_id] or holds[one.account_id] & set(invoices[one.pk])]


def recall_all(
    placements: Sequence[Placement],
    rest: Mapping[int, Mapping[int, Decimal]],
    *,
    because: str,
    on: date,
    now: datetime,
    actor: Actor,
) -> None:
    """Take placements, locked with their accounts, back from the agency: what is left of them is receivable again."""
    entries = [
        EntryDraft(
            one.account_id, f"placement-recall:{one.pk}", LedgerEntry.Kind.PLACEMENT, one.currency, _back(rest[one.pk])
        )
        for one in placements
    ]
    post_all([entry for entry in entries if entry.sides], on=on, now=now)
    PlacementRecord.objects.bulk_create(
        PlacementRecord(
            placement=one, kind=Kind.RECALL, key=f"recall:{one.pk}", on=on, amount=sum(rest[one.pk].values(), ZERO),
            note=because[:300], made_by=actor.name[:200], at=now,
        )
        for one in placements
    )  # fmt: skip
    _end(placements, State.RECALLED, because=because, now=now)
    audit_all([_ended(one, "recall placement", because) for one in placements], actor=actor, now=now)


def _back(rest: Mapping[int, Decimal]) -> list[Side]:
    sides = [Side(LedgerAccount.RECEIVABLE, amount, invoice_id=pk) for pk, amount in rest.items()]
    return sides + [Side(LedgerAccount.COLLECTIONS, -amount, invoice_id=pk) for pk, amount in rest.items()]


def close_all(placements: Sequence[Placement], *, because: str, now: datetime, actor: Actor) -> None:
    """End placements, locked with their accounts, of which nothing is with the agency any more."""
    _end(placements, State.CLOSED, because=because, now=now)
    audit_all([_ended(one, "close placement", because) for one in placements], actor=actor, now=now)


def _end(placements: Sequence[Placement], state: Placement.State, *, because: str, now: datetime) -> None:
    ids = [one.pk for one in placements]
    Placement.objects.filter(pk__in=ids).update(state=state, closed_at=now, closed_because=because[:300])


def _ended(one: Placement, action: str, because: str) -> Done:
    return Done(action, one.account_id, f"placement {one.pk}", because)


@transaction.atomic
def recall_placement(*, placement: Placement, why: str, actor: Actor, now: datetime) -> Placement:
    """
    Take an account back from the agency.

    :raises NotPermitted: unless the actor may approve placements
    :raises BadValue: without a reason
    :raises NotPossibleNow: if it is not with the agency
    """
    actor.require(MAY_APPROVE)
    if not why.strip():
        raise BadValue("why", "Say why the account is recalled: the agency is told.")
    profile = lock_billing(placement.account_id)
    placement = Placement.objects.select_for_update(no_key=True).get(pk=placement.pk)
    if placement.state != State.PLACED:
        raise NotPossibleNow(placement, str(State.RECALLED.label))
    invoices = invoices_in([placement])
    _record_movements([placement], invoices, now=now, actor=actor)
    rest = {placement.pk: open_with_agency(list(invoices[placement.pk]))}
    recall_all([placement], rest, because=why.strip(), on=today_of(profile.seller, now=now), now=now, actor=actor)
    placement.refresh_from_db()
    return placement


def recall_held(account_id: int, *, on: date, now: datetime, actor: Actor) -> None:
    """Take back what a hold of this account holds, in its transaction and under the account's lock."""
    placed = list(Placement.objects.filter(account=account_id, state=State.PLACED))
    if not placed:
        return
    invoices = invoices_in(placed)
    if held := _held(placed, invoices, on=on):
        _record_movements(held, invoices, now=now, actor=actor)
        rest = {one.pk: open_with_agency(list(invoices[one.pk])) for one in held}
        recall_all(held, rest, because=HELD, on=on, now=now, actor=actor)


def recorded_of(placement: Placement) -> Decimal:
    """What the agency was told of payments and credits so far."""
    told = placement.records.filter(kind__in=[Kind.PAYMENT, Kind.CREDIT]).aggregate(total=Sum("amount"))["total"]
    return told or ZERO
