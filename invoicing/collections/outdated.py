"""Reminders and warnings whose mail waited too long: what they ask for was paid, so nobody is asked for it."""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q

from invoicing.collections.models import Reminder, Suspension
from invoicing.documents.models import Letter
from invoicing.invoices.models import OpenInvoice

PAID = "Nothing that it reminds of is open any more, so it was not sent."
WITHDRAWN = "The warning was withdrawn before it went out, so it was not sent."
WARNING = "suspension-warning:"


def paid_reminders(letter_ids: Sequence[int]) -> dict[int, str]:
    """Reminders of which every invoice is settled."""
    unsettled = OpenInvoice.objects.filter(Q(amount__gt=0) | Q(placed__gt=0), invoice=OuterRef("invoice"))
    rows = Reminder.objects.filter(letter_id__in=letter_ids).annotate(is_open=Exists(unsettled))
    of_letter: dict[int, bool] = {}
    for letter_id, is_open in rows.values_list("letter_id", "is_open"):
        of_letter[letter_id] = of_letter.get(letter_id, False) or is_open
    return {letter_id: PAID for letter_id, is_open in of_letter.items() if not is_open}


def withdrawn_warnings(letter_ids: Sequence[int]) -> dict[int, str]:
    """Last warnings (SUSP-1) of what never came to a suspension."""
    keys = Letter.objects.filter(pk__in=letter_ids, key__startswith=WARNING).values_list("key", "pk")
    warnings = {int(key.removeprefix(WARNING)): letter_id for key, letter_id in keys}
    withdrawn = Suspension.objects.filter(pk__in=warnings, state=Suspension.State.LIFTED, suspended_at=None)
    return {warnings[pk]: WITHDRAWN for pk in withdrawn.values_list("pk", flat=True)}
