"""Every request that staff can record on an account's page, and the operation that each of them is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accounts.authority import Action, clause_of
from accounts.models import Account, Contact
from billingsite.console import request_actions as actions
from billingsite.console import request_forms as forms

Perform = Callable[..., str | None]


@dataclass(frozen=True)
class Kind:
    """
    One request. `perform` takes the account, the actor, now, the form's values and, if it is `of_contact`, the contact;
    it may give back a sentence to show. `initial` gives what the form shows at first, which is how it is now.
    """

    slug: str
    label: str
    explanation: str
    action: Action
    permission: str
    form: type[forms.AskedForm]
    perform: Perform
    initial: Callable[[Account, Contact | None], dict[str, Any]] = lambda account, contact: {}
    tab: str = "overview"
    of_contact: bool = False
    button: str = "Record and change"
    danger: bool = False

    @property
    def clause(self) -> str:
        return clause_of(self.action)


KINDS: dict[str, Kind] = {
    kind.slug: kind
    for kind in (
        Kind(
            "account-data", "Change account data", "Legal name, address and phone.", Action.CHANGE_ACCOUNT,
            "accounts.change_account", forms.AccountDataForm, actions.change_account, actions.account_now,
        ),
        Kind(
            "billing-information", "Change billing information", "Where invoices go, and the purchase-order number.",
            Action.CHANGE_BILLING_INFORMATION, "accounts.change_account", forms.BillingInformationForm,
            actions.change_billing, actions.billing_now,
        ),
        Kind(
            "new-contact", "Add a contact", "A person who may speak for the account, as far as their roles go.",
            Action.CHANGE_CONTACTS, "accounts.add_contact", forms.NewContactForm, actions.add_contact, tab="contacts",
        ),
        Kind(
            "contact", "Change contact", "Name, e-mail address and phone of a contact.", Action.CHANGE_CONTACTS,
            "accounts.change_contact", forms.ContactForm, actions.change_contact, actions.contact_now, tab="contacts",
            of_contact=True,
        ),
        Kind(
            "roles", "Set roles", "What the contact may ask for.", Action.CHANGE_CONTACTS, "accounts.change_contact",
            forms.RolesForm, actions.set_roles, actions.roles_now, tab="contacts", of_contact=True,
        ),
        Kind(
            "primary", "Make Primary Contact", "The Primary Contact passes the role on, and keeps their other roles.",
            Action.TRANSFER_PRIMARY, "accounts.change_contact", forms.AskedForm, actions.transfer, tab="contacts",
            of_contact=True, button="Record and pass the role on",
        ),
        Kind(
            "remove-contact", "Remove contact", "The contact and its roles go; what it asked for stays on record.",
            Action.CHANGE_CONTACTS, "accounts.delete_contact", forms.AskedForm, actions.remove_contact, tab="contacts",
            of_contact=True, button="Record and remove", danger=True,
        ),
        Kind(
            "billing-day", "Change the billing day",
            "From the next billing date on; the answer says what the days between cost.",
            Action.CHANGE_BILLING_DAY, "accounts.change_account", forms.BillingDayForm, actions.change_billing_day,
        ),
        Kind(
            "new-charge", "Ask for one-off work",
            "It waits for an authorization, unless the Primary or the Primary Billing Contact asks.",
            Action.REQUEST_CHARGE, "accounts.change_account", forms.NewChargeForm, actions.request_charge,
            button="Record the request",
        ),
        Kind(
            "authorize-charge", "Authorize a charge", "A charge that waits goes on the next invoice.",
            Action.AUTHORIZE_CHARGE, "accounts.change_account", forms.WaitingChargeForm, actions.authorize_charge,
            button="Record and authorize",
        ),
        Kind(
            "withdraw-charge", "Withdraw a charge", "A charge that is on no invoice is taken back.",
            Action.REQUEST_CHARGE, "accounts.change_account", forms.UnbilledChargeForm, actions.withdraw_charge,
            button="Record and withdraw", danger=True,
        ),
    )
}  # fmt: skip
