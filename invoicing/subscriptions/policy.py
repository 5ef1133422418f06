"""When an account has to be looked at by a run. Pure."""

from datetime import date

from invoicing.periods import BillingCalendar


def first_look_on(
    calendar: BillingCalendar, *, arrears: bool, at_once: bool, bill_from_on: date | None, day: date
) -> date:
    """
    The earliest day on which a change that holds from `day` can make something due.

    A day too early costs a look that finds nothing; a day too late loses an invoice. Periods that begin before
    `bill_from_on` are billed elsewhere, and so are one-off charges of days before it.
    """
    if bill_from_on is not None:
        day = max(day, bill_from_on)
    period = calendar.period_of(day)
    if arrears:
        return period.end
    if at_once:
        return day
    return period.start if bill_from_on is None or period.start >= bill_from_on else period.end
