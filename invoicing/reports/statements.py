"""What a statement of account says: what was charged and paid over a period, from the books, line by line."""

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from invoicing.invoices.models import Invoice
from invoicing.ledger.models import LedgerEntry
from invoicing.money import ZERO
from invoicing.payments.models import Payment


class StatementLine(NamedTuple):
    """One thing that changed what the account owes, and what it owed after it."""

    on: date
    what: str
    charge: Decimal
    credit: Decimal
    balance: Decimal


class Statement(NamedTuple):
    """
    An account's money over a period, its last day included, in one currency; positive is owed by the account.

    `deposit` and `prepaid` are the customer's own money at the end of it and no part of the balance; `placed` is the
    part of the closing balance that is with the agency.
    """

    opening: Decimal
    lines: tuple[StatementLine, ...]
    deposit: Decimal
    prepaid: Decimal
    placed: Decimal

    @property
    def closing(self) -> Decimal:
        return self.lines[-1].balance if self.lines else self.opening

    @property
    def charged(self) -> Decimal:
        return sum((line.charge for line in self.lines), ZERO)

    @property
    def credited(self) -> Decimal:
        return sum((line.credit for line in self.lines), ZERO)


_BALANCES = """
    SELECT
        coalesce(sum(p.amount) FILTER (WHERE p.ledger_account IN ('RECEIVABLE', 'CUSTOMER_CREDIT', 'COLLECTIONS')
            AND e."on" < %(from)s), 0),
        -coalesce(sum(p.amount) FILTER (WHERE p.ledger_account = 'DEPOSIT_HELD'), 0),
        -coalesce(sum(p.amount) FILTER (WHERE p.ledger_account = 'PREPAID_BALANCE'), 0),
        coalesce(sum(p.amount) FILTER (WHERE p.ledger_account = 'COLLECTIONS'), 0)
    FROM invoicing_posting p JOIN invoicing_ledgerentry e ON e.id = p.entry_id
    WHERE p.account_id = %(account)s AND p.currency = %(currency)s AND e."on" <= %(to)s
        AND p.ledger_account IN ('RECEIVABLE', 'CUSTOMER_CREDIT', 'COLLECTIONS', 'DEPOSIT_HELD', 'PREPAID_BALANCE')
"""

# What moves between what the account owes and its credit is neither charged nor paid, and is left out. A card fee is
# paid as it is charged: it stands on both sides.
_LINES = """
    SELECT e."on", e.kind, e.source, owed.amount, owed.fee, owed.deposit, owed.payment_id, owed.invoice_id
    FROM invoicing_ledgerentry e
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(p.amount) FILTER (
                WHERE p.ledger_account IN ('RECEIVABLE', 'CUSTOMER_CREDIT', 'COLLECTIONS')), 0) AS amount,
            -coalesce(sum(p.amount) FILTER (WHERE p.ledger_account = 'FEE_REVENUE'), 0) AS fee,
            bool_or(p.ledger_account = 'DEPOSIT_HELD' AND p.amount > 0) AS deposit,
            max(p.payment_id) AS payment_id,
            max(p.invoice_id) FILTER (WHERE p.ledger_account IN ('RECEIVABLE', 'COLLECTIONS')) AS invoice_id
        FROM invoicing_posting p WHERE p.entry_id = e.id
    ) owed
    WHERE e.account_id = %(account)s AND e.currency = %(currency)s AND e."on" BETWEEN %(from)s AND %(to)s
        AND (owed.amount <> 0 OR owed.fee <> 0)
    ORDER BY e."on", e.id
"""


class _Entry(NamedTuple):
    """`amount` is what it changed of what is owed, `fee` what it took (or, negative, gave back) of card fees."""

    on: date
    kind: str
    source: str
    amount: Decimal
    fee: Decimal
    deposit: bool
    payment_id: int | None
    invoice_id: int | None


