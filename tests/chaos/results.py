"""What a run has come to, line by line, in values that do not depend on the order in which rows were written."""

import re
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from accounts.models import AuditEntry

LINES = """
    SELECT a.number, i.kind, i.status, i.issued_on, i.due_on, i.currency, i.subtotal, i.tax_total, i.total,
        i.period_start, i.period_end, i.buyer::text, l.position, l.kind, c.number, s.reference, l.description,
        l.period_start, l.period_end, l.quantity_from, l.quantity, l.unit_price, l.amount, l.tax_amount,
        l.clause, l.why::text,
        (SELECT string_agg(t.name || ' ' || t.amount, ', ' ORDER BY t.name) FROM invoicing_linetax t
        WHERE t.line_id = l.id)
    FROM invoicing_invoice i JOIN accounts_account a ON a.id = i.account_id
    LEFT JOIN invoicing_invoiceline l ON l.invoice_id = i.id LEFT JOIN accounts_account c ON c.id = l.client_id
    LEFT JOIN invoicing_subscription s ON s.id = l.subscription_id
    ORDER BY a.number, i.issued_on, i.total, l.position
"""
POSTINGS = """
    SELECT a.number, e.kind, e.currency, e."on", p.ledger_account, p.category, p.amount,
        e.source LIKE 'invoice:%', i.total
    FROM invoicing_ledgerentry e JOIN accounts_account a ON a.id = e.account_id
    LEFT JOIN invoicing_posting p ON p.entry_id = e.id
    LEFT JOIN invoicing_invoice i ON e.source = 'invoice:' || i.id
    ORDER BY 1, 4, 2, 5, 6, 7
"""
ITEMS = """
    SELECT r."on", r.state, a.number, i.sequence, i.outcome, i.reason, i.total, i.superseded_by_id IS NULL
    FROM invoicing_run r LEFT JOIN invoicing_runitem i ON i.run_id = r.id
    LEFT JOIN accounts_account a ON a.id = i.account_id
    ORDER BY 1, 3, 4
"""
PROFILES = """
    SELECT a.number, p.next_billing_on, p.billed_until_on,
        (SELECT count(*) FROM invoicing_oneoffcharge o WHERE o.account_id = a.id AND o.billed_on IS NOT NULL)
    FROM invoicing_billingprofile p JOIN accounts_account a ON a.id = p.account_id ORDER BY 1
"""
PAPERS = """
    SELECT a.number, d.kind, i.total, m.address, m.sequence, count(*)
    FROM invoicing_document d JOIN accounts_account a ON a.id = d.account_id
    LEFT JOIN invoicing_invoice i ON i.id = d.subject_id LEFT JOIN invoicing_delivery m ON m.document_id = d.id
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
NUMBERS = """
    SELECT s.kind, s.next_number, array_agg(i.sequence ORDER BY i.sequence)
    FROM invoicing_numberseries s LEFT JOIN invoicing_invoice i ON i.seller_id = s.seller_id AND i.kind = s.kind
        AND i.status = 'ISSUED'
    GROUP BY s.id ORDER BY 1
"""
BY_NUMBER = (
    "SELECT i.number, a.number FROM invoicing_invoice i JOIN accounts_account a ON a.id = i.account_id ORDER BY 1, 2"
)


def rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def result(*, with_numbers: bool = True) -> dict[str, list[tuple[Any, ...]]]:
    """
    Everything that a run leaves, part by part.

    Which account got which number depends on who was first where several worked at once: leave that out there.
    """
    found = {
        "lines": rows(LINES), "postings": rows(POSTINGS), "items": rows(ITEMS), "profiles": rows(PROFILES),
        "papers": rows(PAPERS), "numbers": rows(NUMBERS),
    }  # fmt: skip
    if with_numbers:
        found["by number"] = rows(BY_NUMBER)
    return found


def audit() -> list[tuple[str, str]]:
    """The audit trail: what was done to what, without the keys of rows."""
    entries = AuditEntry.objects.order_by("pk").values_list("action", "subject")
    return [(action, re.sub(r" #\d+", "", subject)) for action, subject in entries]


def row_hashes(*prefixes: str) -> dict[str, str | None]:
    """A hash of every row version of our tables: it changes with any write, even one of the same values."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        if table.startswith(prefixes or ("accounts_", "invoicing_")) and model._meta.managed:
            whole = f"SELECT md5(string_agg(t.xmin || t.ctid::text || t::text, '' ORDER BY t.ctid)) FROM \"{table}\" t"
            found[table] = rows(whole)[0][0]
    return found


OUTPUT = [
    "invoicing_invoice", "invoicing_invoiceline", "invoicing_linetax", "invoicing_run", "invoicing_runitem",
    "invoicing_ledgerentry", "invoicing_posting", "invoicing_document", "invoicing_delivery", "invoicing_letterhead",
    "invoicing_openinvoice", "invoicing_prepaidbalance", "accounts_auditentry",
]  # fmt: skip


def forget_runs(before: Iterable[tuple[int, Any, Any]]) -> None:
    """Take everything back that runs wrote, as if they had never been; `before` is what `due_dates` gave."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(OUTPUT)} RESTART IDENTITY CASCADE")
        cursor.execute("UPDATE invoicing_numberseries SET next_number = first_number")
        cursor.execute("UPDATE invoicing_oneoffcharge SET billed_on = NULL")
        cursor.executemany(
            "UPDATE invoicing_billingprofile SET next_billing_on = %s, billed_until_on = %s WHERE account_id = %s",
            [(next_on, until_on, account_id) for account_id, next_on, until_on in before],
        )


def due_dates() -> list[tuple[Any, ...]]:
    return rows("SELECT account_id, next_billing_on, billed_until_on FROM invoicing_billingprofile ORDER BY 1")
