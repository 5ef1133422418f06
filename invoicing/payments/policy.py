"""The rules of taking money: the card fee, what a bank's code means, when it is tried again, who is paid first."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from invoicing.money import ZERO, round_money

CREDIT = "CREDIT"


class FeeRate(NamedTuple):
    """FEE-4: one row of the table; an empty state or funding stands for every other one."""

    state: str
    funding: str
    rate_percent: Decimal
    cap: Decimal | None
    clause: str
    legal_reference: str
    valid_from_on: date
    valid_to_on: date | None = None


class CardFee(NamedTuple):
    """What paying by card adds to an amount, and why so much."""

    amount: Decimal
    rate_percent: Decimal
    clause: str
    legal_reference: str
    cap: Decimal | None = None

    def why(self) -> dict[str, str]:
        """As a payment keeps it."""
        return {
            "rate_percent": f"{self.rate_percent.normalize():f}",
            "cap": "" if self.cap is None else f"{self.cap.normalize():f}",
            "clause": self.clause,
            "legal_reference": self.legal_reference,
        }


NO_FEE_ON_BANKS = CardFee(ZERO, ZERO, "FEE-1", "ACH and eCheck carry no service fee.")
NO_FEE_ON_DEBIT = CardFee(ZERO, ZERO, "FEE-4", "Card networks forbid a surcharge on debit and prepaid cards.")
NO_RATE = CardFee(ZERO, ZERO, "FEE-4", "No rate is in force.")


def card_fee(
    amount: Decimal,
    currency: str,
    *,
    state: str,
    funding: str,
    rates: Iterable[FeeRate],
    on: date,
    fee_on_debit: bool,
) -> CardFee:
    """
    FEE-1, FEE-2, FEE-4: the service fee of paying `amount` by card, at the currency's exponent.

    The narrowest row that holds on the day counts. `state` is of the billing address in the United States, or empty.
    Reading: unless the terms take the fee on debit cards, only a card known to be a credit card carries it; one whose
    funding nobody knows may be a debit card.
    """
    if funding != CREDIT and not fee_on_debit:
        return NO_FEE_ON_DEBIT
    fitting = [
        rate
        for rate in rates
        if rate.state in ("", state)
        and rate.funding in ("", funding)
        and rate.valid_from_on <= on
        and (rate.valid_to_on is None or on < rate.valid_to_on)
    ]
    if not fitting:
        return NO_RATE
    rate = max(fitting, key=lambda one: (one.state != "", one.funding != "", one.valid_from_on))
    fee = round_money(amount * rate.rate_percent / 100, currency)
    if rate.cap is not None:
        fee = min(fee, rate.cap)
    return CardFee(fee, rate.rate_percent, rate.clause, rate.legal_reference, rate.cap)


def fee_part(*, fee_left: Decimal, amount: Decimal, amount_left: Decimal, currency: str) -> Decimal:
    """
    FEE-3: how much of a payment's fee goes back with a part of its amount: pro rata.

    The last part takes exactly what is left of it, so that the parts sum to the fee.
    """
    if amount == amount_left:
        return fee_left
    return min(round_money(fee_left * amount / amount_left, currency), fee_left)


class Then(StrEnum):
    """What follows from a bank's return."""

    RETRY = "RETRY"
    STOP = "STOP"
    ASK_AGAIN = "ASK_AGAIN"


class ReturnCode(NamedTuple):
    """A reason for which a bank returns a debit, and what we do then."""

    words: str
    then: Then


# The return reasons of the Nacha Operating Rules that a debit may meet. STOP: the customer said no, and only a person
# may take it up again; ASK_AGAIN: the account cannot be debited, and the customer is asked for another.
RETURN_CODES: Mapping[str, ReturnCode] = MappingProxyType({
    "R01": ReturnCode("not enough money on the account", Then.RETRY),
    "R02": ReturnCode("the account is closed", Then.ASK_AGAIN),
    "R03": ReturnCode("there is no such account", Then.ASK_AGAIN),
    "R04": ReturnCode("the account number is not valid", Then.ASK_AGAIN),
    "R05": ReturnCode("a debit of a company from a consumer's account was not authorized", Then.STOP),
    "R07": ReturnCode("the customer took the authorization back", Then.STOP),
    "R08": ReturnCode("the customer stopped the payment", Then.STOP),
    "R09": ReturnCode("the money on the account is not available yet", Then.RETRY),
    "R10": ReturnCode("the customer says that the debit was not authorized", Then.STOP),
    "R11": ReturnCode("the customer says that the debit differs from what was authorized", Then.STOP),
    "R12": ReturnCode("the branch was sold to another bank", Then.ASK_AGAIN),
    "R13": ReturnCode("the routing number is not valid", Then.ASK_AGAIN),
    "R14": ReturnCode("the account's representative has died", Then.STOP),
    "R15": ReturnCode("the account's holder has died", Then.STOP),
    "R16": ReturnCode("the account is frozen", Then.ASK_AGAIN),
    "R17": ReturnCode("the bank cannot process the debit", Then.ASK_AGAIN),
    "R20": ReturnCode("the account is none that can be debited", Then.ASK_AGAIN),
    "R29": ReturnCode("the company says that the debit was not authorized", Then.STOP),
    "R31": ReturnCode("the bank was allowed to return it late", Then.STOP),
    "R51": ReturnCode("the re-presented check may not be collected", Then.STOP),
})  # fmt: skip
RETRIES_OF_A_RETURN = 2
LAST_DAY_OF_RETURN = timedelta(days=60)


