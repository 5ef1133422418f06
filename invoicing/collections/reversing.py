"""What was booked and does not hold: a remittance that was a mistake, and a debt that was given up and is paid."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Q, Sum

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.refusals import BadValue
from invoicing.collections.models import Placement, PlacementRecord
from invoicing.collections.recovering import (
    MAY_BOOK,
    MAY_WRITE_OFF,
    RemittanceRefused,
    WriteOffRefused,
    reversal_of,
)
from invoicing.invoices.models import Invoice, OpenInvoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side, post
from invoicing.money import ZERO, format_money, minor_unit
from invoicing.payments.models import Payment
from invoicing.payments.postings import allocate_rest, next_source
from invoicing.payments.queries import credit_without_payment, unallocated
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing


@transaction.atomic
def reverse_remittance(*, remittance: PlacementRecord, why: str, actor: Actor, now: datetime) -> PlacementRecord:
    """
    Take a remittance out of the books that should not be in them; its reference may be booked again.

    What it settled is with the agency again while the placement is open, and else receivable; what was credited since
    is taken from the customer's credit, and so is what was collected too much.

    :raises NotPermitted: unless the actor may book remittances
    :raises BadValue: without a reason
    :raises RemittanceRefused: if it is no remittance, was reversed before, or its credit has been used
    """
    actor.require(MAY_BOOK)
    if not why.strip():
        raise BadValue("why", "Say why the remittance is reversed.")
    placement = Placement.objects.get(pk=remittance.placement_id)
    profile = lock_billing(placement.account_id)
    placement = Placement.objects.select_for_update(no_key=True).get(pk=placement.pk)
    if remittance.kind != PlacementRecord.Kind.REMITTANCE:
        raise RemittanceRefused("Only a remittance can be reversed.")
    if before := reversal_of(remittance):
        raise RemittanceRefused(f"Remittance {remittance.note} was reversed on {before.on} by {before.made_by}.")
    sides = _reversed(remittance, is_placed=placement.state == Placement.State.PLACED)
    _check_credit(placement, sides)
    on, source = today_of(profile.seller, now=now), f"remittance-reversed:{remittance.pk}"
    post(
        account_id=placement.account_id, source=source, kind=LedgerEntry.Kind.REMITTANCE_REVERSAL,
        currency=placement.currency, on=on, now=now, sides=sides,
    )  # fmt: skip
    record = PlacementRecord.objects.create(
        placement=placement, kind=PlacementRecord.Kind.REVERSAL, key=source, on=on, amount=remittance.amount,
        commission=remittance.commission, note=why.strip()[:300], made_by=actor.name[:200], at=now,
    )  # fmt: skip
    record_change(
        "reverse remittance", subject=f"placement {placement.pk}", actor=actor, now=now, account=placement.account_id,
        why=why.strip(),
        detail={"reference": remittance.note, "collected": f"{remittance.amount:f}", "currency": placement.currency},
    )  # fmt: skip
    return record


def _reversed(remittance: PlacementRecord, *, is_placed: bool) -> list[Side]:
    """The entry the other way round; by invoice, what went back to the customer meanwhile is not owed again."""
    postings = list(Posting.objects.filter(entry__source=remittance.key))
    given_back = _given_back([one.invoice_id for one in postings if one.invoice_id])
    sides = []
    for one in postings:
        if one.ledger_account != LedgerAccount.COLLECTIONS:
            sides.append(Side(one.ledger_account, -one.amount, one.category))
            continue
        from_credit = min(-one.amount, given_back.get(one.invoice_id or 0, ZERO))
        reopened = LedgerAccount.COLLECTIONS if is_placed else LedgerAccount.RECEIVABLE
        sides.append(Side(LedgerAccount.CUSTOMER_CREDIT, from_credit, invoice_id=one.invoice_id))
        sides.append(Side(reopened, -one.amount - from_credit, invoice_id=one.invoice_id))
    return [side for side in sides if side.amount]


def _given_back(invoice_ids: Sequence[int]) -> dict[int, Decimal]:
    """By invoice, what credit notes gave back of it to the customer that no payment had paid, less what was undone."""
    rows = (
        Posting.objects.filter(
            Q(entry__source__startswith="given-back:") | Q(entry__kind=LedgerEntry.Kind.REMITTANCE_REVERSAL),
            invoice_id__in=invoice_ids, ledger_account=LedgerAccount.CUSTOMER_CREDIT, payment_id=None,
        )
        .order_by()
        .values_list("invoice_id")
        .annotate(total=Sum("amount"))
    )  # fmt: skip
    return {pk: max(-total, ZERO) for pk, total in rows if pk}


def _check_credit(placement: Placement, sides: Sequence[Side]) -> None:
    """What became the customer's credit can be taken from it as long as it is there."""
    wanted = sum((side.amount for side in sides if side.ledger_account == LedgerAccount.CUSTOMER_CREDIT), ZERO)
    there = credit_without_payment(placement.account_id, placement.currency)
    if wanted > max(there, ZERO):
        raise RemittanceRefused(
            f"{format_money(wanted, placement.currency)} of it became the customer's credit, of which "
            f"{format_money(max(there, ZERO), placement.currency)} is left: the rest has been used."
        )


