"""
PRE-2: what a top-up's payment has come to goes to the balance, and what is taken from the payment comes back from it.

The payments room calls this in the transaction that records what became of a payment, under the lock of the account's
money. A balance that cannot be written does not undo the payment: the top-up stays CHARGED, is shown so, and the sweep
credits it; it is never charged again.
"""

import logging
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db import DatabaseError, transaction

from invoicing.documents.letters import LetterDraft, LetterText, write_letters
from invoicing.documents.models import Document
from invoicing.documents.parties import recipient_of, seller_of
from invoicing.ledger.models import LedgerAccount, LedgerEntry
from invoicing.ledger.operations import Side
from invoicing.money import ZERO
from invoicing.payments.models import Chargeback, Payment
from invoicing.payments.queries import unallocated
from invoicing.prepaid.balances import lock_balance, post_credit
from invoicing.prepaid.bell import ring_for_credit
from invoicing.prepaid.models import TopUp, TopUpAgreement
from invoicing.prepaid.policy import back_off_until
from invoicing.sellers.queries import today_of
from invoicing.states import move
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import BillingProfile

logger = logging.getLogger(__name__)

State = TopUp.State


def hear_of_payment(payment: Payment, *, now: datetime) -> None:
    """A payment has come to an end; if it was a top-up's, credit it, take it back, or count the decline."""
    if payment.purpose != Payment.Purpose.TOP_UP:
        return
    top_up = TopUp.objects.select_for_update(no_key=True).filter(payment=payment).first()
    if top_up is None:
        return
    if payment.state == Payment.State.SUCCEEDED:
        _charged(top_up, now=now)
    elif payment.state == Payment.State.RETURNED:
        _returned(top_up, now=now)
    elif top_up.state == State.INTENDED:
        _declined(top_up, payment, now=now)


def hear_of_chargeback(chargeback: Chargeback, *, now: datetime) -> None:
    """A cardholder's bank took a top-up back, or gave it again: the balance follows."""
    top_up = TopUp.objects.select_for_update(no_key=True).filter(payment_id=chargeback.payment_id).first()
    if top_up is not None and top_up.state in (State.CREDITED, State.REVERSED):
        square(top_up, now=now)


@transaction.atomic
def credit_top_up(top_up_id: int, *, now: datetime) -> bool:
    """Credit a top-up that was charged and not credited; whether that was so. Safe to run twice."""
    account_id = TopUp.objects.values_list("account_id", flat=True).get(pk=top_up_id)
    lock_billing(account_id)
    top_up = TopUp.objects.select_for_update(no_key=True).get(pk=top_up_id)
    if top_up.state != State.CHARGED:
        return False
    square(top_up, now=now)
    return True


def _charged(top_up: TopUp, *, now: datetime) -> None:
    """Intent, charge, credit, in that order: the charge is written down first, and stays if the credit cannot be."""
    if top_up.state not in (State.INTENDED, State.FAILED):
        return
    move(top_up, State.CHARGED)
    top_up.save(update_fields=["state"])
    TopUpAgreement.objects.filter(account_id=top_up.account_id, declines__gt=0).update(declines=0, not_before_at=None)
    try:
        with transaction.atomic():
            square(top_up, now=now)
    except DatabaseError:
        # Twilio, 2013: a balance that could not be written had the card charged again and again.
        logger.exception("%s is charged and could not be credited; the sweep will do it", top_up)


def _returned(top_up: TopUp, *, now: datetime) -> None:
    """The bank took the money back: so does the balance. What was not credited yet never will be."""
    if top_up.state == State.CREDITED:
        square(top_up, now=now)
    elif top_up.state == State.INTENDED:
        move(top_up, State.FAILED)
        top_up.why = "The payment was returned."
        top_up.save(update_fields=["state", "why"])
    elif top_up.state == State.CHARGED:
        top_up.why = "The payment was returned before it was credited."
        for state in (State.CREDITED, State.REVERSED):
            move(top_up, state)
            top_up.save(update_fields=["state", "why"])


def square(top_up: TopUp, *, now: datetime) -> None:
    """
    Move to the balance what is left of the payment, or back from it what was taken of the payment.

    What was taken back is taken from the balance even where that passes its floor: the floor goes down with it, so
    that nothing more is deducted until credit has lifted it again, and the debt is seen as a negative balance.
    """
    rest = unallocated(top_up.payment_id or 0)
    if rest > ZERO:
        move_credit(top_up, rest, now=now)
        top_up.credited_at = top_up.credited_at or now
        if top_up.state == State.CHARGED:
            move(top_up, State.CREDITED)
        top_up.save(update_fields=["state", "credited_at"])
        transaction.on_commit(partial(ring_for_credit, top_up.account_id))
    elif rest < ZERO and top_up.credited_at is not None:
        move_credit(top_up, rest, now=now)
        if top_up.state == State.CREDITED and -rest >= top_up.amount:
            move(top_up, State.REVERSED)
            top_up.save(update_fields=["state"])


def move_credit(top_up: TopUp, amount: Decimal, *, now: datetime) -> None:
    """Between the payment's credit and the balance: positive to the balance."""
    source = f"top-up:{top_up.pk}"
    entries = LedgerEntry.objects.filter(account_id=top_up.account_id, kind=LedgerEntry.Kind.TOP_UP)
    if top_up.credited_at is not None:
        source = f"{source}:{entries.filter(source__startswith=f'{source}:').count() + 2}"
    profile = BillingProfile.objects.select_related("seller").get(account_id=top_up.account_id)
    post_credit(
        lock_balance(top_up.account_id),
        amount,
        source=source,
        kind=LedgerEntry.Kind.TOP_UP,
        against=[Side(LedgerAccount.CUSTOMER_CREDIT, amount, payment_id=top_up.payment_id)],
        on=today_of(profile.seller, now=now),
        now=now,
    )


def _declined(top_up: TopUp, payment: Payment, *, now: datetime) -> None:
    """PRE-2: after a decline the next one waits; after one for good there is none until the customer says so."""
    move(top_up, State.FAILED)
    top_up.why = (payment.failure or payment.failure_code or "Not charged.")[:300]
    top_up.save(update_fields=["state", "why"])
    agreement = TopUpAgreement.objects.select_for_update(no_key=True).filter(account_id=top_up.account_id).first()
    if agreement is None or not top_up.automatic:
        return
    agreement.declines += 1
    agreement.not_before_at = back_off_until(now, declines=agreement.declines)
    agreement.save(update_fields=["declines", "not_before_at"])
    if payment.hard:
        switch_off(agreement, top_up.why, key=f"top-up-off:{top_up.pk}", now=now)


def switch_off(agreement: TopUpAgreement, why: str, *, key: str, now: datetime) -> None:
    """PRE-2: no more automatic top-ups until the customer sets them again, and a letter that says so. A step."""
    agreement.is_on = False
    agreement.save(update_fields=["is_on"])
    profile = BillingProfile.objects.select_related("seller", "account").get(account_id=agreement.account_id)
    text = LetterText(
        subject="Your automatic top-up is switched off",
        title="Automatic top-up switched off",
        seller=seller_of(profile.seller),
        recipient=recipient_of(profile.account, home=profile.seller.country),
        paragraphs=(
            f"Your prepaid balance could not be topped up by itself: {why.rstrip('.')}.",
            "We will not try that payment method again. Give us another one and set the automatic top-up again, or top "
            "up by hand, so that your service goes on.",
        ),
        clauses=("PRE-2",),
    )
    today = today_of(profile.seller, now=now)
    write_letters([LetterDraft(agreement.account_id, Document.Kind.NOTICE, key, today, text)], now=now)
