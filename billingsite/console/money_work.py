"""What needs doing about money: payments, notices, chargebacks, top-ups, suspensions, hand-overs."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from django.core.cache import cache
from django.db.models import QuerySet, Value
from django.utils.timezone import localdate

from billingsite.console.cards import Card, list_address
from invoicing.collections.models import Placement, PlatformNotice, Suspension
from invoicing.collections.queries import suspensions_due, untold
from invoicing.payments import queues
from invoicing.prepaid.queries import stuck_top_ups

SECONDS_KEPT = 60
KEPT_AS = "console:money-work"
# Enough to say that it is much; nobody needs it to the last one.
MOST = 1000

Heap = tuple[str, Callable[[], int], Callable[[int], Card]]


def heaps(now: datetime) -> list[Heap]:
    """Each with the permission to see it, how to count it, and its card. One query for all, kept for a minute."""

    def counted(name: str) -> Callable[[], int]:
        return lambda: cast(Counter[str], cache.get_or_set(KEPT_AS, lambda: _counts(now), SECONDS_KEPT))[name]

    return [(permission, counted(name), card) for name, (permission, card) in CARDS.items()]


def _counts(now: datetime) -> Counter[str]:
    """How many there are in each heap, to a bound."""
    rows: dict[str, QuerySet[Any]] = {
        "payments": queues.to_look_at(),
        "unallocated": queues.with_rest(),
        "refunds": queues.refund_failed(),
        "chargebacks": queues.open_chargebacks(),
        "notices": queues.parked_notices(),
        "top-ups": stuck_top_ups(),
        "suspensions": suspensions_due(localdate(now), Suspension.objects.all()),
        "placements": Placement.objects.filter(state=Placement.State.PROPOSED),
        "untold": untold(PlatformNotice.objects.all()),
    }
    first, *rest = (
        of.order_by().annotate(heap=Value(name)).values_list("heap", flat=True)[:MOST] for name, of in rows.items()
    )
    return Counter(first.union(*rest, all=True))


def _figure(count: int) -> str:
    return f"{MOST:,} or more" if count >= MOST else f"{count:,}"


def _failed(count: int) -> Card:
    hint = "Without an answer, or declined while the invoice is still open."
    return Card(_figure(count), "Failed payments", hint, list_address("payment", "queue=failed"), is_bad=True)


def _unallocated(count: int) -> Card:
    hint = "Money that came and stands on no invoice: allocate it, or leave it as credit."
    return Card(_figure(count), "Payments not all used", hint, list_address("payment", "queue=unallocated"))


def _refunds(count: int) -> Card:
    hint = "Their money came back to us: ask the customer how to give it back, and refund it again."
    return Card(_figure(count), "Failed refunds", hint, list_address("payment", "queue=refund"), is_bad=True)


def _chargebacks(count: int) -> Card:
    hint = "A cardholder's bank took a payment back: answer it at the gateway in time."
    return Card(_figure(count), "Open chargebacks", hint, list_address("chargeback", "state__exact=OPEN"), is_bad=True)


def _notices(count: int) -> Card:
    hint = "What a gateway told us and nobody can make sense of."
    address = list_address("webhookevent", "state__exact=PARKED")
    return Card(_figure(count), "Gateway notices", hint, address, is_bad=True)


def _top_ups(count: int) -> Card:
    hint = "Charged and not credited, or failed: the balance did not get its money."
    return Card(_figure(count), "Stuck top-ups", hint, list_address("topup", "queue=stuck"), is_bad=True)


def _suspensions(count: int) -> Card:
    hint = "SUSP-1: warned of, and their day has come; the next sweep withholds service."
    return Card(_figure(count), "Suspensions due", hint, list_address("suspension", "due=1"))


def _placements(count: int) -> Card:
    hint = "COLL-1: a manager hands them over, or says why not."
    return Card(_figure(count), "Hand-overs to approve", hint, list_address("placement", "state__exact=PROPOSED"))


def _untold(count: int) -> Card:
    hint = "The platform could not be told, or there is no endpoint: do it by hand."
    return Card(_figure(count), "Platform notices", hint, list_address("platformnotice", "untold=1"), is_bad=True)


CARDS: dict[str, tuple[str, Callable[[int], Card]]] = {
    "payments": ("invoicing.view_payment", _failed),
    "unallocated": ("invoicing.view_payment", _unallocated),
    "refunds": ("invoicing.view_payment", _refunds),
    "chargebacks": ("invoicing.view_chargeback", _chargebacks),
    "notices": ("invoicing.view_webhookevent", _notices),
    "top-ups": ("invoicing.view_topup", _top_ups),
    "suspensions": ("invoicing.view_suspension", _suspensions),
    "placements": ("invoicing.view_placement", _placements),
    "untold": ("invoicing.view_platformnotice", _untold),
}
