"""TAX-1: which rates apply to an address, and what they come to on a line."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from invoicing.money import round_money

_HUNDRED = Decimal(100)


class Address(NamedTuple):
    country: str
    state: str = ""
    county: str = ""
    city: str = ""
    postal_code: str = ""


class Rate(NamedTuple):
    """A jurisdiction's rate; empty fields match every address, `valid_to_on` is the first day it no longer holds."""

    id: int
    place: Address
    tax_category: str
    name: str
    rate_percent: Decimal
    valid_from_on: date
    valid_to_on: date | None


class Exempt(NamedTuple):
    country: str
    state: str
    certificate: str
    valid_from_on: date
    valid_to_on: date | None


class Tax(NamedTuple):
    """One rate's tax on one line, in the line's currency."""

    rate_id: int
    name: str
    rate_percent: Decimal
    base: Decimal
    amount: Decimal


def covers(place: Address, address: Address) -> bool:
    """
    Whether a jurisdiction holds an address; case does not matter.

    A county that the address does not state is not compared where the jurisdiction is pinned by its city or
    postal code.
    """
    for field, wanted in zip(Address._fields, place, strict=True):
        stated = getattr(address, field)
        if not wanted or wanted.casefold() == stated.casefold():
            continue
        if field == "county" and not stated and (place.city or place.postal_code):
            continue
        return False
    return True


def valid_on(day: date, valid_from_on: date, valid_to_on: date | None) -> bool:
    return valid_from_on <= day and (valid_to_on is None or day < valid_to_on)


def rates_at(address: Address, rates: tuple[Rate, ...], *, on: date) -> tuple[Rate, ...]:
    """Every jurisdiction's rates that hold for an address on the invoice's date, broadest first."""
    found = [
        rate for rate in rates if valid_on(on, rate.valid_from_on, rate.valid_to_on) and covers(rate.place, address)
    ]
    return tuple(sorted(found, key=lambda rate: (sum(map(bool, rate.place)), rate.name)))


def without_exempt(rates: tuple[Rate, ...], exemptions: tuple[Exempt, ...], *, on: date) -> tuple[Rate, ...]:
    """The rates that no certificate valid on the invoice's date lifts."""
    in_force = [exempt for exempt in exemptions if valid_on(on, exempt.valid_from_on, exempt.valid_to_on)]
    return tuple(
        rate
        for rate in rates
        if not any(
            exempt.country == rate.place.country and exempt.state.casefold() in ("", rate.place.state.casefold())
            for exempt in in_force
        )
    )


def taxes_on(amount: Decimal, *, tax_category: str, rates: tuple[Rate, ...], currency: str) -> tuple[Tax, ...]:
    """Each matching rate's tax on one line's amount, rounded by itself (TAX-1)."""
    return tuple(
        Tax(rate.id, rate.name, rate.rate_percent, amount, round_money(amount * rate.rate_percent / _HUNDRED, currency))
        for rate in rates
        if rate.tax_category in ("", tax_category)
    )
