"""What goes wrong on the way to the demo gateway and behind it: call by call as told, or at random by a seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from types import MappingProxyType
from typing import Protocol


class Fault(StrEnum):
    """The first five are of the line; the others of the bank, for charges only, with `code` saying which."""

    TIMEOUT_BEFORE = "TIMEOUT_BEFORE"
    TIMEOUT_AFTER = "TIMEOUT_AFTER"
    LOST_REPLY = "LOST_REPLY"
    ERROR_BEFORE = "ERROR_BEFORE"
    ERROR_AFTER = "ERROR_AFTER"
    DECLINE = "DECLINE"
    ACH_FAILURE = "ACH_FAILURE"
    ACH_RETURN = "ACH_RETURN"
    DISPUTE = "DISPUTE"


NOTHING_DONE = frozenset({Fault.TIMEOUT_BEFORE, Fault.ERROR_BEFORE})
DONE_UNHEARD = frozenset({Fault.TIMEOUT_AFTER, Fault.LOST_REPLY, Fault.ERROR_AFTER})

SOFT_CODES = ("insufficient_funds", "do_not_honor", "processing_error", "try_again_later")
HARD_CODES = ("stolen_card", "lost_card", "expired_card", "pickup_card")


@dataclass(frozen=True)
class Step:
    """What befalls one call; no fault: nothing does."""

    fault: Fault | None = None
    code: str = ""


FINE = Step()


class FaultScript(Protocol):
    def befalls(self, call: str) -> Step:
        """What befalls the next call of this name: `charge`, `refund`, `look`, or `other`."""


@dataclass
class NoFaults:
    def befalls(self, call: str) -> Step:
        return FINE


@dataclass
class Told:
    """Call by call of one name, in this order; then nothing more."""

    steps: Sequence[Step | Fault]
    call: str = "charge"
    _next: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def befalls(self, call: str) -> Step:
        with self._lock:
            if call != self.call or self._next >= len(self.steps):
                return FINE
            step = self.steps[self._next]
            self._next += 1
        return Step(step) if isinstance(step, Fault) else step


# Shares of all charges; the rest goes well.
USUAL: Mapping[Step, float] = MappingProxyType({
    Step(Fault.TIMEOUT_BEFORE): 0.06,
    Step(Fault.TIMEOUT_AFTER): 0.06,
    Step(Fault.LOST_REPLY): 0.06,
    Step(Fault.ERROR_BEFORE): 0.06,
    Step(Fault.ERROR_AFTER): 0.06,
    **{Step(Fault.DECLINE, code): 0.015 for code in (*SOFT_CODES, *HARD_CODES)},
    Step(Fault.DISPUTE, "fraudulent"): 0.02,
    Step(Fault.ACH_FAILURE, "R01"): 0.03,
    Step(Fault.ACH_RETURN, "R10"): 0.03,
})  # fmt: skip


class Seeded:
    """
    By chance, the same chances for the same seed and the same order of calls.

    `shares` are of the charges; of lookups and refunds, the faults of the line befall as many.
    """

    def __init__(self, seed: int, shares: Mapping[Step, float] = USUAL) -> None:
        self.seed = seed
        self._shares = dict(shares)
        self._random = random.Random(seed)
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Seeded({self.seed})"

    def befalls(self, call: str) -> Step:
        with self._lock:
            drawn = self._random.random()
        for step, share in self._shares.items():
            if drawn < share:
                of_the_line = step.fault in NOTHING_DONE | DONE_UNHEARD
                return step if call == "charge" or (of_the_line and call != "other") else FINE
            drawn -= share
        return FINE
