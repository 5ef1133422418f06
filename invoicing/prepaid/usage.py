"""
PRE-1: uses are taken in batches: rated, deducted from the prepaid balance and posted, in one transaction a batch.

A constant number of statements, however many uses. The balances are locked in account order; the unique index on the
key, not a lock, is the guard against the same use twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from accounts.refusals import Refusal
from invoicing.money import ZERO
from invoicing.prepaid.policy import (
    billed_elsewhere,
    key_reused,
    not_covered,
    not_prepaid,
    too_much_in_a_month,
    unknown_account,
)
from invoicing.prepaid.standing import suspended_among
from invoicing.prepaid.usage_payers import KnownUse, Payer, accounts_among, known_uses, lock_payers
from invoicing.prepaid.usage_reading import Unreadable, Use
from invoicing.prepaid.usage_writing import Deducted, RatedUse, deduct, write_uses
from invoicing.subscriptions.rating import amount_of_use, rated_units
from invoicing.subscriptions.usage_prices import Priced, UsagePrices
from invoicing.subscriptions.usage_totals import MonthKey, Used, add_to_totals, units_used

ACCEPTED, DUPLICATE, REFUSED = "accepted", "duplicate", "refused"
MOST_UNITS_A_MONTH = Decimal(10) ** 12
TRIES = 3


class Answer(NamedTuple):
    """
    What became of one use. `amount` is in `currency` at six places; of one that was refused there is none.

    `fields` name what each of the `refusals` is about, such as `quantity`; empty for the use as a whole.
    """

    key: str
    outcome: str
    amount: Decimal | None = None
    currency: str = ""
    refusals: tuple[Refusal, ...] = ()
    fields: tuple[str, ...] = ()


class Standing(NamedTuple):
    """What is left of an account's balance: `available` goes down to the floor. PRE-4: whether it may go on."""

    account: str
    currency: str
    balance: Decimal
    available: Decimal
    may_go_on: bool


@dataclass(frozen=True)
class Taken:
    """An answer a use, in their order; the standing of each account named; and whose balance is to be topped up."""

    answers: tuple[Answer, ...]
    accounts: tuple[Standing, ...]
    to_top_up: tuple[int, ...]


class KeysInUse(Exception):
    """Others sent the same keys at the same moment, again and again."""

    def __init__(self) -> None:
        super().__init__("The same keys are being sent by somebody else at this moment. Send the batch again.")


def take_uses(uses: Sequence[Use | Unreadable], *, now: datetime) -> Taken:
    """
    Take each use that can be taken; the others are refused, with clause, sentence and way out.

    The same key with the same content is a duplicate: it gets the first answer's amount and changes nothing.

    :raises KeysInUse: if others sent the same keys for other accounts, three times at the same moment
    """
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return _Batch(uses, now).take()
        except IntegrityError as error:
            # Another batch brought one of the keys since they were looked up: now it is known.
            if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") != "usage_event_once":
                raise
    raise KeysInUse


