"""An account with a contact for each role, and its Primary at the portal."""

import pytest

from accounts.actors import Channel
from accounts.queries import actor_for_contact
from tests.accounts.factories import account_with_contacts


@pytest.fixture
def people(db):
    """The contacts of one account by the names of their roles."""
    return account_with_contacts()[1]


@pytest.fixture
def account(people):
    return people["PRIMARY"].account


@pytest.fixture
def primary(people):
    return actor_for_contact(people["PRIMARY"], Channel.PORTAL)
