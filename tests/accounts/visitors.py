"""Contacts who have signed in, as the tests of the customers' pages need them."""

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.test import Client

from accounts.models import Contact


def visitor(contact: Contact, *, verified: bool = True) -> Client:
    """The contact's sign-in: by its address, in whatever letters it was typed."""
    user = User.objects.create_user(f"user-{contact.pk}")
    EmailAddress.objects.create(user=user, email=contact.email.upper(), verified=verified)
    client = Client()
    client.force_login(user)
    return client
