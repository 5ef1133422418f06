"""AUTH-1: what an account's roles must keep to; and which values an account can carry."""

import re
from collections.abc import Iterable

from accounts.actors import Role
from accounts.refusals import BadValue, Refusal


def role_refusals(
    *, before: Iterable[Role], after: Iterable[Role], taken_by_others: Iterable[Role]
) -> tuple[Refusal, ...]:
    """AUTH-1: the Primary changes by transfer only, and one contact at most is the Primary Billing Contact."""
    found = []
    if Role.PRIMARY in set(after) - set(before):
        found.append(
            Refusal(
                "AUTH-1",
                "An account has exactly one Primary Contact, and this one has theirs.",
                "Let the Primary Contact make the other one the Primary Contact, which passes the role on.",
            )
        )
    if Role.PRIMARY in set(before) - set(after):
        found.append(
            Refusal(
                "AUTH-1",
                "An account has exactly one Primary Contact, and this is the one.",
                "Make somebody else the Primary Contact first.",
            )
        )
    if Role.PRIMARY_BILLING in set(after) & set(taken_by_others):
        found.append(
            Refusal(
                "AUTH-1",
                "An account has at most one Primary Billing Contact, and another contact is it.",
                "Take that role from the other contact first.",
            )
        )
    return tuple(found)


def one_line(field: str, value: str) -> str:
    """
    `value` with single spaces.

    :raises BadValue: if it holds a character that does not print, and so has no business in a header or an address
    """
    text = " ".join(value.split())
    if not text.isprintable():
        raise BadValue(field, "This holds a character that cannot be printed. Type it again.")
    return text


def email_addresses(field: str, values: Iterable[str]) -> list[str]:
    """
    The addresses in their order, each once; empty ones dropped.

    :raises BadValue: at the first that is no address
    """
    kept: dict[str, str] = {}
    for value in values:
        address = one_line(field, value)
        if address and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>]+", address):
            raise BadValue(field, f"“{address}” is not an e-mail address.")
        if address:
            kept.setdefault(address.casefold(), address)
    return list(kept.values())


def check_place(*, country: str, state: str) -> None:
    """
    The fee and tax rules look a place up by its codes.

    :raises BadValue: if the country is not two letters, or in the United States the state
    """
    if not re.fullmatch("[A-Z]{2}", country):
        raise BadValue("country", "The country is given by two letters, such as US.")
    if country == "US" and state and not re.fullmatch("[A-Z]{2}", state):
        raise BadValue("state", "A state of the United States is given by two letters, such as CO.")
