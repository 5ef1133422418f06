"""People of each group, signed in."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from billingsite import groups
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from tests.invoicing.payments.factories import NOW

GROUPS = {"agent": groups.AGENT, "manager": groups.MANAGER, "auditor": groups.AUDITOR}


def signed_in(name: str) -> Client:
    """A member of the group of this name; `nobody` is no member of staff, `visitor` has not signed in."""
    client = Client()
    if name == "visitor":
        return client
    user, is_new = User.objects.get_or_create(username=name, defaults={"is_staff": name != "nobody"})
    if is_new and name in GROUPS:
        user.groups.add(Group.objects.get(name=GROUPS[name]))
    client.force_login(user)
    return client


@pytest.fixture
def agent(db):
    return signed_in("agent")


@pytest.fixture
def manager(db):
    return signed_in("manager")


@pytest.fixture
def auditor(db):
    return signed_in("auditor")


@pytest.fixture
def gateway() -> Iterator[DemoGateway]:
    """The demo gateway in the test's own process."""
    demo = DemoGateway(clock=SetClock(NOW))
    with installed(demo):
        yield demo
