"""What is written to a customer about its payments: receipts, and news that a payment did not come or did not stay."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from invoicing.documents.letters import LetterDraft, LetterTable, LetterText, write_letters
from invoicing.documents.models import Document
from invoicing.documents.parties import recipient_of, seller_of
from invoicing.invoices.models import Invoice
from invoicing.money import ZERO, format_money
from invoicing.payments.models import Payment, Refund
from invoicing.payments.policy import Then, return_code
from invoicing.subscriptions.models import BillingProfile


def write_receipt(
    payment: Payment, profile: BillingProfile, paid: Mapping[int, Decimal], *, on: date, now: datetime
) -> None:
    """A receipt of a payment: the invoices it paid, and the card fee as a line of its own (FEE-3)."""
    currency = payment.currency
    rows = [(f"Invoice {number}", format_money(paid[pk], currency)) for pk, number in _numbers(paid)]
    rest = payment.amount - sum(paid.values(), ZERO)
    if rest:
        kept = "Top-up of your prepaid balance" if payment.purpose == Payment.Purpose.TOP_UP else "Kept as your credit"
        rows.append((kept, format_money(rest, currency)))
    if payment.fee:
        rows.append((_fee_line(payment), format_money(payment.fee, currency)))
    whole = format_money(payment.amount + payment.fee, currency)
    _write(
        profile,
        Document.Kind.RECEIPT,
        f"receipt:{payment.pk}",
        subject=f"Receipt for your payment of {whole}",
        title="Receipt",
        paragraphs=(f"Thank you. We received {whole} {method_in_words(payment)}.",),
        facts=_facts(payment),
        table=LetterTable(("Paid", "Amount"), tuple(rows), (("Total", whole),)),
        clauses=("FEE-1", "FEE-3") if payment.fee else (),
        on=on,
        now=now,
    )


def write_refund_receipt(refund: Refund, profile: BillingProfile, *, on: date, now: datetime) -> None:
    """A receipt of money given back, with its part of the card fee (FEE-3)."""
    payment, currency = refund.payment, refund.currency
    whole = format_money(refund.amount + refund.fee, currency)
    rows = [(f"Of your payment {payment.pk} of {payment.on:%-d %B %Y}", format_money(refund.amount, currency))]
    if refund.fee:
        rows.append(("Its part of the card service fee", format_money(refund.fee, currency)))
    _write(
        profile,
        Document.Kind.RECEIPT,
        f"refund-receipt:{refund.pk}",
        subject=f"Your refund of {whole}",
        title="Refund",
        paragraphs=(f"We gave back {whole} {method_in_words(payment)}. Banks may take some days to show it.",),
        facts=_facts(payment),
        table=LetterTable(("Refunded", "Amount"), tuple(rows), (("Total", whole),)),
        closing=(f"Reason: {refund.reason}",),
        clauses=("FEE-3",) if refund.fee else (),
        on=on,
        now=now,
    )


def write_refund_failure(refund: Refund, profile: BillingProfile, *, on: date, now: datetime) -> None:
    """News that a refund, whose receipt the customer has, came back to us: nobody took it in."""
    whole = format_money(refund.amount + refund.fee, refund.currency)
    _write(
        profile,
        Document.Kind.NOTICE,
        f"refund-failed:{refund.pk}",
        subject=f"Your refund of {whole} did not arrive",
        title="Refund not paid out",
        paragraphs=(
            f"We gave back {whole} {method_in_words(refund.payment)}, and it came back to us: the card or bank account "
            "may be closed. The money is yours still.",
            "Please tell us how you would like to have it.",
        ),
        facts=_facts(refund.payment),
        on=on,
        now=now,
    )


def write_decline(payment: Payment, profile: BillingProfile, *, on: date, now: datetime) -> None:
    """News of a decline that no retry will change, or that only the cardholder can: what to do about it."""
    amount = format_money(payment.amount, payment.currency)
    if payment.hard:
        why = "the bank refused it for good"
        please = "Please add another card or bank account in the portal, so that your invoices are paid."
    else:
        why = "the bank wants you to confirm it, which you could not"
        please = (
            "Please add the card once more in the portal, where your bank asks you, or another one, and pay with it."
        )
    _write(
        profile,
        Document.Kind.NOTICE,
        f"declined:{payment.pk}",
        subject="Your payment was declined: please give us another payment method",
        title="Payment declined",
        paragraphs=(
            f"We tried to take {amount} {method_in_words(payment)}, and {why}. "
            "No money was taken, and no service fee was charged.",
            please,
        ),
        facts=_facts(payment),
        clauses=("FEE-3",),
        on=on,
        now=now,
    )


def write_return(payment: Payment, profile: BillingProfile, code: str, *, on: date, now: datetime) -> None:
    """News that a bank took a payment back: what it paid is open again."""
    amount = format_money(payment.amount + payment.fee, payment.currency)
    reason = return_code(code)
    paragraphs = [
        f"Your bank returned the payment of {amount} {method_in_words(payment)} ({code}: {reason.words}). "
        "The invoices that it paid are open again."
    ]
    if reason.then == Then.RETRY:
        paragraphs.append("We may ask your bank again. Please see to it that the money is there, or pay another way.")
    else:
        paragraphs.append("We do not ask your bank again. Please give us another payment method, or pay another way.")
    _write(
        profile,
        Document.Kind.NOTICE,
        f"returned:{payment.pk}",
        subject="Your bank returned your payment",
        title="Payment returned",
        paragraphs=tuple(paragraphs),
        facts=_facts(payment),
        on=on,
        now=now,
    )


def method_in_words(payment: Payment) -> str:
    """“by Visa ending in 4242”, “by check”: never more of a card than its last four digits."""
    return f"by {payment.method}" if payment.method else f"by {payment.get_kind_display().lower()}"


def _fee_line(payment: Payment) -> str:
    why = payment.fee_why
    rate = f" of {why['rate_percent']} %" if why.get("rate_percent") else ""
    return f"Card service fee{rate} ({why.get('clause') or 'FEE-1'})"


def _facts(payment: Payment) -> tuple[tuple[str, str], ...]:
    facts = [("Payment", str(payment.pk)), ("Date", f"{payment.on:%-d %B %Y}")]
    if payment.reference:
        facts.append(("Reference", payment.reference))
    return tuple(facts)


def _numbers(paid: Mapping[int, Decimal]) -> list[tuple[int, str]]:
    rows = Invoice.objects.filter(pk__in=list(paid)).order_by("due_on", "pk").values_list("pk", "number")
    return [(pk, number or "") for pk, number in rows]


def _write(
    profile: BillingProfile, kind: str, key: str, *, subject: str, title: str, paragraphs: tuple[str, ...],
    facts: tuple[tuple[str, str], ...], on: date, now: datetime, table: LetterTable | None = None,
    closing: tuple[str, ...] = (), clauses: tuple[str, ...] = (),
) -> None:  # fmt: skip
    text = LetterText(
        subject=subject,
        title=title,
        seller=seller_of(profile.seller),
        recipient=recipient_of(profile.account, home=profile.seller.country),
        paragraphs=paragraphs,
        facts=facts,
        table=table,
        closing=closing,
        clauses=clauses,
    )
    write_letters([LetterDraft(profile.account_id, kind, key, on, text)], now=now)
