"""
How customers' payment methods change: added on the gateway's own page, chosen, removed, refused by a bank.

AUTH-5: the Primary or a Billing Contact asks; staff record what one of them asked for. FEE-3: nothing here charges
anything or adds a fee. The gateway is asked outside of any transaction.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.actors import Actor
from accounts.audit import record_change
from accounts.authority import Action
from accounts.decisions import Authorized, asking
from accounts.models import Account, Contact
from invoicing.payments.card_numbers import mask_card_numbers
from invoicing.payments.forgetting import forget_at_gateway
from invoicing.payments.gateways.protocol import MethodDetails, Notice
from invoicing.payments.gateways.registry import gateway, gateway_for_new_methods
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import BillingProfile

State = PaymentMethod.State
NOT_VERIFIED = (
    "The bank account is to be verified first: within two working days a deposit of one cent comes to it. Follow the "
    "payment provider's mail and give it the code beside that deposit; then the account is on file by itself."
)


class MethodRefused(Exception):
    """Why a payment method is not added, chosen or removed, in a sentence; nothing was changed."""


def start_adding_method(account: Account, *, return_to: str, actor: Actor, now: datetime, why: str = "") -> str:
    """
    AUTH-5: the address of the gateway's page on which a card or bank account is entered; we never see its number.

    The page comes back to `return_to` with `session` added to its query, which `finish_adding_method` takes.

    :raises Refused: unless the Primary or a Billing Contact asks
    :raises MethodRefused: for an account that is not billed itself
    :raises NoSuchGateway: if no gateway is set up
    :raises NoAnswer: if the gateway does not answer, or GatewayRefused if it does not take the request
    """
    where = gateway_for_new_methods()
    with asking(Action.CHANGE_BILLING_INFORMATION, account, actor=actor, now=now) as asked:
        _lock_money(asked.account)
        asked.audit(
            "payment_method.start", subject=f"account {account.number}", why=why, before={},
            after={"gateway": where.name},
        )  # fmt: skip
    known = PaymentMethod.objects.filter(account=account, gateway=where.name).order_by("-pk").first()
    return where.page_to_add_method(
        account_number=account.number,
        email=_address_of(actor, account),
        customer_token=known.customer_token if known else "",
        return_to=return_to,
    )


def finish_adding_method(
    account: Account, session: str, *, actor: Actor, now: datetime, why: str = ""
) -> PaymentMethod:
    """
    AUTH-5: keep what was entered on the page; the account's first method becomes its default. Twice is once.

    :raises Refused: unless the Primary or a Billing Contact asks
    :raises MethodRefused: if nothing was entered on the page, it is another account's, or the bank account entered on
        it is still to be verified; then the gateway tells us, and `keep_announced_method` keeps it
    :raises NoSuchGateway: if no gateway is set up
    :raises NoAnswer: if the gateway does not answer
    """
    where = gateway_for_new_methods()
    details = where.added_method(session)
    with asking(Action.CHANGE_BILLING_INFORMATION, account, actor=actor, now=now) as asked:
        _lock_money(asked.account)
        if details is None or details.account_number != account.number:
            raise MethodRefused("Nothing was entered on the page yet. Open it once more, or begin again.")
        if not details.is_ready:
            raise MethodRefused(NOT_VERIFIED)
        method, is_new = _keep(asked.account, where.name, details, now=now)
        if is_new:
            asked.audit("payment_method.add", subject=str(method), why=why, before={}, after=_shown(method))
    return method


def keep_announced_method(notice: Notice, *, gateway_name: str, actor: Actor, now: datetime) -> PaymentMethod | None:
    """
    Keep a method that the gateway tells us of, whose page was completed by somebody who then closed the window.

    The page was opened for somebody who was allowed to (AUTH-5), and carries the account's number. None where the
    notice names no page of ours, nothing was entered on it, or what was is still to be verified: then another notice
    follows. Call it outside of a transaction.

    :raises NoAnswer: if the gateway does not answer: try again later
    """
    if not notice.key:
        return None
    details = gateway(gateway_name).added_method(notice.reference)
    account = Account.objects.filter(number=notice.key).first()
    if details is None or account is None or details.account_number != account.number or not details.is_ready:
        return None
    with transaction.atomic():
        locked = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        _lock_money(locked)
        method, is_new = _keep(locked, gateway_name, details, now=now)
        if is_new:
            record_change(
                "payment_method.add", subject=str(method), actor=actor, now=now, account=locked,
                why="Entered on the page that was asked for under AUTH-5.", detail={"after": _shown(method)},
            )  # fmt: skip
    return method


def set_default_method(method: PaymentMethod, *, actor: Actor, now: datetime, why: str = "") -> PaymentMethod:
    """
    AUTH-5: charge this method from now on, unless a payment says otherwise.

    :raises Refused: unless the Primary or a Billing Contact of its account asks
    :raises MethodRefused: if it was removed, or a bank refused it for good
    """
    with asking(Action.CHANGE_BILLING_INFORMATION, method.account, actor=actor, now=now) as asked:
        method = _locked(asked, method)
        if method.state != State.ACTIVE:
            raise MethodRefused(f"{method} is {_state(method)}. Choose another method, or add one.")
        if not method.is_default:
            before = PaymentMethod.objects.filter(account=asked.account, is_default=True).first()
            _set_default(method)
            asked.audit(
                "payment_method.default", subject=str(method), why=why,
                before={"default": str(before) if before else None}, after={"default": str(method), "id": method.pk},
            )  # fmt: skip
    return method


def remove_method(method: PaymentMethod, *, actor: Actor, now: datetime, why: str = "") -> PaymentMethod:
    """
    AUTH-5: forget a method. Where it was the default there is none until another one is chosen.

    After that its gateway is told to forget it too; one that does not answer is asked again later (`forgetting`).

    :raises Refused: unless the Primary or a Billing Contact of its account asks
    :raises MethodRefused: while a payment by it is open, whose money may still come or go back
    """
    with asking(Action.CHANGE_BILLING_INFORMATION, method.account, actor=actor, now=now) as asked:
        method = _locked(asked, method)
        if open_payment := Payment.objects.filter(method=method, state__in=Payment.OPEN).order_by("pk").first():
            raise MethodRefused(
                f"{method} is used by {open_payment}, which is still open. "
                "Remove the method when that payment has come to an end."
            )
        if method.state != State.REMOVED:
            before = _shown(method)
            method.state, method.is_default = State.REMOVED, False
            method.save(update_fields=["state", "is_default"])
            asked.audit("payment_method.remove", subject=str(method), why=why, before=before, after=_shown(method))
    if method.forgotten_at is None:
        forget_at_gateway(method, now=now)
    return method


@transaction.atomic
def block_method(method: PaymentMethod, *, because: str, actor: Actor, now: datetime) -> PaymentMethod:
    """
    Charge a method no more: its bank refused it for good, and the customer is asked for another.

    :raises NotPermitted: unless the actor may charge payment methods
    """
    actor.require("invoicing.take_payment")
    method = PaymentMethod.objects.select_for_update(no_key=True).get(pk=method.pk)
    if method.state == State.ACTIVE:
        before = _shown(method)
        method.state, method.is_default = State.BLOCKED, False
        method.blocked_because = mask_card_numbers(because)[:200]
        method.save(update_fields=["state", "is_default", "blocked_because"])
        record_change(
            "payment_method.block", subject=str(method), actor=actor, now=now, account=method.account_id,
            why=method.blocked_because, detail={"before": before, "after": _shown(method)},
        )  # fmt: skip
    return method


def _lock_money(account: Account) -> None:
    """:raises MethodRefused: for an account that is not billed itself"""
    try:
        lock_billing(account.pk)
    except BillingProfile.DoesNotExist as error:
        raise MethodRefused(
            "This account is not billed itself, so it pays nothing itself. Take the partner that is billed for it."
        ) from error


def _locked(asked: Authorized, method: PaymentMethod) -> PaymentMethod:
    """The method as it is now; who charges it holds the same lock of the account's money."""
    _lock_money(asked.account)
    return PaymentMethod.objects.select_for_update(no_key=True).get(pk=method.pk, account=asked.account)


