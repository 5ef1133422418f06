"""
PRE-2: top-ups, automatic and by hand: the intent and its payment are recorded and committed, then the gateway is asked.

The credit follows when the payment has succeeded (`crediting`), at once for a card, days later for a bank account. An
automatic one takes a number of its day: the unique index on it, not a lock, is the cap.
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Sum

from accounts.actors import Actor, ActorKind
from accounts.audit import record_change
from accounts.authority import Action
from accounts.decisions import StandsInTheWay, asking
from accounts.models import Account
from accounts.refusals import Refusal
from invoicing.catalog.models import BillingTerms
from invoicing.money import ZERO
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.charging import record_attempt, send
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.queries import default_method
from invoicing.prepaid.balances import lock_balance
from invoicing.prepaid.crediting import credit_top_up, switch_off
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from invoicing.prepaid.policy import amount_to_top_up, needs_top_up
from invoicing.prepaid.queries import accounts_to_top_up, charged_top_ups, top_ups_not_refunded
from invoicing.prepaid.refunding import put_back
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import BillingProfile

logger = logging.getLogger(__name__)

MAY_TOP_UP = "invoicing.top_up"
ONE_OF_MANY = {"automatic_top_ups_a_day", "one_automatic_top_up_at_a_time"}
OPEN = (TopUp.State.INTENDED, TopUp.State.CHARGED)


class TopUpRefused(MoneyRefused):
    """Why a balance is not topped up; nothing was charged."""


@dataclass
class Swept:
    """What a sweep did: top-ups charged before and credited now, made anew, and those that failed with an error."""

    credited: int = 0
    made: int = 0
    errors: int = 0


def top_up_due(*, actor: Actor, now: datetime, on: date | None = None) -> Swept:
    """
    Credit what was charged and could not be credited, and what could not be refunded; then top up whoever calls for
    it. One's error is not another's.

    `on` is the day that the top-ups count for, unless told each seller's today.
    """
    swept = Swept()
    for credit, top_up_ids in ((credit_top_up, charged_top_ups()), (put_back, top_ups_not_refunded())):
        for top_up_id in top_up_ids:
            try:
                swept.credited += credit(top_up_id, now=now)
            except DatabaseError:
                logger.exception("top-up %s is charged and still cannot be credited", top_up_id)
                swept.errors += 1
    for account_id in accounts_to_top_up():
        try:
            swept.made += top_up_if_due(account_id, actor=actor, now=now, on=on) is not None
        except (DatabaseError, MoneyRefused):
            logger.exception("the balance of account %s could not be topped up", account_id)
            swept.errors += 1
    return swept


def top_up_if_due(account_id: int, *, actor: Actor, now: datetime, on: date | None = None) -> TopUp | None:
    """
    PRE-2: top the account up by what its agreement says, if the data calls for it now; None if it does not.

    However often and from wherever it is called, there are no more a day than the terms allow, one at a time.

    :raises RuntimeError: inside a transaction, since the gateway is asked
    """
    try:
        with transaction.atomic(durable=True):
            top_up = _intend_automatic(account_id, actor=actor, now=now, on=on)
    except IntegrityError as error:
        # Another one was made this moment, in spite of all locks: the index has the last word.
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") not in ONE_OF_MANY:
            raise
        return None
    return _charge(top_up, now=now) if top_up else None


def top_up(
    account: Account,
    amount: Decimal,
    *,
    actor: Actor,
    now: datetime,
    method: PaymentMethod | None = None,
) -> TopUp:
    """
    PRE-2: top up by hand: a contact with its own method (AUTH-5), or staff with the permissions to top up and charge.

    :raises NotPermitted: for staff who may not
    :raises Refused: for a contact who may not, or where there is nothing to charge
    :raises MoneyRefused: likewise for staff
    """
    if actor.kind == ActorKind.CONTACT:
        with asking(Action.CHANGE_BILLING_INFORMATION, account, actor=actor, now=now) as asked:
            try:
                made = _intend(asked.account.pk, amount, method, actor=actor, now=now)
            except MoneyRefused as refused:
                raise StandsInTheWay(Refusal("PRE-2", str(refused), "Change that, then top up again.")) from refused
            asked.audit("top_up.make", subject=str(made), before={}, after={"amount": f"{amount:f}"})
    else:
        actor.require(MAY_TOP_UP)
        with transaction.atomic(durable=True):
            made = _intend(account.pk, amount, method, actor=actor, now=now)
            _record(made, actor, now)
    return _charge(made, now=now)


def _intend_automatic(account_id: int, *, actor: Actor, now: datetime, on: date | None) -> TopUp | None:
    """The intent with its payment, if one is called for; nothing is sent yet."""
    profile = lock_billing(account_id)
    agreement = TopUpAgreement.objects.select_related("method").filter(account_id=account_id, is_on=True).first()
    if agreement is None or profile.terms.settlement != BillingTerms.Settlement.BALANCE:
        return None
    lock_balance(account_id)
    low = _low(agreement, profile)
    day = on or today_of(profile.seller, now=now)
    if not low or not _may_be_made(agreement, profile, day, now):
        return None
    method = agreement.method or default_method(account_id)
    if method is None or method.state != PaymentMethod.State.ACTIVE:
        switch_off(agreement, "There is no payment method that can be charged", key=f"top-up-off:{account_id}:{day}",
                   now=now)  # fmt: skip
        return None
    amount = amount_to_top_up(chosen=agreement.amount, currency=profile.currency, **low._asdict())
    payment = record_attempt(
        account_id, method, actor=actor, now=now, amount=amount, purpose=Payment.Purpose.TOP_UP, automatic=True, on=day
    )
    number = TopUp.objects.filter(account_id=account_id, on=day, automatic=True).count() + 1
    made = _make(payment, actor, now, automatic=True, number=number)
    _record(made, actor, now)
    return made


class _Low(NamedTuple):
    """A balance that calls for a top-up; `floor` is what the terms say, and what is on its way counts as here."""

    threshold: Decimal
    balance: Decimal
    floor: Decimal
    awaiting: Decimal


def _low(agreement: TopUpAgreement, profile: BillingProfile) -> _Low | None:
    """
    PRE-2: what calls for a top-up, if anything does; the balance is locked.

    Reading: a top-up by hand that is under way is counted, so that nobody is charged twice for one gap.
    """
    balance = PrepaidBalance.objects.get(pk=agreement.account_id)
    by_hand = TopUp.objects.filter(account_id=agreement.account_id, automatic=False, state__in=OPEN)
    coming = by_hand.aggregate(amount=Sum("amount", default=ZERO))["amount"]
    low = _Low(agreement.threshold, balance.balance + coming, -profile.terms.credit_limit, balance.awaiting)
    return low if needs_top_up(**low._asdict()) else None


def _may_be_made(agreement: TopUpAgreement, profile: BillingProfile, day: date, now: datetime) -> bool:
    """
    PRE-2: no automatic one is under way, the day has one left, and the last decline is past.

    Reading: a declined one counts for its day too, since the gateway may still report it as paid.
    """
    if agreement.not_before_at is not None and now < agreement.not_before_at:
        return False
    automatic = TopUp.objects.filter(account_id=agreement.account_id, automatic=True)
    if automatic.filter(state__in=OPEN).exists():
        return False
    return automatic.filter(on=day).count() < profile.terms.topups_a_day


def _intend(account_id: int, amount: Decimal, method: PaymentMethod | None, *, actor: Actor, now: datetime) -> TopUp:
    profile = BillingProfile.objects.select_related("terms").filter(account_id=account_id).first()
    if profile is None or profile.terms.settlement != BillingTerms.Settlement.BALANCE:
        raise TopUpRefused("This account has no prepaid balance: its terms are not prepaid.")
    method = method or default_method(account_id)
    if method is None:
        raise TopUpRefused("This account has no payment method. Add a card or a bank account first.")
    payment = record_attempt(account_id, method, actor=actor, now=now, amount=amount, purpose=Payment.Purpose.TOP_UP)
    return _make(payment, actor, now, automatic=False, number=None)


def _make(payment: Payment, actor: Actor, now: datetime, *, automatic: bool, number: int | None) -> TopUp:
    return TopUp.objects.create(
        account_id=payment.account_id, payment=payment, automatic=automatic, on=payment.on, number=number,
        currency=payment.currency, amount=payment.amount, made_by=actor.name[:200], made_at=now,
    )  # fmt: skip


def _record(made: TopUp, actor: Actor, now: datetime) -> None:
    detail = {"amount": f"{made.amount:f}", "currency": made.currency, "automatic": made.automatic}
    record_change("top_up.make", subject=str(made), actor=actor, now=now, account=made.account_id, detail=detail)


def _charge(made: TopUp, *, now: datetime) -> TopUp:
    """Ask the gateway, outside of any transaction; what it answers is heard by `crediting`."""
    if made.payment is not None:
        send(made.payment, now=now)
    made.refresh_from_db()
    return made
