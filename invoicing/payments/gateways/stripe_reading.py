"""What Stripe's objects say, in our words. Plain dicts in, values out: nothing here asks the gateway."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from invoicing.payments.gateways.declines import NEEDS_THE_CUSTOMER, is_hard_decline, is_hard_return, return_code
from invoicing.payments.gateways.minor_units import from_minor
from invoicing.payments.gateways.protocol import Answer, MethodDetails, Outcome

Object = Mapping[str, Any]

ACH = "us_bank_account"
# A set-up's names begin so, and it carries the account's number under this name.
SETUP = "seti_"
ACCOUNT = "account_number"
_OF_INTENTS = {"succeeded": Outcome.SUCCEEDED, "processing": Outcome.PENDING}
_OF_REFUNDS = {
    "succeeded": Outcome.SUCCEEDED,
    "pending": Outcome.PENDING,
    "requires_action": Outcome.PENDING,
    "failed": Outcome.FAILED,
    "canceled": Outcome.FAILED,
}
_FUNDING = {"credit": "CREDIT", "debit": "DEBIT", "prepaid": "PREPAID"}
_BRANDS = {
    "amex": "American Express",
    "diners": "Diners Club",
    "discover": "Discover",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def money(of: Object, field: str = "amount") -> tuple[Decimal, str]:
    """The amount under a field, and its currency as we write it."""
    currency = str(of["currency"]).upper()
    return from_minor(int(of[field]), currency), currency


def name_of(value: Any) -> str:
    """The id of something that is given by its id, or in full, or not at all."""
    if isinstance(value, Mapping):
        return str(value["id"])
    return str(value or "")


def answer_of_intent(intent: Object) -> Answer:
    """What became of a charge; one that waits for the customer, who is away, has failed (`authentication_required`)."""
    outcome = _OF_INTENTS.get(intent["status"], Outcome.FAILED)
    received = intent.get("amount_received") if outcome is Outcome.SUCCEEDED else None
    amount, currency = money(intent, "amount_received" if received else "amount")
    if outcome is not Outcome.FAILED:
        return Answer(outcome, intent["id"], amount, currency)
    error = _error_of(intent)
    code, hard = _why(error, is_debit=_is_debit(intent, error))
    return Answer(outcome, intent["id"], amount, currency, code, str(error.get("message") or ""), hard)


def _error_of(intent: Object) -> Object:
    """Why an intent took nothing. One that waited for the customer was given up by us, which Stripe calls abandoned."""
    cancelled = intent.get("cancellation_reason")
    if intent["status"] == "requires_action" or cancelled == "abandoned":
        return {"code": NEEDS_THE_CUSTOMER, "message": "The bank wants the cardholder to confirm the payment."}
    if intent["status"] == "canceled":
        return {"code": "canceled", "message": f"It was cancelled: {cancelled or 'no reason given'}."}
    return intent.get("last_payment_error") or {"code": intent["status"], "message": "It was not charged."}


def _is_debit(intent: Object, error: Object) -> bool:
    """Whether a bank account was to be debited: the error names the method, or else the intent takes nothing else."""
    method = error.get("payment_method")
    if isinstance(method, Mapping):
        return bool(method.get("type") == ACH)
    return list(intent.get("payment_method_types") or ()) == [ACH]


def _why(error: Object, *, is_debit: bool) -> tuple[str, bool]:
    """
    The code of a failure, and whether it is for good: by our table, or because the card's network says so (its advice
    code). Bank accounts fail with the bank's own code.
    """
    code = str(error.get("decline_code") or error.get("code") or "")
    if is_debit:
        bank = return_code(str(error.get("network_decline_code") or code))
        return bank, is_hard_return(bank)
    return code, is_hard_decline(code) or error.get("advice_code") == "do_not_try_again"


def answer_of_refund(refund: Object) -> Answer:
    """What became of a refund."""
    amount, currency = money(refund)
    outcome = _OF_REFUNDS.get(refund["status"], Outcome.PENDING)
    code = str(refund.get("failure_reason") or "") if outcome is Outcome.FAILED else ""
    message = f"The refund failed: {code.replace('_', ' ') or 'no reason given'}." if outcome is Outcome.FAILED else ""
    return Answer(outcome, refund["id"], amount, currency, code, message)


def account_of_setup(setup: Object) -> str:
    """The number of the account whose page made it; nothing of a set-up that is none of ours."""
    return str((setup.get("metadata") or {}).get(ACCOUNT) or "")


def details_of_setup(setup: Object, *, account_number: str) -> MethodDetails | None:
    """What was entered, and whether it may be charged: not while the set-up waits for the customer to verify it."""
    method = setup.get("payment_method")
    if not isinstance(method, Mapping):
        return None
    details = method_details({**method, "customer": setup.get("customer")}, account_number=account_number)
    return replace(details, is_ready=setup.get("status") == "succeeded") if details else None


def method_details(method: Object, *, account_number: str = "") -> MethodDetails | None:
    """A card or bank account as it may be shown; None for a kind that we do not take."""
    token, customer = str(method["id"]), name_of(method.get("customer"))
    if method["type"] == "card":
        card = method["card"]
        return MethodDetails(
            kind="CARD",
            token=token,
            customer_token=customer,
            brand=_BRANDS.get(card["brand"], str(card["brand"]).title()),
            last_four=card["last4"],
            funding=_FUNDING.get(card.get("funding") or "", "UNKNOWN"),
            expires_on=_last_day(int(card["exp_year"]), int(card["exp_month"])),
            account_number=account_number,
        )
    if method["type"] == ACH:
        bank = method[ACH]
        return MethodDetails(
            kind="ACH",
            token=token,
            customer_token=customer,
            brand=str(bank.get("bank_name") or ""),
            last_four=bank["last4"],
            account_number=account_number,
        )
    return None


def _last_day(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])
