"""What the agency remits, less its commission; and what is written off, as an act of its own."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.refusals import BadValue
from invoicing.collections.following import SETTLED, close_all, open_with_agency
from invoicing.collections.models import Placement, PlacementRecord
from invoicing.collections.policy import spread
from invoicing.collections.proposing import invoices_in
from invoicing.collections.queries import under_way
from invoicing.invoices.models import Invoice, OpenInvoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side, post
from invoicing.money import ZERO, format_money, minor_unit
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing

MAY_BOOK = "invoicing.book_remittance"
MAY_WRITE_OFF = "invoicing.write_off"
AGENCY = "AGENCY"
REFERENCE_LENGTH = 40
State = Placement.State


class RemittanceRefused(Exception):
    """Why a remittance is not booked; nothing was changed."""


class WriteOffRefused(Exception):
    """Why nothing is written off."""


@transaction.atomic
def book_remittance(
    *,
    placement: Placement,
    collected: Decimal,
    commission: Decimal,
    reference: str,
    on: date,
    actor: Actor,
    now: datetime,
    rest_is_credit: bool = False,
) -> PlacementRecord:
    """
    Book what the agency collected of a placement: its commission kept, the rest remitted; oldest invoice first.

    `collected` is gross, both in the placement's currency; `on` is the day it came. What was collected beyond what is
    with the agency is the customer's credit, if `rest_is_credit` says that this is meant.

    :raises NotPermitted: unless the actor may book remittances
    :raises RemittanceRefused: if the reference was booked and stands, the amounts or the day cannot be, or the
        account was never placed
    """
    actor.require(MAY_BOOK)
    reference = reference.strip()
    today = today_of(lock_billing(placement.account_id).seller, now=now)
    placement = Placement.objects.select_for_update(no_key=True).get(pk=placement.pk)
    _check_remittance(placement, collected, commission, reference)
    _check_day(placement, on, today)
    source = _source(placement, reference)
    parts, over = _settled_by(placement, collected, rest_is_credit=rest_is_credit)
    sides = _remitted(collected, commission, parts, over)
    post(
        account_id=placement.account_id, source=source, kind=LedgerEntry.Kind.REMITTANCE, currency=placement.currency,
        on=on, now=now, sides=sides,
    )  # fmt: skip
    record = PlacementRecord.objects.create(
        placement=placement, kind=PlacementRecord.Kind.REMITTANCE, key=source, on=on, amount=collected,
        commission=commission, note=reference, made_by=actor.name[:200], at=now,
    )  # fmt: skip
    _record("book remittance", placement, {"collected": collected, "commission": commission}, reference, actor, now)
    _close_if_settled(placement, actor=actor, now=now)
    return record


def _settled_by(
    placement: Placement, collected: Decimal, *, rest_is_credit: bool
) -> tuple[dict[int, Decimal], Decimal]:  # fmt: skip
    """What of each invoice it settles, oldest first; and what is over, where it is meant that something is."""
    open_now = open_with_agency(list(invoices_in([placement])[placement.pk])) if _is_placed(placement) else {}
    parts = spread(collected, list(open_now.values()))
    over = collected - sum(parts, ZERO)
    if over and not rest_is_credit:
        raise RemittanceRefused(
            f"{format_money(sum(open_now.values(), ZERO), placement.currency)} is with the agency, and it collected "
            f"{format_money(collected, placement.currency)}. Book the rest as the customer's credit, if that is so."
        )
    return dict(zip(open_now, parts, strict=True)), over


def _is_placed(placement: Placement) -> bool:
    return placement.state == State.PLACED


def _check_remittance(placement: Placement, collected: Decimal, commission: Decimal, reference: str) -> None:
    if not reference or len(reference) > REFERENCE_LENGTH:
        raise RemittanceRefused(f"Give the agency's reference, of at most {REFERENCE_LENGTH} letters.")
    if booked := next((one for one in _booked(placement, reference) if not reversal_of(one)), None):
        raise RemittanceRefused(f"Remittance {reference} was booked on {booked.on} by {booked.made_by}.")
    if placement.placed_on is None:
        raise RemittanceRefused(f"Account {placement.account} was not handed over by {placement}.")
    unit = minor_unit(placement.currency)
    if collected <= 0 or not 0 <= commission <= collected or collected % unit or commission % unit:
        raise RemittanceRefused(
            f"What was collected is an amount above zero, and the commission a part of it, in {placement.currency}."
        )


def _check_day(placement: Placement, on: date, today: date) -> None:
    if placement.placed_on is None or not placement.placed_on <= on <= today:
        raise RemittanceRefused(
            f"A remittance comes between the hand-over, {placement.placed_on}, and today, {today}: not on {on}."
        )


def _booked(placement: Placement, reference: str) -> list[PlacementRecord]:
    """Remittances of a placement under a reference, those that were reversed too."""
    remitted = PlacementRecord.objects.filter(placement=placement, kind=PlacementRecord.Kind.REMITTANCE)
    return list(remitted.filter(note=reference).order_by("pk"))


def _source(placement: Placement, reference: str) -> str:
    """What was reversed may be booked again under its reference."""
    before = len(_booked(placement, reference))
    return f"remittance{f'-{before + 1}' if before else ''}:{placement.pk}:{reference}"


def reversal_of(remittance: PlacementRecord) -> PlacementRecord | None:
    """What took a remittance back."""
    return PlacementRecord.objects.filter(key=f"remittance-reversed:{remittance.pk}").first()


def _remitted(collected: Decimal, commission: Decimal, parts: dict[int, Decimal], over: Decimal) -> list[Side]:
    sides = [
        Side(LedgerAccount.GATEWAY_CLEARING, collected - commission, AGENCY),
        Side(LedgerAccount.COMMISSION, commission),
        *(Side(LedgerAccount.COLLECTIONS, -part, invoice_id=pk) for pk, part in parts.items()),
        Side(LedgerAccount.CUSTOMER_CREDIT, -over),
    ]
    return [side for side in sides if side.amount]


@transaction.atomic
def write_off(
    *, invoice: Invoice, why: str, actor: Actor, now: datetime, amount: Decimal | None = None
) -> LedgerEntry:  # fmt: skip
    """
    Give an invoice up, the whole of what is open of it or an amount: with the agency first, then with us.

    :raises NotPermitted: unless the actor may write off
    :raises BadValue: without a reason
    :raises WriteOffRefused: if less is open of it, or a payment for it is under way
    """
    actor.require(MAY_WRITE_OFF)
    if not why.strip():
        raise BadValue("why", "A write-off says why.")
    profile = lock_billing(invoice.account_id)
    unsettled = OpenInvoice.objects.filter(invoice=invoice).first()
    parts = _given_up(invoice, unsettled, amount)
    before = LedgerEntry.objects.filter(account=invoice.account_id, source__startswith=f"write-off:{invoice.pk}:")
    entry = post(
        account_id=invoice.account_id, source=f"write-off:{invoice.pk}:{before.count() + 1}",
        kind=LedgerEntry.Kind.WRITE_OFF, currency=invoice.currency, on=today_of(profile.seller, now=now), now=now,
        sides=_written_off(invoice.pk, parts, deposit=_deposit_of(invoice)),
    )  # fmt: skip
    given_up = sum(parts, ZERO)
    record_change(
        "write off", subject=f"invoice {invoice.number}", actor=actor, now=now, account=invoice.account_id,
        why=why.strip(), detail={"amount": f"{given_up:f}", "currency": invoice.currency},
    )  # fmt: skip
    _tell_agency(invoice, entry, parts[0], why=why.strip(), actor=actor, now=now)
    return entry


def _given_up(invoice: Invoice, unsettled: OpenInvoice | None, amount: Decimal | None) -> list[Decimal]:
    """What is given up with the agency, and with us."""
    opens = [max(unsettled.placed, ZERO), max(unsettled.amount, ZERO)] if unsettled else [ZERO, ZERO]
    wanted = sum(opens, ZERO) if amount is None else amount
    if not ZERO < wanted <= sum(opens, ZERO) or wanted % minor_unit(invoice.currency):
        raise WriteOffRefused(
            f"{format_money(sum(opens, ZERO), invoice.currency)} is open of invoice {invoice.number}: "
            "so much of it or less, but something, can be written off."
        )
    if under_way([invoice.pk]):
        raise WriteOffRefused(f"A payment for invoice {invoice.number} is under way: wait for what becomes of it.")
    return spread(wanted, opens)


def _deposit_of(invoice: Invoice) -> Decimal:
    """What is held of a deposit that this invoice took; while something of the invoice is open, nothing used it."""
    held = Posting.objects.filter(invoice_id=invoice.pk, ledger_account=LedgerAccount.DEPOSIT_HELD)
    return -(held.aggregate(total=Sum("amount"))["total"] or ZERO)


def _written_off(invoice_id: int, parts: Sequence[Decimal], *, deposit: Decimal) -> list[Side]:
    """SEAT-1: a deposit that never came is no debt that went bad, and no money of the customer's to be used later."""
    given_up = sum(parts, ZERO)
    never_came = max(min(deposit, given_up), ZERO)
    sides = [
        Side(LedgerAccount.DEPOSIT_HELD, never_came, invoice_id=invoice_id),
        Side(LedgerAccount.BAD_DEBT, given_up - never_came, invoice_id=invoice_id),
        Side(LedgerAccount.COLLECTIONS, -parts[0], invoice_id=invoice_id),
        Side(LedgerAccount.RECEIVABLE, -parts[1], invoice_id=invoice_id),
    ]
    return [side for side in sides if side.amount]


