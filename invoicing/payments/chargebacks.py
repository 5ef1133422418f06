"""
A card payment that the cardholder's bank took back: the money goes out when it is opened, and comes again if it is won.

The payment stays paid; the chargeback stands beside it, in a queue of its own while it is open.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from accounts.audit import record_change
from invoicing.ledger.models import LedgerEntry
from invoicing.money import ZERO, format_money
from invoicing.payments.asked import locked_payment, locked_profile
from invoicing.payments.models import Chargeback, Payment
from invoicing.payments.policy import fee_part
from invoicing.payments.postings import allocate_rest, post_money, take_back_latest, taken_by
from invoicing.payments.queries import gone_back, gone_by, unallocated
from invoicing.payments.recording import AnswerDiffers, succeed, the_gateway
from invoicing.payments.settled import tell_charged_back
from invoicing.sellers.queries import today_of
from invoicing.states import move

State = Chargeback.State


class Disputed(NamedTuple):
    """What the gateway says of a chargeback; `amount` with its part of the fee, `made_at` when it says so."""

    reference: str
    state: str
    amount: Decimal
    currency: str
    made_at: datetime
    reason: str = ""
    answer_by_at: datetime | None = None


@transaction.atomic
def record_chargeback(payment: Payment, said: Disputed, *, now: datetime) -> Chargeback:
    """
    Opened, the money goes out and what it paid is open again; won, it comes again and pays the same invoices as far as
    they are open; lost, it is closed.

    Said twice, late or out of order, it changes nothing twice: what was won or lost is not opened again, and of two
    decisions the later counts.

    :raises AnswerDiffers: if it is of another currency or amount than before, of more than was paid, or of a payment
        that came back already
    """
    profile = locked_profile(payment.account_id)
    payment = locked_payment(payment.pk)
    _check(payment, said)
    today = today_of(profile.seller, now=now)
    found = Chargeback.objects.select_for_update(no_key=True, of=("self",)).filter(gateway_reference=said.reference)
    kept = found.select_related("payment").first()
    _check_amount(payment, said, kept)
    succeed(payment, profile, reference="", on=today, now=now)
    if kept is None:
        kept = Chargeback.objects.create(
            payment=payment, account_id=payment.account_id, gateway_reference=said.reference, currency=said.currency,
            amount=said.amount, reason=said.reason[:120], opened_at=said.made_at, answer_by_at=said.answer_by_at,
        )  # fmt: skip
        _take(kept, now=now, today=today)
        _told(kept, now=now)
    if said.state != State.OPEN and not _outdated(kept, said):
        _decide(kept, said, now=now, today=today)
    return kept


def _check(payment: Payment, said: Disputed) -> None:
    whole = payment.amount + payment.fee
    if payment.state == Payment.State.RETURNED:
        raise AnswerDiffers(f"Payment {payment.pk} was returned already, and now it is charged back as well.")
    if said.currency != payment.currency or not ZERO < said.amount <= whole:
        raise AnswerDiffers(
            f"Payment {payment.pk} took {format_money(whole, payment.currency)}, and "
            f"{format_money(said.amount, said.currency)} is charged back."
        )


def _check_amount(payment: Payment, said: Disputed, kept: Chargeback | None) -> None:
    """:raises AnswerDiffers: if it was of another amount before, or together with others takes more than was paid"""
    if kept is not None and kept.amount != said.amount:
        raise AnswerDiffers(
            f"Chargeback {kept.gateway_reference} took {format_money(kept.amount, kept.currency)} back, and now the "
            f"gateway speaks of {format_money(said.amount, said.currency)}. Book the difference once it is clear."
        )
    others = payment.chargebacks.exclude(state=State.WON).exclude(gateway_reference=said.reference)
    before = others.aggregate(total=Sum("amount", default=ZERO))["total"]
    if kept is None and before + said.amount > payment.amount + payment.fee:
        raise AnswerDiffers(
            f"The bank took {format_money(before, payment.currency)} of payment {payment.pk} back already, and with "
            f"{format_money(said.amount, said.currency)} it would be more than was paid. Ask the gateway which counts."
        )


def _outdated(kept: Chargeback, said: Disputed) -> bool:
    return kept.closed_at is not None and said.made_at < kept.closed_at


def _decide(kept: Chargeback, said: Disputed, *, now: datetime, today: date) -> None:
    """
    Won: the money comes again. Lost: it is gone already, unless the bank had given it back before.

    Decided the same again, only the day of it is later: what was decided in between, and comes late, is outdated.
    """
    was_won = kept.state == State.WON
    is_new = move(kept, State(said.state))
    if is_new or kept.closed_at != said.made_at:
        kept.closed_at = said.made_at
        kept.save(update_fields=["state", "closed_at"])
    if is_new and kept.state == State.WON:
        _give(kept, now=now, today=today)
    elif is_new and was_won:
        _take(kept, now=now, today=today)
    if is_new:
        _told(kept, now=now)


def _parts(kept: Chargeback) -> tuple[Decimal, Decimal]:
    """
    The amount without the fee, and the fee's part of it: of what is left of both, so that all parts sum to the fee.

    What was refunded before and is charged back as well goes out a second time, with its part of the whole fee.
    """
    payment = kept.payment
    gone, gone_fee = gone_back(payment.pk)
    amount, fee = payment.amount - gone, payment.fee - gone_fee
    if kept.amount > amount + fee:
        amount, fee = payment.amount, payment.fee
    part = fee_part(fee_left=fee, amount=kept.amount, amount_left=amount + fee, currency=kept.currency)
    return kept.amount - part, part


def _take(kept: Chargeback, *, now: datetime, today: date) -> None:
    payment = kept.payment
    amount, fee = _parts(kept)
    missing = amount - max(unallocated(payment.pk), ZERO)
    if missing > ZERO:
        take_back_latest(payment, missing, source=_source("chargeback-taken", kept), on=today, now=now)
    post_money(
        payment, -amount, -fee, source=_source("chargeback", kept), kind="CHARGEBACK", on=today, now=now
    )  # fmt: skip


def _give(kept: Chargeback, *, now: datetime, today: date) -> None:
    """Exactly what was taken comes again."""
    payment = kept.payment
    amount, fee = gone_by(_sources("chargeback", kept)[-1])
    post_money(
        payment, amount, fee, source=_source("chargeback-won", kept), kind="CHARGEBACK", on=today, now=now
    )  # fmt: skip
    taken = taken_by(_sources("chargeback-taken", kept)[-1])
    allocate_rest(payment, taken, source=_source("chargeback-restored", kept), on=today, now=now)


def _source(word: str, kept: Chargeback) -> str:
    """`chargeback:du_1`, and from the second time on `chargeback:du_1:2`. The lock of the account makes it ours."""
    used = [source for source in _sources(word, kept) if LedgerEntry.objects.filter(source=source).exists()]
    return _sources(word, kept)[0] if not used else f"{word}:{kept.gateway_reference}:{len(used) + 1}"


def _sources(word: str, kept: Chargeback) -> list[str]:
    """The sources used so far under this word, in their order; the first one where none was."""
    first = f"{word}:{kept.gateway_reference}"
    found = [first]
    while LedgerEntry.objects.filter(source=f"{first}:{len(found) + 1}").exists():
        found.append(f"{first}:{len(found) + 1}")
    return found


def _told(kept: Chargeback, *, now: datetime) -> None:
    record_change(
        f"chargeback.{kept.state.lower()}",
        subject=f"chargeback {kept.gateway_reference} of payment {kept.payment_id}",
        actor=the_gateway(kept.payment.gateway),
        now=now,
        account=kept.account_id,
        detail={"amount": f"{kept.amount:f}", "currency": kept.currency, "reason": kept.reason},
    )
    tell_charged_back(kept, now=now)
