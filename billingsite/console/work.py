"""What needs doing: each heap of work with its size and where it is done."""

from datetime import datetime, timedelta
from typing import cast

from django.core.cache import cache
from django.db.models import Min, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from accounts.actors import Role
from accounts.models import Account, ContactRole
from billingsite.console import money_work
from billingsite.console.cards import Card
from billingsite.console.cards import list_address as _list
from invoicing.documents.models import Delivery, Document
from invoicing.invoices.models import Invoice
from invoicing.runs.models import Run, RunItem
from invoicing.subscriptions.models import OneOffCharge

# Workers look every minute or so; what nobody took for so long means that none is at work.
ALARMING = timedelta(minutes=15)
SECONDS_KEPT = 60


def cards(request: HttpRequest, now: datetime) -> list[Card]:
    """The heaps that are not empty and that this person may see. A set number of queries, each on a small index."""
    heaps = (
        ("invoicing.view_run", Run.objects.filter(state=Run.State.REVIEW).count, _to_review),
        ("invoicing.view_runitem", _parked_items().count, _parked),
        ("invoicing.view_delivery", _failed_deliveries().count, _failed),
        ("invoicing.view_document", _parked_documents, _undrawn),
        ("accounts.view_account", _without_primary, _nobody_speaks),
        ("invoicing.view_oneoffcharge", _waiting_charges().count, _to_authorize),
        *money_work.heaps(now),
        ("invoicing.view_run", lambda: _minutes_unclaimed(now), _unclaimed),
    )
    found = []
    for permission, counted, as_card in heaps:
        if request.user.has_perm(permission) and (count := counted()):
            found.append(as_card(count))
    return found


def _parked_items() -> QuerySet[RunItem]:
    parked = RunItem.objects.filter(outcome=RunItem.Outcome.PARKED, superseded_by=None)
    return parked.exclude(run__state=Run.State.DISCARDED)


def _failed_deliveries() -> QuerySet[Delivery]:
    return Delivery.objects.filter(state__in=[Delivery.State.PARKED, Delivery.State.UNCERTAIN])


def _waiting_charges() -> QuerySet[OneOffCharge]:
    return OneOffCharge.objects.filter(billed_on=None, authorized_at=None)


def _parked_documents() -> int:
    """Kept for a minute: no index serves it."""
    parked = Document.objects.filter(state=Document.State.PARKED)
    return cast(int, cache.get_or_set("console:parked-documents", parked.count, SECONDS_KEPT))


def _without_primary() -> int:
    """AUTH-1: one Primary an account, so those without are the difference. Kept for a minute."""

    def count() -> int:
        return Account.objects.count() - ContactRole.objects.filter(role=Role.PRIMARY).count()

    return cast(int, cache.get_or_set("console:without-primary", count, SECONDS_KEPT))


def _minutes_unclaimed(now: datetime) -> int:
    """How long the oldest mail or document has waited for a worker, once that is alarming."""
    due = Delivery.objects.filter(state=Delivery.State.PENDING, next_attempt_at__lt=now)
    oldest = [due.aggregate(oldest=Min("next_attempt_at"))["oldest"]]
    document = Document.objects.filter(state=Document.State.PENDING, leased_until=None).order_by("pk").first()
    subject = Invoice.objects.filter(pk__in=[document.subject_id] if document else [])
    oldest.append(subject.values_list("issued_at", flat=True).first())
    waited = max((now - at for at in oldest if at), default=timedelta())
    return int(waited.total_seconds() // 60) if waited > ALARMING else 0


def _to_review(count: int) -> Card:
    return Card(
        f"{count:,}", "Runs to review", "Look them over, then approve or discard.", _list("run", "state__exact=REVIEW")
    )


def _parked(count: int) -> Card:
    hint = "Mend what the reason says, then retry."
    return Card(f"{count:,}", "Parked accounts", hint, _list("runitem", ""), is_bad=True)


def _failed(count: int) -> Card:
    hint = "A mail was refused, or nobody knows whether it went out."
    return Card(f"{count:,}", "Failed deliveries", hint, _list("delivery", "failed=1"), is_bad=True)


def _undrawn(count: int) -> Card:
    hint = "A PDF could not be drawn; its mail waits for it."
    return Card(f"{count:,}", "Documents that failed", hint, _list("document", "state__exact=PARKED"), is_bad=True)


def _nobody_speaks(count: int) -> Card:
    link = f"{reverse('admin:accounts_account_changelist')}?primary=none"
    return Card(
        f"{count:,}", "Accounts without a Primary Contact", "AUTH-1: nobody can ask for a change to them.", link
    )


def _to_authorize(count: int) -> Card:
    hint = "AUTH-6: the Primary or the Primary Billing Contact authorizes them."
    return Card(f"{count:,}", "One-off charges that wait", hint, _list("oneoffcharge", "waits=authorization"))


def _unclaimed(minutes: int) -> Card:
    hours, days = minutes // 60, minutes // (24 * 60)
    waited = f"{days:,} days" if days > 1 else f"{hours} hours" if hours > 1 else f"{minutes} minutes"
    hint = "Documents or mails that no worker has taken. Is a worker running?"
    return Card(waited, "Work nobody takes", hint, _list("delivery", "state__exact=PENDING"), is_bad=True)
