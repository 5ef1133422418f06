"""What a run came to, and how it differs from the last period."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Q, Sum

from invoicing.catalog.models import BillingTerms
from invoicing.invoices.models import Invoice
from invoicing.money import ZERO, minor_unit
from invoicing.runs.models import Run, RunItem
from invoicing.runs.policy import Bounds, Compared, Outlier, hold_reasons

# A monthly bill's predecessor lies 28 to 31 days back, and the one before that at least 59.
_LAST_PERIOD = timedelta(days=45)


@dataclass
class Figures:
    """
    What became of a run's accounts: `accounts` is the sum of the three outcomes and of what waits in a proposal.

    Totals are by currency, of what was invoiced, and of what is proposed while the run waits.
    """

    on: date
    state: str
    invoiced: int = 0
    proposed: int = 0
    nothing_due: int = 0
    parked: int = 0
    total: dict[str, Decimal] = field(default_factory=dict)
    first_number: str | None = None
    last_number: str | None = None
    hold_reasons: list[str] = field(default_factory=list)

    @property
    def accounts(self) -> int:
        return self.invoiced + self.proposed + self.nothing_due + self.parked

    def count(self, outcome: str, accounts: int, total: Decimal, currency: str) -> None:
        """Add so many accounts of one outcome; a parked account's draft is in no total."""
        name = outcome.lower()
        setattr(self, name, getattr(self, name) + accounts)
        if outcome in (RunItem.Outcome.INVOICED, RunItem.Outcome.PROPOSED):
            self.total[currency] = self.total.get(currency, ZERO) + total

    def as_json(self) -> dict[str, Any]:
        """The keys of `run_billing --json`; proposals count as invoiced while they wait."""
        return {
            "on": self.on.isoformat(),
            "state": self.state,
            "accounts": self.accounts,
            "invoiced": self.invoiced + self.proposed,
            "nothing_due": self.nothing_due,
            "parked": self.parked,
            "total": {
                currency: str(total.quantize(minor_unit(currency))) for currency, total in sorted(self.total.items())
            },
            "first_number": self.first_number,
            "last_number": self.last_number,
        }


def figures(run: Run, *, account_id: int | None = None) -> Figures:
    """A run's figures, or one account's in it. Three queries, whatever the run's size."""
    items = RunItem.objects.filter(run=run)
    invoices = Invoice.objects.filter(run_item__run=run, kind=Invoice.Kind.INVOICE, status=Invoice.Status.ISSUED)
    if account_id is not None:
        items = items.filter(account_id=account_id)
        invoices = invoices.filter(account_id=account_id)
    found = Figures(run.on, run.state, hold_reasons=list(run.hold_reasons))
    for row in items.values("outcome", "currency").annotate(accounts=Count("id"), total=Sum("total")).order_by():
        found.count(row["outcome"], row["accounts"], row["total"], row["currency"])
    if found.invoiced:
        found.first_number = invoices.order_by("sequence").values_list("number", flat=True).first()
        found.last_number = invoices.order_by("-sequence").values_list("number", flat=True).first()
    return found


