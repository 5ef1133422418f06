"""SEAT-5: whether what is invoiced is charged by itself: where the terms say so, and for any account that chose it."""

from datetime import datetime

from accounts.actors import Actor
from accounts.authority import Action
from accounts.decisions import StandsInTheWay, asking
from accounts.models import Account
from accounts.refusals import Refusal
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import BillingProfile


def choose_automatic_charge(
    account: Account, *, wanted: bool | None, actor: Actor, now: datetime, why: str = ""
) -> BillingProfile:
    """
    AUTH-5: have what is invoiced charged to the default method on the billing date, or not; None: as the terms say.

    :raises Refused: unless the Primary or a Billing Contact asks; and for no charge where the terms say that each
        invoice is charged on its date (SEAT-5)
    :raises BillingProfile.DoesNotExist: for a client, which is billed through its partner
    """
    with asking(Action.CHANGE_BILLING_INFORMATION, account, actor=actor, now=now) as asked:
        profile = lock_billing(asked.account.pk)
        if wanted is False and profile.terms.auto_charge:
            raise StandsInTheWay(
                Refusal(
                    "SEAT-5",
                    f"Under the terms “{profile.terms.name}” each invoice is charged on its billing date.",
                    "Choose another default payment method, or ask for other terms.",
                )
            )
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
