"""What the provider's platform is to be told, as rows; and the endpoints at which it listens."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.refusals import BadValue
from invoicing.collections.models import PlatformEndpoint, PlatformNotice
from invoicing.states import move

MAY_ADD = "invoicing.add_platformendpoint"
MAY_CHANGE = "invoicing.change_platformendpoint"
MAY_RETRY = "invoicing.retry_notice"


@dataclass(frozen=True)
class NoticeDraft:
    """One thing to be told of an account; `key` is what it is about, and is told once an endpoint."""

    account_id: int
    event: str
    key: str
    payload: dict[str, Any]


def record_notices(drafts: Sequence[NoticeDraft], *, now: datetime) -> None:
    """
    Write what the platform is to be told, in the caller's transaction: once a key and endpoint. Two statements.

    An endpoint that is off hears it when it is on again: else it would be told of a suspension that waited, and not
    of the restoration after it. Where none is on, the notice stands in the console's list as well, for a person to
    act on.
    """
    if not drafts:
        return
    endpoints: list[PlatformEndpoint | None] = list(PlatformEndpoint.objects.order_by("pk"))
    if not any(endpoint is not None and endpoint.is_on for endpoint in endpoints):
        endpoints.append(None)
    PlatformNotice.objects.bulk_create(
        [
            PlatformNotice(
                account_id=draft.account_id,
                endpoint=endpoint,
                event=draft.event,
                key=f"{draft.key}:{endpoint.pk}" if endpoint else draft.key,
                payload={**draft.payload, "id": draft.key, "event": draft.event.lower(), "at": now.isoformat()},
                made_at=now,
            )
            for draft in drafts
            for endpoint in endpoints
        ],
        ignore_conflicts=True,
    )


class NoticeRefused(Exception):
    """What was asked for of a notice cannot be."""


@transaction.atomic
def add_endpoint(*, name: str, url: str, actor: Actor, now: datetime) -> PlatformEndpoint:
    """
    Tell the platform at this address from now on. The secret of what is returned is shown this once.

    :raises NotPermitted: unless the actor may add endpoints
    :raises BadValue: if the address is no https address of a host
    """
    actor.require(MAY_ADD)
    endpoint = PlatformEndpoint.objects.create(name=name, url=checked_url(url), secret=secrets.token_hex(32))
    _audit("add endpoint", endpoint, actor=actor, now=now)
    return endpoint


@transaction.atomic
def change_endpoint(
    *, endpoint: PlatformEndpoint, actor: Actor, now: datetime, url: str | None = None, is_on: bool | None = None
) -> PlatformEndpoint:
    """
    Move an endpoint, or turn it on or off: off, it is told nothing, and what waits is told when it is on again.

    :raises NotPermitted: unless the actor may change endpoints
    :raises BadValue: if the address is no https address of a host
    """
    actor.require(MAY_CHANGE)
    endpoint = PlatformEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    if url is not None:
        endpoint.url = checked_url(url)
    if is_on is not None:
        endpoint.is_on = is_on
    endpoint.save(update_fields=["url", "is_on"])
    _audit("change endpoint", endpoint, actor=actor, now=now)
    return endpoint


@transaction.atomic
def renew_secret(*, endpoint: PlatformEndpoint, actor: Actor, now: datetime) -> PlatformEndpoint:
    """
    Sign with a new secret from now on; it is shown this once.

    :raises NotPermitted: unless the actor may change endpoints
    """
    actor.require(MAY_CHANGE)
    endpoint = PlatformEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    endpoint.secret = secrets.token_hex(32)
    endpoint.save(update_fields=["secret"])
    _audit("renew secret", endpoint, actor=actor, now=now)
    return endpoint


def masked(endpoint: PlatformEndpoint) -> str:
    """The secret as it is shown after its making: enough to tell it from another."""
    return f"{endpoint.secret[:4]}…"


def checked_url(url: str) -> str:
    """:raises BadValue: if it is no https address of a host, or holds a name and password"""
    parts = urlsplit(url.strip())
    if parts.scheme == "http" and settings.PLATFORM_MAY_BE_LOCAL and parts.hostname in LOOPBACK:
        return url.strip()
    if parts.scheme != "https" or not parts.hostname:
        raise BadValue("url", "The platform is told over https: give an address that begins with https://.")
    if parts.username or parts.password:
        raise BadValue("url", "Leave name and password out of the address: each call is signed.")
    return url.strip()


LOOPBACK = ("localhost", "127.0.0.1", "::1")


@transaction.atomic
def retry_notice(*, notice: PlatformNotice, actor: Actor, now: datetime, why: str = "") -> PlatformNotice:
    """
    Tell the platform after all what was parked.

    :raises NotPermitted: unless the actor may retry notices
    :raises NotPossibleNow: if it is not parked
    :raises NoticeRefused: if a later suspension or restoration of the account overtook it: what it said holds no
        more. What was paid for and is to start stays so.
    """
    actor.require(MAY_RETRY)
    notice = PlatformNotice.objects.select_for_update(no_key=True).get(pk=notice.pk)
    later = PlatformNotice.objects.filter(account=notice.account_id, endpoint=notice.endpoint_id, pk__gt=notice.pk)
    start = PlatformNotice.Event.START
    may_be_overtaken = notice.state == PlatformNotice.State.PARKED and notice.event != start
    if may_be_overtaken and later.exclude(event=start).exists():
        raise NoticeRefused(f"{notice} was overtaken by a later notice of the account, so it is not told any more.")
    if move(notice, PlatformNotice.State.PENDING):
        notice.attempts, notice.next_attempt_at, notice.error = 0, None, ""
        notice.save(update_fields=["state", "attempts", "next_attempt_at", "error"])
    record_change(
        "retry notice", subject=f"notice {notice.key}", actor=actor, now=now, account=notice.account_id, why=why
    )
    return notice


@transaction.atomic
def told_by_hand(*, notice: PlatformNotice, actor: Actor, now: datetime, why: str = "") -> PlatformNotice:
    """
    Somebody has done on the platform what a notice says, or has seen that it holds no more: it is told no more.

    :raises NotPermitted: unless the actor may retry notices
    """
    actor.require(MAY_RETRY)
    notice = PlatformNotice.objects.select_for_update(no_key=True).get(pk=notice.pk)
    if move(notice, PlatformNotice.State.TOLD):
        notice.told_at = now
        notice.save(update_fields=["state", "told_at"])
    record_change(
        "told by hand", subject=f"notice {notice.key}", actor=actor, now=now, account=notice.account_id, why=why
    )
    return notice


def _audit(action: str, endpoint: PlatformEndpoint, *, actor: Actor, now: datetime) -> None:
    detail = {"name": endpoint.name, "url": endpoint.url, "is_on": endpoint.is_on}
    record_change(action, subject=f"endpoint {endpoint.name}", actor=actor, now=now, detail=detail)
