"""What paid an invoice, as its page shows it."""

from datetime import date
from decimal import Decimal

from django.db.models import Max, Sum

from invoicing.invoices.models import Invoice
from invoicing.invoices.paid import Paid
from invoicing.ledger.models import LedgerEntry, Posting
from invoicing.money import ZERO, format_money
from invoicing.pages.cells import Table, day, row_link
from invoicing.payments.models import Payment, PaymentTarget
from invoicing.payments.queries import OWED, InvoiceStatus, invoice_status

TONES = {
    InvoiceStatus.PAID: "success",
    InvoiceStatus.CREDITED: "success",
    InvoiceStatus.PENDING: "info",
    InvoiceStatus.PART_PAID: "warning",
    InvoiceStatus.OPEN: "info",
    InvoiceStatus.OVERDUE: "danger",
    InvoiceStatus.WITH_AGENCY: "danger",
    InvoiceStatus.WRITTEN_OFF: "danger",
}
# Handing over moves what is owed from one account of ours to another, and pays nothing.
NO_PAYMENT = (LedgerEntry.Kind.INVOICE, LedgerEntry.Kind.PLACEMENT)


def paid_by(invoice: Invoice, *, today: date) -> Paid | None:
    """The status, and the table of what paid it. Three queries."""
    status = invoice_status([invoice.pk], on=today).get(invoice.pk)
    if status is None:
        return None
    open_words = f"{format_money(status.open, invoice.currency)} open" if status.open else "nothing open"
    words = status.status.value.replace("_", " ").capitalize()
    rows = [*_movements(invoice), *_under_way(invoice)]
    heads = ("What", "Day", "State", "Amount")
    empty = "Nothing has paid it yet. Book a payment or charge a method on the account's page, under Money."
    title = f"What paid it: {open_words}"
    return Paid(words, TONES[status.status], Table(title, heads, rows, empty, right=("Amount",)))


def _movements(invoice: Invoice) -> list[tuple[object, ...]]:
    """From the ledger: a row a payment with what of it stands there, and one a kind of whatever else settled it."""
    found = (
        Posting.objects.filter(invoice_id=invoice.pk, ledger_account__in=OWED)
        .exclude(entry__kind__in=NO_PAYMENT)
        .order_by()
        .values_list("payment_id", "entry__kind")
        .annotate(total=-Sum("amount"), latest=Max("entry__on"))
    )
    of_payments: dict[int, tuple[Decimal, date]] = {}
    others = []
    for payment_id, kind, total, latest in found:
        if payment_id is None:
            others.append((LedgerEntry.Kind(kind).label, day(latest), "", format_money(total, invoice.currency)))
        else:
            so_far, before = of_payments.get(payment_id, (ZERO, latest))
            of_payments[payment_id] = (so_far + total, max(before, latest))
    payments = Payment.objects.select_related("method").in_bulk(list(of_payments))
    rows = [
        (_name(payments[pk]), day(on), payments[pk].get_state_display(), format_money(total, invoice.currency))
        for pk, (total, on) in sorted(of_payments.items())
        if total
    ]
    return [*rows, *others]


def _under_way(invoice: Invoice) -> list[tuple[object, ...]]:
    """Attempts that the gateway has yet to answer for, and those that came to nothing."""
    without_money = [*Payment.OPEN, Payment.State.FAILED]
    targets = PaymentTarget.objects.filter(invoice=invoice, payment__state__in=without_money)
    found = targets.select_related("payment__method").order_by("-pk")[:10]
    return [
        (
            _name(one.payment), day(one.payment.on), one.payment.get_state_display(),
            f"({format_money(one.amount, invoice.currency)})",
        )
        for one in found
    ]  # fmt: skip


def _name(payment: Payment) -> str:
    return row_link("payment", payment.pk, f"Payment {payment.pk}, {payment.method or payment.get_kind_display()}")