class _Batch:
    """One batch on its way through, in its transaction."""

    def __init__(self, uses: Sequence[Use | Unreadable], now: datetime) -> None:
        """Lock the balances, then read whatever else the batch needs."""
        self.uses = uses
        self.now = now
        readable = [use for use in uses if isinstance(use, Use)]
        numbers = {use.account for use in readable}
        self.payers = lock_payers(numbers)
        self.not_prepaid = accounts_among(numbers - self.payers.keys())
        self.known = known_uses([use.key for use in readable])
        account_ids = [payer.account_id for payer in self.payers.values()]
        self.prices = UsagePrices(account_ids, {use.product for use in readable})
        self.zones = {name: ZoneInfo(name) for name in {payer.time_zone for payer in self.payers.values()}}
        self.days = [self._day_of(use) for use in uses]
        self.units = units_used(account_ids, {day.replace(day=1) for day in self.days if day})
        self.totals: dict[MonthKey, Used] = {}
        self.taken: list[RatedUse] = []

    def take(self) -> Taken:
        answers = tuple(self._answer(use, day) for use, day in zip(self.uses, self.days, strict=True))
        write_uses(self.taken, now=self.now)
        add_to_totals(self.totals)
        touched = {use.account_id for use in self.taken}
        payers = self.payers.values()
        deduct({
            payer.account_id: Deducted(payer.before - payer.balance, payer.floor)
            for payer in payers
            if payer.account_id in touched
        })  # fmt: skip
        return Taken(answers, self._standings(), tuple(payer.account_id for payer in payers if payer.is_low))

    def _day_of(self, use: Use | Unreadable) -> date | None:
        """The day of the use where the seller is; it decides the price and the month."""
        payer = self.payers.get(use.account) if isinstance(use, Use) else None
        return use.at.astimezone(self.zones[payer.time_zone]).date() if payer and isinstance(use, Use) else None

    def _answer(self, use: Use | Unreadable, day: date | None) -> Answer:
        if isinstance(use, Unreadable):
            return Answer(use.key, REFUSED, refusals=use.refusals, fields=tuple(field for field, _ in use.wrong))
        if known := self.known.get(use.key):
            return _again(use, known)
        payer = self.payers.get(use.account)
        if payer is None or day is None:
            known_account = use.account in self.not_prepaid
            return _refused(use, "account", not_prepaid(use.account) if known_account else unknown_account(use.account))
        if payer.bill_from_on is not None and day < payer.bill_from_on:
            return _refused(use, "at", billed_elsewhere(payer.bill_from_on))
        priced = self.prices.find(payer.account_id, use.product, payer.currency, day)
        if isinstance(priced, Refusal):
            return _refused(use, "product", priced)
        return self._rate(use, payer, priced, day.replace(day=1))

    def _rate(self, use: Use, payer: Payer, priced: Priced, month_on: date) -> Answer:
        """The use rated after what the account used in its month so far, and deducted if that is covered."""
        month = MonthKey(payer.account_id, priced.plan_id, month_on)
        used, units = self.units.get(month, ZERO), rated_units(use.quantity, priced.rate)
        if used + units >= MOST_UNITS_A_MONTH:
            return _refused(use, "quantity", too_much_in_a_month(use.product))
        amount = amount_of_use(units, used=used, rate=priced.rate)
        short = not_covered(amount, available=payer.available, currency=payer.currency)
        if short:
            return _refused(use, "quantity", short)
        self._take(use, payer, priced, month, units, amount)
        return Answer(use.key, ACCEPTED, amount, payer.currency)

    def _take(self, use: Use, payer: Payer, priced: Priced, month: MonthKey, units: Decimal, amount: Decimal) -> None:
        payer.balance -= amount
        self.units[month] = self.units.get(month, ZERO) + units
        quantity, total = self.totals.get(month, (ZERO, ZERO))
        self.totals[month] = Used(quantity + units, total + amount)
        self.known[use.key] = KnownUse(use, amount, payer.currency)
        today = self.now.astimezone(self.zones[payer.time_zone]).date()
        self.taken.append(
            RatedUse(
                payer.account_id, priced.plan_id, priced.price_id, use.key, use.at, month.month_on, use.quantity,
                units, payer.currency, amount, use.detail, use.product, today,
            )
        )  # fmt: skip

    def _standings(self) -> tuple[Standing, ...]:
        suspended = suspended_among([payer.account_id for payer in self.payers.values()])
        return tuple(
            Standing(
                payer.number,
                payer.currency,
                payer.balance,
                payer.available,
                payer.available > 0 and not payer.awaiting and payer.account_id not in suspended,
            )
            for payer in self.payers.values()
        )


def _again(use: Use, known: KnownUse) -> Answer:
    """P8: the first answer's amount again; or the field in which it differs from the use that the key names."""
    if use == known.use:
        return Answer(use.key, DUPLICATE, known.amount, known.currency)
    different = next(name for name, value in use._asdict().items() if value != getattr(known.use, name))
    return _refused(use, "key", key_reused(use.key, different))


def _refused(use: Use, field: str, refusal: Refusal) -> Answer:
    return Answer(use.key, REFUSED, refusals=(refusal,), fields=(field,))
