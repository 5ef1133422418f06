"""AUTH-6: work that is charged once, from its request to its authorization. What waits for one is never billed."""

from datetime import date, datetime
from decimal import Decimal

from accounts.actors import Actor
from accounts.authority import Action, refusals
from accounts.decisions import StandsInTheWay, asking
from accounts.models import Account
from accounts.policy import one_line
from accounts.queries import as_held_in
from accounts.refusals import BadValue, Refusal
from invoicing.catalog.models import Plan, Product
from invoicing.subscriptions.asked import (
    as_audited,
    checked_price,
    checked_quantity,
    cleaned,
    lock_profile,
    still_allowed,
)
from invoicing.subscriptions.due import look_again
from invoicing.subscriptions.models import BillingProfile, OneOffCharge
from invoicing.subscriptions.policy import billed_elsewhere, check_day, in_words
from invoicing.subscriptions.queries import check_sold, is_on_an_invoice

ASKED_FOR = ("plan_id", "description", "quantity", "unit_price", "on", "requested_by")


def request_charge(
    account: Account,
    plan: Plan,
    description: str,
    quantity: Decimal,
    unit_price: Decimal | None,
    on: date,
    *,
    actor: Actor,
    now: datetime,
    why: str = "",
) -> OneOffCharge:
    """
    AUTH-6: ask for one-off work. It waits for an authorization, unless whoever asks may give it and is known to be
    the sender: a mail that nobody has recorded authorizes nothing.

    `unit_price` is an agreed price, which staff enters when recording the request; None takes the plan's on the day.

    :raises Refused: unless the Primary or a Billing Contact asks; for a day before the account was taken over (BILL-6)
    :raises BadValue: at the first value that cannot be stored; if the plan is not a one-off, or has no price in the
        account's currency on that day and none is agreed
    """
    may_authorize = not refusals(as_held_in(actor, account), Action.AUTHORIZE_CHARGE)
    action = Action.AUTHORIZE_CHARGE if may_authorize else Action.REQUEST_CHARGE
    plan = Plan.objects.select_related("product").get(pk=plan.pk)
    with asking(action, account, actor=actor, now=now) as asked:
        profile = lock_profile(asked.account)
        check_day("on", on)
        words = cleaned(OneOffCharge, "description", one_line("description", description))
        charge = OneOffCharge(account=asked.account, plan=plan, description=words, on=on, requested_by=actor.name[:200])
        charge.quantity, charge.unit_price = checked_quantity(quantity), checked_price(unit_price, actor=actor)
        _check_request(charge, profile)
        if may_authorize:
            charge.authorized_by, charge.authorized_at = charge.requested_by, now
        charge.save()
        if may_authorize:
            look_again({asked.account.pk: on})
        after = as_audited(charge, *ASKED_FOR, "authorized_by")
        asked.audit("charge.request", subject=f"one-off charge {charge.pk}", why=why, before={}, after=after)
    return charge


def _check_request(charge: OneOffCharge, profile: BillingProfile) -> None:
    """Whether it is for a day that we bill, and of a plan that is charged once and priced. As `request_charge`."""
    if stops := billed_elsewhere(charge.on, bill_from_on=profile.bill_from_on):
        raise StandsInTheWay(*stops)
    if charge.plan.product.charge != Product.Charge.ONE_OFF:
        raise BadValue("plan", f"The plan {charge.plan.name} is not charged once. Choose a one-off plan.")
    if charge.unit_price is None:
        check_sold(charge.plan, charge.on, currency=profile.currency)


def authorize_charge(charge: OneOffCharge, *, actor: Actor, now: datetime, why: str = "") -> OneOffCharge:
    """
    AUTH-6: let a charge that waits go on the next invoice. Authorized before, it stays as it is.

    :raises Refused: unless the Primary or the Primary Billing Contact asks
    :raises BadValue: if it was withdrawn, or is another account's
    """
    with asking(Action.AUTHORIZE_CHARGE, charge.account, actor=actor, now=now) as asked:
        lock_profile(asked.account)
        charge = _own(asked.account, charge)
        if charge.authorized_at is None:
            charge.authorized_by, charge.authorized_at = actor.name[:200], now
            charge.save(update_fields=["authorized_by", "authorized_at"])
            look_again({asked.account.pk: charge.on})
            asked.audit(
                "charge.authorize",
                subject=f"one-off charge {charge.pk}",
                why=why,
                before={"authorized_by": ""},
                after=as_audited(charge, "authorized_by"),
            )
    return charge


def withdraw_charge(charge: OneOffCharge, *, actor: Actor, now: datetime, why: str = "") -> None:
    """
    AUTH-6: take a charge back that is on no invoice. While it waits, whoever may ask for one may; then, whoever may
    authorize it. The row goes, and the audit entry keeps what it said.

    :raises Refused: unless such a contact asks, and once an invoice or a draft carries it (BILL-6)
    :raises BadValue: if it was withdrawn before, or is another account's
    """
    waits = OneOffCharge.objects.filter(pk=charge.pk, authorized_at=None).exists()
    action = Action.REQUEST_CHARGE if waits else Action.AUTHORIZE_CHARGE
    with asking(action, charge.account, actor=actor, now=now) as asked:
        lock_profile(asked.account)
        charge = _own(asked.account, charge)
        still_allowed(asked, _action_of(charge))
        if stops := _withdrawal_refusals(charge):
            raise StandsInTheWay(*stops)
        asked.audit(
            "charge.withdraw",
            subject=f"one-off charge {charge.pk}",
            why=why,
            before=as_audited(charge, *ASKED_FOR, "authorized_by"),
            after={},
        )
        if charge.authorized_at:
            look_again({asked.account.pk: charge.on})
        charge.delete()


def _action_of(charge: OneOffCharge) -> Action:
    return Action.AUTHORIZE_CHARGE if charge.authorized_at else Action.REQUEST_CHARGE


def _withdrawal_refusals(charge: OneOffCharge) -> tuple[Refusal, ...]:
    """BILL-6."""
    if charge.billed_on:
        sentence = f"The charge was invoiced on {in_words(charge.billed_on)}, and an issued invoice never changes."
        return (Refusal("BILL-6", sentence, "Ask for a credit note."),)
    if is_on_an_invoice(charge):
        sentence = "The charge is on an invoice that is being prepared."
        return (Refusal("BILL-6", sentence, "Ask for a credit note once it is issued, or tell the billing team now."),)
    return ()


def _own(account: Account, charge: OneOffCharge) -> OneOffCharge:
    """The charge as it is now, if it is one of this account."""
    rows = OneOffCharge.objects.select_for_update(no_key=True, of=("self",)).select_related("plan__product", "account")
    own = rows.filter(account=account, pk=charge.pk).first()
    if own is None:
        raise BadValue("charge", "This account has no such charge; it may have been withdrawn.")
    return own
