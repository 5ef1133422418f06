"""
What a bank's no means: which declines of a card and which returned debits no retry of the same method will change.

Codes of cards are Stripe's decline codes (https://docs.stripe.com/declines/codes); those of bank accounts are the ACH
return codes of the Nacha Operating Rules.
"""

from collections.abc import Mapping
from types import MappingProxyType

# The bank wants the card kept, or the card is over: the networks forbid another try, or it cannot succeed.
HARD_DECLINES = frozenset({
    "authentication_not_handled",
    "card_not_supported",
    "currency_not_supported",
    "expired_card",
    "fraudulent",
    "incorrect_cvc",
    "incorrect_number",
    "invalid_account",
    "invalid_cvc",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "invalid_number",
    "live_mode_test_card",
    "lost_card",
    "merchant_blacklist",
    "new_account_information_available",
    "no_action_taken",
    "not_permitted",
    "pickup_card",
    "restricted_card",
    "revocation_of_all_authorizations",
    "revocation_of_authorization",
    "security_violation",
    "service_not_allowed",
    "stolen_card",
    "stop_payment_order",
    "testmode_decline",
    "transaction_not_allowed",
})  # fmt: skip

# The bank wants the cardholder to confirm the payment, who is away: the card is good, and only its holder can help.
NEEDS_THE_CUSTOMER = "authentication_required"

# How Stripe names a bank's return, before a debit settles (https://docs.stripe.com/declines/network-codes) and after it
# (a dispute's `reason`).
RETURN_CODES: Mapping[str, str] = MappingProxyType({
    "insufficient_funds": "R01",
    "account_closed": "R02",
    "bank_account_closed": "R02",
    "no_account": "R03",
    "incorrect_account_details": "R03",
    "bank_account_invalid_details": "R03",
    "bank_account_unusable": "R03",
    "invalid_account_number": "R04",
    "debit_not_authorized": "R10",
    "customer_initiated": "R08",
    "payment_stopped": "R08",
    "recipient_deceased": "R15",
    "account_frozen": "R16",
    "bank_account_frozen": "R16",
    "bank_account_declined": "R16",
    "bank_cannot_process": "R17",
    "could_not_process": "R17",
    "bank_ownership_changed": "R07",
    "bank_account_restricted": "R20",
    "transaction_not_allowed": "R20",
})  # fmt: skip

# Money may be there another day; every other return says that the account or the mandate is not.
SOFT_RETURNS = frozenset({"R01", "R09"})

# A dispute with one of these reasons is a returned debit, and no card's chargeback.
REASONS_OF_RETURNS = frozenset({
    "bank_cannot_process",
    "customer_initiated",
    "debit_not_authorized",
    "incorrect_account_details",
    "insufficient_funds",
})  # fmt: skip


def is_hard_decline(code: str) -> bool:
    """Whether trying the same card again cannot help; a code that nobody knows yet may be tried again."""
    return code in HARD_DECLINES


def is_hard_return(code: str) -> bool:
    """Whether the same bank account will not pay another time either (R01 and R09 may)."""
    return code not in SOFT_RETURNS


def return_code(reason: str) -> str:
    """The bank's code for what the gateway calls it; a code stays what it is, and an unknown reason too."""
    return RETURN_CODES.get(reason, reason)
