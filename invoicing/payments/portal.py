"""The customers' pages about paying: an invoice's PDF, and what is due by a method of the account's own."""

import logging
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods

from accounts.authority import Action
from accounts.portal import Visit, of_contact
from invoicing.documents.models import Document
from invoicing.documents.reading import DocumentChanged, NotDrawnYet, read_document
from invoicing.invoices.models import Invoice
from invoicing.invoices.showing import document_of
from invoicing.money import ZERO, exponent
from invoicing.payments.fees import fee_of_method
from invoicing.payments.gateways.registry import NoSuchGateway
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.operations import MoneyRefused, charge
from invoicing.payments.queries import Owing, being_paid, methods_of, owing_of
from invoicing.payments.typed import typed_amount
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

logger = logging.getLogger(__name__)


def page(visit: Visit, template: str, **context: Any) -> HttpResponse:
    """A page of the account in the portal's frame."""
    return TemplateResponse(visit.request, template, {"account": visit.account, **context})


def profile_of(visit: Visit) -> BillingProfile:
    """:raises Http404: for an account that is billed through its partner"""
    found = BillingProfile.objects.select_related("seller", "terms", "account").filter(account=visit.account).first()
    if found is None:
        raise Http404("There is no such page.")
    return found


@require_GET
@of_contact(Action.VIEW_BILLING)
def invoice_pdf(visit: Visit, invoice_id: int) -> HttpResponse:
    """AUTH-4: the PDF as it was sent; another account's invoice is no page."""
    issued = Invoice.objects.filter(account=visit.account, status=Invoice.Status.ISSUED)
    invoice = get_object_or_404(issued, pk=invoice_id)
    if content := drawn(document_of(invoice)):
        return pdf(content, f"invoice-{invoice.number}.pdf")
    messages.warning(visit.request, f"The PDF of {invoice} is not ready yet. Try again in some minutes.")
    return redirect("my_account", account_id=visit.account.pk)


def drawn(document: Document | None) -> bytes:
    """The page as it was sent; nothing where it cannot be had yet."""
    try:
        return read_document(document) if document else b""
    except NotDrawnYet:
        return b""
    except DocumentChanged:
        logger.exception("a document that a customer asked for cannot be had as it was sent")
        return b""


def pdf(content: bytes, name: str) -> HttpResponse:
    """Shown by the browser under this name."""
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = content_disposition_header(False, name) or "inline"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@of_contact(Action.CHANGE_BILLING_INFORMATION)
def pay(visit: Visit) -> HttpResponse:
    """
    Choose invoices and a method, see what it comes to with the card fee (FEE-3), and pay exactly that.

    GET shows; POST charges, unless what was shown is not what it would come to any more.
    """
    request, profile = visit.request, profile_of(visit)
    is_sent = request.method == "POST"
    typed = request.POST if is_sent else request.GET
    currency, today = profile.currency, today_of(profile.seller, now=timezone.now())
    methods = active_methods(visit)
    method = chosen_method(methods, typed.get("method"), or_default=not is_sent)
    owing = owing_of(visit.account.pk, currency=currency)
    under_way = being_paid([one.invoice_id for one in owing])
    owing = [one for one in owing if one.invoice_id not in under_way]
    asked = set(typed.getlist("invoice"))
    chosen = [one for one in owing if str(one.invoice_id) in asked] if asked or is_sent else owing
    amount = sum((one.open for one in chosen), ZERO)
    fee = fee_of_method(profile, method, amount, currency=currency, on=today) if method else None
    together = amount + (fee.amount if fee else ZERO)
    if is_sent:
        if method and chosen and typed_amount(typed.get("together", ""), places=exponent(currency)) == together:
            return _charged(visit, method, chosen)
        messages.warning(request, "What is due or the payment method has changed meanwhile, so nothing was charged.")
        return redirect("my_pay", account_id=visit.account.pk)
    return page(
        visit, "portal/pay.html", owing=owing, chosen={one.invoice_id for one in chosen}, methods=methods,
        method=method, amount=amount, fee=fee, together=together, currency=currency, under_way=bool(under_way),
    )  # fmt: skip


def active_methods(visit: Visit) -> list[PaymentMethod]:
    """What may be charged, the default one first."""
    return list(methods_of(visit.account.pk).filter(state=PaymentMethod.State.ACTIVE))


def chosen_method(methods: list[PaymentMethod], typed: str | None, *, or_default: bool) -> PaymentMethod | None:
    """
    The one that was chosen; while one is still choosing, else the default one.

    A method that was removed since the page was shown is never replaced by another: that one was not shown.
    """
    chosen = next((one for one in methods if str(one.pk) == typed), None)
    return methods[0] if chosen is None and or_default and methods else chosen


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