def merged(of_sellers: Iterable[Figures]) -> Figures:
    """Several sellers' runs of one day as one set of figures."""
    parts = list(of_sellers)
    whole = Figures(parts[0].on, parts[0].state)
    for part in parts:
        if part.state != whole.state:
            whole.state = min(part.state, whole.state, key=list(Run.State.values).index)
        for name in ("invoiced", "proposed", "nothing_due", "parked"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        for currency, total in part.total.items():
            whole.total[currency] = whole.total.get(currency, ZERO) + total
        whole.first_number = whole.first_number or part.first_number
        whole.last_number = part.last_number or whole.last_number
    return whole


def since_of(run: Run) -> date:
    """The first day on which an invoice counts as the last period's."""
    return run.on - _LAST_PERIOD


_COMPARED = """
    SELECT t.id, i.currency, count(*), count(*) FILTER (WHERE i.outcome = 'PROPOSED'),
        coalesce(sum(i.total) FILTER (WHERE i.outcome = 'PROPOSED'), 0),
        count(last.total), coalesce(sum(last.total), 0)
    FROM invoicing_runitem i
    JOIN invoicing_billingprofile p ON p.account_id = i.account_id JOIN invoicing_billingterms t ON t.id = p.terms_id
    LEFT JOIN LATERAL (
        SELECT sum(v.total) AS total FROM invoicing_invoice v
        WHERE v.account_id = i.account_id AND v.status = 'ISSUED' AND v.corrects_id IS NULL
            AND v.issued_on < %(on)s AND v.issued_on >= %(since)s
        HAVING count(*) > 0
    ) last ON true
    WHERE i.run_id = %(run)s AND i.outcome IN ('PROPOSED', 'NOTHING_DUE')
        AND (%(account)s::bigint IS NULL OR i.account_id = %(account)s::bigint)
    GROUP BY 1, 2
"""
_OUTLIERS = """
    SELECT t.id, a.number, i.currency, i.total, coalesce(last.total, 0)
    FROM invoicing_runitem i JOIN accounts_account a ON a.id = i.account_id
    JOIN invoicing_billingprofile p ON p.account_id = i.account_id JOIN invoicing_billingterms t ON t.id = p.terms_id
    LEFT JOIN LATERAL (
        SELECT sum(v.total) AS total FROM invoicing_invoice v
        WHERE v.account_id = i.account_id AND v.status = 'ISSUED' AND v.corrects_id IS NULL
            AND v.issued_on < %(on)s AND v.issued_on >= %(since)s
    ) last ON true
    WHERE i.run_id = %(run)s AND i.outcome = 'PROPOSED'
        AND (%(account)s::bigint IS NULL OR i.account_id = %(account)s::bigint)
        AND (
            (t.hold_amount > 0 AND i.total > t.hold_amount)
            OR (t.hold_account_factor > 0 AND last.total > 0 AND i.total > last.total * t.hold_account_factor)
        )
    ORDER BY i.total DESC LIMIT 1000
"""


def holds(run: Run, *, account_id: int | None = None) -> list[str]:
    """Every reason in the billing terms' bounds for which the run's proposals, or one account's, wait for a person."""
    parameters: dict[str, Any] = {"run": run.pk, "on": run.on, "since": since_of(run), "account": account_id}
    outliers: dict[int, list[Outlier]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_COMPARED, parameters)
        compared = [(row[0], Compared(*row[1:])) for row in cursor.fetchall()]
        cursor.execute(_OUTLIERS, parameters)
        for terms_id, *values in cursor.fetchall():
            outliers[terms_id].append(Outlier(*values))
    bounds = {terms.pk: _bounds(terms) for terms in BillingTerms.objects.all()}
    reasons = []
    for terms_id, of_terms in compared:
        if of_terms.invoices:
            ours = [one for one in outliers[terms_id] if one.currency == of_terms.currency]
            reasons += hold_reasons(bounds[terms_id], of_terms, ours)
    return reasons


def _bounds(terms: BillingTerms) -> Bounds:
    return Bounds(
        terms.code,
        terms.approval == BillingTerms.Approval.REVIEW,
        terms.hold_total_share,
        terms.hold_count_share,
        terms.hold_account_factor,
        terms.hold_amount,
    )


@dataclass(frozen=True)
class Difference:
    """An account's change against its last period, and the reason in a word."""

    account_id: int
    account_number: str
    account_name: str
    currency: str
    last_total: Decimal
    total: Decimal
    reason: str
    invoice_id: int | None = None

    @property
    def change(self) -> Decimal:
        return self.total - self.last_total


_DIFFERENCES = """
    WITH compared AS (
        SELECT i.account_id, a.number, a.name, i.currency, i.outcome, i.total, i.invoice_id,
            coalesce((
                SELECT sum(v.total) FROM invoicing_invoice v
                WHERE v.account_id = i.account_id AND v.status = 'ISSUED' AND v.corrects_id IS NULL
                    AND v.issued_on < %(on)s AND v.issued_on >= %(since)s
            ), 0) AS last_total
        FROM invoicing_runitem i JOIN accounts_account a ON a.id = i.account_id WHERE i.run_id = %(run)s
    )
    SELECT account_id, number, name, currency, last_total, CASE WHEN outcome = 'PARKED' THEN 0 ELSE total END AS total,
        CASE
            WHEN outcome = 'PARKED' THEN 'parked'
            WHEN last_total = 0 THEN 'new'
            WHEN total = 0 THEN 'nothing due any more'
            WHEN EXISTS (SELECT 1 FROM invoicing_invoiceline l WHERE l.invoice_id = compared.invoice_id
                         AND l.kind IN ('SETUP', 'CHANGE', 'DEPOSIT', 'ONE_OFF')) THEN 'one-off charges or fees'
            WHEN EXISTS (SELECT 1 FROM invoicing_invoiceline l WHERE l.invoice_id = compared.invoice_id
                         AND l.kind = 'REBATE') THEN 'rebates'
            WHEN EXISTS (SELECT 1 FROM invoicing_invoiceline l WHERE l.invoice_id = compared.invoice_id
                         AND (l.why->>'late')::boolean) THEN 'caught up'
            WHEN total > last_total THEN 'more services or a higher price'
            ELSE 'fewer services or a lower price'
        END AS reason, invoice_id
    FROM compared WHERE outcome = 'PARKED' OR total <> last_total
"""


def differences(run: Run, *, limit: int = 50, offset: int = 0, reason: str = "", search: str = "") -> list[Difference]:
    """
    The accounts that changed most against their last period, the largest change first.

    `reason` keeps those of one reason, `search` those whose number or name begins so.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM ({_DIFFERENCES}) d WHERE (%(reason)s = '' OR reason = %(reason)s)"
            " AND (%(search)s = '' OR starts_with(upper(number), upper(%(search)s))"
            " OR starts_with(upper(name), upper(%(search)s)))"
            " ORDER BY abs(total - last_total) DESC, number LIMIT %(limit)s OFFSET %(offset)s",
            {
                "run": run.pk,
                "on": run.on,
                "since": since_of(run),
                "limit": limit,
                "offset": offset,
                "reason": reason,
                "search": search,
            },
        )
        return [Difference(*row) for row in cursor.fetchall()]


def differences_by_reason(run: Run) -> list[dict[str, Any]]:
    """How many accounts changed for which reason, and by how much in all."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT reason, currency, count(*), sum(total - last_total) FROM ({_DIFFERENCES}) d"
            " GROUP BY 1, 2 ORDER BY abs(sum(total - last_total)) DESC",
            {"run": run.pk, "on": run.on, "since": since_of(run)},
        )
        return [
            {"reason": reason, "currency": currency, "accounts": accounts, "change": change}
            for reason, currency, accounts, change in cursor.fetchall()
        ]


def open_parked(run: Run) -> Any:
    """A run's accounts that are parked and not taken over by a later run."""
    return RunItem.objects.filter(Q(run=run), outcome=RunItem.Outcome.PARKED, superseded_by=None)
