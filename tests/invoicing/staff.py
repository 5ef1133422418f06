"""Members of the billing team, signed in."""

from django.contrib.auth.models import Group, User
from django.test import Client

MANAGER, AGENT, AUDITOR, NO_GROUP = "Billing manager", "Billing agent", "Auditor", ""
PASSWORD = "correct horse battery"


def make_staff(group: str = MANAGER, *, is_staff: bool = True) -> User:
    """Somebody of that group; without one, somebody who may see nothing."""
    name = f"{group or 'nobody'}{'' if is_staff else ' outside'}".lower().replace(" ", "-")
    user = User.objects.filter(username=name).first()
    if user is None:
        user = User.objects.create_user(name, f"{name}@example.com", PASSWORD, is_staff=is_staff)
        user.groups.set(Group.objects.filter(name=group))
    return user


def signed_in(group: str = MANAGER, *, is_staff: bool = True) -> Client:
    """A browser in which such a person is signed in."""
    client = Client()
    client.force_login(make_staff(group, is_staff=is_staff))
    return client
