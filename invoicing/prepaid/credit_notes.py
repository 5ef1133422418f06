"""PRE-1: what a credit note takes back of an invoice that a balance has paid goes to that balance."""

from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Sum

from invoicing.invoices.models import Invoice
from invoicing.ledger.models import LedgerAccount, LedgerEntry, Posting
from invoicing.ledger.operations import Side
from invoicing.money import ZERO
from invoicing.prepaid.balances import lock_balance, post_credit
from invoicing.prepaid.bell import ring_for_credit


def hear_of_credit_note(note: Invoice, *, now: datetime) -> None:
    """
    Move what became the customer's credit on to the balance: no prepaid charge ever looks for other credit.

    Registered with `invoices.credited`; the note and its account's money are locked.
    """
    paid_by_balance = Posting.objects.filter(invoice_id=note.corrects_id, entry__kind=LedgerEntry.Kind.SETTLEMENT)
    if note.corrects_id is None or not paid_by_balance.exists():
        return
    given_back = Posting.objects.filter(
        entry__source=f"given-back:{note.pk}", ledger_account=LedgerAccount.CUSTOMER_CREDIT, payment_id=None
    )
    amount = -(given_back.aggregate(total=Sum("amount"))["total"] or ZERO)
    if amount <= ZERO:
        return
    post_credit(
        lock_balance(note.account_id),
        amount,
        source=f"to-balance:{note.pk}",
        kind=LedgerEntry.Kind.APPLICATION,
        against=[Side(LedgerAccount.CUSTOMER_CREDIT, amount, invoice_id=note.corrects_id)],
        on=note.issued_on,
        now=now,
    )
    transaction.on_commit(partial(ring_for_credit, note.account_id))
