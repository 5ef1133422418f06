"""
The figures of the opening page: what was billed, what is owed, and what comes next.

Sums over the books are kept until the books move, and a minute at most: they are stored under the last ledger entry's
key, which every issue and every payment raises. An entry that was begun before the last and committed after it shows
within that minute.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast

from dateutil.relativedelta import relativedelta
from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Sum
from django.db.models.functions import TruncMonth

from invoicing.catalog.models import BillingTerms
from invoicing.invoices.models import Invoice
from invoicing.ledger.models import LedgerEntry
from invoicing.money import ZERO
from invoicing.reports.receivables import AGES
from invoicing.runs.models import Run, RunItem
from invoicing.subscriptions.models import BillingProfile

MONTHS = 12
A_DAY = 24 * 3600
A_MINUTE = 60

Value = TypeVar("Value")


@dataclass(frozen=True)
class Billed:
    """What was billed in one currency: a row of amounts, one a month, for each billing terms."""

    months: list[date]
    by_terms: dict[str, list[Decimal]]

    @property
    def totals(self) -> list[Decimal]:
        return [sum(amounts, ZERO) for amounts in zip(*self.by_terms.values(), strict=True)]


def _until_the_books_move(name: str, compute: Callable[[], Value]) -> Value:
    last = LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return cast(Value, cache.get_or_set(f"console:{name}:{last}", compute, A_MINUTE))


def billed_by_month(today: date) -> dict[str, Billed]:
    """By currency; credit notes count against the month in which they were issued."""
    first = today.replace(day=1) - relativedelta(months=MONTHS - 1)
    rows = _until_the_books_move(f"billed:{first}", lambda: _billed_rows(first))
    names = dict(BillingTerms.objects.values_list("code", "name"))
    months = [first + relativedelta(months=number) for number in range(MONTHS)]
    amounts: dict[str, dict[str, list[Decimal]]] = defaultdict(dict)
    for month, terms, currency, total in rows:
        if month in months:
            of_terms = amounts[currency].setdefault(names.get(terms, terms or "other"), [ZERO] * MONTHS)
            of_terms[months.index(month)] += total
    return {currency: Billed(months, dict(sorted(by_terms.items()))) for currency, by_terms in sorted(amounts.items())}


def _billed_rows(first: date) -> list[tuple[date, str, str, Decimal]]:
    return list(
        Invoice.objects.filter(status=Invoice.Status.ISSUED, issued_on__gte=first)
        .order_by()
        .values_list(TruncMonth("issued_on"), "terms_code", "currency")
        .annotate(Sum("total"))
    )


_RECEIVABLES = """
    SELECT o.currency,
        CASE
            WHEN i.due_on IS NULL THEN 5
            WHEN i.due_on >= %(today)s THEN 0
            ELSE 1 + least(3, (%(today)s - i.due_on - 1) / 30)
        END AS bucket,
        sum(o.amount), count(*)
    FROM (
        SELECT invoice_id, currency, amount FROM invoicing_openinvoice WHERE amount <> 0
        UNION ALL
        SELECT NULL, currency, sum(amount) FROM invoicing_posting
        WHERE ledger_account = 'RECEIVABLE' AND invoice_id IS NULL GROUP BY account_id, currency HAVING sum(amount) <> 0
    ) o
    LEFT JOIN invoicing_invoice i ON i.id = o.invoice_id
    GROUP BY 1, 2
"""


def receivables_by_age(today: date) -> dict[str, list[tuple[str, Decimal, int]]]:
    """By currency: each age's label, what is open and on how many invoices, by days past the due date."""
    found: dict[str, list[tuple[str, Decimal, int]]] = {}
    for currency, bucket, amount, count in _until_the_books_move(f"owed:{today}", lambda: _receivable_rows(today)):
        ages = found.setdefault(currency, [(label, ZERO, 0) for label in AGES])
        ages[bucket] = (AGES[bucket], amount, count)
    return found


def _receivable_rows(today: date) -> list[tuple[str, int, Decimal, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_RECEIVABLES, {"today": today})
        return cursor.fetchall()


def coming(today: date) -> list[dict[str, Any]]:
    """The next three billing dates and how many accounts each has. Kept for a minute."""
    kept = cache.get_or_set(f"console:coming:{today}", lambda: _coming(today), A_MINUTE)
    return cast(list[dict[str, Any]], kept)


def _coming(today: date) -> list[dict[str, Any]]:
    due = BillingProfile.objects.filter(next_billing_on__gte=today, next_billing_on__lt=today + timedelta(days=62))
    by_date = due.order_by("next_billing_on").values("next_billing_on").annotate(accounts=Count("pk"))
    return [{"on": row["next_billing_on"], "accounts": row["accounts"]} for row in by_date[:3]]


def last_runs() -> list[dict[str, Any]]:
    """The last five runs with how many accounts ended how; those of a finished run are kept."""
    runs = list(Run.objects.select_related("seller").order_by("-on", "-pk")[:5])
    keys = {f"console:run:{run.pk}:{run.state}:{run.finished_at and run.finished_at.timestamp()}": run for run in runs}
    known = cache.get_many(keys)
    counts: dict[int, dict[str, int]] = {keys[key].pk: value for key, value in known.items()}
    unknown = [run.pk for run in runs if run.pk not in counts]
    counted = RunItem.objects.filter(run__in=unknown).order_by().values_list("run_id", "outcome").annotate(Count("pk"))
    for run_id, outcome, count in counted:
        counts.setdefault(run_id, {})[outcome.lower()] = count
    finished = {key: counts.get(run.pk, {}) for key, run in keys.items() if run.state == Run.State.DONE}
    cache.set_many({key: value for key, value in finished.items() if key not in known}, A_DAY)
    return [{"run": run, **_as_shown(counts.get(run.pk, {}))} for run in runs]


def _as_shown(counts: dict[str, int]) -> dict[str, int]:
    """A proposal counts as invoiced while it waits, as in the run's own figures."""
    return {
        "invoiced": counts.get("invoiced", 0) + counts.get("proposed", 0),
        "nothing_due": counts.get("nothing_due", 0),
        "parked": counts.get("parked", 0),
    }
