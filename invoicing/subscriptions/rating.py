"""PRE-1: what a use costs. Pure: quantities and rates in, units and amounts at six places out."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, localcontext
from functools import cached_property
from typing import NamedTuple

from invoicing.money import ZERO

# A quantity and a rate have 18 digits each: their product is kept whole until it is rounded, once.
EXACT = Context(prec=60)
SIX_PLACES = Decimal("0.000001")


class Tier(NamedTuple):
    """Beyond `above` units in the month, the included ones counted, a unit costs `unit_price`."""

    above: Decimal
    unit_price: Decimal


@dataclass(frozen=True)
class Rate:
    """One version of a per-use price: amounts a unit, in one currency, before tax."""

    unit_price: Decimal
    minimum: Decimal = ZERO
    increment: Decimal = ZERO
    included: Decimal = ZERO
    tiers: tuple[Tier, ...] = ()

    @cached_property
    def bands(self) -> tuple[Tier, ...]:
        """What a unit costs from where on, in order; before the first band it costs nothing."""
        tiers = sorted(self.tiers)
        begun = [tier for tier in tiers if tier.above <= self.included]
        first = Tier(self.included, begun[-1].unit_price if begun else self.unit_price)
        return (first, *(tier for tier in tiers if tier.above > self.included))


def rated_units(quantity: Decimal, rate: Rate) -> Decimal:
    """PRE-1: at least the minimum, then up to a whole number of increments."""
    with localcontext(EXACT):
        units = max(quantity, rate.minimum)
        if not rate.increment:
            return units
        return (units / rate.increment).to_integral_value(ROUND_CEILING) * rate.increment


def cost_of_month(units: Decimal, rate: Rate) -> Decimal:
    """What the first so many units of a calendar month cost together, at six places, half up."""
    with localcontext(EXACT):
        return sum(_parts(units, rate), ZERO).quantize(SIX_PLACES, ROUND_HALF_UP)


def amount_of_use(units: Decimal, *, used: Decimal, rate: Rate) -> Decimal:
    """
    What a use costs after `used` units in its month: the month's cost with it less the month's cost without.

    So the amounts of a month's uses sum to the cost of the month, whatever their order and number.
    """
    return cost_of_month(used + units, rate) - cost_of_month(used, rate)


def _parts(units: Decimal, rate: Rate) -> Iterator[Decimal]:
    bands = rate.bands
    for index, (above, unit_price) in enumerate(bands):
        if units <= above:
            return
        until = min(units, bands[index + 1].above) if index + 1 < len(bands) else units
        yield (until - above) * unit_price
