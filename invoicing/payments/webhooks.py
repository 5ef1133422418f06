"""The door for gateways' notices. No sign-in and no CSRF token: the signature over the raw body is the proof."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from invoicing.payments.gateways.protocol import Forged
from invoicing.payments.gateways.registry import NoSuchGateway, gateway
from invoicing.payments.receiving import receive

LARGEST = 512 * 1024
SIGNATURE = "Stripe-Signature"


@csrf_exempt
@never_cache
@require_POST
def webhook(request: HttpRequest, gateway_name: str) -> HttpResponse:
    """200 for what is stored, now or before; 400 forged or out of date, 404 no such gateway, 413 too large."""
    try:
        gateway(gateway_name)
    except NoSuchGateway:
        return _said(404, "There is no such gateway here.")
    if _length(request) > LARGEST:
        return _said(413, f"The body may have {LARGEST} bytes at most.")
    try:
        is_new = receive(
            gateway_name=gateway_name,
            body=request.body,
            signature=request.headers.get(SIGNATURE, ""),
            now=timezone.now(),
        )
    except Forged:
        return _said(400, "The signature is missing, wrong or out of date.")
    return _said(200, "Stored." if is_new else "Stored before.")


def _length(request: HttpRequest) -> int:
    """As the header says; the server reads no more than that."""
    given = request.headers.get("Content-Length") or "0"
    return int(given) if given.isascii() and given.isdigit() else 0


def _said(status: int, sentence: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")
