"""Accounts as the tests need them: one function a state, the same rows each time."""

from datetime import UTC, date, datetime
from itertools import count

from accounts.actors import Role
from accounts.models import Account, Contact, ContactRole

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_numbers = count(1)


def make_account(**values) -> Account:
    """A customer with nobody to speak for it."""
    number = f"A-{next(_numbers):05d}"
    given = {"number": number, "name": f"Customer {number}", "signed_up_on": date(2026, 1, 15), "state": "NY"}
    return Account.objects.create(**(given | values))


def make_contact(account: Account, name: str, *roles: Role) -> Contact:
    """A contact called `name` at its own address, with these roles."""
    email = f"{name.lower().replace(' ', '.')}@{account.number.lower()}.example"
    contact = Contact.objects.create(account=account, name=name, email=email)
    for role in roles:
        ContactRole.objects.create(account=account, contact=contact, role=role)
    return contact


def account_with_contacts() -> tuple[Account, dict[str, Contact]]:
    """An account with one contact for each role, and one with none; they go by the names of their roles."""
    account = make_account()
    contacts = {role.value: make_contact(account, role.value.title().replace("_", " "), role) for role in Role}
    contacts["NONE"] = make_contact(account, "Nobody Much")
    return account, contacts
