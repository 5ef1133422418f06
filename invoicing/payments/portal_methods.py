"""The customers' pages about payment methods: added on the gateway's page, chosen, removed, charged by themselves."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.authority import Action
from accounts.portal import ASKED_BY_THE_OPERATION, Visit, of_contact
from invoicing.catalog.models import BillingTerms
from invoicing.money import ZERO
from invoicing.payments.choosing import choose_automatic_charge
from invoicing.payments.fees import fee_of_method
from invoicing.payments.gateways.protocol import GatewayRefused, NoAnswer
from invoicing.payments.gateways.registry import NoSuchGateway
from invoicing.payments.methods import (
    MethodRefused,
    finish_adding_method,
    remove_method,
    set_default_method,
    start_adding_method,
)
from invoicing.payments.models import PaymentMethod
from invoicing.payments.policy import CardFee
from invoicing.payments.portal import page, profile_of
from invoicing.payments.queries import default_method, methods_of, owing_totals
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

TROUBLE = (MethodRefused, NoSuchGateway, NoAnswer, GatewayRefused)


@require_safe
@of_contact(Action.VIEW_BILLING)
def methods(visit: Visit) -> HttpResponse:
    """AUTH-5: what is on file, what each adds, and whether invoices are charged; looking charges nothing (FEE-3)."""
    profile = profile_of(visit)
    kept = list(methods_of(visit.account.pk))
    return page(
        visit, "portal/methods.html", methods=[(one, _fee(profile, one)) for one in kept], profile=profile,
        default=default_method(visit.account.pk), totals=owing_totals(visit.account.pk),
        is_automatic=profile.terms.auto_charge if profile.auto_charge is None else profile.auto_charge,
        is_prepaid=profile.terms.settlement == BillingTerms.Settlement.BALANCE,
    )  # fmt: skip


def _fee(profile: BillingProfile, method: PaymentMethod) -> CardFee:
    """FEE-1 to FEE-4: the rate that a payment by this method carries today."""
    today = today_of(profile.seller, now=timezone.now())
    return fee_of_method(profile, method, ZERO, currency=profile.currency, on=today)


@require_POST
@of_contact(Action.CHANGE_BILLING_INFORMATION)
def automatic(visit: Visit) -> HttpResponse:
    """SEAT-5: have what is invoiced charged by itself, or not. Nothing is charged by the choice."""
    profile_of(visit)
    wanted = visit.request.POST.get("wanted") == "yes"
    if wanted and default_method(visit.account.pk) is None:
        messages.error(visit.request, "Choose a default payment method first; it is the one that is charged.")
        return redirect("my_methods", account_id=visit.account.pk)
    choose_automatic_charge(visit.account, wanted=wanted, actor=visit.actor, now=timezone.now())
    said = "are charged to your default payment method from now on" if wanted else "are not charged by themselves now"
    messages.success(visit.request, f"Your invoices {said}. Nothing was charged by choosing this.")
    return redirect("my_methods", account_id=visit.account.pk)


@require_POST
@of_contact(ASKED_BY_THE_OPERATION)
def add_method(visit: Visit) -> HttpResponse:
    """The address of the gateway's page; a link leads there, since the policy lets no form be sent elsewhere."""
    return_to = f"{settings.SITE_URL}{reverse('my_method_added', args=[visit.account.pk])}"
    try:
        address = start_adding_method(visit.account, return_to=return_to, actor=visit.actor, now=timezone.now())
    except TROUBLE as trouble:
        messages.error(visit.request, str(trouble))
        return redirect("my_methods", account_id=visit.account.pk)
    return page(visit, "portal/add_method.html", address=address)


@require_GET
@of_contact(Action.CHANGE_BILLING_INFORMATION)
def method_added(visit: Visit) -> HttpResponse:
    """Back from the gateway's page. Coming here twice keeps one method."""
    session = visit.request.GET.get("session", "")[:200]
    if session:
        _attempt(visit, lambda: f"{_added(visit, session)} is on file.")
    return redirect("my_methods", account_id=visit.account.pk)


def _added(visit: Visit, session: str) -> PaymentMethod:
    return finish_adding_method(visit.account, session, actor=visit.actor, now=timezone.now())


@require_POST
@of_contact(ASKED_BY_THE_OPERATION)
def default(visit: Visit, method_id: int) -> HttpResponse:
    method = _own(visit, method_id)
    _attempt(
        visit, lambda: f"{set_default_method(method, actor=visit.actor, now=timezone.now())} is charged from now on."
    )
    return redirect("my_methods", account_id=visit.account.pk)


@require_POST
@of_contact(ASKED_BY_THE_OPERATION)
def remove(visit: Visit, method_id: int) -> HttpResponse:
    method = _own(visit, method_id)
    _attempt(visit, lambda: f"{remove_method(method, actor=visit.actor, now=timezone.now())} is removed.")
    return redirect("my_methods", account_id=visit.account.pk)


def _own(visit: Visit, method_id: int) -> PaymentMethod:
    return get_object_or_404(methods_of(visit.account.pk).select_related("account"), pk=method_id)


def _attempt(visit: Visit, do: Callable[[], str]) -> None:
    try:
        messages.success(visit.request, do())
    except TROUBLE as trouble:
        messages.error(visit.request, str(trouble))