def return_code(code: str) -> ReturnCode:
    """What a code means; one that nobody knows stops, until a person has looked."""
    return RETURN_CODES.get(code, ReturnCode(f"the bank gave the code {code or 'of no kind'}", Then.STOP))


def returned_late(*, settled_on: date, returned_on: date) -> bool:
    """Whether a return came after its 60 days, the last of them included."""
    return returned_on - settled_on > LAST_DAY_OF_RETURN


class PastAttempt(NamedTuple):
    """An automatic charge of an invoice that brought nothing: the day it was made, and the day we knew."""

    on: date
    failed_on: date
    hard: bool = False
    returned: str = ""


class NextAttempt(NamedTuple):
    """Which attempt comes next and from which day on; or, with `why_not`, that there is none."""

    number: int
    from_on: date = date.min
    why_not: str = ""


def next_attempt(past: Sequence[PastAttempt], *, retry_days: Iterable[int]) -> NextAttempt:
    """
    When an invoice is charged to a method again, counted from the first attempt; `past` is in order of the attempts.

    A day that was missed is made up for, and never two on one day. A hard decline ends it, as does a return for which
    the table says so, or a third one.
    """
    number = len(past) + 1
    if not past:
        return NextAttempt(1)
    days = sorted(retry_days)
    returned = [attempt.returned for attempt in past if attempt.returned]
    if any(attempt.hard for attempt in past):
        return NextAttempt(number, why_not="It was declined for good.")
    if any(return_code(code).then != Then.RETRY for code in returned):
        return NextAttempt(number, why_not=f"It was returned: {return_code(returned[-1]).words}.")
    if len(returned) > RETRIES_OF_A_RETURN:
        return NextAttempt(number, why_not="It was returned three times.")
    if number - 1 > len(days):
        return NextAttempt(number, why_not=f"Every attempt was made: {len(past)}.")
    scheduled = past[0].on + timedelta(days=days[number - 2])
    return NextAttempt(number, max(scheduled, past[-1].failed_on + timedelta(days=1)))


def spread(amount: Decimal, owing: Iterable[tuple[int, Decimal]]) -> dict[int, Decimal]:
    """An amount over invoices in the order given, oldest due first: each is paid before the next gets anything."""
    shares: dict[int, Decimal] = {}
    for invoice_id, owed in owing:
        share = min(amount, owed)
        if share > ZERO:
            shares[invoice_id] = share
            amount -= share
    return shares


# An attempt that is still "recorded" after this was left by a crash before or after the call.
CRASHED_AFTER = timedelta(minutes=5)
# Gateways keep a key for 24 hours. An hour before that it is not used again, for clocks differ and calls take time.
KEY_IS_USED_FOR = timedelta(hours=23)
KEY_IS_KEPT_FOR = timedelta(hours=24)
# A request may be on its way, and a gateway's search lag behind: only after this is "we know of none" believed.
BELIEVED_AFTER = timedelta(hours=1)
LOOKS = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4),
    timedelta(hours=12),
)  # fmt: skip
PENDING_LOOK = timedelta(days=1)


def look_after(looks: int, *, pending: bool = False) -> timedelta:
    """How long to wait before the gateway is asked again, after so many looks; a bank's debit takes days anyway."""
    return PENDING_LOOK if pending else LOOKS[min(looks, len(LOOKS) - 1)]


class Silence(StrEnum):
    """What to do about an attempt of which the gateway knows nothing."""

    SEND_AGAIN = "SEND_AGAIN"
    WAIT = "WAIT"
    NEVER_SENT = "NEVER_SENT"


def on_silence(*, created_at: datetime, now: datetime, wanted: bool) -> Silence:
    """
    The same key again while the gateway remembers it and the money is still wanted.

    What is not wanted any more is given up only when a request that was on its way would have arrived and been found.
    After 24 hours a key is never used again: what the gateway does not know by then was never charged.
    """
    age = now - created_at
    if age >= KEY_IS_KEPT_FOR:
        return Silence.NEVER_SENT
    if not wanted:
        return Silence.NEVER_SENT if age >= BELIEVED_AFTER else Silence.WAIT
    return Silence.SEND_AGAIN if age < KEY_IS_USED_FOR else Silence.WAIT
