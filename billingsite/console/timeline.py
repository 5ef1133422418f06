"""What happened to an account, newest first, out of four records: changes, decisions, invoices and mails."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from django.urls import NoReverseMatch, reverse

from accounts.models import Account, AuditEntry, Decision
from invoicing.documents.models import Delivery
from invoicing.invoices.models import Invoice
from invoicing.money import format_money

PAGE = 30
MOST_PAGES = 20

ACTION_WORDS = {
    "account.change": "Account data changed",
    "account.billing": "Billing information changed",
    "contact.add": "Contact added",
    "contact.change": "Contact changed",
    "contact.remove": "Contact removed",
    "contact.roles": "Roles of a contact changed",
    "contact.primary": "Primary Contact changed",
}


@dataclass(frozen=True)
class Happening:
    """One thing that happened; `tone` is good, bad or nothing."""

    at: datetime
    title: str
    text: str
    tone: str = ""
    link: str = ""


def timeline(account: Account, *, page: int) -> tuple[list[Happening], bool]:
    """One page of it, and whether there is more. Four queries, each as long as the pages up to this one."""
    page = max(1, min(page, MOST_PAGES))
    reach = page * PAGE + 1
    sources = (
        _changes(account, reach),
        _decisions(account, reach),
        _invoices(account, reach),
        _deliveries(account, reach),
    )
    newest_first = merge(*sources, key=lambda happening: happening.at, reverse=True)
    found = list(islice(newest_first, (page - 1) * PAGE, reach))
    return found[:PAGE], len(found) > PAGE and page < MOST_PAGES


def _changes(account: Account, reach: int) -> Iterator[Happening]:
    for entry in AuditEntry.objects.filter(account=account).order_by("-at", "-pk")[:reach]:
        title = ACTION_WORDS.get(entry.action, entry.action.replace(".", " ").capitalize())
        by = f"{entry.who}, {entry.get_channel_display().lower()}."
        yield Happening(entry.at, title, f"{_change_in_words(entry)}{by} {entry.why}", "good")


def _change_in_words(entry: AuditEntry) -> str:
    before, after = entry.detail.get("before"), entry.detail.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict) or not before:
        return ""
    changed = [f"{name.replace('_', ' ')}: {before.get(name) or '—'} → {after.get(name) or '—'}" for name in after]
    return "; ".join(changed) + ". " if changed else ""


def _decisions(account: Account, reach: int) -> Iterator[Happening]:
    for decision in Decision.objects.filter(account=account, allowed=False).order_by("-at", "-pk")[:reach]:
        asked = decision.action.replace("_", " ").lower()
        said = " ".join(f"{one['clause']}: {one['sentence']}" for one in decision.refusals)
        yield Happening(decision.at, f"Refused: {asked}", f"{decision.who}. {said}", "bad")


def _invoices(account: Account, reach: int) -> Iterator[Happening]:
    found = Invoice.objects.filter(account=account, status=Invoice.Status.ISSUED).defer("buyer")
    for invoice in found.order_by("-issued_at", "-pk")[:reach]:
        assert invoice.issued_at  # the database's constraint on issued invoices
        total = format_money(invoice.total, invoice.currency)
        yield Happening(
            invoice.issued_at,
            f"{invoice.get_kind_display()} {invoice.number}",
            f"{total}, due {invoice.due_on:%-d %B %Y}.",
            link=invoice_link(invoice),
        )


def _deliveries(account: Account, reach: int) -> Iterator[Happening]:
    # By the document, which has an index on its account.
    sent = Delivery.objects.filter(document__account=account, sent_at__isnull=False).order_by("-sent_at", "-pk")
    for delivery in sent[:reach]:
        assert delivery.sent_at
        yield Happening(delivery.sent_at, "Mail sent", f"To {delivery.address}.")


def invoice_link(invoice: Invoice) -> str:
    """The invoice's page, where one is built."""
    name = "creditnote" if invoice.kind == Invoice.Kind.CREDIT_NOTE else "invoice"
    try:
        return reverse(f"admin:invoicing_{name}_change", args=[invoice.pk])
    except NoReverseMatch:
        return ""
