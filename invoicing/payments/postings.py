"""
What payments write into the ledger, and nothing else: steps of the operations, under the lock of the account's money.

A payment's money is the account's credit under its number; allocating moves it on to invoices, taking back the other
way, and what ends a payment reverses what began it. No entry is ever changed.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from invoicing.invoices.models import OpenInvoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry
from invoicing.ledger.operations import Side, post
from invoicing.money import ZERO
from invoicing.payments.models import Payment
from invoicing.payments.queries import Standing, owing_of, standing_of, unallocated

MANUAL = "manual"


def clearing_of(payment: Payment) -> str:
    """Under what the cash stands: the gateway, or how it came by hand."""
    return f"MANUAL:{payment.kind}" if payment.gateway == MANUAL else payment.gateway


def next_source(payment: Payment, word: str) -> str:
    """A source that no entry of the payment has yet; the lock makes it ours."""
    before = LedgerEntry.objects.filter(postings__payment_id=payment.pk).distinct().count()
    return f"{word}:{payment.pk}:{before + 1}"


def post_received(payment: Payment, *, on: date, now: datetime) -> None:
    """A payment's amount as the account's credit, and its card fee as an entry of its own (FEE-3)."""
    post_money(payment, payment.amount, ZERO, source=f"payment:{payment.pk}", kind="PAYMENT", on=on, now=now)
    if payment.fee:
        post_money(payment, ZERO, payment.fee, source=f"card-fee:{payment.pk}", kind="CARD_FEE", on=on, now=now)


def post_money(
    payment: Payment,
    amount: Decimal,
    fee: Decimal,
    *,
    source: str,
    kind: str,
    on: date,
    now: datetime,
    category: str = "",
) -> None:
    """
    Cash that came (positive) or went (negative): the amount against the customer's credit of the payment, the fee
    against what was earned by it. `category` is where the cash is, unless where the payment's is.
    """
    sides = [
        Side(LedgerAccount.GATEWAY_CLEARING, amount + fee, category or clearing_of(payment), payment_id=payment.pk),
        Side(LedgerAccount.CUSTOMER_CREDIT, -amount, payment_id=payment.pk),
        Side(LedgerAccount.FEE_REVENUE, -fee, payment_id=payment.pk),
    ]
    _post(payment, [side for side in sides if side.amount], source=source, kind=kind, on=on, now=now)


def allocate_rest(
    payment: Payment, wanted: Mapping[int, Decimal], *, source: str, on: date, now: datetime
) -> dict[int, Decimal]:
    """
    Put what of the payment is on no invoice on these ones, each up to what was wanted and is still open of it.

    What is with us is paid before what is with the agency. Returns what each got; the rest stays credit.
    """
    rest = unallocated(payment.pk)
    sides: list[Side] = []
    got: dict[int, Decimal] = {}
    for owing in owing_of(payment.account_id, currency=payment.currency, invoice_ids=list(wanted)):
        share = min(rest, wanted[owing.invoice_id], owing.open)
        if share > ZERO:
            rest -= share
            got[owing.invoice_id] = share
            sides += _sides(payment.pk, owing.invoice_id, share, from_us=owing.open - owing.placed)
    if sides:
        _post(payment, sides, source=source, kind="ALLOCATION", on=on, now=now)
    return got


def _sides(payment_id: int, invoice_id: int, share: Decimal, *, from_us: Decimal) -> list[Side]:
    ours = min(share, max(from_us, ZERO))
    found = [Side(LedgerAccount.CUSTOMER_CREDIT, share, invoice_id=invoice_id, payment_id=payment_id)]
    for ledger_account, amount in ((LedgerAccount.RECEIVABLE, ours), (LedgerAccount.COLLECTIONS, share - ours)):
        if amount:
            found.append(Side(ledger_account, -amount, invoice_id=invoice_id, payment_id=payment_id))
    return found


def take_back_latest(
    payment: Payment, amount: Decimal | None, *, source: str, on: date, now: datetime
) -> dict[int, Decimal]:
    """Take so much off the invoices that the payment stands on, the latest first; None: all of it."""
    wanted: dict[int, Decimal] = {}
    for standing in standing_of(payment.pk):
        share = standing.amount if amount is None else min(amount, standing.amount)
        if share > ZERO:
            wanted[standing.invoice_id] = share
            amount = None if amount is None else amount - share
    return take_back_from(payment, wanted, source=source, on=on, now=now)


def take_back_from(
    payment: Payment, wanted: Mapping[int, Decimal], *, source: str, on: date, now: datetime
) -> dict[int, Decimal]:
    """
    Take money of the payment off these invoices, each at most what stands there; they are open again by so much.

    What it paid to the agency's part is with the agency again while any of the invoice still is; else it is with us.
    """
    placed = dict(OpenInvoice.objects.filter(invoice_id__in=list(wanted)).values_list("invoice_id", "placed"))
    sides: list[Side] = []
    taken: dict[int, Decimal] = {}
    for standing in standing_of(payment.pk):
        share = min(wanted.get(standing.invoice_id, ZERO), standing.amount)
        if share > ZERO:
            taken[standing.invoice_id] = share
            with_agency = placed.get(standing.invoice_id, ZERO) > ZERO
            sides += _sides_back(payment.pk, standing, share, with_agency=with_agency)
    if sides:
        _post(payment, sides, source=source, kind="ALLOCATION", on=on, now=now)
    return taken


def _sides_back(payment_id: int, standing: Standing, share: Decimal, *, with_agency: bool) -> Sequence[Side]:
    to_agency = min(share, standing.placed) if with_agency else ZERO
    invoice_id = standing.invoice_id
    found = [Side(LedgerAccount.CUSTOMER_CREDIT, -share, invoice_id=invoice_id, payment_id=payment_id)]
    for ledger_account, amount in (
        (LedgerAccount.RECEIVABLE, share - to_agency),
        (LedgerAccount.COLLECTIONS, to_agency),
    ):
        if amount:
            found.append(Side(ledger_account, amount, invoice_id=invoice_id, payment_id=payment_id))
    return found


def taken_by(source: str) -> dict[int, Decimal]:
    """What an entry took off each invoice."""
    entry = LedgerEntry.objects.filter(source=source).first()
    if entry is None:
        return {}
    postings = entry.postings.filter(ledger_account=LedgerAccount.CUSTOMER_CREDIT, invoice_id__isnull=False)
    return {pk: -amount for pk, amount in postings.values_list("invoice_id", "amount") if pk}


def _post(payment: Payment, sides: Sequence[Side], *, source: str, kind: str, on: date, now: datetime) -> None:
    post(
        account_id=payment.account_id, source=source, kind=LedgerEntry.Kind(kind), currency=payment.currency,
        on=on, now=now, sides=sides,
    )  # fmt: skip
