"""BILL-5: the day of the month on which an account is billed."""

from datetime import date, datetime

from accounts.actors import Actor
from accounts.authority import Action
from accounts.decisions import StandsInTheWay, asking
from accounts.models import Account
from invoicing.subscriptions.asked import lock_profile
from invoicing.subscriptions.due import look_again
from invoicing.subscriptions.models import BillingDayChange
from invoicing.subscriptions.policy import BillingDayMove
from invoicing.subscriptions.queries import preview_billing_day


def change_billing_day(
    account: Account, day: int, *, actor: Actor, now: datetime, today: date, why: str = ""
) -> BillingDayMove:
    """
    BILL-5: bill the account on another day of the month, from its next billing date on.

    The answer says when it takes effect, and what the days between the two billing days cost (`sentence`); ask
    `queries.preview_billing_day` for the same beforehand. `today` is the seller's.

    :raises Refused: unless the Primary or a Billing Contact asks; for terms without a billing day, for a client of a
        partner, for the day it is already, and while another change is to take effect
    :raises BadValue: if it is no day of a month, or nobody has said how the account is billed
    """
    with asking(Action.CHANGE_BILLING_DAY, account, actor=actor, now=now) as asked:
        lock_profile(asked.account)
        move = preview_billing_day(asked.account, day, today=today)
        if move.refusals:
            raise StandsInTheWay(*move.refusals)
        BillingDayChange.objects.create(account=asked.account, effective_on=move.effective_on, day=day)
        look_again({asked.account.pk: move.effective_on})
        asked.audit(
            "billing_day.change",
            subject=f"account {asked.account.number}",
            why=why,
            before={"day": move.former_day},
            after={"day": day, "effective_on": move.effective_on.isoformat()},
        )
    return move
