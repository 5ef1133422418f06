"""What ends a suspension besides the sweep: a payment at once, and staff; and what staff suspends."""

from datetime import date, datetime

from django.db import transaction

from accounts.actors import Actor, schedule
from accounts.models import Account
from accounts.refusals import BadValue
from invoicing.collections.grounds import Grounds, grounds_of
from invoicing.collections.models import Suspension
from invoicing.collections.queries import dunned
from invoicing.collections.suspension import MAY_SUSPEND, Changes, in_force_of, warned_of, write
from invoicing.payments.models import Payment
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing

PAID = "What was overdue is paid."


class SuspensionRefused(Exception):
    """The account is suspended for that reason already, or is not any more."""


@transaction.atomic
def suspend_account(*, account: Account, why: str, actor: Actor, now: datetime) -> Suspension:
    """
    Withhold service for a reason of one's own, from now on, until somebody lifts it: no payment does.

    :raises NotPermitted: unless the actor may suspend accounts
    :raises BadValue: without a reason
    :raises SuspensionRefused: if the account is suspended by staff already, or is a partner's client
    """
    actor.require(MAY_SUSPEND)
    if not why.strip():
        raise BadValue("why", "A suspension says why: give the reason that the customer is to read.")
    if account.parent_id is not None:
        raise SuspensionRefused(f"Account {account.number} is billed through its partner: suspend the partner.")
    people = dunned([lock_billing(account.pk)])
    in_force = in_force_of(people)
    if standing := in_force[account.pk].get(Suspension.Reason.OTHER):
        raise SuspensionRefused(f"Account {account.number} is suspended already: {standing.why}.")
    on = today_of(people[account.pk].seller, now=now)
    made = Suspension(
        account=account, reason=Suspension.Reason.OTHER, clause="SUSP-1", why=why.strip()[:300], effective_on=on,
        made_by=actor.name[:200], made_at=now, state=Suspension.State.WARNED,
    )  # fmt: skip
    write(Changes(made_active=[made]), people, {account.pk: Grounds()}, in_force, on=on, now=now, actor=actor)
    return made


@transaction.atomic
def restore_account(*, suspension: Suspension, why: str, actor: Actor, now: datetime) -> Suspension:
    """
    Lift one suspension, whatever its reason. Others of the account stay in force, and service with them withheld.

    Where an invoice is still overdue the next sweep warns anew: a promise to pay or an exemption keeps it from that.

    :raises NotPermitted: unless the actor may suspend accounts
    :raises BadValue: without a reason
    :raises SuspensionRefused: if it is lifted already
    """
    actor.require(MAY_SUSPEND)
    if not why.strip():
        raise BadValue("why", "Say why the suspension is lifted: the customer reads it.")
    people = dunned([lock_billing(suspension.account_id)])
    in_force = in_force_of(people)
    one = in_force[suspension.account_id].get(suspension.reason)
    if one is None or one.pk != suspension.pk:
        raise SuspensionRefused(f"{suspension} is lifted already.")
    was_active = one.state == Suspension.State.ACTIVE
    one.lifted_by, one.lifted_at, one.lifted_because = actor.name[:200], now, why.strip()[:300]
    changes = Changes(lifted=[one]) if was_active else Changes(withdrawn=[one])
    on = today_of(people[one.account_id].seller, now=now)
    write(changes, people, {one.account_id: Grounds()}, in_force, on=on, now=now, actor=actor)
    return one


def restore_paid(payment: Payment, *, now: datetime) -> None:
    """
    SUSP-1: what a payment has paid is lifted with it, in its transaction and under its account's lock.

    Registered with `payments.settled`; what it leaves over, such as credit that waits, the sweep finds.
    """
    if payment.state != Payment.State.SUCCEEDED:
        return
    suspended = Suspension.objects.filter(account=payment.account_id, reason=Suspension.Reason.NON_PAYMENT)
    if not suspended.exclude(state=Suspension.State.LIFTED).exists():
        return
    people = dunned([lock_billing(payment.account_id)])
    on: date = today_of(people[payment.account_id].seller, now=now)
    grounds, in_force = grounds_of(people, on=on), in_force_of(people)
    one, why = in_force[payment.account_id][Suspension.Reason.NON_PAYMENT], grounds[payment.account_id]
    is_active = one.state == Suspension.State.ACTIVE
    if why.to_stay if is_active else warned_of(one, why.to_warn):
        return
    one.lifted_by, one.lifted_at, one.lifted_because = schedule().name, now, PAID
    changes = Changes(lifted=[one]) if is_active else Changes(withdrawn=[one])
    write(changes, people, grounds, in_force, on=on, now=now, actor=schedule())
