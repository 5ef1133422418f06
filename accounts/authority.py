"""
AUTH: who may ask for what, and through which door.

One table of rules and one question, `refusals`. An actor's roles are those that its contact holds in the account in
question; `accounts.decisions` reads them afresh, asks here, and records the answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from accounts.actors import Actor, ActorKind, Channel, Role
from accounts.refusals import Refusal


class Action(StrEnum):
    """What may be asked of an account. The clause of each stands in `RULES`."""

    ADD_BILLING_CONTACT = "ADD_BILLING_CONTACT"
    REMOVE_BILLING_CONTACT = "REMOVE_BILLING_CONTACT"
    SET_PRIMARY_BILLING = "SET_PRIMARY_BILLING"
    TRANSFER_PRIMARY = "TRANSFER_PRIMARY"
    CHANGE_ACCOUNT = "CHANGE_ACCOUNT"
    CHANGE_CONTACTS = "CHANGE_CONTACTS"
    VIEW_BILLING = "VIEW_BILLING"
    CHANGE_BILLING_INFORMATION = "CHANGE_BILLING_INFORMATION"
    REQUEST_CHARGE = "REQUEST_CHARGE"
    AUTHORIZE_CHARGE = "AUTHORIZE_CHARGE"
    ADD_LICENSED_SERVICE = "ADD_LICENSED_SERVICE"
    REMOVE_LICENSED_SERVICE = "REMOVE_LICENSED_SERVICE"
    CHANGE_UNLICENSED_SERVICE = "CHANGE_UNLICENSED_SERVICE"
    CHANGE_BILLING_DAY = "CHANGE_BILLING_DAY"
    OPEN_DISPUTE = "OPEN_DISPUTE"
    TERMINATE = "TERMINATE"
    ASK_WHOM_TO_TURN_TO = "ASK_WHOM_TO_TURN_TO"


# The control panel is the portal and its API. Mail and phone reach us through a member of staff, who records them.
CONTROL_PANEL = frozenset({Channel.PORTAL, Channel.API})
RECORDED = frozenset({Channel.EMAIL, Channel.PHONE})
IN_WRITING = frozenset({Channel.PORTAL, Channel.EMAIL})
CUSTOMER_DOORS = CONTROL_PANEL | RECORDED
STAFF_DOORS = frozenset({Channel.CONSOLE, Channel.API, Channel.COMMAND})

VIEW_PERMISSION = "accounts.view_account"

WHOM_TO_ASK = (
    "The request must come from the Primary Contact of the account. "
    "This answer goes to the address that is on file for it."
)


@dataclass(frozen=True)
class Grant:
    """Any one of these roles is enough, through any one of these doors."""

    roles: frozenset[Role]
    channels: frozenset[Channel] = CUSTOMER_DOORS


@dataclass(frozen=True)
class Rule:
    """
    Who may ask for one action: whoever one of the grants fits.

    `label` goes on after “may”. `only_asks` means that nothing changes before somebody has decided, so that a mail
    which nobody has recorded yet may ask for it (P12). `permission` lets staff do it as themselves. `anybody` lifts
    every condition but AUTH-3.
    """

    clause: str
    label: str
    grants: tuple[Grant, ...]
    only_asks: bool = False
    permission: str = ""
    anybody: bool = False

    @property
    def channels(self) -> frozenset[Channel]:
        return frozenset().union(*(grant.channels for grant in self.grants))


PRIMARY = Grant(frozenset({Role.PRIMARY}))
PRIMARY_IN_WRITING = Grant(frozenset({Role.PRIMARY}), IN_WRITING)
PRIMARY_OR_BILLING = Grant(frozenset({Role.PRIMARY, Role.BILLING}))
PRIMARY_OR_PRIMARY_BILLING = Grant(frozenset({Role.PRIMARY, Role.PRIMARY_BILLING}))
ADMINISTRATOR_IN_PANEL = Grant(frozenset({Role.ADMINISTRATOR}), CONTROL_PANEL)

RULES: Mapping[Action, Rule] = MappingProxyType({
    Action.ADD_BILLING_CONTACT: Rule("AUTH-1", "add a Billing Contact", (PRIMARY,)),
    Action.REMOVE_BILLING_CONTACT: Rule("AUTH-1", "remove a Billing Contact", (PRIMARY,)),
    Action.SET_PRIMARY_BILLING: Rule("AUTH-1", "say who is the Primary Billing Contact", (PRIMARY,)),
    Action.TRANSFER_PRIMARY: Rule("AUTH-1", "make somebody else the Primary Contact", (PRIMARY,)),
    Action.CHANGE_ACCOUNT: Rule("AUTH-2", "change the account's legal name, address or phone", (PRIMARY,)),
    Action.CHANGE_CONTACTS: Rule("AUTH-2", "change the account's contacts and their roles", (PRIMARY,)),
    Action.VIEW_BILLING: Rule("AUTH-4", "see billing information", (PRIMARY_OR_BILLING,), permission=VIEW_PERMISSION),
    Action.CHANGE_BILLING_INFORMATION: Rule("AUTH-5", "change billing information", (PRIMARY_OR_BILLING,)),
    Action.REQUEST_CHARGE: Rule("AUTH-6", "ask for work that is charged", (PRIMARY_OR_BILLING,), only_asks=True),
    Action.AUTHORIZE_CHARGE: Rule("AUTH-6", "authorize a charge", (PRIMARY_OR_PRIMARY_BILLING,)),
    Action.ADD_LICENSED_SERVICE: Rule("AUTH-7", "add a licensed service", (ADMINISTRATOR_IN_PANEL,)),
    Action.REMOVE_LICENSED_SERVICE: Rule("AUTH-7", "remove a licensed service", (ADMINISTRATOR_IN_PANEL,)),
    # Reading: AUTH-7 speaks of licensed services only. A change of any other raises or ends charges, hence AUTH-6;
    # the Administrator may do in the control panel what the control panel is for.
    Action.CHANGE_UNLICENSED_SERVICE: Rule(
        "AUTH-6", "change a service", (PRIMARY_OR_PRIMARY_BILLING, ADMINISTRATOR_IN_PANEL)
    ),
    Action.CHANGE_BILLING_DAY: Rule("BILL-5", "change the billing day", (PRIMARY_OR_BILLING,)),
    Action.OPEN_DISPUTE: Rule("AUTH-8", "open a dispute", (PRIMARY_OR_BILLING,), only_asks=True),
    Action.TERMINATE: Rule("AUTH-9", "ask for termination", (PRIMARY_IN_WRITING,), only_asks=True),
    Action.ASK_WHOM_TO_TURN_TO: Rule("AUTH-10", "ask whom to turn to", (), anybody=True),
})  # fmt: skip

ROLE_WORDS: Mapping[Role, str] = MappingProxyType({
    Role.PRIMARY: "the Primary Contact",
    Role.PRIMARY_BILLING: "the Primary Billing Contact",
    Role.BILLING: "a Billing Contact",
    Role.TECHNICAL: "a Technical Contact",
    Role.ADMINISTRATOR: "the account's Administrator",
})  # fmt: skip
CHANNEL_WORDS: Mapping[Channel, str] = MappingProxyType({
    Channel.PORTAL: "in the portal",
    Channel.API: "through the API",
    Channel.EMAIL: "by e-mail",
    Channel.PHONE: "by phone",
    Channel.CONSOLE: "in the console",
    Channel.COMMAND: "on the command line",
    Channel.SCHEDULE: "by the schedule",
})  # fmt: skip
DOOR_WORDS: Mapping[frozenset[Channel], str] = MappingProxyType({
    CUSTOMER_DOORS: "in the portal, through its API, by e-mail or by phone",
    CONTROL_PANEL: "in the control panel (the portal or its API)",
    IN_WRITING: "in writing (in the portal or by e-mail)",
})  # fmt: skip


def clause_of(action: Action) -> str:
    """The clause that says who may ask for it."""
    return RULES[action].clause


def describe(action: Action) -> str:
    """A label for buttons and lists, such as “Change billing information”."""
    return _sentence(RULES[action].label)


def refusals(actor: Actor, action: Action) -> tuple[Refusal, ...]:
    """AUTH-1 to AUTH-10 and BILL-5: everything that stands in the way of the request; nothing when it is allowed."""
    rule = RULES[action]
    found = [*_for_somebody_else(actor), *_in_a_contacts_name(actor, rule)]
    if not rule.anybody:
        found += _BY_KIND[actor.kind](actor, rule)
    return tuple(found)


def _for_somebody_else(actor: Actor) -> Iterable[Refusal]:
    """AUTH-3: nobody acts on behalf of somebody else, whoever sends it."""
    principal = actor.on_behalf_of.strip().casefold()
    # A contact is named as in “Ann Lee <ann@lee.example>”: either part names the sender.
    name, _, address = actor.name.casefold().partition(" <")
    if principal and principal not in {actor.name.casefold(), name, address.removesuffix(">")}:
        yield Refusal(
            "AUTH-3",
            "Nobody may ask in the name of somebody else, and this request names another person than its sender.",
            "Whoever the request is from sends it themselves.",
        )


def _in_a_contacts_name(actor: Actor, rule: Rule) -> Iterable[Refusal]:
    """AUTH-3: staff record a mail or a call; they do not enter the control panel as the contact."""
    if actor.recorded_by and actor.channel not in RECORDED:
        yield Refusal(
            "AUTH-3",
            f"A member of staff records what came by e-mail or by phone, and nothing {CHANNEL_WORDS[actor.channel]}.",
            _way_out(rule),
        )


def _of_contact(actor: Actor, rule: Rule) -> Iterable[Refusal]:
    held = actor.roles | ({Role.BILLING} if Role.PRIMARY_BILLING in actor.roles else frozenset())
    fitting = tuple(grant for grant in rule.grants if grant.roles & held)
    if not fitting:
        yield Refusal(rule.clause, f"Only {_who(rule.grants)} may {rule.label}.", _way_out(rule))
    if not any(actor.channel in grant.channels for grant in fitting or rule.grants):
        yield _wrong_door(actor, rule, held)
    elif _unattended(actor, rule):
        yield Refusal(
            rule.clause,
            f"What comes {CHANNEL_WORDS[actor.channel]} does not show by itself who sent it.",
            "Ask in the portal, or let a member of staff make sure of the sender and record the request.",
        )


def _unattended(actor: Actor, rule: Rule) -> bool:
    """P12: a mail can ask; alone it changes nothing. A call always has somebody who takes it."""
    mail_that_only_asks = actor.channel == Channel.EMAIL and rule.only_asks
    return actor.channel in RECORDED and not actor.recorded_by and not mail_that_only_asks


def _wrong_door(actor: Actor, rule: Rule, held: frozenset[Role] = frozenset()) -> Refusal:
    """The door is shut to everybody, or open to others than the roles that are `held`."""
    shut_out = tuple(grant for grant in rule.grants if grant.roles & held)
    who = f"{_who(shut_out)} may not" if shut_out and actor.channel in rule.channels else "no contact may"
    return Refusal(rule.clause, _sentence(f"{who} {rule.label} {CHANNEL_WORDS[actor.channel]}."), _way_out(rule))


def _of_staff(actor: Actor, rule: Rule) -> Iterable[Refusal]:
    """What a contact has to ask for, staff cannot ask for themselves; AUTH-7 they cannot even record."""
    if rule.permission:
        yield from _with_permission(actor, rule)
    elif by_mail_or_phone := tuple(grant for grant in rule.grants if grant.channels & RECORDED):
        doors = "by e-mail or by phone" if Channel.PHONE in rule.channels else "by e-mail"
        yield Refusal(
            rule.clause,
            f"Staff may not {rule.label} by themselves: only {_who(rule.grants)} may.",
            f"Record the request of {_who(by_mail_or_phone)} as it came, {doors}.",
        )
    else:
        only_there = f"Only {_who(rule.grants)} may {rule.label}, {DOOR_WORDS[rule.channels]}"
        yield Refusal(rule.clause, f"{only_there}; staff may not, in the console either.", _way_out(rule))


def _with_permission(actor: Actor, rule: Rule) -> Iterable[Refusal]:
    """AUTH-4 says whom we tell; staff look at an account in their own rooms, as far as their group goes."""
    if not actor.may(rule.permission):
        yield Refusal(
            rule.clause,
            f"Staff may {rule.label} with the permission “{rule.permission}” only.",
            "Ask a billing manager, or have your group changed.",
        )
    if actor.channel not in STAFF_DOORS:
        yield Refusal(
            rule.clause,
            f"Staff may {rule.label} in the console, and not {CHANNEL_WORDS[actor.channel]}.",
            "Sign in to the console.",
        )


def _of_system(actor: Actor, rule: Rule) -> Iterable[Refusal]:
    """The schedule and the command line hold every permission, but they are nobody's request."""
    if not rule.permission:
        yield Refusal(
            rule.clause,
            f"Only {_who(rule.grants)} may {rule.label}; the system's own work is no request.",
            _way_out(rule),
        )


def _of_unknown(actor: Actor, rule: Rule) -> Iterable[Refusal]:
    yield Refusal(rule.clause, "The sender is not known to us as a contact of this account.", _way_out(rule))
    if actor.channel not in rule.channels:
        yield _wrong_door(actor, rule)


_BY_KIND = {
    ActorKind.CONTACT: _of_contact,
    ActorKind.STAFF: _of_staff,
    ActorKind.SYSTEM: _of_system,
    ActorKind.UNKNOWN: _of_unknown,
}


def _who(grants: Iterable[Grant]) -> str:
    *others, last = dict.fromkeys(ROLE_WORDS[role] for grant in grants for role in Role if role in grant.roles)
    return f"{', '.join(others)} or {last}" if others else last


def _way_out(rule: Rule) -> str:
    """Names roles, never a person (AUTH-10)."""
    if rule.anybody:
        return "Ask in your own name."
    return _sentence(
        ", or ".join(f"let {_who((grant,))} ask {DOOR_WORDS[grant.channels]}" for grant in rule.grants) + "."
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
