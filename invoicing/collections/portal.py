"""The page on which a customer arrives: what is owed, whether the standing is good, invoices and payments."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from django.db.models import Q
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.authority import Action
from accounts.portal import Visit, of_contact
from invoicing.collections.standing import Standing, standing_of
from invoicing.invoices.models import Invoice
from invoicing.money import ZERO, format_money
from invoicing.payments.models import Payment, Refund
from invoicing.payments.portal import page
from invoicing.payments.queries import (
    InvoiceStatus,
    StatusOf,
    being_paid,
    credit_of,
    default_method,
    invoice_status,
    owing_of,
    owing_totals,
    payments_of,
)
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile
from invoicing.subscriptions.queries import profile_billed

LATEST = 12
SETTLED_WORDS = {
    InvoiceStatus.PAID: "paid",
    InvoiceStatus.CREDITED: "credited",
    InvoiceStatus.WRITTEN_OFF: "written off",
}


PAYMENT_WORDS = {
    Payment.State.CREATED: "under way",
    Payment.State.UNKNOWN: "under way",
    Payment.State.PENDING: "under way",
    Payment.State.SUCCEEDED: "paid",
    Payment.State.FAILED: "declined",
    Payment.State.CANCELLED: "not sent",
    Payment.State.RETURNED: "returned by the bank",
}


class Paid(NamedTuple):
    """A payment of the list, and what became of it in words."""

    payment: Payment
    words: str


class Shown(NamedTuple):
    """An invoice or credit note of the list, and how it stands in words."""

    invoice: Invoice
    words: str


@require_safe
@of_contact(Action.VIEW_BILLING)
def owed(visit: Visit) -> HttpResponse:
    """AUTH-4: what is owed, the standing with its reasons, invoices page by page, and the latest payments."""
    now, account_id = timezone.now(), visit.account.pk
    profile = profile_billed(visit.account)
    today = today_of(profile.seller, now=now) if profile else timezone.localdate(now)
    owing = owing_of(account_id)
    invoices, older = _invoices(visit)
    statuses = invoice_status([invoice.pk for invoice in invoices], on=today)
    return page(
        visit, "portal/owed.html", totals=owing_totals(account_id), owing=owing, today=today,
        pending=being_paid([one.invoice_id for one in owing]), standing=_standing(visit, today),
        invoices=[Shown(invoice, _words(invoice, statuses.get(invoice.pk))) for invoice in invoices], older=older,
        method=default_method(account_id), payments=_payments(visit), credit=_credit(profile, account_id),
    )  # fmt: skip


def _standing(visit: Visit, today: date) -> Standing | None:
    """Of an account that is billed itself: the reasons of a client's are its partner's invoices (AUTH-4)."""
    return None if visit.account.parent_id else standing_of(visit.account.pk, on=today)


def _credit(profile: BillingProfile | None, account_id: int) -> str:
    """The account's own money that is on no invoice; nothing of the partner's for a client."""
    if profile is None or profile.account_id != account_id:
        return ""
    held = credit_of(account_id, profile.currency)
    return format_money(held, profile.currency) if held > ZERO else ""


def _invoices(visit: Visit) -> tuple[list[Invoice], int | None]:
    """A page of the issued ones, the latest first, and from which one the next page goes on."""
    found = Invoice.objects.filter(account=visit.account, status=Invoice.Status.ISSUED).defer("buyer")
    asked = visit.request.GET.get("before", "")
    if asked.isdecimal() and len(asked) < 19 and (last := found.filter(pk=int(asked)).first()):
        found = found.filter(Q(issued_on__lt=last.issued_on) | Q(issued_on=last.issued_on, pk__lt=last.pk))
    rows = list(found.order_by("-issued_on", "-pk")[: LATEST + 1])
    return rows[:LATEST], rows[LATEST - 1].pk if len(rows) > LATEST else None


def _payments(visit: Visit) -> list[Paid]:
    """The latest ones, with what was given back of them, their fees included."""
    payments = list(payments_of(visit.account.pk)[:LATEST])
    refunds: dict[int, list[Refund]] = defaultdict(list)
    for one in Refund.objects.filter(payment__in=payments).exclude(state=Refund.State.FAILED).order_by("pk"):
        refunds[one.payment_id].append(one)
    return [
        Paid(one, ", ".join([PAYMENT_WORDS[Payment.State(one.state)], *_back(refunds[one.pk])])) for one in payments
    ]


def _back(refunds: list[Refund]) -> Iterator[str]:
    for one in refunds:
        how = "given back" if one.state == Refund.State.SUCCEEDED else "on its way back"
        yield f"{format_money(one.amount + one.fee, one.currency)} {how}"


def _words(invoice: Invoice, status: StatusOf | None) -> str:
    if status is None:
        return "credit note"
    if status.open <= ZERO:
        return SETTLED_WORDS.get(status.status, "paid")
    return f"{format_money(status.open, invoice.currency)} open"
