"""Issuing drafts: numbers, postings and documents in one short transaction, set-based."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from invoicing.bulk import array_of
from invoicing.documents.operations import request_documents
from invoicing.invoices.models import Invoice
from invoicing.invoices.settling import use_credit
from invoicing.sellers.letterheads import current_letterhead
from invoicing.sellers.models import Letterhead, NumberSeries, Seller


@dataclass(frozen=True)
class Issued:
    """The first and last number given in one transaction, and how many."""

    first_number: str
    last_number: str
    count: int


# One entry an invoice, whose postings sum to zero: what is owed (or, for a credit note of its own, what the
# customer has to its credit) against revenue a product, deposits held, and tax a jurisdiction.
POSTINGS = """
WITH entry AS (
    INSERT INTO invoicing_ledgerentry (account_id, source, kind, currency, "on", at)
    SELECT account_id, 'invoice:' || id, kind, currency, issued_on, %(now)s
    FROM invoicing_invoice WHERE id = ANY(%(ids)s::bigint[])
    RETURNING id, account_id, currency, substr(source, 9)::bigint AS invoice_id
)
INSERT INTO invoicing_posting (entry_id, account_id, ledger_account, category, invoice_id, currency, amount)
SELECT entry.id, entry.account_id,
    CASE WHEN i.kind = 'CREDIT_NOTE' AND i.corrects_id IS NULL THEN 'CUSTOMER_CREDIT' ELSE 'RECEIVABLE' END,
    '', coalesce(i.corrects_id, i.id), entry.currency, i.total
FROM entry JOIN invoicing_invoice i ON i.id = entry.invoice_id
UNION ALL
SELECT entry.id, entry.account_id,
    CASE WHEN coalesce(origin.kind, l.kind) = 'DEPOSIT' THEN 'DEPOSIT_HELD' ELSE 'REVENUE' END,
    coalesce(product.code, ''), CASE WHEN origin.kind = 'DEPOSIT' THEN origin.invoice_id ELSE l.invoice_id END,
    entry.currency, -sum(l.amount)
FROM entry JOIN invoicing_invoiceline l ON l.invoice_id = entry.invoice_id
LEFT JOIN invoicing_invoiceline origin ON origin.id = l.credits_line_id
LEFT JOIN invoicing_plan plan ON plan.id = l.plan_id
LEFT JOIN invoicing_product product ON product.id = plan.product_id
GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(l.amount) <> 0
UNION ALL
SELECT entry.id, entry.account_id, 'TAX_PAYABLE', t.name, l.invoice_id, entry.currency, -sum(t.amount)
FROM entry JOIN invoicing_invoiceline l ON l.invoice_id = entry.invoice_id AND l.tax_amount <> 0
JOIN invoicing_linetax t ON t.line_id = l.id
GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(t.amount) <> 0
"""

NUMBERED = """
UPDATE invoicing_invoice i
SET status = 'ISSUED', sequence = v.sequence,
    number = %(prefix)s || lpad(v.sequence::text, greatest(%(width)s, length(v.sequence::text)), '0'),
    issued_at = %(now)s, letterhead_id = %(letterhead)s
FROM unnest(%(ids)s::bigint[], %(sequences)s::bigint[]) AS v(id, sequence)
WHERE i.id = v.id AND i.status = 'DRAFT'
"""

DUE_ONE_OFFS = """
UPDATE invoicing_oneoffcharge o SET billed_on = i.issued_on
FROM invoicing_invoiceline l JOIN invoicing_invoice i ON i.id = l.invoice_id
WHERE l.invoice_id = ANY(%(ids)s::bigint[]) AND l.kind = 'ONE_OFF' AND o.id = l.one_off_id
"""


def issue_drafts(
    drafts: Sequence[tuple[int, int, str]],
    *,
    seller: Seller,
    now: datetime,
    settled_elsewhere: Collection[int] = frozenset(),
) -> Issued | None:
    """
    Issue drafts, given as (invoice id, account id, kind), in the order in which they are numbered.

    What their accounts have to their credit pays them at once (`use_credit`), but for those that the caller settles
    from elsewhere. To be called in the transaction that makes or claims them. The number series is locked last
    (BILL-6: no gap, no repeat, and no wait longer than the end of this transaction).
    """
    ids = [invoice_id for invoice_id, _, _ in drafts]
    letterhead = current_letterhead(seller)
    with connection.cursor() as cursor:
        cursor.execute(POSTINGS, {"ids": array_of(ids), "now": now})
        cursor.execute(DUE_ONE_OFFS, {"ids": array_of(ids)})
    owing = [draft for draft in drafts if draft[2] == Invoice.Kind.INVOICE and draft[0] not in settled_elsewhere]
    use_credit([draft[0] for draft in owing], [draft[1] for draft in owing], now=now)
    of_kind = {
        kind: [draft for draft in drafts if draft[2] == kind]
        for kind in (Invoice.Kind.INVOICE, Invoice.Kind.CREDIT_NOTE)
        if any(draft[2] == kind for draft in drafts)
    }
    for kind, some in of_kind.items():
        request_documents(kind, [draft[0] for draft in some], [draft[1] for draft in some])
    numbered = {
        kind: _number([draft[0] for draft in some], kind=kind, letterhead=letterhead, seller=seller, now=now)
        for kind, some in of_kind.items()
    }
    first, last = numbered.get(Invoice.Kind.INVOICE, ("", ""))
    return Issued(first, last, len(ids))


def _number(ids: list[int], *, kind: str, letterhead: Letterhead, seller: Seller, now: datetime) -> tuple[str, str]:
    """Give drafts of one kind their numbers, in this order: the first and the last of them."""
    series, start = take_numbers(seller, kind, len(ids))
    given: dict[str, Any] = {
        "ids": array_of(ids),
        "sequences": array_of(range(start, start + len(ids))),
        "prefix": series.prefix,
        "width": series.width,
        "now": now,
        "letterhead": letterhead.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(NUMBERED, given)
        if cursor.rowcount != len(ids):
            raise NotADraft(ids)
    return series.number(start), series.number(start + len(ids) - 1)


class NotADraft(Exception):
    """Some of the drafts to be issued were issued or dropped meanwhile."""

    def __init__(self, invoice_ids: Sequence[int]) -> None:
        super().__init__(
            f"Among the invoices {list(invoice_ids)[:20]} there are some that are no drafts any more. "
            "Nothing was issued."
        )


def take_numbers(seller: Seller, kind: str, count: int) -> tuple[NumberSeries, int]:
    """
    Take the next `count` numbers of a series, locking it until the transaction ends: rolled back, they are free again.

    :raises NumberSeries.DoesNotExist: if the seller has no such series
    """
    assert transaction.get_connection().in_atomic_block, "numbers are taken in the transaction that issues"
    series = NumberSeries.objects.select_for_update().get(seller=seller, kind=kind)
    start = series.next_number
    series.next_number = start + count
    series.save(update_fields=["next_number"])
    return series, start
