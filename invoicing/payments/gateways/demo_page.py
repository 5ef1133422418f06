"""
The demo gateway's page for adding a method, on a demonstration site only.

It stands for the gateway's own page: whoever has its address may fill it in, and no number is asked for or taken.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from invoicing.payments.gateways.demo import DemoGateway
from invoicing.payments.gateways.demo_bank import Rejected
from invoicing.payments.gateways.registry import NoSuchGateway, demo_gateway


class Choice(NamedTuple):
    """A method that can be picked: what it shows, what is told of it, and what comes of charging it."""

    label: str
    note: str
    does: str
    shown: Mapping[str, str | int]


_VISA: Mapping[str, str | int] = MappingProxyType({"brand": "visa", "last4": "4242", "funding": "credit"})
_DEBIT: Mapping[str, str | int] = MappingProxyType({"brand": "mastercard", "last4": "8210", "funding": "debit"})
_BANK: Mapping[str, str | int] = MappingProxyType({"bank_name": "First Harbor Bank", "last4": "6789"})

CHOICES: Mapping[str, Choice] = MappingProxyType({
    "visa": Choice("Visa credit card", "Is charged without trouble.", "card-ok", _VISA),
    "debit": Choice("Mastercard debit card", "Is charged without trouble.", "card-ok", _DEBIT),
    "short": Choice(
        "Visa without money", "Is declined for now: insufficient funds.", "card-decline.insufficient_funds",
        {**_VISA, "last4": "9995"},
    ),
    "stolen": Choice(
        "Visa that was stolen", "Is declined for good.", "card-decline.stolen_card", {**_VISA, "last4": "9979"}
    ),
    "confirm": Choice(
        "Visa that asks its holder", "Is declined while its holder is away.", "card-action", {**_VISA, "last4": "3184"}
    ),
    "disputed": Choice(
        "Visa whose holder disputes", "Is charged; two weeks later the holder disputes it.", "card-dispute",
        {**_VISA, "last4": "0259"},
    ),
    "bank": Choice("Bank account", "Pays after four days.", "ach-ok", _BANK),
    "empty": Choice(
        "Bank account without money", "Fails after two days (R01).", "ach-fail.R01", {**_BANK, "last4": "1111"}
    ),
    "returned": Choice(
        "Bank account whose owner objects", "Pays, and is returned after three weeks (R10).", "ach-return.R10",
        {**_BANK, "last4": "2222"},
    ),
})  # fmt: skip


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def demo_method_page(request: HttpRequest, session: str) -> HttpResponse:
    """Pick a method; then back to where the customer came from."""
    gateway = _gateway()
    try:
        page = gateway.page(session)
    except Rejected as rejected:
        raise Http404 from rejected
    choice = CHOICES.get(request.POST.get("choice", ""))
    if choice is not None or page["status"] == "complete":
        does, shown = (choice.does, choice.shown) if choice else ("card-ok", {})
        return HttpResponseRedirect(gateway.complete_page(session, does, **shown))
    status = 400 if request.method == "POST" else 200
    return render(request, "invoicing/demo_method.html", {"page": page, "choices": CHOICES}, status=status)


def _gateway() -> DemoGateway:
    try:
        return demo_gateway()
    except NoSuchGateway as error:
        raise Http404 from error
