"""Every request that staff can record on an account's page, and the operation that each of them is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts import operations
from accounts.actors import Actor
from accounts.authority import Action, clause_of
from accounts.models import Account, Contact
from billingsite.console import request_forms as forms

Perform = Callable[..., object]


@dataclass(frozen=True)
class Kind:
    """
    One request. `perform` takes the account, the actor, now, the form's values and, if it is `of_contact`, the contact.

    `initial` gives what the form shows at first, which is how it is now.
    """

    slug: str
    label: str
    explanation: str
    action: Action
    permission: str
    form: type[forms.AskedForm]
    perform: Perform
    initial: Callable[[Account, Contact | None], dict[str, Any]] = lambda account, contact: {}
    done: str = "Done, and on record."
    tab: str = "overview"
    of_contact: bool = False
    button: str = "Record and change"
    danger: bool = False

    @property
    def clause(self) -> str:
        return clause_of(self.action)


def _change_account(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> None:
    changes = {name: values[name] for name in operations.ACCOUNT_FIELDS}
    operations.change_account(account=account, actor=actor, now=now, changes=changes, why=values["why"])


def _change_billing(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> None:
    operations.change_billing_information(
        account=account,
        actor=actor,
        now=now,
        invoice_emails=values["invoice_emails"].split(),
        purchase_order=values["purchase_order"],
        why=values["why"],
    )


def _add_contact(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], **_: Any) -> None:
    given = {name: values[name] for name in ("name", "email", "phone", "roles", "why")}
    operations.add_contact(account=account, actor=actor, now=now, **given)


def _change_contact(
    *, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], contact: Contact
) -> None:
    changes = {name: values[name] for name in operations.CONTACT_FIELDS}
    operations.change_contact(
        account=account, contact=contact, actor=actor, now=now, changes=changes, why=values["why"]
    )


def _remove_contact(
    *, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], contact: Contact
) -> None:
    operations.remove_contact(account=account, contact=contact, actor=actor, now=now, why=values["why"])


def _set_roles(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], contact: Contact) -> None:
    operations.set_roles(
        account=account, contact=contact, actor=actor, now=now, roles=values["roles"], why=values["why"]
    )


def _transfer(*, account: Account, actor: Actor, now: datetime, values: Mapping[str, Any], contact: Contact) -> None:
    operations.transfer_primary(account=account, to=contact, actor=actor, now=now, why=values["why"])


def _account_now(account: Account, contact: Contact | None) -> dict[str, Any]:
    return {name: getattr(account, name) for name in operations.ACCOUNT_FIELDS}


def _billing_now(account: Account, contact: Contact | None) -> dict[str, Any]:
    return {"invoice_emails": "\n".join(account.invoice_emails), "purchase_order": account.purchase_order}


def _contact_now(account: Account, contact: Contact | None) -> dict[str, Any]:
    return {name: getattr(contact, name) for name in operations.CONTACT_FIELDS}


def _roles_now(account: Account, contact: Contact | None) -> dict[str, Any]:
    return {"roles": [role.role for role in contact.roles.all()] if contact else []}


KINDS: dict[str, Kind] = {
    kind.slug: kind
    for kind in (
        Kind(
            "account-data", "Change account data", "Legal name, address and phone.", Action.CHANGE_ACCOUNT,
            "accounts.change_account", forms.AccountDataForm, _change_account, _account_now,
        ),
        Kind(
            "billing-information", "Change billing information", "Where invoices go, and the purchase-order number.",
            Action.CHANGE_BILLING_INFORMATION, "accounts.change_account", forms.BillingInformationForm, _change_billing,
            _billing_now,
        ),
        Kind(
            "new-contact", "Add a contact", "A person who may speak for the account, as far as their roles go.",
            Action.CHANGE_CONTACTS, "accounts.add_contact", forms.NewContactForm, _add_contact, tab="contacts",
        ),
        Kind(
            "contact", "Change contact", "Name, e-mail address and phone of a contact.", Action.CHANGE_CONTACTS,
            "accounts.change_contact", forms.ContactForm, _change_contact, _contact_now, tab="contacts",
            of_contact=True,
        ),
        Kind(
            "roles", "Set roles", "What the contact may ask for.", Action.CHANGE_CONTACTS, "accounts.change_contact",
            forms.RolesForm, _set_roles, _roles_now, tab="contacts", of_contact=True,
        ),
        Kind(
            "primary", "Make Primary Contact", "The Primary Contact passes the role on, and keeps their other roles.",
            Action.TRANSFER_PRIMARY, "accounts.change_contact", forms.AskedForm, _transfer, tab="contacts",
            of_contact=True, button="Record and pass the role on",
        ),
        Kind(
            "remove-contact", "Remove contact", "The contact and its roles go; what it asked for stays on record.",
            Action.CHANGE_CONTACTS, "accounts.delete_contact", forms.AskedForm, _remove_contact, tab="contacts",
            of_contact=True, button="Record and remove", danger=True,
        ),
    )
}  # fmt: skip
