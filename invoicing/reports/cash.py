"""Cash received by day, gateway and kind; and the card fees."""

from collections.abc import Sequence
from decimal import Decimal

from invoicing.ledger.models import LedgerEntry
from invoicing.payments.models import Payment
from invoicing.reports.postings import ASKED_OF_ACCOUNT, OF_ACCOUNT, moved
from invoicing.reports.report import PERIOD, Asked, Chart, Column, Filter, Kind, Report, Row, summed

MOST_DAYS = 62

# What has no payment, such as the agency's remittance, is called by what it is.
_KINDS = "CASE pay.kind " + " ".join(f"WHEN '{value}' THEN '{label}'" for value, label in Payment.Kind.choices)
_KINDS += (
    " ELSE CASE e.kind "
    + " ".join(f"WHEN '{value}' THEN '{label}'" for value, label in LedgerEntry.Kind.choices)
    + " END END"
)

_GATEWAYS = """
    CASE WHEN p.category LIKE 'MANUAL%%' THEN 'By hand' WHEN p.category = 'demo' THEN 'Demo gateway'
        ELSE initcap(p.category) END
"""
_OF_PAYMENT = "LEFT JOIN invoicing_payment pay ON pay.id = p.payment_id" + OF_ACCOUNT.format(account="e.account_id")

_CASH = moved(
    "GATEWAY_CLEARING",
    by={"day": 'e."on"', "gateway": _GATEWAYS, "kind": _KINDS},
    names=("received", "given_back"),
    is_debit=True,
    joins=_OF_PAYMENT,
    asked=ASKED_OF_ACCOUNT,
    count=("entries", "e.id"),
)
_FEES = moved(
    "FEE_REVENUE",
    by={
        "month": "to_char(e.\"on\", 'YYYY-MM')",
        "clause": "coalesce(pay.fee_why ->> 'clause', 'FEE-1')",
        "rate": "(pay.fee_why ->> 'rate_percent')::numeric",
    },
    names=("charged", "returned"),
    is_debit=False,
    joins=_OF_PAYMENT,
    asked=ASKED_OF_ACCOUNT,
    count=("payments", "p.payment_id"),
)


def _cash_chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    """By day; over a longer time by month."""
    by_month = (asked.to_on - asked.from_on).days > MOST_DAYS
    labelled = [(f"{row[0]:%Y-%m}" if by_month else f"{row[0]:%-d %b}", row[1], row[6]) for row in rows]
    return summed(labelled, label=0, series=1, value=2, says=f"Cash by {'month' if by_month else 'day'} and gateway")


def _fee_chart(rows: Sequence[Row], totals: Sequence[Decimal | int | None], asked: Asked) -> Chart | None:
    return summed(rows, label=0, value=6, says="Card fees by month")


CASH = Report(
    name="cash",
    title="Cash received",
    says="What came in and went out by day, gateway and kind, card fees included: refunds, returns and chargebacks are "
    "what was given back. It is what the gateways and the bank must show.",
    columns=(
        Column("day", "Day", Kind.DATE),
        Column("gateway", "Gateway"),
        Column("kind", "Kind"),
        Column("entries", "Entries", Kind.COUNT),
        Column("received", "Received", Kind.MONEY),
        Column("given_back", "Given back", Kind.MONEY),
        Column("net", "Net", Kind.MONEY),
    ),
    filters=(*PERIOD, Filter.CURRENCY, Filter.TERMS, Filter.SELLER),
    sql=_CASH,
    order="day, gateway, kind",
    chart=_cash_chart,
    when_empty="No money came in or went out in these days. Book a check or wire on the page of an account, or choose "
    "other days.",
    ledger_accounts=("GATEWAY_CLEARING",),
)

CARD_FEES = Report(
    name="card-fees",
    title="Card fees",
    says="Service fees charged with card payments and given back with refunds, by month, clause and rate (FEE-1 to "
    "FEE-4).",
    columns=(
        Column("month", "Month"),
        Column("clause", "Clause"),
        Column("rate", "Rate", Kind.PERCENT),
        # A payment that is refunded in another month counts in both.
        Column("payments", "Payments", Kind.COUNT, totalled=False),
        Column("charged", "Charged", Kind.MONEY),
        Column("returned", "Given back", Kind.MONEY),
        Column("net", "Net", Kind.MONEY),
    ),
    filters=(*PERIOD, Filter.CURRENCY, Filter.TERMS, Filter.SELLER),
    sql=_FEES,
    order="month, clause, rate",
    chart=_fee_chart,
    when_empty="No card fee was charged in these days. Fees arise with card payments in states that allow them; "
    "choose other days.",
    ledger_accounts=("FEE_REVENUE",),
)
