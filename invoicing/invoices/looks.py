"""Which days a billing has looked at, and when an account is to be looked at next. Pure."""

from datetime import date

from invoicing.invoices.holdings import Billable


def look_from(account: Billable, *, on: date) -> date:
    """
    The first day that the run after this one has to look at.

    In arrears all that ended is billed. In advance the period that `on` falls in stays open, for what is
    added to it later.
    """
    return account.calendar.period_of(on).start


def next_look_on(account: Billable, *, on: date) -> date:
    """When the account must be looked at next: its next billing date, or an earlier day of something due at once."""
    following = account.calendar.period_of(on).end
    if account.terms.arrears or account.terms.late_start != "AT_ONCE":
        return following
    days = [following]
    for holding in account.holdings:
        days.append(holding.started_on)
        days.extend(later.from_on for later in holding.later_quantities)
        days.extend(left.on for left in holding.plans_left)
    days.extend(one_off.on for one_off in account.one_offs)
    return min(day for day in days if day > on)
