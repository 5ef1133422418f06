"""COLL-1: what a manager decides about proposals: handed over, with what is open then, or not."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.refusals import BadValue
from invoicing.catalog.models import BillingTerms
from invoicing.collections.models import Hold, Placement, PlacementBatch, PlacementInvoice
from invoicing.collections.policy import is_ripe
from invoicing.collections.proposing import MAY_APPROVE, NOTHING_LEFT, decline, invoices_in
from invoicing.collections.queries import Dunned, UnpaidInvoice, dunned, in_the_way, unpaid_of
from invoicing.collections.sweeping import PAGE, Swept, sweep
from invoicing.collections.writing import Done, EntryDraft, audit_all, post_all
from invoicing.ledger.models import LedgerAccount, LedgerEntry
from invoicing.ledger.operations import Side
from invoicing.money import ZERO, round_money
from invoicing.sellers.models import Seller
from invoicing.states import NotPossibleNow
from invoicing.subscriptions.locking import lock_billing, lock_billings

State = Placement.State


def approve_placements(
    *,
    on: date,
    now: datetime,
    actor: Actor,
    placements: Collection[int] | None = None,
    seller: Seller | None = None,
    automatic_only: bool = False,
    dry_run: bool = False,
) -> Swept:
    """
    Hand these proposals over, or all that wait: a page a transaction, together one batch for the agency's file.

    What was paid, credited, held or disputed since it was proposed stays out; a proposal of which nothing is left is
    declined. Done before, it changes nothing.

    :raises NotPermitted: unless the actor may approve placements
    """
    actor.require(MAY_APPROVE)
    waiting = Placement.objects.filter(state=State.PROPOSED)
    if placements is not None:
        waiting = waiting.filter(pk__in=list(placements))
    if seller is not None:
        waiting = waiting.filter(account__billing_profile__seller=seller)
    if automatic_only:
        automatic = BillingTerms.Approval.AUTOMATIC
        waiting = waiting.filter(account__billing_profile__terms__collections_approval=automatic)

    def next_page(after: int) -> list[int]:
        later = waiting.filter(account_id__gt=after).order_by("account_id")
        return list(later.values_list("account_id", flat=True)[:PAGE])

    return sweep(next_page, partial(_hand_over, on=on, now=now, actor=actor, batches={}), dry_run=dry_run)


def _hand_over(
    account_ids: Sequence[int], *, on: date, now: datetime, actor: Actor, batches: dict[int, int]
) -> Counter[str]:
    """A page: re-read under its locks, so that what came between proposal and approval counts."""
    people = dunned(lock_billings(account_ids).values())
    waiting = list(Placement.objects.filter(account__in=people, state=State.PROPOSED).order_by("account_id"))
    left = _left(waiting, people, on=on)
    over = [one for one in waiting if not left[one.pk]]
    handed = [one for one in waiting if left[one.pk]]
    decline(over, because=NOTHING_LEFT, now=now)
    by_seller: dict[int, list[Placement]] = defaultdict(list)
    for one in handed:
        by_seller[people[one.account_id].seller.pk].append(one)
    for seller_id, placements in sorted(by_seller.items()):
        _place(placements, left, seller_id=seller_id, on=on, now=now, actor=actor, batches=batches)
    done = [_handed(one) for one in handed]
    done += [Done("decline placement", one.account_id, f"placement {one.pk}", NOTHING_LEFT) for one in over]
    audit_all(done, actor=actor, now=now)
    return Counter(placed=len(handed), declined=len(over))


def _left(
    waiting: Sequence[Placement], people: Mapping[int, Dunned], *, on: date
) -> dict[int, list[UnpaidInvoice]]:  # fmt: skip
    """By placement, its invoices of which something is owed, that are in nobody's way, and ripe by today's terms."""
    stands = invoices_in(waiting)
    unpaid = unpaid_of(people)
    left_alone = in_the_way([pk for invoices in stands.values() for pk in invoices], on=on)
    return {
        one.pk: [
            invoice
            for invoice in unpaid.get(one.account_id, ())
            if invoice.id in stands[one.pk]
            and invoice.owed > 0
            and invoice.id not in left_alone
            and invoice.currency == one.currency
            and is_ripe(invoice.due_on, after_days=people[one.account_id].terms.collections_after_days, on=on)
        ]
        for one in waiting
    }


def _place(
    placements: Sequence[Placement],
    left: Mapping[int, Sequence[UnpaidInvoice]],
    *,
    seller_id: int,
    on: date,
    now: datetime,
    actor: Actor,
    batches: dict[int, int],
) -> None:
    """The batch, the placements and their entries; each placement's source is `placement:<id>`."""
    totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for one in placements:
        one.state, one.placed_on = State.PLACED, on
        one.amount = sum((invoice.owed for invoice in left[one.pk]), ZERO)
        totals[one.currency] += one.amount
    # One for the whole approval: its later pages join it, unless its file has been written meanwhile.
    open_batches = PlacementBatch.objects.select_for_update(no_key=True).filter(written_at=None)
    batch = open_batches.filter(pk=batches.get(seller_id, 0)).first() or PlacementBatch(
        seller_id=seller_id, on=on, approved_by=actor.name[:200], approved_at=now
    )
    _count(batch, totals, len(placements))
    batches[seller_id] = batch.pk
    for one in placements:
        one.batch = batch
    Placement.objects.bulk_update(placements, ["state", "placed_on", "amount", "batch"])
    PlacementInvoice.objects.filter(placement__in=[one.pk for one in placements]).delete()
    PlacementInvoice.objects.bulk_create(
        PlacementInvoice(placement=one, invoice_id=invoice.id, amount=invoice.owed)
        for one in placements
        for invoice in left[one.pk]
    )
    post_all([_entry(one, left[one.pk]) for one in placements], on=on, now=now)


