"""PRE-2: what a customer agreed to be topped up by."""

from datetime import datetime
from decimal import Decimal

from accounts.actors import Actor
from accounts.authority import Action
from accounts.decisions import StandsInTheWay, asking
from accounts.models import Account
from accounts.refusals import BadValue, Refusal
from invoicing.catalog.models import BillingTerms
from invoicing.money import format_money, minor_unit
from invoicing.payments.models import PaymentMethod
from invoicing.prepaid.balances import open_balances
from invoicing.prepaid.models import TopUpAgreement
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import BillingProfile

MOST = Decimal(10) ** 12


def agree_to_top_ups(
    account: Account,
    *,
    threshold: Decimal,
    amount: Decimal,
    actor: Actor,
    now: datetime,
    method: PaymentMethod | None = None,
    why: str = "",
) -> TopUpAgreement:
    """
    AUTH-5: have the balance topped up by `amount` when it falls below `threshold`, from `method` or the default one.

    Set again, it begins afresh: earlier declines are forgotten.

    :raises Refused: unless the Primary or a Billing Contact asks; for an account that is not prepaid
    :raises BadValue: at the first value that cannot be stored
    """
    with asking(Action.CHANGE_BILLING_INFORMATION, account, actor=actor, now=now) as asked:
        currency = _prepaid_currency(asked.account)
        _check("threshold", threshold, currency, least=Decimal(0))
        _check("amount", amount, currency, least=minor_unit(currency))
        if method is not None:
            method = _own(asked.account, method)
        before = TopUpAgreement.objects.filter(account=asked.account).first()
        agreement, _ = TopUpAgreement.objects.update_or_create(
            account=asked.account,
            defaults={
                "threshold": threshold, "amount": amount, "method": method, "is_on": True, "declines": 0,
                "not_before_at": None,
            },
        )  # fmt: skip
        # So that the sweep sees it, though nothing was ever deducted.
        open_balances([asked.account.pk])
        asked.audit(
            "top_up.agree",
            subject=f"automatic top-up of account {asked.account.number}",
            before=_shown(before) if before else {},
            after=_shown(agreement),
            why=why,
        )
    return agreement


def end_top_ups(account: Account, *, actor: Actor, now: datetime, why: str = "") -> None:
    """
    AUTH-5: no more automatic top-ups; one that is under way ends as it ends. Where there are none, nothing changes.

    :raises Refused: unless the Primary or a Billing Contact asks
    """
    with asking(Action.CHANGE_BILLING_INFORMATION, account, actor=actor, now=now) as asked:
        agreement = TopUpAgreement.objects.select_for_update(no_key=True).filter(account=asked.account).first()
        if agreement is None or not agreement.is_on:
            return
        before = _shown(agreement)
        agreement.is_on = False
        agreement.save(update_fields=["is_on"])
        subject = f"automatic top-up of account {asked.account.number}"
        asked.audit("top_up.end", subject=subject, before=before, after=_shown(agreement), why=why)


def _prepaid_currency(account: Account) -> str:
    try:
        profile = lock_billing(account.pk)
    except BillingProfile.DoesNotExist as error:
        raise StandsInTheWay(_not_prepaid()) from error
    if profile.terms.settlement != BillingTerms.Settlement.BALANCE:
        raise StandsInTheWay(_not_prepaid())
    return profile.currency


def _not_prepaid() -> Refusal:
    return Refusal("PRE-2", "This account has no prepaid balance.", "Put it on prepaid terms first.")


def _check(field: str, value: Decimal, currency: str, *, least: Decimal) -> None:
    if not value.is_finite() or not least <= value < MOST or value % minor_unit(currency):
        raise BadValue(field, f"Give an amount of at least {format_money(least, currency)}, as it can be paid.")


def _own(account: Account, method: PaymentMethod) -> PaymentMethod:
    active = PaymentMethod.objects.filter(account=account, state=PaymentMethod.State.ACTIVE)
    own = active.filter(pk=method.pk).first()
    if own is None:
        raise BadValue("method", "This account has no such payment method that can be charged.")
    return own


def _shown(agreement: TopUpAgreement) -> dict[str, object]:
    return {
        "threshold": f"{agreement.threshold:f}",
        "amount": f"{agreement.amount:f}",
        "method": agreement.method_id,
        "is_on": agreement.is_on,
    }
