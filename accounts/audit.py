"""P11: every change leaves who, when, channel and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.actors import Actor
from accounts.models import Account, AuditEntry


def record_change(
    action: str,
    *,
    subject: str,
    actor: Actor,
    now: datetime,
    account: Account | int | None = None,
    why: str = "",
    detail: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write the audit entry of a change, in the transaction that makes the change."""
    recorded = f" (recorded by {actor.recorded_by[:90]})" if actor.recorded_by else ""
    return AuditEntry.objects.create(
        account_id=account.pk if isinstance(account, Account) else account,
        action=action,
        subject=subject,
        who=actor.name[: 200 - len(recorded)] + recorded,
        channel=actor.channel,
        why=why,
        detail=dict(detail or {}),
        at=now,
    )
