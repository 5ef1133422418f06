"""
Every change to what accounts hold and to how they are billed; one function each, in the room's files by reason.

Each asks the authority first (see `accounts.decisions`: not from inside a transaction), changes rows under the lock of
the account and of the profile that bills it, leaves an audit entry that names the decision, and has the run look at
the account again. What is so already is no change, and leaves no entry.
"""

from invoicing.subscriptions.billing_day import change_billing_day
from invoicing.subscriptions.changes import change_plan, change_quantity
from invoicing.subscriptions.charges import authorize_charge, request_charge, withdraw_charge
from invoicing.subscriptions.due import look_again
from invoicing.subscriptions.seats import record_inactivity
from invoicing.subscriptions.services import end_never_started, end_subscription, start_subscription

__all__ = [
    "authorize_charge",
    "change_billing_day",
    "change_plan",
    "change_quantity",
    "end_never_started",
    "end_subscription",
    "look_again",
    "record_inactivity",
    "request_charge",
    "start_subscription",
    "withdraw_charge",
]
