"""Credit notes: the only way to correct an issued invoice (BILL-6)."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from accounts.actors import Actor
from accounts.audit import record_change
from invoicing.invoices.credited import tell_credited
from invoicing.invoices.models import Invoice, InvoiceLine, LineTax
from invoicing.invoices.operations import issue_drafts
from invoicing.invoices.settling import give_back_overpaid
from invoicing.ledger.models import LedgerAccount, Posting
from invoicing.money import ZERO, format_money, minor_unit, round_money
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing


class CreditRefused(Exception):
    """What stands in the way of a credit note, a sentence each."""

    def __init__(self, sentences: list[str]) -> None:
        self.sentences = sentences
        super().__init__(" ".join(sentences))


class Creditable(NamedTuple):
    """One line of an invoice, with what of it was not credited yet, before tax."""

    line: InvoiceLine
    rest: Decimal


class LineCredit(NamedTuple):
    """What a credit note takes back of one line: positive amounts, in the invoice's currency."""

    line: InvoiceLine
    amount: Decimal
    taxes: tuple[tuple[LineTax, Decimal], ...]

    @property
    def tax_amount(self) -> Decimal:
        return sum((amount for _, amount in self.taxes), ZERO)


def creditable_lines(invoice: Invoice) -> list[Creditable]:
    """An invoice's lines in order, and how much of each was not credited before. Two queries."""
    credited = dict(
        InvoiceLine.objects.filter(credits_line__invoice=invoice, invoice__status=Invoice.Status.ISSUED)
        .values_list("credits_line")
        .annotate(total=Sum("amount"))
    )
    return [
        Creditable(line, line.amount + credited.get(line.pk, ZERO))
        for line in invoice.lines.select_related("client").order_by("position")
    ]


def planned_credit(invoice: Invoice, amounts: Mapping[int, Decimal] | None = None) -> list[LineCredit]:
    """
    What a credit note over these lines would hold: `amounts` before tax by line id, or None for all that is left.

    Tax goes back as it was applied, in proportion, each jurisdiction rounded by itself (TAX-1); what ends a line
    takes back exactly what is left of its tax.

    :raises CreditRefused: with a sentence for each line that cannot be credited so
    """
    lines = {one.line.pk: one for one in creditable_lines(invoice)}
    if amounts is None:
        wanted = {pk: one.rest for pk, one in lines.items() if one.rest}
    else:
        wanted = {pk: amount for pk, amount in amounts.items() if amount}
    sentences = _faults(invoice, lines, wanted)
    if sentences:
        raise CreditRefused(sentences)
    taxes = _taxes_left(invoice)
    credits = [
        _line_credit(lines[pk], amount, taxes.get(pk, []), invoice.currency) for pk, amount in sorted(wanted.items())
    ]
    if sum((credit.amount + credit.tax_amount for credit in credits), ZERO) <= 0:
        raise CreditRefused(
            ["The lines chosen come to nothing to credit; choose lines whose sum is owed by the account."]
        )
    return credits


def _faults(invoice: Invoice, lines: Mapping[int, Creditable], wanted: Mapping[int, Decimal]) -> list[str]:
    if invoice.kind != Invoice.Kind.INVOICE or invoice.status != Invoice.Status.ISSUED:
        return [f"{invoice} is no issued invoice; only an issued invoice is credited (BILL-6)."]
    if not wanted:
        return [f"Nothing of invoice {invoice.number} is left to credit."]
    sentences = []
    for pk, amount in wanted.items():
        if pk not in lines:
            sentences.append(f"Line {pk} is not on invoice {invoice.number}.")
            continue
        one = lines[pk]
        within = 0 < amount <= one.rest if one.line.amount >= 0 else one.rest <= amount < 0
        if not within:
            sentences.append(
                f"Line {one.line.position} has {format_money(one.rest, invoice.currency)} left to credit, "
                f"and {format_money(amount, invoice.currency)} was asked for."
            )
        elif amount % minor_unit(invoice.currency):
            sentences.append(f"Line {one.line.position}: {amount} is finer than {invoice.currency} can be paid.")
    return sentences


def _taxes_left(invoice: Invoice) -> dict[int, list[tuple[LineTax, Decimal]]]:
    """By line, each tax as it was applied and what of it was not credited before."""
    credited: dict[tuple[int | None, int], Decimal] = {}
    for tax in LineTax.objects.filter(
        line__credits_line__invoice=invoice, line__invoice__status=Invoice.Status.ISSUED
    ).select_related("line"):
        key = (tax.line.credits_line_id, tax.rate_id)
        credited[key] = credited.get(key, ZERO) + tax.amount
    found: dict[int, list[tuple[LineTax, Decimal]]] = {}
    for tax in LineTax.objects.filter(line__invoice=invoice).order_by("pk"):
        found.setdefault(tax.line_id, []).append((tax, tax.amount + credited.get((tax.line_id, tax.rate_id), ZERO)))
    return found


