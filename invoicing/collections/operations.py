"""Every change of this room, under one name."""

from invoicing.collections.batch_files import write_batches
from invoicing.collections.following import follow_up, recall_placement
from invoicing.collections.handing_over import hand_off
from invoicing.collections.holds import HoldRefused, exempt_account, lift_hold, place_hold, promise_to_pay
from invoicing.collections.placing import approve_placements, decline_placement
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
from invoicing.collections.proposing import propose
from invoicing.collections.recovering import RemittanceRefused, WriteOffRefused, book_remittance, write_off
from invoicing.collections.reminders import remind
from invoicing.collections.restoring import SuspensionRefused, restore_account, restore_paid, suspend_account
from invoicing.collections.reversing import recover_debt, reverse_remittance
from invoicing.collections.suspension import suspend
from invoicing.collections.telling import tell_platform

__all__ = [
    "HoldRefused",
    "NoticeDraft",
    "NoticeRefused",
    "RemittanceRefused",
    "SuspensionRefused",
    "WriteOffRefused",
    "add_endpoint",
    "approve_placements",
    "book_remittance",
    "change_endpoint",
    "decline_placement",
    "exempt_account",
    "follow_up",
    "hand_off",
    "lift_hold",
    "place_hold",
    "promise_to_pay",
    "propose",
    "recall_placement",
    "record_notices",
    "recover_debt",
    "remind",
    "renew_secret",
    "restore_account",
    "restore_paid",
    "retry_notice",
    "reverse_remittance",
    "suspend",
    "suspend_account",
    "tell_platform",
    "told_by_hand",
    "write_batches",
    "write_off",
]
