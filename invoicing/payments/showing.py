"""What the page of one payment shows: facts, what it pays, what went back, what the gateway said, letters."""

from typing import Any

from django.urls import reverse
from django.utils.html import format_html

from invoicing.documents.models import Letter
from invoicing.invoices.models import Invoice
from invoicing.ledger.models import Posting
from invoicing.money import format_money
from invoicing.pages.cells import NOTHING, Table, account_link, date_words, day, link, moment, row_link
from invoicing.payments.models import Payment, Refund
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.queries import standing_of, unallocated

SHOWN = 100


def facts_of(payment: Payment) -> list[tuple[str, Any]]:
    """In the order in which somebody asks."""
    money = lambda amount: format_money(amount, payment.currency)  # noqa: E731
    facts: list[tuple[str, Any]] = [
        ("Amount", money(payment.amount)),
        (_fee_words(payment), money(payment.fee)),
        ("Together", money(payment.amount + payment.fee)),
        ("On no invoice", money(unallocated(payment.pk))),
        ("Account", account_link(payment.account)),
        ("By", str(payment.method) if payment.method else payment.get_kind_display()),
        ("Gateway", payment.gateway),
        ("For", payment.get_purpose_display()),
        ("Day", date_words(payment.on)),
        ("Made by", payment.made_by),
        ("Charged", "by the schedule (SEAT-5)" if payment.automatic else "on request"),
        ("Attempt", payment.attempt),
        ("Reference", payment.reference or payment.gateway_reference or NOTHING),
        ("Idempotency key", payment.key),
        ("Recorded", moment(payment.created_at)),
        ("Settled", moment(payment.settled_at)),
    ]
    if payment.next_look_at and payment.state in Payment.OPEN:
        facts.append(("The gateway is asked next", moment(payment.next_look_at)))
    if payment.failure_code:
        facts.append(("Gateway's code", payment.failure_code))
    return facts


def _fee_words(payment: Payment) -> str:
    why = payment.fee_why or {}
    rate = f", {why['rate_percent']} %" if why.get("rate_percent") else ""
    clause = why.get("clause") or "FEE-1"
    return f"Card fee ({clause}{rate})"


def notes_of(payment: Payment) -> list[tuple[str, str]]:
    states = Payment.State
    if payment.state in (states.UNKNOWN, states.CREATED):
        return [(
            "warn",
            "The gateway has not answered. It is asked on a schedule, and never charged again meanwhile. "
            f"{payment.failure}".strip(),
        )]  # fmt: skip
    if payment.state in (states.FAILED, states.RETURNED):
        hard = " No retry of the same method will change that." if payment.hard else ""
        return [("bad", f"{payment.failure or 'No reason was given.'}{hard}")]
    if payment.state == states.PENDING:
        return [("warn", "The bank has not settled it yet. Its invoices are charged by nothing else meanwhile.")]
    latest = payment.refunds.order_by("-pk").first()
    if latest and latest.state == Refund.State.FAILED:
        return [("bad", f"Refund {latest.pk} came to nothing, and its money is here: {latest.failure or 'no reason'}")]
    return []


def tables_of(payment: Payment) -> list[Table]:
    """Six queries, however much there is."""
    return [
        _paid(payment),
        _refunds(payment),
        _chargebacks(payment),
        _notices(payment),
        _books(payment),
        _mail(payment),
    ]


def _paid(payment: Payment) -> Table:
    targets = {one.invoice_id: one for one in payment.targets.order_by("pk")[:SHOWN]}
    stands = {one.invoice_id: one.amount for one in standing_of(payment.pk)}
    numbers = Invoice.objects.in_bulk([*targets, *stands])
    rows = []
    for pk in dict.fromkeys([*targets, *stands]):
        target = targets.get(pk)
        meant = format_money(target.amount, payment.currency) if target else NOTHING
        there = format_money(stands[pk], payment.currency) if pk in stands else NOTHING
        rows.append((row_link("invoice", pk, numbers[pk]), day(numbers[pk].due_on), meant, there))
    return Table(
        "Invoices", ("Invoice", "Due", "Meant for it", "Stands on it"), rows,
        "It is for no invoice. “Allocate…” has it pay open ones, if something of it is left.",
        right=("Meant for it", "Stands on it"),
    )  # fmt: skip


def _refunds(payment: Payment) -> Table:
    rows = [
        (
            refund.pk, day(refund.on), refund.get_state_display(), refund.reason, refund.failure or NOTHING,
            refund.made_by, format_money(refund.amount, refund.currency), format_money(refund.fee, refund.currency),
        )
        for refund in payment.refunds.order_by("-pk")[:SHOWN]
    ]  # fmt: skip
    heads = ("Refund", "Day", "State", "Reason", "What went wrong", "By", "Amount", "Fee")
    return Table("Refunds", heads, rows, "Nothing of it was given back.", right=("Amount", "Fee"))


def _chargebacks(payment: Payment) -> Table:
    rows = [
        (
            row_link("chargeback", one.pk, one.gateway_reference), one.get_state_display(), one.reason or NOTHING,
            moment(one.opened_at), moment(one.answer_by_at), format_money(one.amount, one.currency),
        )
        for one in payment.chargebacks.order_by("-pk")[:SHOWN]
    ]  # fmt: skip
    heads = ("Chargeback", "State", "Reason", "Opened", "Answer by", "Amount")
    return Table("Chargebacks", heads, rows, "No bank took it back.", right=("Amount",))


def _notices(payment: Payment) -> Table:
    found = WebhookEvent.objects.filter(payment=payment).defer("body").order_by("-pk")[:SHOWN]
    rows = [
        (row_link("webhookevent", one.pk, one.type), one.get_state_display(), moment(one.made_at), one.error or NOTHING)
        for one in found
    ]
    empty = "The gateway has sent no notice of it."
    return Table("Gateway's notices", ("Notice", "State", "When", "What is amiss"), rows, empty)


def _books(payment: Payment) -> Table:
    found = Posting.objects.filter(payment_id=payment.pk).select_related("entry").order_by("-pk")[:SHOWN]
    rows = [
        (
            day(one.entry.on), row_link("ledgerentry", one.entry_id, one.entry.source),
            one.get_ledger_account_display(),
            format_money(one.amount, one.currency) if one.amount > 0 else "",
            format_money(-one.amount, one.currency) if one.amount < 0 else "",
        )
        for one in found
    ]  # fmt: skip
    heads = ("Day", "Entry", "Ledger account", "Debit", "Credit")
    return Table("In the books", heads, rows, "Nothing is posted.", right=("Debit", "Credit"))


def _mail(payment: Payment) -> Table:
    keys = [f"{about}:{payment.pk}" for about in ("receipt", "declined", "returned")]
    for pk in payment.refunds.values_list("pk", flat=True):
        keys += [f"refund-receipt:{pk}", f"refund-failed:{pk}"]
    letters = Letter.objects.filter(key__in=keys).order_by("-pk")
    rows = [
        (
            row_link("letter", one.pk, one.details["subject"]),
            one.get_kind_display(),
            day(one.on),
            _pdf(one),
        )
        for one in letters
    ]
    return Table("Letters", ("Letter", "Kind", "Day", "PDF"), rows, "The customer was written nothing about it.")


def _pdf(letter: Letter) -> Any:
    return format_html("{}", link(reverse("admin:invoicing_letter_pdf", args=[letter.pk]), "PDF"))
