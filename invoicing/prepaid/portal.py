"""The customers' pages about their prepaid balance: what is left, topping up by hand, and by itself (PRE-1, PRE-2)."""

from decimal import Decimal

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.authority import Action
from accounts.once import NotAgain, new_ticket, use_ticket
from accounts.portal import Visit, of_contact
from accounts.refusals import BadValue
from invoicing.catalog.models import BillingTerms
from invoicing.money import ZERO, exponent
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.fees import fee_of_method
from invoicing.payments.gateways.registry import NoSuchGateway
from invoicing.payments.models import PaymentMethod
from invoicing.payments.policy import CardFee
from invoicing.payments.portal import active_methods, chosen_method, page, profile_of
from invoicing.payments.typed import typed_amount
from invoicing.prepaid.agreements import agree_to_top_ups, end_top_ups
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from invoicing.prepaid.topping_up import top_up
from invoicing.prepaid.warnings import shortfall_of
from invoicing.sellers.queries import today_of

LATEST = 10


@require_safe
@of_contact(Action.VIEW_BILLING)
def prepaid(visit: Visit) -> HttpResponse:
    """The balance; with an amount and a method, what topping up by it would come to (FEE-3)."""
    balance, profile = balance_of(visit), profile_of(visit)
    usable, typed = active_methods(visit), visit.request.GET
    amount = typed_amount(typed.get("amount", ""), places=exponent(profile.currency)) or None
    method = chosen_method(usable, typed.get("method"), or_default=True)
    if "amount" in typed and amount is None:
        messages.error(visit.request, "Write an amount greater than zero, like 50 or 50.00.")
    fee = _fee(visit, method, amount) if amount and method else None
    return page(
        visit, "portal/prepaid.html", balance=balance, methods=usable, amount=amount, method=method, fee=fee,
        together=(amount or ZERO) + (fee.amount if fee else ZERO), ticket=new_ticket(visit.account.pk),
        top_ups=TopUp.objects.filter(account=visit.account).order_by("-pk")[:LATEST],
        agreement=TopUpAgreement.objects.filter(account=visit.account, is_on=True).select_related("method").first(),
        short=shortfall_of(profile, today=today_of(profile.seller, now=timezone.now())),
        a_day=profile.terms.topups_a_day,
    )  # fmt: skip


def balance_of(visit: Visit) -> PrepaidBalance:
    """
    The balance; nothing yet, for an account on prepaid terms to which nothing was ever posted.

    :raises Http404: for an account that is not prepaid
    """
    if kept := PrepaidBalance.objects.filter(account=visit.account).first():
        return kept
    profile = profile_of(visit)
    if profile.terms.settlement != BillingTerms.Settlement.BALANCE:
        raise Http404("There is no such page.")
    return PrepaidBalance(account=visit.account, currency=profile.currency, balance=ZERO, awaiting=ZERO)


@require_POST
@of_contact(Action.CHANGE_BILLING_INFORMATION)
def top_up_by_hand(visit: Visit) -> HttpResponse:
    """PRE-2: exactly what was shown, its fee included, once, and nothing else."""
    balance, typed = balance_of(visit), visit.request.POST
    places = exponent(balance.currency)
    amount = typed_amount(typed.get("amount", ""), places=places)
    method = chosen_method(active_methods(visit), typed.get("method"), or_default=False)
    back = redirect("my_prepaid", account_id=visit.account.pk)
    if not amount or method is None:
        messages.error(visit.request, "Choose an amount and a payment method that can be charged.")
        return back
    if typed_amount(typed.get("together", ""), places=places) != amount + _fee(visit, method, amount).amount:
        messages.warning(visit.request, "What it comes to has changed meanwhile. Look at it once more.")
        return back
    try:
        use_ticket(typed.get("ticket", ""), account_id=visit.account.pk, now=timezone.now())
        made = top_up(visit.account, amount, actor=visit.actor, now=timezone.now(), method=method)
    except (NotAgain, MoneyRefused, NoSuchGateway) as refusal:
        messages.error(visit.request, str(refusal))
        return back
    _tell(visit, made)
    return back


def _tell(visit: Visit, made: TopUp) -> None:
    made.refresh_from_db()
    if made.state == TopUp.State.CREDITED:
        messages.success(visit.request, "Thank you: your balance is topped up.")
    elif made.state == TopUp.State.FAILED:
        messages.error(visit.request, f"Your balance was not topped up: {made.why}")
    else:
        messages.info(visit.request, "Your top-up is under way; it is on the balance when the payment has come.")


@require_POST
@of_contact(Action.CHANGE_BILLING_INFORMATION)
def agree(visit: Visit) -> HttpResponse:
    """PRE-2: set, change or end the automatic top-up."""
    balance, typed, now = balance_of(visit), visit.request.POST, timezone.now()
    back = redirect("my_prepaid", account_id=visit.account.pk)
    if "end" in typed:
        end_top_ups(visit.account, actor=visit.actor, now=now)
        messages.success(visit.request, "Your balance is not topped up by itself any more.")
        return back
    places = exponent(balance.currency)
    threshold, amount = (typed_amount(typed.get(name, ""), places=places) for name in ("threshold", "amount"))
    method = chosen_method(active_methods(visit), typed.get("method"), or_default=False)
    if threshold is None or amount is None or method is None:
        messages.error(visit.request, "Write both amounts like 50 or 50.00, and choose a payment method.")
        return back
    try:
        agree_to_top_ups(visit.account, threshold=threshold, amount=amount, method=method, actor=visit.actor, now=now)
    except BadValue as bad:
        messages.error(visit.request, bad.sentence)
        return back
    messages.success(visit.request, "Your balance is topped up by itself from now on.")
    return back


def _fee(visit: Visit, method: PaymentMethod, amount: Decimal) -> CardFee:
    profile = profile_of(visit)
    today = today_of(profile.seller, now=timezone.now())
    return fee_of_method(profile, method, amount, currency=profile.currency, on=today)