def _tell_agency(
    invoice: Invoice, entry: LedgerEntry, amount: Decimal, *, why: str, actor: Actor, now: datetime
) -> None:
    placement = Placement.objects.filter(invoices__invoice=invoice, state=State.PLACED).first()
    if placement is None or not amount:
        return
    PlacementRecord.objects.create(
        placement=placement, kind=PlacementRecord.Kind.WRITE_OFF, key=entry.source, on=entry.on, amount=amount,
        note=why[:300], made_by=actor.name[:200], at=now,
    )  # fmt: skip
    _close_if_settled(placement, actor=actor, now=now)


def _close_if_settled(placement: Placement, *, actor: Actor, now: datetime) -> None:
    if _is_placed(placement) and not open_with_agency(list(invoices_in([placement])[placement.pk])):
        close_all([placement], because=SETTLED, now=now, actor=actor)
        placement.refresh_from_db()


def _record(
    action: str, placement: Placement, amounts: dict[str, Decimal], why: str, actor: Actor, now: datetime
) -> None:
    detail = {name: f"{amount:f}" for name, amount in amounts.items()} | {"currency": placement.currency}
    record_change(
        action, subject=f"placement {placement.pk}", actor=actor, now=now, account=placement.account_id, why=why,
        detail=detail,
    )  # fmt: skip
