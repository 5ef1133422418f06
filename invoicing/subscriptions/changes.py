"""Changing what an account holds: how many, and on which plan."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from accounts.actors import Actor
from accounts.decisions import StandsInTheWay, asking
from invoicing.catalog.models import Plan
from invoicing.money import ZERO
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.asked import (
    adding,
    check_plan,
    checked_quantity,
    lock_profile,
    lock_subscription,
    removing,
    still_allowed,
)
from invoicing.subscriptions.due import look_again
from invoicing.subscriptions.models import BillingProfile, PlanChange, QuantityChange, Subscription
from invoicing.subscriptions.policy import check_day, plan_refusals, quantity_on, quantity_refusals
from invoicing.subscriptions.queries import calendar_by, price_on


@dataclass(frozen=True)
class PlanChanged:
    """SEAT-4: what a change of plan comes to. `fee` is billed at once; the new rate holds from `new_rate_from`."""

    subscription: Subscription
    fee: Decimal
    currency: str
    new_rate_from: date


def change_quantity(
    subscription: Subscription, quantity: Decimal, from_on: date, *, actor: Actor, now: datetime, why: str = ""
) -> Subscription:
    """
    AUTH-7, AUTH-6: hold another quantity from a day on. The highest one of a billing month is billed (BILL-3).

    :raises Refused: unless the Administrator asks in the control panel, or, for what is not licensed, the Primary or
        Primary Billing Contact; on a day on which the service is not held; less than was held, for a day gone by
    :raises BadValue: if it is no quantity, the day is out of range, or the service is another account's
    """
    quantity = checked_quantity(quantity, zero_too=True)
    action = adding(subscription.plan) if quantity > subscription.quantity else removing(subscription)
    with asking(action, subscription.account, actor=actor, now=now) as asked:
        profile = lock_profile(asked.account)
        subscription = lock_subscription(asked.account, subscription)
        still_allowed(asked, removing(subscription))
        check_day("from_on", from_on)
        later = _later_quantities(subscription)
        held = quantity_on(from_on, quantity=subscription.quantity, later=later)
        today = today_of(profile.seller, now=now)
        if stops := quantity_refusals(
            started_on=subscription.started_on,
            ended_on=subscription.ended_on,
            held=held,
            wanted=quantity,
            from_on=from_on,
            set_today=today in {subscription.started_on, *(day for day, _ in later)},
            today=today,
        ):
            raise StandsInTheWay(*stops)
        if quantity != held:
            _set_quantity(subscription, quantity, from_on)
            look_again({asked.account.pk: from_on})
            subject = f"subscription {subscription.reference}"
            asked.audit(
                "subscription.quantity", subject=subject, why=why,
                before={"quantity": f"{held.normalize():f}"},
                after={"quantity": f"{quantity.normalize():f}", "from_on": from_on.isoformat()},
            )  # fmt: skip
    return subscription


def change_plan(
    subscription: Subscription, plan: Plan, on: date, *, actor: Actor, now: datetime, why: str = ""
) -> PlanChanged:
    """
    SEAT-4: move to another plan. Its change fee is billed at once, its rate holds from the next billing month.

    Reading: an agreed price of the subscription stays agreed.

    :raises Refused: unless the Administrator asks in the control panel, or, where neither plan is licensed, the Primary
        or Primary Billing Contact; for the same plan, a day gone by, or a day on which the service is not held
    :raises BadValue: if the plan is not recurring, or has no price in the account's currency on that day; if the day
        is out of range, or the service is another account's
    """
    plan = Plan.objects.select_related("product").get(pk=plan.pk)
    action = adding(plan) if plan.product.licensed else removing(subscription)
    with asking(action, subscription.account, actor=actor, now=now) as asked:
        profile = lock_profile(asked.account)
        subscription = lock_subscription(asked.account, subscription)
        still_allowed(asked, removing(subscription))
        left = subscription.plan
        _check_change(subscription, plan, on, profile, now=now)
        PlanChange.objects.create(subscription=subscription, on=on, from_plan=left, to_plan=plan)
        subscription.plan = plan
        subscription.save(update_fields=["plan"])
        look_again({asked.account.pk: on})
        asked.audit(
            "subscription.plan",
            subject=f"subscription {subscription.reference}",
            why=why,
            before={"plan": left.code},
            after={"plan": plan.code, "on": on.isoformat()},
        )
        return _what_it_comes_to(subscription, on, profile)


def _check_change(subscription: Subscription, plan: Plan, on: date, profile: BillingProfile, *, now: datetime) -> None:
    """Whether the plan may be changed to this one on the day; raises as `change_plan` does."""
    check_day("on", on)
    last = PlanChange.objects.filter(subscription=subscription).order_by("-on").first()
    if stops := plan_refusals(
        started_on=subscription.started_on,
        ended_on=subscription.ended_on,
        is_same=subscription.plan_id == plan.pk,
        last_change_on=last.on if last else None,
        on=on,
        today=today_of(profile.seller, now=now),
    ):
        raise StandsInTheWay(*stops)
    check_plan(plan, on, profile, agreed=False)


def _what_it_comes_to(subscription: Subscription, on: date, profile: BillingProfile) -> PlanChanged:
    price = price_on(subscription.plan, on, currency=profile.currency)
    period = calendar_by(profile).period_of(on)
    return PlanChanged(
        subscription,
        price.change_fee if price else ZERO,
        profile.currency,
        period.start if period.start == on else period.end,
    )


def _later_quantities(subscription: Subscription) -> list[tuple[date, Decimal]]:
    """The quantities set after the start, in order of their days."""
    changes = QuantityChange.objects.filter(subscription=subscription).order_by("from_on")
    return list(changes.values_list("from_on", "quantity"))


def _set_quantity(subscription: Subscription, quantity: Decimal, from_on: date) -> None:
    """The quantity from the start stands with the subscription, a later one in a row of its own."""
    if from_on == subscription.started_on:
        subscription.quantity = quantity
        subscription.save(update_fields=["quantity"])
    else:
        QuantityChange.objects.update_or_create(
            subscription=subscription, from_on=from_on, defaults={"quantity": quantity}
        )
