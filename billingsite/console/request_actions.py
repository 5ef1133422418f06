"""What each recorded request does: the operation it is, with the form's values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.timezone import localdate

from accounts import operations
from accounts.actors import Actor
from accounts.models import Account, Contact
from invoicing.subscriptions import billing_day, charges


def change_account(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> None:
    changes = {name: values[name] for name in operations.ACCOUNT_FIELDS}
    operations.change_account(account=account, actor=actor, now=now, changes=changes, why=values["why"])


def change_billing(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> None:
    operations.change_billing_information(
        account=account,
        actor=actor,
        now=now,
        invoice_emails=values["invoice_emails"].split(),
        purchase_order=values["purchase_order"],
        why=values["why"],
    )


def add_contact(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> None:
    given = {name: values[name] for name in ("name", "email", "phone", "roles", "why")}
    operations.add_contact(account=account, actor=actor, now=now, **given)


def change_contact(
    *, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], contact: Contact
) -> None:
    changes = {name: values[name] for name in operations.CONTACT_FIELDS}
    operations.change_contact(
        account=account, contact=contact, actor=actor, now=now, changes=changes, why=values["why"]
    )


def remove_contact(
    *, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], contact: Contact
) -> None:
    operations.remove_contact(account=account, contact=contact, actor=actor, now=now, why=values["why"])


def set_roles(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], contact: Contact) -> None:
    operations.set_roles(
        account=account, contact=contact, actor=actor, now=now, roles=values["roles"], why=values["why"]
    )


def transfer(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], contact: Contact) -> None:
    operations.transfer_primary(account=account, to=contact, actor=actor, now=now, why=values["why"])


def account_now(account: Account, contact: Contact | None) -> dict[str, Any]:
    return {name: getattr(account, name) for name in operations.ACCOUNT_FIELDS}


def billing_now(account: Account, contact: Contact | None) -> dict[str, Any]:
    return {"invoice_emails": "\n".join(account.invoice_emails), "purchase_order": account.purchase_order}


def contact_now(account: Account, contact: Contact | None) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in operations.CONTACT_FIELDS}


def roles_now(account: Account, contact: Contact | None) -> dict[str, Any]:
    return {"roles": [role.role for role in contact.roles.all()] if contact else []}


def change_billing_day(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> str:
    profile = getattr(account, "billing_profile", None)
    today = localdate(now, ZoneInfo(profile.seller.time_zone if profile else "UTC"))
    move = billing_day.change_billing_day(account, values["day"], actor=actor, now=now, today=today, why=values["why"])
    return move.sentence


def request_charge(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> str:
    asked = [values[name] for name in ("plan", "description", "quantity", "unit_price", "on")]
    charge = charges.request_charge(account, *asked, actor=actor, now=now, why=values["why"])
    return "It goes on the next invoice." if charge.authorized_at else "It waits for an authorization (AUTH-6)."


def authorize_charge(*, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> None:
    charges.authorize_charge(values["charge"], actor=actor, now=now, why=values["why"])


def withdraw_charge(*, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> None:
    charges.withdraw_charge(values["charge"], actor=actor, now=now, why=values["why"])