def _line_credit(one: Creditable, amount: Decimal, taxes: list[tuple[LineTax, Decimal]], currency: str) -> LineCredit:
    ends_it = amount == one.rest
    return LineCredit(
        one.line,
        amount,
        tuple(
            (tax, left if ends_it else round_money(tax.amount * amount / one.line.amount, currency))
            for tax, left in taxes
        ),
    )


@transaction.atomic
def credit_invoice(
    *, invoice: Invoice, actor: Actor, now: datetime, reason: str, amounts: Mapping[int, Decimal] | None = None
) -> Invoice:
    """
    Issue a credit note for the whole of an invoice, or for the amounts given by line.

    The amounts are before tax, and positive for charges. The note is numbered in its own series and posted like an
    invoice, its amounts negative.

    :raises NotPermitted: if the actor may not issue credit notes
    :raises CreditRefused: with every sentence that stands in the way
    """
    actor.require("invoicing.issue_credit_note")
    # Two credit notes for one invoice wait for each other here, so that together they never exceed it; payments too.
    lock_billing(invoice.account_id)
    invoice = Invoice.objects.select_for_update(no_key=True, of=("self",)).select_related("seller").get(pk=invoice.pk)
    if not reason.strip():
        raise CreditRefused(["A credit note says why: give the reason that the customer is to read."])
    credits = planned_credit(invoice, amounts)
    note = _draft_note(invoice, credits, reason=reason.strip(), on=today_of(invoice.seller, now=now))
    issue_drafts([(note.pk, note.account_id, note.kind)], seller=invoice.seller, now=now)
    give_back_overpaid(invoice.pk, source=f"given-back:{note.pk}", on=note.issued_on, now=now)
    _check_deposit(invoice)
    note.refresh_from_db()
    tell_credited(note, now=now)
    record_change(
        "issue credit note",
        subject=f"credit note {note.number} for invoice {invoice.number}",
        actor=actor,
        now=now,
        account=note.account_id,
        why=note.reason,
        detail={"total": str(note.total), "currency": note.currency},
    )
    return note


def _check_deposit(invoice: Invoice) -> None:
    """:raises CreditRefused: if more of a deposit was taken back than is held of it (SEAT-1)"""
    held = Posting.objects.filter(invoice_id=invoice.pk, ledger_account=LedgerAccount.DEPOSIT_HELD)
    rest = -(held.aggregate(total=Sum("amount"))["total"] or ZERO)
    if rest < 0:
        raise CreditRefused([
            f"Of the deposit on invoice {invoice.number} {format_money(-rest, invoice.currency)} was used for later "
            "invoices (SEAT-1). Credit no more than what is still held."
        ])  # fmt: skip


def _draft_note(invoice: Invoice, credits: list[LineCredit], *, reason: str, on: date) -> Invoice:
    subtotal = -sum((credit.amount for credit in credits), ZERO)
    tax_total = -sum((credit.tax_amount for credit in credits), ZERO)
    note = Invoice.objects.create(
        account_id=invoice.account_id,
        seller=invoice.seller,
        kind=Invoice.Kind.CREDIT_NOTE,
        issued_on=on,
        due_on=on,
        currency=invoice.currency,
        terms_code=invoice.terms_code,
        subtotal=subtotal,
        tax_total=tax_total,
        total=subtotal + tax_total,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        buyer=invoice.buyer,
        corrects=invoice,
        reason=reason[:300],
    )
    for position, credit in enumerate(credits, start=1):
        _draft_line(note, position, credit)
    return note


def _draft_line(note: Invoice, position: int, credit: LineCredit) -> None:
    line = credit.line
    whole = credit.amount == line.amount
    credited = InvoiceLine.objects.create(
        invoice=note,
        account_id=note.account_id,
        position=position,
        client_id=line.client_id,
        subscription_id=line.subscription_id,
        one_off_id=line.one_off_id,
        credits_line=line,
        kind=InvoiceLine.Kind.CREDIT,
        plan_id=line.plan_id,
        description=line.description,
        period_start=line.period_start,
        period_end=line.period_end,
        quantity=line.quantity if whole else 1,
        unit_price=-line.unit_price if whole else -credit.amount,
        amount=-credit.amount,
        tax_amount=-credit.tax_amount,
        clause="BILL-6",
        why={
            "terms": note.terms_code,
            "corrects": note.corrects.number if note.corrects else "",
            "reason": note.reason,
        },
    )
    LineTax.objects.bulk_create(
        LineTax(
            account_id=note.account_id,
            line=credited,
            rate_id=tax.rate_id,
            name=tax.name,
            rate_percent=tax.rate_percent,
            base=-credit.amount,
            amount=-amount,
        )
        for tax, amount in credit.taxes
    )
