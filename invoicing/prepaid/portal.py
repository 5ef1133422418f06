"""The customers' page about their prepaid balance: what is left, topping up by hand, and by itself (PRE-1, PRE-2)."""

from decimal import Decimal

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.authority import Action
from accounts.portal import ASKED_BY_THE_OPERATION, Visit, of_contact
from accounts.refusals import BadValue
from invoicing.money import ZERO
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.fees import fee_of_method
from invoicing.payments.gateways.registry import NoSuchGateway
from invoicing.payments.models import PaymentMethod
from invoicing.payments.portal import page, profile_of
from invoicing.payments.queries import methods_of
from invoicing.payments.typed import typed_amount
from invoicing.prepaid.agreements import agree_to_top_ups, end_top_ups
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from invoicing.prepaid.topping_up import top_up
from invoicing.sellers.queries import today_of

LATEST = 10


@of_contact(Action.VIEW_BILLING)
def prepaid(visit: Visit) -> HttpResponse:
    """The balance; with an amount and a method, what topping up by it would come to (FEE-3)."""
    balance = PrepaidBalance.objects.filter(account=visit.account).first()
    if balance is None:
        raise Http404("There is no such page.")
    usable = _usable(visit)
    typed = visit.request.GET
    amount, method = typed_amount(typed.get("amount", "")), _method(usable, typed.get("method"))
    if "amount" in typed and amount is None:
        messages.error(visit.request, "Write the amount like 50 or 50.00.")
    fee = _fee(visit, method, amount) if amount and method else ZERO
    return page(
        visit, "portal/prepaid.html", balance=balance, methods=usable, amount=amount, method=method, fee=fee,
        together=(amount or ZERO) + fee, top_ups=TopUp.objects.filter(account=visit.account).order_by("-pk")[:LATEST],
        agreement=TopUpAgreement.objects.filter(account=visit.account, is_on=True).select_related("method").first(),
    )  # fmt: skip


@require_POST
@of_contact(ASKED_BY_THE_OPERATION)
def top_up_by_hand(visit: Visit) -> HttpResponse:
    """PRE-2: exactly what was shown, its fee included, and nothing else."""
    typed = visit.request.POST
    amount, method = typed_amount(typed.get("amount", "")), _method(_usable(visit), typed.get("method"))
    back = redirect("my_prepaid", account_id=visit.account.pk)
    if amount is None or method is None:
        messages.error(visit.request, "Choose an amount and a payment method.")
        return back
    if typed_amount(typed.get("together", "")) != amount + _fee(visit, method, amount):
        messages.warning(visit.request, "What it comes to has changed meanwhile. Look at it once more.")
        return back
    try:
        made = top_up(visit.account, amount, actor=visit.actor, now=timezone.now(), method=method)
    except (MoneyRefused, NoSuchGateway) as refusal:
        messages.error(visit.request, str(refusal))
        return back
    made.refresh_from_db()
    if made.state == TopUp.State.CREDITED:
        messages.success(visit.request, "Thank you: your balance is topped up.")
    elif made.state == TopUp.State.FAILED:
        messages.error(visit.request, f"Your balance was not topped up: {made.why}")
    else:
        messages.info(visit.request, "Your top-up is under way; it is on the balance when the payment has come.")
    return back


@require_POST
@of_contact(ASKED_BY_THE_OPERATION)
def agree(visit: Visit) -> HttpResponse:
    """PRE-2: set, change or end the automatic top-up."""
    typed, now = visit.request.POST, timezone.now()
    back = redirect("my_prepaid", account_id=visit.account.pk)
    if "end" in typed:
        end_top_ups(visit.account, actor=visit.actor, now=now)
        messages.success(visit.request, "Your balance is not topped up by itself any more.")
        return back
    threshold, amount = typed_amount(typed.get("threshold", "")), typed_amount(typed.get("amount", ""))
    if threshold is None or amount is None:
        messages.error(visit.request, "Write both amounts like 50 or 50.00.")
        return back
    try:
        method = _method(_usable(visit), typed.get("method"))
        agree_to_top_ups(visit.account, threshold=threshold, amount=amount, method=method, actor=visit.actor, now=now)
    except BadValue as bad:
        messages.error(visit.request, bad.sentence)
        return back
    messages.success(visit.request, "Your balance is topped up by itself from now on.")
    return back


def _usable(visit: Visit) -> list[PaymentMethod]:
    return list(methods_of(visit.account.pk).filter(state=PaymentMethod.State.ACTIVE))


def _method(usable: list[PaymentMethod], typed: str | None) -> PaymentMethod | None:
    """The one that was chosen, or the default one."""
    chosen = next((one for one in usable if str(one.pk) == typed), None)
    return chosen or (usable[0] if usable else None)


def _fee(visit: Visit, method: PaymentMethod, amount: Decimal) -> Decimal:
    profile = profile_of(visit)
    today = today_of(profile.seller, now=timezone.now())
    return fee_of_method(profile, method, amount, currency=profile.currency, on=today).amount