def _count(batch: PlacementBatch, totals: Mapping[str, Decimal], rows: int) -> None:
    together = {currency: Decimal(total) for currency, total in batch.totals.items()}
    for currency, total in totals.items():
        together[currency] = together.get(currency, ZERO) + total
    batch.rows += rows
    batch.totals = {currency: f"{round_money(total, currency):f}" for currency, total in sorted(together.items())}
    batch.save()


def _entry(one: Placement, invoices: Sequence[UnpaidInvoice]) -> EntryDraft:
    sides = [Side(LedgerAccount.COLLECTIONS, invoice.owed, invoice_id=invoice.id) for invoice in invoices]
    sides += [Side(LedgerAccount.RECEIVABLE, -invoice.owed, invoice_id=invoice.id) for invoice in invoices]
    return EntryDraft(one.account_id, f"placement:{one.pk}", LedgerEntry.Kind.PLACEMENT, one.currency, sides)


def _handed(one: Placement) -> Done:
    detail = {"amount": f"{one.amount:f}", "currency": one.currency, "batch": one.batch_id}
    return Done("hand over", one.account_id, f"placement {one.pk}", detail=detail)


@transaction.atomic
def decline_placement(
    *, placement: Placement, until_on: date, why: str, actor: Actor, now: datetime, today: date
) -> Placement:
    """
    Do not hand this account over, and exempt it until a day: else it would be proposed again tomorrow.

    :raises NotPermitted: unless the actor may approve placements
    :raises BadValue: without a reason, or with a day that is past
    :raises NotPossibleNow: if it is not proposed any more
    """
    actor.require(MAY_APPROVE)
    if not why.strip():
        raise BadValue("why", "Say why this account is not handed over.")
    if until_on < today:
        raise BadValue("until_on", f"{until_on} is past: exempt the account until today or a later day.")
    lock_billing(placement.account_id)
    placement = Placement.objects.select_for_update(no_key=True).get(pk=placement.pk)
    if placement.state != State.PROPOSED:
        raise NotPossibleNow(placement, str(State.DECLINED.label))
    decline([placement], because=why.strip(), now=now)
    Hold.objects.create(
        account_id=placement.account_id, kind=Hold.Kind.EXEMPTION, until_on=until_on, why=why.strip()[:300],
        placed_by=actor.name[:200], placed_at=now,
    )  # fmt: skip
    record_change(
        "decline placement", subject=f"placement {placement.pk}", actor=actor, now=now, account=placement.account_id,
        why=why.strip(), detail={"until_on": until_on.isoformat()},
    )  # fmt: skip
    placement.refresh_from_db()
    return placement