@transaction.atomic
def recover_debt(
    *,
    invoice: Invoice,
    why: str,
    actor: Actor,
    now: datetime,
    payment: Payment | None = None,
    amount: Decimal | None = None,
) -> LedgerEntry:
    """
    Money that came for what was written off: the debt is taken up again by so much, and paid in the same moment.

    The money is what is left of a payment, or without one the customer's credit that came from none (the agency's
    late remittance); without an amount, as much of it as was given up. A payment that goes back later so opens the
    invoice again, like any other.

    :raises NotPermitted: unless the actor may write off
    :raises BadValue: without a reason
    :raises WriteOffRefused: if so much was not given up or is not there, or something of the invoice is open still
    """
    actor.require(MAY_WRITE_OFF)
    if not why.strip():
        raise BadValue("why", "Say what came, and from whom.")
    profile = lock_billing(invoice.account_id)
    there = _money_there(invoice, payment)
    wanted = _wanted(invoice, there, amount)
    on = today_of(profile.seller, now=now)
    entry = _take_up(invoice, wanted, on=on, now=now)
    if payment is None:
        _pay_from_credit(invoice, wanted, entry)
    else:
        allocate_rest(payment, {invoice.pk: wanted}, source=next_source(payment, "allocation"), on=on, now=now)
    record_change(
        "recover debt", subject=f"invoice {invoice.number}", actor=actor, now=now, account=invoice.account_id,
        why=why.strip(),
        detail={
            "amount": f"{wanted:f}", "currency": invoice.currency, "payment": payment.pk if payment else None,
        },
    )  # fmt: skip
    return entry


def _take_up(invoice: Invoice, amount: Decimal, *, on: date, now: datetime) -> LedgerEntry:
    """So much of what was given up is owed again."""
    before = LedgerEntry.objects.filter(account=invoice.account_id, source__startswith=f"recovery:{invoice.pk}:")
    return post(
        account_id=invoice.account_id, source=f"recovery:{invoice.pk}:{before.count() + 1}",
        kind=LedgerEntry.Kind.RECOVERY, currency=invoice.currency, on=on, now=now,
        sides=[
            Side(LedgerAccount.RECEIVABLE, amount, invoice_id=invoice.pk),
            Side(LedgerAccount.BAD_DEBT, -amount, invoice_id=invoice.pk),
        ],
    )  # fmt: skip


def _money_there(invoice: Invoice, payment: Payment | None) -> Decimal:
    if payment is None:
        return max(credit_without_payment(invoice.account_id, invoice.currency), ZERO)
    if payment.account_id != invoice.account_id or payment.currency != invoice.currency:
        raise WriteOffRefused(
            f"{payment} is in another currency than invoice {invoice.number}, or another account's. Take its own."
        )
    return max(unallocated(payment.pk), ZERO)


def _wanted(invoice: Invoice, there: Decimal, amount: Decimal | None) -> Decimal:
    unsettled = OpenInvoice.objects.filter(invoice=invoice).first()
    if unsettled is not None and (still := unsettled.amount + unsettled.placed) > 0:
        raise WriteOffRefused(
            f"{format_money(still, invoice.currency)} of invoice {invoice.number} is still open: that is paid first."
        )
    given_up = written_off_of(invoice.account_id).get(invoice.pk, ZERO)
    wanted = min(given_up, there) if amount is None else amount
    if not ZERO < wanted <= min(given_up, there) or wanted % minor_unit(invoice.currency):
        raise WriteOffRefused(
            f"{format_money(given_up, invoice.currency)} of invoice {invoice.number} was written off, and "
            f"{format_money(there, invoice.currency)} of this money is on no invoice: so much as both allow, but "
            "something, can be recovered."
        )
    return wanted


def written_off_of(account_id: int) -> dict[int, Decimal]:
    """By invoice, what of an account's debt is written off and not recovered."""
    rows = (
        Posting.objects.filter(
            account_id=account_id, ledger_account=LedgerAccount.BAD_DEBT, invoice_id__isnull=False
        )
        .values_list("invoice_id")
        .annotate(total=Sum("amount"))
        .order_by("invoice_id")
    )  # fmt: skip
    return {pk: total for pk, total in rows if pk and total > 0}


def _pay_from_credit(invoice: Invoice, amount: Decimal, entry: LedgerEntry) -> None:
    post(
        account_id=invoice.account_id, source=f"{entry.source}:paid", kind=LedgerEntry.Kind.APPLICATION,
        currency=invoice.currency, on=entry.on, now=entry.at,
        sides=[
            Side(LedgerAccount.CUSTOMER_CREDIT, amount, invoice_id=invoice.pk),
            Side(LedgerAccount.RECEIVABLE, -amount, invoice_id=invoice.pk),
        ],
    )  # fmt: skip
