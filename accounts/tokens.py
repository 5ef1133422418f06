"""Keys with which machines sign in to the API: shown once when they are made, kept as a digest."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.models import ApiToken
from accounts.policy import one_line
from accounts.refusals import BadValue

MANAGE = "accounts.manage_tokens"
USAGE_WRITE = "usage:write"
SCOPES = (USAGE_WRITE,)
PREFIX = "cb_"
HINT_LENGTH = 8
# Anything longer is no key of ours, and not worth a look in the database.
LONGEST_KEY = 100


def make_token(name: str, scopes: Collection[str], *, actor: Actor, now: datetime) -> tuple[ApiToken, str]:
    """
    A new token and its key, which nobody can be told again.

    :raises NotPermitted: unless the actor may manage tokens
    :raises BadValue: if the name is empty or taken, or a scope is unknown or none is given
    """
    actor.require(MANAGE)
    name = one_line("name", name)
    if not 0 < len(name) <= 100:
        raise BadValue(
            "name", "A token has a name of at most 100 characters, such as that of the machine that uses it."
        )
    if not scopes or (unknown := sorted(set(scopes) - set(SCOPES))):
        wrong = f"There is no scope {', '.join(unknown)}." if scopes else "A token without a scope may do nothing."
        raise BadValue("scopes", f"{wrong} Choose from: {', '.join(SCOPES)}.")
    key = PREFIX + secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            token = ApiToken.objects.create(
                name=name, digest=_digest(key), hint=key[:HINT_LENGTH], scopes=sorted(set(scopes)), created_at=now
            )
            record_change(
                "token.make", subject=f"API token {name}", actor=actor, now=now, detail={"scopes": token.scopes}
            )
    except IntegrityError as error:
        raise BadValue("name", f"There is a token called {name}. Choose another name.") from error
    return token, key


@transaction.atomic
def revoke_token(token: ApiToken, *, actor: Actor, now: datetime, why: str = "") -> ApiToken:
    """
    Have the token let nobody in from now on. Revoked before, it stays as it is.

    :raises NotPermitted: unless the actor may manage tokens
    """
    actor.require(MANAGE)
    token = ApiToken.objects.select_for_update(no_key=True).get(pk=token.pk)
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        record_change("token.revoke", subject=f"API token {token.name}", actor=actor, now=now, why=why)
    return token


def token_of(key: str) -> ApiToken | None:
    """The token whose key this is, unless it was revoked."""
    if not key.startswith(PREFIX) or len(key) > LONGEST_KEY or not key.isascii():
        return None
    return ApiToken.objects.filter(digest=_digest(key), revoked_at=None).first()


def _digest(key: str) -> str:
    """A key has 256 random bits, so that a plain hash is as good as a slow one."""
    return hashlib.sha256(key.encode()).hexdigest()
