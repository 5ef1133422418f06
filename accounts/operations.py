"""
Every change to an account and its contacts.

Each asks the authority first (see `accounts.decisions`: not from inside a transaction), changes the account under its
lock, and leaves an audit entry that names the decision. A value that is so already is no change, and leaves none.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import models

from accounts.actors import Actor, Role
from accounts.authority import WHOM_TO_ASK, Action
from accounts.decisions import Refused, StandsInTheWay, asking, decide, refusals_of
from accounts.models import Account, Contact, ContactRole
from accounts.policy import check_place, email_addresses, one_line, role_refusals
from accounts.queries import address_on_file, roles_in
from accounts.refusals import BadValue

ACCOUNT_FIELDS = frozenset({"name", "address_line", "city", "county", "state", "postal_code", "country", "phone"})
CONTACT_FIELDS = frozenset({"name", "email", "phone"})
CODES = frozenset({"state", "country"})


@dataclass(frozen=True)
class WhomToAsk:
    """AUTH-10: `sentence` is the answer; `address` is where it is sent, and is shown to nobody."""

    sentence: str
    address: str = field(repr=False)


def change_account(
    *, account: Account, actor: Actor, now: datetime, changes: Mapping[str, str], why: str = ""
) -> Account:
    """
    AUTH-2: change the legal name, the address or the phone; `changes` holds values by the names of `ACCOUNT_FIELDS`.

    :raises Refused: unless the Primary Contact asks
    :raises BadValue: at the first value that cannot be stored
    """
    with asking(Action.CHANGE_ACCOUNT, account, actor=actor, now=now) as asked:
        values = {name: one_line(name, value) for name, value in changes.items()}
        values |= {name: values[name].upper() for name in CODES & values.keys() if len(values[name]) == 2}
        before, after = _assign(asked.account, values, ACCOUNT_FIELDS)
        if after:
            check_place(country=asked.account.country, state=asked.account.state)
            asked.account.save(update_fields=after)
            asked.audit("account.change", subject=f"account {account.number}", why=why, before=before, after=after)
    return asked.account


def change_billing_information(
    *,
    account: Account,
    actor: Actor,
    now: datetime,
    invoice_emails: Sequence[str] | None = None,
    purchase_order: str | None = None,
    why: str = "",
) -> Account:
    """
    AUTH-5: change where invoices are delivered, or the purchase-order number; None leaves as it is.

    :raises Refused: unless the Primary or a Billing Contact asks
    :raises BadValue: at the first value that cannot be stored
    """
    with asking(Action.CHANGE_BILLING_INFORMATION, account, actor=actor, now=now) as asked:
        values: dict[str, Any] = {}
        if invoice_emails is not None:
            values["invoice_emails"] = email_addresses("invoice_emails", invoice_emails)
        if purchase_order is not None:
            values["purchase_order"] = one_line("purchase_order", purchase_order)
        before, after = _assign(asked.account, values, values.keys())
        if after:
            asked.account.save(update_fields=after)
            asked.audit("account.billing", subject=f"account {account.number}", why=why, before=before, after=after)
    return asked.account


def add_contact(
    *,
    account: Account,
    actor: Actor,
    now: datetime,
    name: str,
    email: str,
    phone: str = "",
    roles: Collection[str] = (),
    why: str = "",
) -> Contact:
    """
    AUTH-1, AUTH-2: add a contact with its roles.

    :raises Refused: unless the Primary Contact asks, or if a role can be held once and is
    :raises BadValue: at the first value that cannot be stored, and if the address is another contact's
    """
    given_roles = _roles(roles)
    with asking(_action_for(frozenset(), given_roles), account, actor=actor, now=now) as asked:
        contact = Contact(account=asked.account)
        given = {"name": name, "email": email, "phone": phone}
        _assign(contact, {key: one_line(key, value) for key, value in given.items()}, CONTACT_FIELDS)
        _check_unique(contact)
        contact.save()
        _give_roles(contact, given_roles)
        after = _as_audited(contact, given_roles)
        asked.audit("contact.add", subject=f"contact {contact.pk}", why=why, before={}, after=after)
    return contact


def change_contact(
    *, account: Account, contact: Contact, actor: Actor, now: datetime, changes: Mapping[str, str], why: str = ""
) -> Contact:
    """
    AUTH-2: change the name, the e-mail address or the phone of a contact.

    :raises Refused: unless the Primary Contact asks
    :raises BadValue: at the first value that cannot be stored, and if the address is another contact's
    """
    with asking(Action.CHANGE_CONTACTS, account, actor=actor, now=now) as asked:
        contact = _own(asked.account, contact)
        values = {key: one_line(key, value) for key, value in changes.items()}
        before, after = _assign(contact, values, CONTACT_FIELDS)
        _check_unique(contact)
        if after:
            contact.save(update_fields=after)
            asked.audit("contact.change", subject=f"contact {contact.pk}", why=why, before=before, after=after)
    return contact


def remove_contact(*, account: Account, contact: Contact, actor: Actor, now: datetime, why: str = "") -> None:
    """
    AUTH-2: remove a contact with its roles.

    :raises Refused: unless the Primary Contact asks, and if it is the Primary Contact (AUTH-1)
    """
    action = _action_for(roles_in(account, contact.pk), frozenset())
    with asking(action, account, actor=actor, now=now) as asked:
        contact = _own(asked.account, contact)
        held = roles_in(asked.account, contact.pk)
        if stops := role_refusals(before=held, after=(), taken_by_others=()):
            raise StandsInTheWay(*stops)
        before = _as_audited(contact, held)
        asked.audit("contact.remove", subject=f"contact {contact.pk}", why=why, before=before, after={})
        contact.delete()


def set_roles(
    *, account: Account, contact: Contact, actor: Actor, now: datetime, roles: Collection[str], why: str = ""
) -> Contact:
    """
    AUTH-1, AUTH-2: give a contact these roles and no others.

    :raises Refused: unless the Primary Contact asks, if it makes or unmakes the Primary, or a second Primary Billing
    :raises BadValue: if there is no such role, or the contact is another account's
    """
    after = _roles(roles)
    with asking(_action_for(roles_in(account, contact.pk), after), account, actor=actor, now=now) as asked:
        contact = _own(asked.account, contact)
        before = roles_in(asked.account, contact.pk)
        if before != after:
            _give_roles(contact, after)
            asked.audit(
                "contact.roles",
                subject=f"contact {contact.pk}",
                why=why,
                before={"roles": sorted(before)},
                after={"roles": sorted(after)},
            )
    return contact


def transfer_primary(*, account: Account, to: Contact, actor: Actor, now: datetime, why: str = "") -> Contact:
    """
    AUTH-1: the Primary Contact passes the role on, and keeps whatever other roles they hold.

    :raises Refused: unless the Primary Contact asks
    """
    with asking(Action.TRANSFER_PRIMARY, account, actor=actor, now=now) as asked:
        to = _own(asked.account, to)
        primary = ContactRole.objects.get(account=asked.account, role=Role.PRIMARY)
        if primary.contact_id != to.pk:
            before = primary.contact_id
            primary.contact = to
            primary.save(update_fields=["contact"])
            asked.audit(
                "contact.primary",
                subject=f"contact {to.pk}",
                why=why,
                before={"primary": before},
                after={"primary": to.pk},
            )
    return to


def whom_to_ask(*, account: Account | None, actor: Actor, now: datetime) -> WhomToAsk:
    """
    AUTH-10: the same sentence for everybody, whether or not there is such an account.

    :raises Refused: if the request names another principal than its sender (AUTH-3)
    """
    decision = decide(Action.ASK_WHOM_TO_TURN_TO, account, actor=actor, now=now)
    if not decision.allowed:
        raise Refused(decision, refusals_of(decision))
    return WhomToAsk(WHOM_TO_ASK, address_on_file(account) if account else "")


def _action_for(before: frozenset[Role], after: frozenset[Role]) -> Action:
    """The clause that a change of roles falls under; all are asked for by the Primary Contact."""
    changed = before ^ after
    if Role.PRIMARY_BILLING in changed:
        return Action.SET_PRIMARY_BILLING
    if Role.BILLING in changed:
        return Action.ADD_BILLING_CONTACT if Role.BILLING in after else Action.REMOVE_BILLING_CONTACT
    return Action.CHANGE_CONTACTS


def _roles(given: Collection[str]) -> frozenset[Role]:
    try:
        return frozenset(Role(role) for role in given)
    except ValueError as error:
        raise BadValue("roles", "There is no such role.") from error


def _as_audited(contact: Contact, roles: Collection[Role]) -> dict[str, Any]:
    return {"name": contact.name, "email": contact.email, "phone": contact.phone, "roles": sorted(roles)}


def _own(account: Account, contact: Contact) -> Contact:
    """The contact as it is now, if it is one of this account."""
    own = Contact.objects.filter(account=account, pk=contact.pk).first()
    if own is None:
        raise BadValue("contact", "This account has no such contact.")
    return own


def _give_roles(contact: Contact, roles: frozenset[Role]) -> None:
    others = ContactRole.objects.filter(account=contact.account).exclude(contact=contact)
    held = roles_in(contact.account, contact.pk)
    taken = [Role(role) for role in others.values_list("role", flat=True)]
    if stops := role_refusals(before=held, after=roles, taken_by_others=taken):
        raise StandsInTheWay(*stops)
    ContactRole.objects.filter(contact=contact, role__in=held - roles).delete()
    ContactRole.objects.bulk_create(
        ContactRole(account=contact.account, contact=contact, role=role) for role in sorted(roles - held)
    )


def _assign(
    row: models.Model, values: Mapping[str, Any], allowed: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the values that differ, each checked by its own field; returns them as they were and as they are."""
    before, after = {}, {}
    for name, value in values.items():
        if name not in allowed:
            raise BadValue(name, "This cannot be changed here.")
        was = getattr(row, name)
        try:
            cleaned = cast(models.Field, row._meta.get_field(name)).clean(value, row)
        except ValidationError as error:
            raise BadValue(name, " ".join(error.messages)) from error
        if cleaned != was:
            setattr(row, name, cleaned)
            before[name], after[name] = was, cleaned
    return before, after


def _check_unique(contact: Contact) -> None:
    try:
        contact.validate_constraints()
    except ValidationError as error:
        raise BadValue("email", " ".join(error.messages)) from error
