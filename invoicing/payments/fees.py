"""The card fee as it is quoted and charged: from the dated table, by the account's billing state (FEE-1 to FEE-4)."""

from datetime import date
from decimal import Decimal

from accounts.models import Account
from invoicing.payments.fee_table import CardFeeRate
from invoicing.payments.models import PaymentMethod
from invoicing.payments.policy import CREDIT, NO_FEE_ON_BANKS, CardFee, FeeRate, card_fee
from invoicing.payments.queries import default_method
from invoicing.subscriptions.models import BillingProfile


def fee_rates(on: date) -> list[FeeRate]:
    """The rows of the table that began by the day."""
    rows = CardFeeRate.objects.filter(valid_from_on__lte=on).order_by("pk")
    return [
        FeeRate(
            row.state, row.funding, row.rate_percent, row.cap, row.clause, row.legal_reference, row.valid_from_on,
            row.valid_to_on,
        )
        for row in rows
    ]  # fmt: skip


def billing_state(account: Account) -> str:
    """FEE-2: the two letters of the billing state in the United States; CO of Como is no Colorado."""
    return account.state.strip().upper() if account.country == "US" else ""


def fee_of_method(
    profile: BillingProfile, method: PaymentMethod, amount: Decimal, *, currency: str, on: date
) -> CardFee:
    """What paying the amount by this method adds on the day. Charged with the payment, and by nothing else (FEE-3)."""
    if method.kind != PaymentMethod.Kind.CARD:
        return NO_FEE_ON_BANKS
    return _quoted(profile, method.funding, amount, currency, on)


def fee_if_paid_by_card(account: Account, amount: Decimal, *, currency: str, on: date) -> CardFee:
    """
    What paying the amount by card would add: with the account's own card, or, where it has none, a credit card.

    A quote for the invoice and the portal: looking adds nothing (FEE-3).
    """
    profile = BillingProfile.objects.select_related("terms", "account").get(account_id=account.parent_id or account.pk)
    method = default_method(profile.account_id)
    funding = method.funding if method and method.kind == PaymentMethod.Kind.CARD else CREDIT
    return _quoted(profile, funding, amount, currency, on)


def _quoted(profile: BillingProfile, funding: str, amount: Decimal, currency: str, on: date) -> CardFee:
    return card_fee(
        amount,
        currency,
        state=billing_state(profile.account),
        funding=funding,
        rates=fee_rates(on),
        on=on,
        fee_on_debit=profile.terms.fee_on_debit,
    )
