"""Every change of this room, under one name."""

from invoicing.collections.holds import HoldRefused, exempt_account, lift_hold, place_hold, promise_to_pay
from invoicing.collections.reminders import remind

__all__ = ["HoldRefused", "exempt_account", "lift_hold", "place_hold", "promise_to_pay", "remind"]
