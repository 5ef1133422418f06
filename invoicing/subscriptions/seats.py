"""SEAT-3: what the platform, or the billing team, knows of a seat's use."""

from datetime import date, datetime

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from accounts.refusals import Refusal
from invoicing.periods import Period
from invoicing.subscriptions.asked import CHANGE_PERMISSION, lock_profile, lock_subscription
from invoicing.subscriptions.due import look_again
from invoicing.subscriptions.models import BillingProfile, Inactivity, Subscription
from invoicing.subscriptions.policy import inactivity_refusals
from invoicing.subscriptions.queries import calendar_by, rebate_is_billed


class InactivityRefused(Exception):
    """The billing month cannot be recorded; `refusals` say why, and what to do instead."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        self.refusals = refusals
        super().__init__(" ".join(map(str, refusals)))


@transaction.atomic
def record_inactivity(
    subscription: Subscription,
    period_start_on: date,
    *,
    actor: Actor,
    now: datetime,
    deemed: bool = False,
    why: str = "",
) -> Inactivity:
    """
    SEAT-3: a seat was inactive, or is deemed so, in the billing month that begins on a day.

    The rebate is carried by the next invoice after that month. It is a fact and nobody's request, so that no authority
    is asked: the platform records it, or staff with the permission `invoicing.change_subscription`.

    :raises NotPermitted: if the actor is neither
    :raises InactivityRefused: on no billing month's first day; if the seat is not held then, or its rebate was billed
    :raises BadValue: if nobody has said how the account is billed
    """
    actor.require(CHANGE_PERMISSION)
    account = Account.objects.select_for_update(no_key=True).get(pk=subscription.account_id)
    profile = lock_profile(account)
    subscription = lock_subscription(account, subscription)
    kind = Inactivity.Kind.DEEMED if deemed else Inactivity.Kind.INACTIVE
    known = Inactivity.objects.filter(subscription=subscription, period_start_on=period_start_on).first()
    if known and known.kind == kind:
        return known
    period = _checked_period(subscription, period_start_on, profile)
    recorded, _ = Inactivity.objects.update_or_create(
        subscription=subscription, period_start_on=period_start_on, defaults={"kind": kind}
    )
    look_again({account.pk: period.end}, with_next_invoice=True)
    subject, why = f"subscription {subscription.reference}", why or "Recorded under SEAT-3."
    detail = {
        "before": {"kind": known.kind if known else None},
        "after": {"kind": kind, "period_start_on": period_start_on.isoformat()},
    }
    record_change("seat.inactive", subject=subject, actor=actor, now=now, account=account, why=why, detail=detail)
    return recorded


def _checked_period(subscription: Subscription, period_start_on: date, profile: BillingProfile) -> Period:
    """:raises InactivityRefused: on no billing month's first day; if the seat is not held then, or its rebate billed"""
    period = calendar_by(profile).period_of(period_start_on)
    if stops := inactivity_refusals(
        period=period,
        day=period_start_on,
        started_on=subscription.started_on,
        ended_on=subscription.ended_on,
        rebate_billed=rebate_is_billed(subscription, period.start),
    ):
        raise InactivityRefused(stops)
    return period
