"""Who is asking, and through which door."""

from dataclasses import dataclass, field
from enum import StrEnum


class Channel(StrEnum):
    """The door a request came through."""

    PORTAL = "PORTAL"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    API = "API"
    CONSOLE = "CONSOLE"
    COMMAND = "COMMAND"
    SCHEDULE = "SCHEDULE"


class Role(StrEnum):
    """What a contact is to an account (AUTH-1)."""

    PRIMARY = "PRIMARY"
    PRIMARY_BILLING = "PRIMARY_BILLING"
    BILLING = "BILLING"
    TECHNICAL = "TECHNICAL"
    ADMINISTRATOR = "ADMINISTRATOR"


class ActorKind(StrEnum):
    CONTACT = "CONTACT"
    STAFF = "STAFF"
    SYSTEM = "SYSTEM"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Actor:
    """
    Who asks, and how.

    `roles` are the roles that the contact holds in the account in question; `on_behalf_of` is the
    principal that the request names, where it names one (AUTH-3); `recorded_by` is the member of
    staff who typed in what a contact asked for by e-mail or phone.
    """

    kind: ActorKind
    name: str
    channel: Channel
    roles: frozenset[Role] = frozenset()
    permissions: frozenset[str] = frozenset()
    contact_id: int | None = None
    user_id: int | None = None
    on_behalf_of: str = ""
    recorded_by: str = field(default="", compare=False)

    def may(self, permission: str) -> bool:
        """Whether staff rights allow it; the system's own schedule and commands hold them all."""
        return self.kind == ActorKind.SYSTEM or permission in self.permissions

    def require(self, permission: str) -> None:
        """:raises NotPermitted: if the actor does not hold the permission, such as `invoicing.approve_run`"""
        if not self.may(permission):
            raise NotPermitted(self, permission)


class NotPermitted(Exception):
    """A member of staff tried what their group does not allow."""

    def __init__(self, actor: Actor, permission: str) -> None:
        self.actor = actor
        self.permission = permission
        super().__init__(
            f"{actor.name or 'This sign-in'} may not do this: it needs the permission “{permission}”. "
            "Ask a billing manager, or have your group changed."
        )


def command_line() -> Actor:
    """Whoever may run `manage.py` on the server."""
    return Actor(ActorKind.SYSTEM, "command line", Channel.COMMAND)


def schedule() -> Actor:
    """The beat tick."""
    return Actor(ActorKind.SYSTEM, "schedule", Channel.SCHEDULE)
