"""What every change has in common: the rows it is made under, and the values it is given."""

from datetime import date
from decimal import Decimal
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import Field, Model

from accounts.actors import Actor
from accounts.authority import Action, refusals
from accounts.decisions import Authorized, StandsInTheWay
from accounts.models import Account
from accounts.queries import as_held_in
from accounts.refusals import BadValue
from invoicing.catalog.models import Plan, Product
from invoicing.money import ZERO
from invoicing.subscriptions.models import BillingProfile, Subscription
from invoicing.subscriptions.queries import check_sold, no_terms

CHANGE_PERMISSION = "invoicing.change_subscription"


def lock_profile(account: Account) -> BillingProfile:
    """
    How the account, or the partner of a client, is billed; locked until the transaction ends, as a run locks it.

    :raises BadValue: if nobody has said how it is billed
    """
    profiles = BillingProfile.objects.select_for_update(no_key=True, of=("self",)).select_related("terms", "seller")
    profile = profiles.filter(account_id=account.parent_id or account.pk).first()
    if profile is None:
        raise no_terms(account)
    return profile


def lock_subscription(account: Account, subscription: Subscription) -> Subscription:
    """
    The subscription as it is now, if it is one of this account.

    :raises BadValue: if it is not
    """
    rows = Subscription.objects.select_for_update(no_key=True, of=("self",)).select_related("plan__product", "account")
    own = rows.filter(account=account, pk=subscription.pk).first()
    if own is None:
        raise BadValue("subscription", "This account has no such service.")
    return own


def adding(plan: Plan) -> Action:
    """AUTH-7: under which action a plan is added."""
    return Action.ADD_LICENSED_SERVICE if plan.product.licensed else Action.CHANGE_UNLICENSED_SERVICE


def removing(subscription: Subscription) -> Action:
    """AUTH-7: under which action a service is taken away, or changed."""
    return Action.REMOVE_LICENSED_SERVICE if subscription.plan.product.licensed else Action.CHANGE_UNLICENSED_SERVICE


def still_allowed(asked: Authorized, action: Action) -> None:
    """
    Ask again for the action that the locked rows call for: they may have changed since the question was put.

    :raises StandsInTheWay: if the actor may not
    """
    if overtaken := refusals(as_held_in(asked.actor, asked.account), action):
        raise StandsInTheWay(*overtaken)


def check_plan(plan: Plan, day: date, profile: BillingProfile, *, agreed: bool) -> None:
    """:raises BadValue: if it is not charged by the month, or has no price on the day and none is `agreed`"""
    if plan.product.charge != Product.Charge.RECURRING:
        raise BadValue("plan", f"The plan {plan.name} is not charged by the month. Ask for a one-off charge instead.")
    if not agreed:
        check_sold(plan, day, currency=profile.currency)


def cleaned(model: type[Model], field: str, value: Any) -> Any:
    """
    The value as the model's field takes it.

    :raises BadValue: if it does not, with the field's own words
    """
    try:
        return cast("Field[Any, Any]", model._meta.get_field(field)).clean(value, None)
    except ValidationError as error:
        raise BadValue(field, " ".join(error.messages)) from error


def checked_quantity(value: Decimal, *, zero_too: bool = False) -> Decimal:
    """:raises BadValue: if it is no quantity at six places, or negative, or zero unless `zero_too`"""
    quantity: Decimal = cleaned(Subscription, "quantity", value)
    if quantity < 0 or (quantity == ZERO and not zero_too):
        raise BadValue(
            "quantity", "A quantity is greater than zero." if not zero_too else "A quantity is not negative."
        )
    return quantity


def checked_price(value: Decimal | None, *, actor: Actor) -> Decimal | None:
    """
    An agreed price of a unit. Reading: it takes two to agree, so that one comes with a request which staff records.

    :raises BadValue: if it is negative or no rate at six places, or a customer names it alone
    """
    if value is None:
        return None
    if not (actor.recorded_by or actor.may(CHANGE_PERMISSION)):
        raise BadValue("unit_price", "An agreed price is entered by the billing team. Ask them to record the request.")
    price: Decimal = cleaned(Subscription, "unit_price", value)
    if price < 0:
        raise BadValue("unit_price", "A price is not negative.")
    return price


def as_audited(row: Model, *names: str) -> dict[str, Any]:
    """These values of a row, in a form that is kept."""
    return {name: shown(getattr(row, name)) for name in names}


def shown(value: Any) -> Any:
    """A day as 2026-03-01, a number without needless zeros; anything else as it is."""
    if isinstance(value, date):
        return value.isoformat()
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