def _keep(account: Account, gateway_name: str, details: MethodDetails, *, now: datetime) -> tuple[PaymentMethod, bool]:
    """A row for a token, once; whether it is new. One that was removed since stays removed."""
    method, is_new = PaymentMethod.objects.get_or_create(
        gateway=gateway_name,
        token=details.token,
        defaults={
            "account": account,
            "kind": details.kind,
            "customer_token": details.customer_token,
            "brand": mask_card_numbers(details.brand)[:40],
            "last_four": details.last_four,
            "funding": details.funding,
            "expires_on": details.expires_on,
            "added_at": now,
        },
    )
    if is_new and not PaymentMethod.objects.filter(account=account, is_default=True, state=State.ACTIVE).exists():
        _set_default(method)
    return method, is_new


def _set_default(method: PaymentMethod) -> None:
    PaymentMethod.objects.filter(account_id=method.account_id, is_default=True).update(is_default=False)
    method.is_default = True
    method.save(update_fields=["is_default"])


def _shown(method: PaymentMethod) -> dict[str, Any]:
    """What of a method may stand in the record."""
    return {
        "id": method.pk,
        "method": str(method),
        "kind": method.kind,
        "state": method.state,
        "default": method.is_default,
        "expires_on": method.expires_on.isoformat() if method.expires_on else None,
    }


def _state(method: PaymentMethod) -> str:
    return str(method.get_state_display()).lower()


def _address_of(actor: Actor, account: Account) -> str:
    """The gateway's page shows whoever asked their own address, and nobody else's (AUTH-10)."""
    if actor.contact_id is None:
        return ""
    found = Contact.objects.filter(pk=actor.contact_id, account=account).values_list("email", flat=True)
    return found.first() or ""
