"""
How a contact comes to a sign-in: staff invite, a link goes to the contact's address, its owner sets a password.

Whoever opens the link has shown that the address is theirs, which is what makes a sign-in the contact's. It is made
anew: no sign-in that there is already changes its password or its owner by an invitation.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from smtplib import SMTPException

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.utils import generate_unique_username
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse

from accounts.actors import Actor, Channel
from accounts.audit import record_change
from accounts.models import Account, Contact, Invitation
from accounts.queries import actor_for_contact

INVITE = "accounts.invite_contact"
GOOD_FOR = timedelta(days=7)
AT_MOST_A_DAY = 3
LONGEST_TOKEN = 100


class InvitationRefused(Exception):
    """Why a contact is not invited, in a sentence."""


class LinkIsNoGood(Exception):
    """The link is wrong, used, too old, or no longer the contact's: in the same words, whichever it is."""

    def __init__(self) -> None:
        super().__init__(
            "This link makes no sign-in any more. Each works once and for a limited time; ask whoever runs billing "
            "to invite you again, or sign in if you have done so before."
        )


def invite_contact(contact: Contact, *, actor: Actor, now: datetime) -> Invitation:
    """
    Mail a contact the link by which it makes its sign-in; one that was sent before stops working.

    Not inside a transaction: the mail goes out when the invitation stands.

    :raises NotPermitted: unless the actor may invite contacts
    :raises InvitationRefused: if the address signs in already, was written to too often, or the mail cannot be sent
    """
    actor.require(INVITE)
    token = secrets.token_urlsafe(32)
    with transaction.atomic(durable=True):
        account = Account.objects.select_for_update(no_key=True).get(pk=contact.account_id)
        contact = _still_there(account, contact)
        _check_address(contact.email, now=now)
        _end_open(contact, now=now)
        invitation = Invitation.objects.create(
            contact=contact, email=contact.email, digest=_digest(token), invited_by=actor.name[:200], invited_at=now,
            expires_at=now + GOOD_FOR,
        )  # fmt: skip
        record_change(
            "contact.invite", subject=f"contact {contact.pk}", actor=actor, now=now, account=account,
            detail={"email": contact.email, "expires_at": invitation.expires_at.isoformat()},
        )  # fmt: skip
    try:
        _send(invitation, account, token)
    except (SMTPException, OSError) as error:
        _end_open(contact, now=now)
        raise InvitationRefused(f"The mail to {contact.email} could not be sent ({error}). Try again later.") from error
    return invitation


def invitation_of(token: str, *, now: datetime) -> Invitation:
    """
    The invitation that a link is of.

    :raises LinkIsNoGood: if there is none that can still be used
    """
    if not token or len(token) > LONGEST_TOKEN or not token.isascii():
        raise LinkIsNoGood
    found = Invitation.objects.select_related("contact__account").filter(digest=_digest(token)).first()
    if found is None or not _is_good(found, now=now):
        raise LinkIsNoGood
    return found


@transaction.atomic
def accept_invitation(token: str, password: str, *, now: datetime) -> User:
    """
    Make the contact's sign-in with a password that was checked; its address is verified by the link it came with.

    :raises LinkIsNoGood: if it cannot be used, or somebody made a sign-in with the address in between
    """
    invitation = Invitation.objects.select_for_update(no_key=True).filter(digest=_digest(token)).first()
    if invitation is None:
        raise LinkIsNoGood
    invitation = invitation_of(token, now=now)
    contact = invitation.contact
    try:
        with transaction.atomic():
            user = User(username=generate_unique_username([invitation.email]), email=invitation.email)
            user.set_password(password)
            user.save()
            EmailAddress.objects.create(user=user, email=invitation.email.lower(), verified=True, primary=True)
    except IntegrityError as error:
        raise LinkIsNoGood from error
    invitation.used_at = now
    invitation.save(update_fields=["used_at"])
    record_change(
        "contact.sign_in", subject=f"contact {contact.pk}", actor=actor_for_contact(contact, Channel.PORTAL), now=now,
        account=contact.account_id, detail={"email": invitation.email, "user": user.get_username()},
    )  # fmt: skip
    return user


def signs_in(email: str) -> bool:
    """Whether somebody who signs in has shown that the address is theirs."""
    return EmailAddress.objects.filter(email__iexact=email, verified=True).exists()


def _is_good(invitation: Invitation, *, now: datetime) -> bool:
    unused = invitation.used_at is None and invitation.ended_at is None and now < invitation.expires_at
    same_address = invitation.contact.email.lower() == invitation.email.lower()
    return unused and same_address and not signs_in(invitation.email)


def _still_there(account: Account, contact: Contact) -> Contact:
    found = Contact.objects.filter(pk=contact.pk, account=account).first()
    if found is None:
        raise InvitationRefused("This contact was removed meanwhile.")
    return found


def _check_address(email: str, *, now: datetime) -> None:
    """:raises InvitationRefused: if it needs no invitation, or has had enough of them today"""
    if signs_in(email):
        raise InvitationRefused(f"{email} signs in already; the account's pages are open to it without an invitation.")
    lately = Q(email__iexact=email, invited_at__gt=now - timedelta(days=1))
    if Invitation.objects.filter(lately).count() >= AT_MOST_A_DAY:
        raise InvitationRefused(f"{email} was invited {AT_MOST_A_DAY} times within a day. Invite it again tomorrow.")


def _end_open(contact: Contact, *, now: datetime) -> None:
    Invitation.objects.filter(contact=contact, used_at=None, ended_at=None).update(ended_at=now)


def _send(invitation: Invitation, account: Account, token: str) -> None:
    """The link is built from the site's own address, never from the one that a request claims to have come to."""
    link = f"{settings.SITE_URL}{reverse('invitation', args=[token])}"
    said = {
        "name": invitation.contact.name, "account": account, "invitation_url": link, "days": GOOD_FOR.days,
    }  # fmt: skip
    get_adapter().render_mail("account/email/invitation", invitation.email, said).send()


def _digest(token: str) -> str:
    """A link has 256 random bits, so that a plain hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).hexdigest()