def statement_of(account_id: int, *, currency: str, from_on: date, to_on: date) -> Statement:
    """From the day `from_on` to the day `to_on`, both included: four queries, by the account's own indexes."""
    asked: dict[str, Any] = {"account": account_id, "currency": currency, "from": from_on, "to": to_on}
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, asked)
        opening, deposit, prepaid, placed = cursor.fetchone()
        cursor.execute(_LINES, asked)
        entries = [_Entry(*row) for row in cursor.fetchall()]
    words = _Words(entries)
    lines, balance = [], opening
    for entry in entries:
        if entry.amount:
            balance += entry.amount
            charge, credit = max(entry.amount, ZERO), max(-entry.amount, ZERO)
            lines.append(StatementLine(entry.on, words.of(entry), charge, credit, balance))
        if entry.fee:
            fee = abs(entry.fee)
            lines.append(StatementLine(entry.on, words.of_fee(entry), fee, fee, balance))
    return Statement(opening, tuple(lines), deposit, prepaid, placed)


class _Words:
    """What each entry is called on paper; the numbers of invoices and the methods of payments are read once."""

    def __init__(self, entries: list[_Entry]) -> None:
        named = {int(entry.source.partition(":")[2]) for entry in entries if entry.source.startswith("invoice:")}
        named |= {entry.invoice_id for entry in entries if entry.invoice_id is not None}
        self._invoices = Invoice.objects.in_bulk(named)
        paid = {entry.payment_id for entry in entries if entry.payment_id is not None}
        self._payments = {
            payment.pk: payment for payment in Payment.objects.filter(Q(pk__in=paid)).select_related("method")
        }

    def of(self, entry: _Entry) -> str:
        kind = LedgerEntry.Kind(entry.kind)
        if kind in (LedgerEntry.Kind.INVOICE, LedgerEntry.Kind.CREDIT_NOTE):
            return self._document(entry)
        if kind == LedgerEntry.Kind.APPLICATION and entry.deposit:
            return f"Deposit applied{self._to_invoice(entry)}"
        if kind == LedgerEntry.Kind.SETTLEMENT:
            return f"Paid from the prepaid balance{self._to_invoice(entry)}"
        if kind in _OF_PAYMENTS:
            return f"{_OF_PAYMENTS[kind]}{self._by_method(entry)}"
        return _OTHERS.get(kind, kind.label)

    def of_fee(self, entry: _Entry) -> str:
        said = "Card service fee (FEE-1)" if entry.fee > 0 else "Card service fee returned (FEE-3)"
        return f"{said}{self._by_method(entry)}"

    def _document(self, entry: _Entry) -> str:
        invoice = self._invoices.get(int(entry.source.partition(":")[2]))
        if invoice is None:
            return LedgerEntry.Kind(entry.kind).label
        if invoice.kind == Invoice.Kind.CREDIT_NOTE:
            return f"Credit note {invoice.number}"
        return f"Invoice {invoice.number}, due {invoice.due_on:%-d %B %Y}"

    def _to_invoice(self, entry: _Entry) -> str:
        invoice = self._invoices.get(entry.invoice_id or 0)
        return f" to invoice {invoice.number}" if invoice else ""

    def _by_method(self, entry: _Entry) -> str:
        payment = self._payments.get(entry.payment_id or 0)
        if payment is None:
            return ""
        how = str(payment.method) if payment.method else payment.get_kind_display()
        return f", {how}{f' {payment.reference}' if payment.reference else ''}"


_Kind = LedgerEntry.Kind
_OF_PAYMENTS = {
    _Kind.PAYMENT: "Payment",
    _Kind.REFUND: "Refund",
    _Kind.RETURN: "Payment returned by the bank",
    _Kind.CHARGEBACK: "Payment disputed at the bank",
    _Kind.CARD_FEE: "Card service fee (FEE-1)",
    _Kind.TOP_UP: "Added to the prepaid balance",
}
_OTHERS = {
    _Kind.OPENING: "Balance brought over",
    _Kind.REMITTANCE: "Paid through the collections agency",
    _Kind.REMITTANCE_REVERSAL: "Payment through the collections agency taken back",
    _Kind.WRITE_OFF: "Written off",
    _Kind.RECOVERY: "Written off before, and paid after all",
    _Kind.DEPOSIT: "Deposit returned",
}
