"""What of payments waits for a person: each heap as the rows that are in it."""

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum

from invoicing.invoices.models import OpenInvoice
from invoicing.ledger.models import LedgerAccount, Posting
from invoicing.payments.models import Chargeback, Payment, PaymentTarget, Refund
from invoicing.payments.notices import WebhookEvent

State = Payment.State


def to_look_at() -> QuerySet[Payment]:
    """Without an answer, or failed while an invoice of it is still open and nothing newer is on its way for it."""
    unpaid = OpenInvoice.objects.filter(invoice=OuterRef("invoice")).filter(Q(amount__gt=0) | Q(placed__gt=0))
    newer = PaymentTarget.objects.filter(invoice=OuterRef("invoice"), payment__gt=OuterRef("payment"))
    in_want = PaymentTarget.objects.filter(Exists(unpaid), ~Exists(newer), payment=OuterRef("pk"))
    waiting = Payment.objects.filter(state__in=[State.FAILED, State.UNKNOWN])
    return waiting.filter(Q(state=State.UNKNOWN) | Exists(in_want))


def returned() -> QuerySet[Payment]:
    """Taken back by the customer's bank."""
    return Payment.objects.filter(state=State.RETURNED)


def refund_failed() -> QuerySet[Payment]:
    """Whose latest refund came to nothing: its money is here, and the customer waits for it."""
    newer = Refund.objects.filter(payment=OuterRef("payment"), pk__gt=OuterRef("pk"))
    failed = Refund.objects.filter(~Exists(newer), state=Refund.State.FAILED)
    return Payment.objects.filter(pk__in=failed.values("payment"), state=State.SUCCEEDED)


def with_rest() -> QuerySet[Payment]:
    """Payments of which something stands on no invoice, or from which more was taken than was there."""
    rests = (
        Posting.objects.filter(ledger_account=LedgerAccount.CUSTOMER_CREDIT, payment_id__isnull=False)
        .order_by()
        .values("payment_id")
        .annotate(rest=Sum("amount"))
        .exclude(rest=0)
    )
    return Payment.objects.filter(pk__in=rests.values("payment_id"))


def parked_notices() -> QuerySet[WebhookEvent]:
    return WebhookEvent.objects.filter(state=WebhookEvent.State.PARKED)


def open_chargebacks() -> QuerySet[Chargeback]:
    return Chargeback.objects.filter(state=Chargeback.State.OPEN)


def rests_of(payment_ids: list[int]) -> dict[int, object]:
    """What of each payment stands on no invoice; nothing where it is used to the cent. One query."""
    rows = (
        Posting.objects.filter(payment_id__in=payment_ids, ledger_account=LedgerAccount.CUSTOMER_CREDIT)
        .order_by()
        .values_list("payment_id")
        .annotate(rest=-Sum(F("amount")))
    )
    return {pk: rest for pk, rest in rows if pk and rest}
