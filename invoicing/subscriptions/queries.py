"""How an account is billed, and how far it was."""

from datetime import date

from django.db.models import Max, Q

from accounts.models import Account
from accounts.refusals import BadValue
from invoicing.catalog.models import BillingTerms, Plan, Price
from invoicing.periods import AnchorChange, BillingCalendar
from invoicing.subscriptions.models import BillingDayChange, BillingProfile, OneOffCharge, Subscription
from invoicing.subscriptions.policy import BillingDayMove, Ending, billing_day_move, ending_of, in_words

# Lines stand in a higher room; they are asked for by the name that they gave the way back to us.
RECURRING, REBATE = "RECURRING", "REBATE"


def profile_billed(account: Account) -> BillingProfile | None:
    """How the account is billed; for a client of a partner, how its partner is. None where nobody said it yet."""
    profiles = BillingProfile.objects.select_related("terms", "seller")
    return profiles.filter(account_id=account.parent_id or account.pk).first()


def calendar_of(account: Account) -> BillingCalendar:
    """The account's billing dates, which for a client are its partner's; the 1st where nothing else is said."""
    profile = profile_billed(account)
    return calendar_by(profile) if profile else BillingCalendar()


def calendar_by(profile: BillingProfile) -> BillingCalendar:
    """The billing dates of accounts that are billed by this profile."""
    if not is_anniversary(profile):
        return BillingCalendar()
    changes = BillingDayChange.objects.filter(account_id=profile.account_id).order_by("effective_on")
    return BillingCalendar(
        profile.billing_day or 1, tuple(AnchorChange(change.effective_on, change.day) for change in changes)
    )


def is_anniversary(profile: BillingProfile) -> bool:
    """Whether it is billed on a day of its own."""
    return profile.terms.anchor == BillingTerms.Anchor.ANNIVERSARY


def preview_ending(subscription: Subscription, ended_on: date) -> Ending:
    """What ending a service on a day comes to, before anybody asks for it; `sentence` is for the customer."""
    recurring = Q(invoice_lines__kind=RECURRING)
    found = Subscription.objects.filter(pk=subscription.pk).aggregate(
        to=Max("invoice_lines__period_end", filter=recurring)
    )
    return ending_of(
        calendar_of(subscription.account),
        started_on=subscription.started_on,
        ended_on=ended_on,
        invoiced_to=found["to"],
    )


def preview_billing_day(account: Account, day: int, *, today: date) -> BillingDayMove:
    """
    BILL-5: what a change of the billing day comes to, before anybody asks for it; `refusals` stand in its way.

    :raises BadValue: if it is no day of a month, or the account has no billing terms
    """
    profile = profile_billed(account)
    if profile is None:
        raise no_terms(account)
    if day not in range(1, 32):
        raise BadValue("day", "A billing day is a day of the month, from 1 to 31.")
    return billing_day_move(
        calendar_by(profile),
        day=day,
        today=today,
        billed_to=_billed_to(profile),
        bridge_rule=profile.terms.bridge,
        anniversary=is_anniversary(profile),
        through_partner=profile.account_id != account.pk,
    )


def _billed_to(profile: BillingProfile) -> date | None:
    """The first day of which no month's charge is on an invoice or a draft of the account or of its clients."""
    theirs = Subscription.objects.filter(Q(account=profile.account_id) | Q(account__parent=profile.account_id))
    found = theirs.aggregate(to=Max("invoice_lines__period_end", filter=Q(invoice_lines__kind=RECURRING)))
    to: date | None = found["to"]
    return to


def rebate_is_billed(subscription: Subscription, period_start_on: date) -> bool:
    """SEAT-3: whether the rebate of a billing month is on an invoice or a draft."""
    return Subscription.objects.filter(
        pk=subscription.pk, invoice_lines__kind=REBATE, invoice_lines__period_start=period_start_on
    ).exists()


def is_on_an_invoice(charge: OneOffCharge) -> bool:
    """Whether an invoice or a draft carries the charge."""
    return OneOffCharge.objects.filter(pk=charge.pk, invoice_lines__isnull=False).exists()


def price_on(plan: Plan, day: date, *, currency: str) -> Price | None:
    """BILL-3: the version of a plan's price that is valid on a day."""
    versions = Price.objects.filter(plan=plan, currency=currency, valid_from_on__lte=day)
    return versions.order_by("-valid_from_on").first()


def check_sold(plan: Plan, day: date, *, currency: str) -> None:
    """:raises BadValue: if the plan has no price in the currency on that day"""
    if price_on(plan, day, currency=currency) is None:
        raise BadValue(
            "plan",
            f"The plan {plan.name} has no price in {currency} on {in_words(day)}. "
            f"Choose another plan or day, or agree a price with the billing team.",
        )


def no_terms(account: Account) -> BadValue:
    """The account cannot be billed yet."""
    return BadValue(
        "account", f"Account {account.number} has no billing terms yet. A billing manager sets them in the console."
    )
