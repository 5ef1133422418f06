"""What is the customers' own money: deposits, prepaid balances, and what is on no invoice."""

from collections.abc import Sequence
from decimal import Decimal

from invoicing.payments.models import Payment
from invoicing.reports.postings import ASKED_OF_ACCOUNT, OF_ACCOUNT, held
from invoicing.reports.report import Asked, Chart, Column, Filter, Kind, Report, Row, first_rows

_WHOSE = "JOIN accounts_account a ON a.id = held.account_id" + OF_ACCOUNT.format(account="held.account_id")

_DEPOSITS = f"""
    SELECT a.number, a.name, held.taken, held.used, held.amount AS held
    FROM ({held("DEPOSIT_HELD")}) held {_WHOSE}
    WHERE held.amount <> 0 AND {ASKED_OF_ACCOUNT}
"""

# Who has a balance is shown though nothing was ever paid in. How far it may fall and the rest is as it is agreed now.
_PREPAID = f"""
    SELECT a.number, a.name, held.taken, held.used, held.amount AS balance, held.floor, held.awaiting, agreed.threshold
    FROM (
        SELECT coalesce(b.account_id, p.account_id) AS account_id, coalesce(p.taken, 0) AS taken,
            coalesce(p.used, 0) AS used, coalesce(p.amount, 0) AS amount, b.floor, b.awaiting
        FROM ({held("PREPAID_BALANCE")}) p
        FULL JOIN (SELECT * FROM invoicing_prepaidbalance WHERE currency = %(currency)s) b USING (account_id)
    ) held
    LEFT JOIN invoicing_topupagreement agreed ON agreed.account_id = held.account_id AND agreed.is_on
    {_WHOSE}
    WHERE {ASKED_OF_ACCOUNT}
"""

_KINDS = "CASE pay.kind " + " ".join(f"WHEN '{value}' THEN '{label}'" for value, label in Payment.Kind.choices) + " END"
_UNALLOCATED = f"""
    SELECT a.number, a.name, CASE WHEN held.payment_id IS NULL THEN 'Credit' ELSE 'Payment ' || held.payment_id END
        AS source, coalesce({_KINDS}, '') AS kind, coalesce(pay.reference, '') AS reference, held.since, held.amount
    FROM (
        SELECT p.account_id, p.payment_id, min(e."on") AS since, -sum(p.amount) AS amount
        FROM invoicing_posting p JOIN invoicing_ledgerentry e ON e.id = p.entry_id
        WHERE p.ledger_account = 'CUSTOMER_CREDIT' AND p.currency = %(currency)s AND e."on" <= %(on)s
        GROUP BY 1, 2 HAVING sum(p.amount) <> 0
    ) held {_WHOSE}
    LEFT JOIN invoicing_payment pay ON pay.id = held.payment_id
    WHERE {ASKED_OF_ACCOUNT}
"""


def _largest(value: int, says: str, rows: Sequence[Row]) -> Chart | None:
    return first_rows(rows, label=0, value=value, says=says)


def _deposit_chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    return _largest(4, "The largest deposits", rows)


def _prepaid_chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    return _largest(4, "The lowest balances", rows)


def _unallocated_chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    return _largest(6, "The largest amounts", rows)


_OF_DAY = (Filter.ON, Filter.CURRENCY, Filter.TERMS, Filter.SELLER)
_WHO = (Column("number", "Account"), Column("name", "Name"))

DEPOSITS = Report(
    name="deposits",
    title="Deposits held",
    says="What is held of each customer as of the day: taken with its first subscription, applied to later invoices, "
    "the rest refundable (SEAT-1).",
    columns=(
        *_WHO,
        Column("taken", "Taken", Kind.MONEY),
        Column("used", "Applied or returned", Kind.MONEY),
        Column("held", "Held", Kind.MONEY),
    ),
    filters=_OF_DAY,
    sql=_DEPOSITS,
    order="held DESC, number",
    chart=_deposit_chart,
    when_empty="No deposit is held as of this day. A plan takes one where its price says so in the catalog.",
    bounded=False,
    ledger_accounts=("DEPOSIT_HELD",),
)

PREPAID = Report(
    name="prepaid",
    title="Prepaid balances",
    says="What was paid into each prepaid balance, what was used of it, and what is left as of the day, the lowest "
    "first. How far it may fall, the monthly charges that wait for credit, and below what it is topped up by itself "
    "are as they stand now (PRE-1, PRE-2, PRE-4).",
    columns=(
        *_WHO,
        Column("taken", "Paid in", Kind.MONEY),
        Column("used", "Used", Kind.MONEY),
        Column("balance", "Balance", Kind.MONEY),
        Column("floor", "May fall to", Kind.MONEY, totalled=False),
        Column("awaiting", "Waits for credit", Kind.MONEY),
        Column("threshold", "Topped up below", Kind.MONEY, totalled=False),
    ),
    filters=_OF_DAY,
    sql=_PREPAID,
    order="balance, number",
    chart=_prepaid_chart,
    when_empty="Nobody has a prepaid balance. An account has one from its first top-up or use on, under prepaid terms.",
    bounded=False,
    ledger_accounts=("PREPAID_BALANCE",),
)

UNALLOCATED = Report(
    name="unallocated",
    title="Unallocated money",
    says="What is to each customer's credit as of the day and on no invoice: what is left of payments, and credit "
    "notes. The next invoice uses it by itself.",
    columns=(
        *_WHO,
        Column("source", "From"),
        Column("kind", "Kind"),
        Column("reference", "Reference"),
        Column("since", "Since", Kind.DATE),
        Column("amount", "Amount", Kind.MONEY),
    ),
    filters=_OF_DAY,
    sql=_UNALLOCATED,
    order="amount DESC, number, source",
    chart=_unallocated_chart,
    when_empty="Every cent that came in stands on an invoice. Nothing is to be done here.",
    bounded=False,
    ledger_accounts=("CUSTOMER_CREDIT",),
)
