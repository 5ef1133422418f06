"""Holds, promises to pay and exemptions: what keeps reminders, suspension and the agency from an account."""

from datetime import date, datetime

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import Account
from accounts.refusals import BadValue
from invoicing.collections.following import recall_held
from invoicing.collections.models import Hold
from invoicing.invoices.models import Invoice
from invoicing.subscriptions.locking import lock_billings

MAY_HOLD = "invoicing.place_hold"
NEED_A_DAY = {Hold.Kind.PROMISE, Hold.Kind.EXEMPTION}


class HoldRefused(Exception):
    """What was asked for is no hold that can stand, or is not in force."""


@transaction.atomic
def place_hold(
    *,
    account: Account,
    kind: str,
    why: str,
    actor: Actor,
    now: datetime,
    today: date,
    invoice: Invoice | None = None,
    until_on: date | None = None,
) -> Hold:
    """
    Keep an invoice, or all of an account, from reminders, suspension and hand-over until a day, that day included.

    What of it is with the agency is recalled with it.

    :raises NotPermitted: unless the actor may place holds
    :raises BadValue: without a reason, with a day that is past, or for a promise or exemption without one
    :raises HoldRefused: if the invoice is another account's, or is no issued invoice
    """
    actor.require(MAY_HOLD)
    kind = Hold.Kind(kind)
    _check(kind, why, until_on, today)
    if invoice is not None and (invoice.account_id != account.pk or invoice.status != Invoice.Status.ISSUED):
        raise HoldRefused(f"Invoice {invoice} is no issued invoice of account {account.number}.")
    lock_billings([account.pk])
    hold = Hold.objects.create(
        account=account, invoice=invoice, kind=kind, until_on=until_on, why=why.strip()[:300],
        placed_by=actor.name[:200], placed_at=now,
    )  # fmt: skip
    _audit("place hold", hold, actor=actor, now=now, why=hold.why)
    recall_held(account.pk, on=today, now=now, actor=actor)
    return hold


def _check(kind: Hold.Kind, why: str, until_on: date | None, today: date) -> None:
    if not why.strip():
        raise BadValue("why", "A hold says why: give the reason that colleagues are to read.")
    if kind in NEED_A_DAY and until_on is None:
        raise BadValue("until_on", f"{kind.label} needs the last day on which it holds.")
    if until_on is not None and until_on < today:
        raise BadValue("until_on", f"{until_on} is past: a hold lasts until today or a later day.")


def promise_to_pay(
    *,
    account: Account,
    until_on: date,
    why: str,
    actor: Actor,
    now: datetime,
    today: date,
    invoice: Invoice | None = None,
) -> Hold:
    """
    The customer says that it will pay by a day, that day included.

    :raises NotPermitted: and what else `place_hold` raises
    """
    return place_hold(
        account=account, kind=Hold.Kind.PROMISE, why=why, actor=actor, now=now, today=today, invoice=invoice,
        until_on=until_on,
    )  # fmt: skip


def exempt_account(
    *, account: Account, until_on: date, why: str, actor: Actor, now: datetime, today: date
) -> Hold:  # fmt: skip
    """
    Nobody duns this account until a day, that day included.

    :raises NotPermitted: and what else `place_hold` raises
    """
    return place_hold(
        account=account, kind=Hold.Kind.EXEMPTION, why=why, actor=actor, now=now, today=today, until_on=until_on
    )


@transaction.atomic
def lift_hold(*, hold: Hold, actor: Actor, now: datetime, why: str = "") -> Hold:
    """
    End a hold before its day.

    :raises NotPermitted: unless the actor may place holds
    :raises HoldRefused: if it was lifted before
    """
    actor.require(MAY_HOLD)
    hold = Hold.objects.select_for_update(no_key=True).get(pk=hold.pk)
    if hold.lifted_at is not None:
        raise HoldRefused(f"{hold} was lifted on {hold.lifted_at:%Y-%m-%d} by {hold.lifted_by}.")
    hold.lifted_by, hold.lifted_at = actor.name[:200], now
    hold.save(update_fields=["lifted_by", "lifted_at"])
    _audit("lift hold", hold, actor=actor, now=now, why=why)
    return hold


def _audit(action: str, hold: Hold, *, actor: Actor, now: datetime, why: str) -> None:
    detail = {
        "kind": hold.kind,
        "invoice": hold.invoice_id,
        "until_on": hold.until_on.isoformat() if hold.until_on else None,
    }
    subject = f"hold {hold.pk}"
    record_change(action, subject=subject, actor=actor, now=now, account=hold.account_id, why=why, detail=detail)
