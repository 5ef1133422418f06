"""One box for everything: accounts, contacts, invoice numbers, and payments by their references."""

from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from accounts.finding import accounts_beginning_with, contacts_beginning_with
from billingsite.console import navigation
from billingsite.console.timeline import invoice_link
from invoicing.invoices.models import Invoice
from invoicing.money import format_money
from invoicing.payments.models import Payment

SHOWN = 20


@dataclass(frozen=True)
class Hit:
    """One thing found: what it is, something to tell it from its like, and its page."""

    title: str
    description: str
    link: str
    icon: str


@dataclass(frozen=True)
class Hits:
    """What was found of one kind; `more` says that there is more than is shown."""

    title: str
    hits: list[Hit]
    more: bool


def search(request: HttpRequest, words: str) -> list[Hits]:
    """The kinds that this person may see and that have something beginning with the words. A query a kind."""
    words = " ".join(words.split())[:200]
    if not words or "\x00" in words:
        return []
    kinds = (
        ("accounts.view_account", "Accounts", _accounts),
        ("accounts.view_contact", "Contacts", _contacts),
        ("invoicing.view_invoice", "Invoices and credit notes", _invoices),
        ("invoicing.view_payment", "Payments", _payments),
    )
    found = []
    for permission, title, find in kinds:
        if request.user.has_perm(permission) and (hits := find(words)):
            found.append(Hits(title, hits[:SHOWN], len(hits) > SHOWN))
    return found


def pages(request: HttpRequest, words: str) -> list[Hit]:
    """The pages of the navigation whose name holds the words."""
    return [
        Hit(item["title"], group["title"], item["link"], item["icon"])
        for group in navigation.sidebar(request)
        for item in group["items"]
        if words.casefold() in item["title"].casefold()
    ]


def _accounts(words: str) -> list[Hit]:
    return [
        Hit(
            str(account),
            ", ".join(filter(None, (account.get_kind_display(), account.city, account.state))),
            reverse("admin:accounts_account_change", args=[account.pk]),
            "apartment",
        )
        for account in accounts_beginning_with(words).order_by("number")[: SHOWN + 1]
    ]


def _contacts(words: str) -> list[Hit]:
    return [
        Hit(
            str(contact),
            f"of {contact.account}",
            f"{reverse('admin:accounts_account_change', args=[contact.account_id])}?tab=contacts",
            "person",
        )
        for contact in contacts_beginning_with(words).select_related("account").order_by("pk")[: SHOWN + 1]
    ]


def _invoices(words: str) -> list[Hit]:
    numbered = Q(number__startswith=words) | Q(number__startswith=words.upper())
    found = Invoice.objects.filter(numbered).defer("buyer").select_related("account").order_by("number")
    return [
        Hit(
            str(invoice),
            f"{format_money(invoice.total, invoice.currency)}, {invoice.issued_on:%-d %B %Y}, {invoice.account}",
            invoice_link(invoice)
            or f"{reverse('admin:accounts_account_change', args=[invoice.account_id])}?tab=invoices",
            "receipt_long",
        )
        for invoice in found[: SHOWN + 1]
    ]


def _payments(words: str) -> list[Hit]:
    """By a check's number, a wire's reference, or the gateway's name for it: the whole of it."""
    named = Payment.objects.filter(Q(reference=words) | Q(gateway_reference=words)).select_related("account")
    return [
        Hit(
            f"Payment {payment.pk} {payment.reference or payment.gateway_reference}",
            f"{format_money(payment.amount, payment.currency)}, {payment.get_state_display().lower()}, "
            f"{payment.on:%-d %B %Y}, {payment.account}",
            reverse("admin:invoicing_payment_change", args=[payment.pk]),
            "payments",
        )
        for payment in named.order_by("-pk")[: SHOWN + 1]
    ]
