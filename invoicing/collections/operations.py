"""Every change of this room, under one name."""

from invoicing.collections.holds import HoldRefused, exempt_account, lift_hold, place_hold, promise_to_pay
from invoicing.collections.platform import (
    NoticeDraft,
    NoticeRefused,
    add_endpoint,
    change_endpoint,
    record_notices,
    renew_secret,
    retry_notice,
    told_by_hand,
)
from invoicing.collections.reminders import remind
from invoicing.collections.restoring import SuspensionRefused, restore_account, restore_paid, suspend_account
from invoicing.collections.suspension import suspend
from invoicing.collections.telling import tell_platform

__all__ = [
    "HoldRefused",
    "NoticeDraft",
    "NoticeRefused",
    "SuspensionRefused",
    "add_endpoint",
    "change_endpoint",
    "exempt_account",
    "lift_hold",
    "place_hold",
    "promise_to_pay",
    "record_notices",
    "remind",
    "renew_secret",
    "restore_account",
    "restore_paid",
    "retry_notice",
    "suspend",
    "suspend_account",
    "tell_platform",
    "told_by_hand",
]
