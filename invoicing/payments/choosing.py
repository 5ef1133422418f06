"""SEAT-5: whether what is invoiced is charged by itself; the account's own choice wins over its terms."""

from datetime import datetime

from accounts.actors import Actor
from accounts.authority import Action
from accounts.decisions import asking
from accounts.models import Account
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import BillingProfile


def choose_automatic_charge(
    account: Account, *, wanted: bool | None, actor: Actor, now: datetime, why: str = ""
) -> BillingProfile:
    """
    AUTH-5: have what is invoiced charged to the default method on the billing date, or not; None: as the terms say.

    :raises Refused: unless the Primary or a Billing Contact asks
    :raises BillingProfile.DoesNotExist: for a client, which is billed through its partner
    """
    with asking(Action.CHANGE_BILLING_INFORMATION, account, actor=actor, now=now) as asked:
        profile = lock_billing(asked.account.pk)
        before = profile.auto_charge
        if before != wanted:
            profile.auto_charge = wanted
            profile.save(update_fields=["auto_charge"])
            asked.audit(
                "account.automatic_charge",
                subject=f"account {asked.account.number}",
                before={"auto_charge": before},
                after={"auto_charge": wanted},
                why=why,
            )
    return profile
