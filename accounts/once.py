"""
A form that is sent twice does once what it asks for: by a second click, by the browser's way back, or by two windows.

Each form that moves money carries a ticket, signed for its account and good for some hours. The unique digest of the
ticket, kept in the database, is the guard.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.core import signing
from django.db import IntegrityError, transaction

from accounts.models import SentForm

GOOD_FOR = timedelta(hours=12)
KEPT_FOR = timedelta(days=2)


class NotAgain(Exception):
    """The form was sent before, or is too old, in a sentence; nothing was done by it."""


def new_ticket(account_id: int) -> str:
    """For one form that is shown."""
    return signing.dumps(secrets.token_urlsafe(16), salt=_salt(account_id))


def use_ticket(ticket: str, *, account_id: int, now: datetime) -> None:
    """
    Take the ticket of a form that was sent, before anything is done.

    :raises NotAgain: if it was taken before, is too old, or is none of this account
    """
    try:
        signing.loads(ticket, salt=_salt(account_id), max_age=GOOD_FOR)
    except signing.BadSignature as bad:
        raise NotAgain("This page was open too long. Look at it once more, then send it.") from bad
    SentForm.objects.filter(account_id=account_id, at__lt=now - KEPT_FOR).delete()
    try:
        with transaction.atomic():
            SentForm.objects.create(account_id=account_id, digest=hashlib.sha256(ticket.encode()).hexdigest(), at=now)
    except IntegrityError as error:
        raise NotAgain("This was sent before; it is not done a second time. See below what became of it.") from error


def _salt(account_id: int) -> str:
    return f"portal-form:{account_id}"
