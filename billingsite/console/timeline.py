"""What happened to an account, newest first, out of four records: changes, decisions, invoices and mails."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from django.urls import NoReverseMatch, reverse

from accounts.models import Account, AuditEntry, Decision
from billingsite.console.happening_words import BAD, words_of
from invoicing.documents.models import Delivery
from invoicing.invoices.models import Invoice
from invoicing.money import format_money

PAGE = 30
MOST_PAGES = 20


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
        channel = entry.get_channel_display().lower()
        by = f"By {entry.who}." if entry.who == channel else f"By {entry.who}, {channel}."
        text = f"{_change_in_words(entry)}{by} {entry.why}"
        yield Happening(entry.at, words_of(entry.action), text, "bad" if entry.action in BAD else "good")


def _change_in_words(entry: AuditEntry) -> str:
    before, after = entry.detail.get("before"), entry.detail.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict) or not before:
        return ""
    changed = [
        f"{name.replace('_', ' ')}: {before.get(name) or '—'} → {after.get(name) or '—'}"
        for name in after
        if before.get(name) != after.get(name)
    ]
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
    for delivery in sent.select_related("document")[:reach]:
        assert delivery.sent_at
        what = delivery.document.get_kind_display().lower()
        yield Happening(delivery.sent_at, f"Mail sent: {what}", f"To {delivery.address}.")


def invoice_link(invoice: Invoice) -> str:
    """The invoice's page, where one is built."""
    name = "creditnote" if invoice.kind == Invoice.Kind.CREDIT_NOTE else "invoice"
    try:
        return reverse(f"admin:invoicing_{name}_change", args=[invoice.pk])
    except NoReverseMatch:
        return ""
