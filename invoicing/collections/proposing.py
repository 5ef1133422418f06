"""COLL-1: who is to be handed to the agency, proposed daily and kept up to date until somebody approves."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from accounts.actors import Actor
from invoicing.collections.models import Placement, PlacementInvoice
from invoicing.collections.policy import is_ripe
from invoicing.collections.queries import Dunned, UnpaidInvoice, dunned, in_the_way, next_unpaid, unpaid_of
from invoicing.collections.sweeping import PAGE, Swept, sweep
from invoicing.collections.writing import Done, audit_all
from invoicing.money import ZERO
from invoicing.sellers.models import Seller
from invoicing.subscriptions.locking import lock_billings

MAY_APPROVE = "invoicing.approve_placement"
State = Placement.State
NOTHING_LEFT = "Nothing is left to hand over: it was paid, credited or held meanwhile."


def propose(*, on: date, now: datetime, actor: Actor, seller: Seller | None = None, dry_run: bool = False) -> Swept:
    """
    Propose each account's ripe invoices as one placement, and bring the proposals that wait up to date.

    What is disputed, held, promised or being paid stays out, and what the account's own credit covers. Safe to run
    twice and beside itself: an account is in one open placement, which an index says.

    :raises NotPermitted: unless the actor may approve placements
    """
    actor.require(MAY_APPROVE)
    return sweep(
        lambda after: _next(after, seller=seller), partial(_propose, on=on, now=now, actor=actor), dry_run=dry_run
    )


def _next(after: int, *, seller: Seller | None) -> list[int]:
    waiting = Placement.objects.filter(state=State.PROPOSED, account_id__gt=after)
    if seller is not None:
        waiting = waiting.filter(account__billing_profile__seller=seller)
    proposed = waiting.order_by("account_id").values_list("account_id", flat=True)[:PAGE]
    return sorted({*proposed, *next_unpaid(after, seller=seller, limit=PAGE)})[:PAGE]


def _propose(account_ids: Sequence[int], *, on: date, now: datetime, actor: Actor) -> Counter[str]:
    people = dunned(lock_billings(account_ids).values())
    ripe = ripe_of(people, on=on)
    waiting = {one.account_id: one for one in Placement.objects.filter(account__in=people, state=State.PROPOSED)}
    stands = invoices_in(waiting.values())
    fresh = [_placement(invoices, on=on, now=now) for pk, invoices in ripe.items() if pk not in waiting]
    over = [one for pk, one in waiting.items() if pk not in ripe]
    changed = [
        one
        for pk, one in waiting.items()
        if pk in ripe and stands[one.pk] != {invoice.id: invoice.owed for invoice in ripe[pk]}
    ]
    for one in changed:
        one.amount, one.currency = _sum(ripe[one.account_id]), ripe[one.account_id][0].currency
    Placement.objects.bulk_create(fresh)
    if changed:
        Placement.objects.bulk_update(changed, ["amount", "currency"])
    _write_invoices([*fresh, *changed], ripe)
    decline(over, because=NOTHING_LEFT, now=now)
    done = [_proposed(one, ripe[one.account_id]) for one in fresh]
    done += [Done("withdraw placement", one.account_id, f"placement {one.pk}", NOTHING_LEFT) for one in over]
    audit_all(done, actor=actor, now=now)
    return Counter(proposed=len(fresh), updated=len(changed), withdrawn=len(over))


def ripe_of(people: dict[int, Dunned], *, on: date) -> dict[int, list[UnpaidInvoice]]:
    """COLL-1: by account, what is ripe and in nobody's way; in the currency of the oldest. Six queries."""
    unpaid = unpaid_of(people)
    left_alone = in_the_way([one.id for invoices in unpaid.values() for one in invoices], on=on)
    found: dict[int, list[UnpaidInvoice]] = defaultdict(list)
    for account_id, invoices in unpaid.items():
        after_days = people[account_id].terms.collections_after_days
        for one in sorted(invoices, key=lambda invoice: (invoice.due_on, invoice.id)):
            is_free = one.owed > 0 and one.id not in left_alone
            fits = not found[account_id] or found[account_id][0].currency == one.currency
            if is_free and fits and is_ripe(one.due_on, after_days=after_days, on=on):
                found[account_id].append(one)
    return {account_id: invoices for account_id, invoices in found.items() if invoices}


def invoices_in(placements: Collection[Placement]) -> dict[int, dict[int, Decimal]]:
    """By placement, its invoices and their amounts."""
    found: dict[int, dict[int, Decimal]] = defaultdict(dict)
    rows = PlacementInvoice.objects.filter(placement__in=[one.pk for one in placements])
    for placement_id, invoice_id, amount in rows.values_list("placement_id", "invoice_id", "amount"):
        found[placement_id][invoice_id] = amount
    return found


def _placement(invoices: Sequence[UnpaidInvoice], *, on: date, now: datetime) -> Placement:
    return Placement(
        account_id=invoices[0].account_id, currency=invoices[0].currency, amount=_sum(invoices), proposed_on=on,
        proposed_at=now,
    )  # fmt: skip


def _write_invoices(placements: Sequence[Placement], ripe: dict[int, list[UnpaidInvoice]]) -> None:
    PlacementInvoice.objects.filter(placement__in=[one.pk for one in placements]).delete()
    PlacementInvoice.objects.bulk_create(
        PlacementInvoice(placement=one, invoice_id=invoice.id, amount=invoice.owed)
        for one in placements
        for invoice in ripe[one.account_id]
    )


def decline(placements: Sequence[Placement], *, because: str, now: datetime) -> None:
    """Proposals, locked with their accounts, that are not handed over."""
    ids = [one.pk for one in placements]
    Placement.objects.filter(pk__in=ids).update(state=State.DECLINED, closed_at=now, closed_because=because[:300])


def _proposed(one: Placement, invoices: Sequence[UnpaidInvoice]) -> Done:
    detail = {
        "amount": f"{one.amount:f}", "currency": one.currency, "invoices": [invoice.number for invoice in invoices],
    }  # fmt: skip
    return Done("propose placement", one.account_id, f"placement {one.pk}", detail=detail)


def _sum(invoices: Sequence[UnpaidInvoice]) -> Decimal:
    return sum((one.owed for one in invoices), ZERO)
