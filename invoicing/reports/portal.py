"""The customers' pages of what was written to them: statements of account, receipts, reminders and notices (AUTH-4)."""

from datetime import date

from dateutil.relativedelta import relativedelta
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_GET, require_safe

from accounts.authority import Action
from accounts.portal import Visit, latest_of, of_contact
from accounts.refusals import BadValue
from invoicing.documents.models import Document, Letter
from invoicing.payments.portal import drawn, page, pdf, profile_of
from invoicing.reports.operations import statement_pdf
from invoicing.sellers.queries import today_of

LONGEST = relativedelta(years=2)


@require_safe
@of_contact(Action.VIEW_BILLING)
def documents(visit: Visit) -> HttpResponse:
    """The letters, the latest first, and the days of a statement to be drawn."""
    today = today_of(profile_of(visit).seller, now=timezone.now())
    letters, older = latest_of(visit, Letter.objects.filter(account=visit.account))
    return page(visit, "portal/documents.html", letters=letters, today=today, from_on=today.replace(day=1), older=older)


@require_GET
@of_contact(Action.VIEW_BILLING)
def statement(visit: Visit) -> HttpResponse:
    """The statement of the days that were chosen, from the ledger as it stands now."""
    profile_of(visit)
    from_on, to_on = (_day(visit.request.GET.get(name, "")) for name in ("from", "to"))
    try:
        if from_on is None or to_on is None:
            raise BadValue("from_on", "Write both days like 2026-03-01.")
        if to_on > from_on + LONGEST:
            raise BadValue("to_on", "A statement is of two years at most. Ask the billing team for a longer one.")
        content = statement_pdf(visit.account, from_on, to_on, now=timezone.now())
    except BadValue as bad:
        messages.error(visit.request, bad.sentence)
        return redirect("my_documents", account_id=visit.account.pk)
    return pdf(content, f"statement-{visit.account.number}-{from_on}-{to_on}.pdf")


@require_GET
@of_contact(Action.VIEW_BILLING)
def letter_pdf(visit: Visit, letter_id: int) -> HttpResponse:
    """The PDF as it was sent; another account's letter is no page."""
    letter = get_object_or_404(Letter, account=visit.account, pk=letter_id)
    document = Document.objects.filter(account=visit.account, kind=letter.kind, subject_id=letter.pk).first()
    if content := drawn(document):
        return pdf(content, f"{letter.kind.lower()}-{letter.on}-{letter.pk}.pdf")
    messages.warning(visit.request, "This PDF is not ready yet. Try again in some minutes.")
    return redirect("my_documents", account_id=visit.account.pk)


def _day(text: str) -> date | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return day if day and 2000 <= day.year < 2200 else None
