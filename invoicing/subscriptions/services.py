"""
Starting and ending what an account holds.

AUTH-7: a licensed service is added and removed by the account's Administrator in the control panel only.
"""

from datetime import date, datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.actors import Actor, schedule
from accounts.audit import record_change
from accounts.decisions import Authorized, StandsInTheWay, asking
from accounts.models import Account
from accounts.policy import one_line
from accounts.refusals import BadValue
from invoicing.catalog.models import Plan
from invoicing.periods import DAY
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.asked import (
    adding,
    as_audited,
    check_plan,
    checked_price,
    checked_quantity,
    cleaned,
    lock_profile,
    lock_subscription,
    removing,
    still_allowed,
)
from invoicing.subscriptions.due import look_again
from invoicing.subscriptions.models import BillingProfile, Subscription
from invoicing.subscriptions.policy import Ending, billed_elsewhere, check_day, ending_refusals
from invoicing.subscriptions.queries import is_anniversary, preview_ending

TERMS_OF_IT = ("plan_id", "quantity", "started_on", "label", "unit_price")


def start_subscription(
    account: Account,
    plan: Plan,
    quantity: Decimal,
    started_on: date,
    *,
    actor: Actor,
    now: datetime,
    reference: str = "",
    label: str = "",
    unit_price: Decimal | None = None,
    why: str = "",
) -> Subscription:
    """
    AUTH-7, AUTH-6: let an account, or a client of a partner, hold a plan from a day on.

    Under terms with a billing day, the first one decides it (BILL-5), and what is bought is due on the day (SEAT-2).
    Without a `reference` one is made up; the same reference and values again are the same subscription.

    :raises Refused: unless the Administrator asks in the control panel, or, for what is not licensed, the Primary or
        Primary Billing Contact; and if it starts before the account was taken over (BILL-6)
    :raises BadValue: at the first value that cannot be stored; if the plan is not recurring, or has no price in the
        account's currency on that day and none is agreed; if the reference is another subscription's
    """
    plan = Plan.objects.select_related("product").get(pk=plan.pk)
    with asking(adding(plan), account, actor=actor, now=now) as asked:
        profile = lock_profile(asked.account)
        wanted = Subscription(
            account=asked.account,
            plan=plan,
            reference=one_line("reference", reference),
            label=cleaned(Subscription, "label", one_line("label", label)),
            quantity=checked_quantity(quantity),
            unit_price=checked_price(unit_price, actor=actor),
            started_on=started_on,
        )
        if found := _same_again(wanted):
            return found
        _begin(wanted, profile, asked, why=why)
    return wanted


def end_subscription(
    subscription: Subscription, ended_on: date, *, actor: Actor, now: datetime, why: str = ""
) -> Ending:
    """
    AUTH-7, AUTH-6: let a service end; `ended_on` is the first day it is no longer held.

    Nothing is prorated (BILL-3): the answer's `sentence` says to which day it is billed.

    :raises Refused: unless the Administrator asks in the control panel, or, for what is not licensed, the Primary or
        Primary Billing Contact; before the service starts, before today, and if it has ended
    :raises BadValue: if the day is out of range, or the service is another account's
    """
    with asking(removing(subscription), subscription.account, actor=actor, now=now) as asked:
        profile = lock_profile(asked.account)
        subscription = lock_subscription(asked.account, subscription)
        still_allowed(asked, removing(subscription))
        was = subscription.ended_on
        if was != ended_on:
            check_day("ended_on", ended_on)
            today = today_of(profile.seller, now=now)
            if stops := ending_refusals(
                started_on=subscription.started_on, was_ended_on=was, ended_on=ended_on, today=today
            ):
                raise StandsInTheWay(*stops)
            before = as_audited(subscription, "ended_on")
            subscription.ended_on = ended_on
            subscription.save(update_fields=["ended_on"])
            look_again({asked.account.pk: min(was or ended_on, ended_on)})
            asked.audit(
                "subscription.end",
                subject=f"subscription {subscription.reference}",
                why=why,
                before=before,
                after=as_audited(subscription, "ended_on"),
            )
        return preview_ending(subscription, ended_on)


def end_never_started(subscription: Subscription, *, now: datetime, why: str) -> None:
    """
    SEAT-2: what was bought and never paid did not start, and is held no longer than today. In the caller's transaction.

    No request, so nobody is asked (AUTH-7 says who may ask): it is what follows of an order that lapsed. What has an
    end already keeps it.
    """
    profile = lock_profile(subscription.account)
    subscription = lock_subscription(subscription.account, subscription)
    if subscription.ended_on is not None:
        return
    before = as_audited(subscription, "ended_on")
    subscription.ended_on = max(today_of(profile.seller, now=now), subscription.started_on) + DAY
    subscription.save(update_fields=["ended_on"])
    look_again({subscription.account_id: subscription.ended_on})
    record_change(
        "subscription.end",
        subject=f"subscription {subscription.reference}",
        actor=schedule(),
        now=now,
        account=subscription.account_id,
        why=why,
        detail={"before": before, "after": as_audited(subscription, "ended_on")},
    )


def _begin(wanted: Subscription, profile: BillingProfile, asked: Authorized, *, why: str) -> None:
    """Check and insert it; the first one decides the billing day (BILL-5). Raises as `start_subscription` does."""
    started_on = wanted.started_on
    check_day("started_on", started_on)
    if stops := billed_elsewhere(started_on, bill_from_on=profile.bill_from_on):
        raise StandsInTheWay(*stops)
    check_plan(wanted.plan, started_on, profile, agreed=wanted.unit_price is not None)
    reference = wanted.reference or _new_reference(asked.account, wanted.plan)
    wanted.reference = cleaned(Subscription, "reference", reference)
    day_before = profile.billing_day
    if is_anniversary(profile) and profile.billing_day is None:
        profile.billing_day = started_on.day
        profile.save(update_fields=["billing_day"])
    _insert(wanted)
    look_again({asked.account.pk: started_on})
    asked.audit(
        "subscription.start",
        subject=f"subscription {wanted.reference}",
        why=why,
        before={"billing_day": day_before},
        after=as_audited(wanted, *TERMS_OF_IT) | {"billing_day": profile.billing_day},
    )


def _same_again(wanted: Subscription) -> Subscription | None:
    """The subscription of this reference, if it is the very one that is asked for."""
    if not wanted.reference:
        return None
    found = Subscription.objects.filter(account=wanted.account, reference=wanted.reference).first()
    if found is None or any(getattr(found, name) != getattr(wanted, name) for name in TERMS_OF_IT):
        return None
    return found


def _insert(wanted: Subscription) -> None:
    """:raises BadValue: if the reference is taken; the unique index says so, whoever took it meanwhile"""
    try:
        with transaction.atomic():
            wanted.save()
    except IntegrityError as error:
        raise BadValue("reference", "There is another subscription with that reference. Choose another one.") from error


def _new_reference(account: Account, plan: Plan) -> str:
    """Account and plan, the second such with /2 behind it. The account is locked, and the number is its own."""
    begin = f"{account.number}/{plan.code}"[:72]
    taken = set(Subscription.objects.filter(reference__startswith=begin).values_list("reference", flat=True))
    count, reference = 1, begin
    while reference in taken:
        count += 1
        reference = f"{begin}/{count}"
    return reference
