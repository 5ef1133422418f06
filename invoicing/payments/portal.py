"""The customers' pages about what they owe: invoices with their PDFs, paying, and payment methods."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.authority import Action
from accounts.portal import ASKED_BY_THE_OPERATION, Visit, of_contact
from invoicing.documents.reading import DocumentChanged, NotDrawnYet, read_document
from invoicing.invoices.models import Invoice
from invoicing.invoices.showing import document_of
from invoicing.money import ZERO
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
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.operations import MoneyRefused, charge
from invoicing.payments.queries import Owing, being_paid, default_method, invoice_status, methods_of, owing_of
from invoicing.payments.typed import typed_amount
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

LATEST = 12
TROUBLE = (MethodRefused, NoSuchGateway, NoAnswer, GatewayRefused)


def page(visit: Visit, template: str, **context: Any) -> HttpResponse:
    """A page of the account in the portal's frame."""
    is_prepaid = hasattr(visit.account, "prepaid_balance")
    frame = {"account": visit.account, "is_prepaid": is_prepaid, "here": visit.request.path}
    return TemplateResponse(visit.request, template, {**frame, **context})


def profile_of(visit: Visit) -> BillingProfile:
    """:raises Http404: for an account that is billed through its partner"""
    found = BillingProfile.objects.select_related("seller", "terms", "account").filter(account=visit.account).first()
    if found is None:
        raise Http404("There is no such page.")
    return found


@of_contact(Action.VIEW_BILLING)
def owed(visit: Visit) -> HttpResponse:
    """AUTH-4: what is owed, and the latest invoices."""
    today = timezone.localdate()
    latest = Invoice.objects.filter(account=visit.account, status=Invoice.Status.ISSUED).defer("buyer")
    invoices = list(latest.order_by("-issued_on", "-pk")[:LATEST])
    statuses = invoice_status([invoice.pk for invoice in invoices], on=today)
    owing = owing_of(visit.account.pk)
    totals: dict[str, Decimal] = {}
    for one in owing:
        totals[one.currency] = totals.get(one.currency, ZERO) + one.open
    return page(
        visit, "portal/owed.html", totals=totals, owing=owing, today=today,
        pending=being_paid([one.invoice_id for one in owing]),
        invoices=[(invoice, statuses.get(invoice.pk)) for invoice in invoices], method=default_method(visit.account.pk),
        payments=Payment.objects.filter(account=visit.account).select_related("method").order_by("-on", "-pk")[:LATEST],
    )  # fmt: skip


@require_GET
@of_contact(Action.VIEW_BILLING)
def invoice_pdf(visit: Visit, invoice_id: int) -> HttpResponse:
    """AUTH-4: the PDF as it was sent; another account's invoice is no page."""
    issued = Invoice.objects.filter(account=visit.account, status=Invoice.Status.ISSUED)
    invoice = get_object_or_404(issued, pk=invoice_id)
    document = document_of(invoice)
    try:
        content = read_document(document) if document else b""
    except (NotDrawnYet, DocumentChanged):
        content = b""
    if not content:
        messages.warning(visit.request, f"The PDF of {invoice} is not ready yet. Try again in some minutes.")
        return redirect("my_account", account_id=visit.account.pk)
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="invoice-{invoice.pk}.pdf"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@of_contact(Action.CHANGE_BILLING_INFORMATION)
def pay(visit: Visit) -> HttpResponse:
    """
    Choose invoices and a method, see what it comes to with the card fee (FEE-3), and pay exactly that.

    GET shows; POST charges, unless what was shown is not what it would come to any more.
    """
    profile, typed = profile_of(visit), visit.request.POST if visit.request.method == "POST" else visit.request.GET
    methods = list(methods_of(visit.account.pk).filter(state=PaymentMethod.State.ACTIVE))
    method = next((one for one in methods if str(one.pk) == typed.get("method")), methods[0] if methods else None)
    under_way = being_paid([one.invoice_id for one in owing_of(visit.account.pk, currency=profile.currency)])
    owing = [one for one in owing_of(visit.account.pk, currency=profile.currency) if one.invoice_id not in under_way]
    asked = set(typed.getlist("invoice"))
    chosen = [one for one in owing if str(one.invoice_id) in asked] if asked else owing
    amount = sum((one.open for one in chosen), ZERO)
    today = today_of(profile.seller, now=timezone.now())
    fee = fee_of_method(profile, method, amount, currency=profile.currency, on=today) if method else None
    together = amount + (fee.amount if fee else ZERO)
    if visit.request.method == "POST" and method and chosen:
        if typed_amount(typed.get("together", "")) == together:
            return _charged(visit, method, chosen)
        messages.warning(visit.request, "What is due has changed meanwhile. Look at it once more, then pay.")
    return page(
        visit, "portal/pay.html", owing=owing, chosen={one.invoice_id for one in chosen}, methods=methods,
        method=method, amount=amount, fee=fee, together=together, currency=profile.currency, under_way=bool(under_way),
    )  # fmt: skip


def _charged(visit: Visit, method: PaymentMethod, chosen: list[Owing]) -> HttpResponse:
    request = visit.request
    try:
        payment = charge(
            visit.account.pk, method, actor=visit.actor, now=timezone.now(),
            invoices={one.invoice_id: one.open for one in chosen},
        )  # fmt: skip
    except (MoneyRefused, NoSuchGateway) as refusal:
        messages.error(request, str(refusal))
        return redirect("my_account", account_id=visit.account.pk)
    _tell(request, payment)
    return redirect("my_account", account_id=visit.account.pk)


def _tell(request: HttpRequest, payment: Payment) -> None:
    states = Payment.State
    if payment.state == states.SUCCEEDED:
        messages.success(request, "Thank you: your payment came, and the receipt is on its way to you.")
    elif payment.state == states.FAILED:
        messages.error(request, f"The payment was declined: {payment.failure} No money was taken, and no fee.")
    else:
        messages.info(request, "Your payment is under way. We write to you when it has come; do not pay twice.")


@of_contact(Action.VIEW_BILLING)
def methods(visit: Visit) -> HttpResponse:
    """AUTH-5: what is on file; looking charges nothing (FEE-3)."""
    return page(visit, "portal/methods.html", methods=list(methods_of(visit.account.pk)))


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
@of_contact(ASKED_BY_THE_OPERATION)
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


def _attempt(visit: Visit, do: Any) -> None:
    try:
        messages.success(visit.request, do())
    except TROUBLE as trouble:
        messages.error(visit.request, str(trouble))
