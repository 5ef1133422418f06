"""What staff may do about hand-overs to the agency (COLL-1): each an operation."""

from django import forms

from invoicing.collections.acts import APPROVE, today_for
from invoicing.collections.batch_files import ROWS_AT_ONCE
from invoicing.collections.models import Placement, PlacementRecord
from invoicing.collections.operations import (
    RemittanceRefused,
    WriteOffRefused,
    approve_placements,
    book_remittance,
    decline_placement,
    recall_placement,
    recover_debt,
    reverse_remittance,
    write_batches,
    write_off,
)
from invoicing.collections.recovering import REFERENCE_LENGTH, reversal_of
from invoicing.collections.reversing import written_off_of
from invoicing.invoices.models import Invoice
from invoicing.money import format_money
from invoicing.pages.acts import Act, ActForm, Asked, DayInput, WhyForm
from invoicing.payments.acts import amount_field
from invoicing.payments.models import Payment
from invoicing.payments.queries import owing_of, unallocated
from invoicing.payments.queues import with_rest
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of

State = Placement.State
REFUSALS = (RemittanceRefused, WriteOffRefused)


def _approve(asked: Asked) -> str:
    today = today_for(asked, asked.row.account_id)
    done = approve_placements(on=today, now=asked.now, actor=asked.actor, placements=[asked.row.pk])
    write_batches(now=asked.now, most_rows=ROWS_AT_ONCE)
    return f"Done: {done}."


class SellerForm(ActForm):
    seller = forms.ModelChoiceField(Seller.objects.order_by("name", "pk"), empty_label=None)


def _approve_all(asked: Asked) -> str:
    seller = asked.values["seller"]
    today = today_of(seller, now=asked.now)
    done = approve_placements(on=today, now=asked.now, actor=asked.actor, seller=seller)
    write_batches(now=asked.now, most_rows=ROWS_AT_ONCE)
    return f"Done: {done}."


class DeclineForm(WhyForm):
    until_on = forms.DateField(
        label="Exempt until", widget=DayInput(), help_text="Else it would be proposed again tomorrow."
    )


def _decline(asked: Asked) -> str:
    today = today_for(asked, asked.row.account_id)
    decline_placement(placement=asked.row, actor=asked.actor, now=asked.now, today=today, **asked.values)
    return "It is not handed over, and the account is exempt until that day."


class RecallForm(WhyForm):
    why = forms.CharField(label="Why", max_length=300, help_text="The agency is told.")


def _recall(asked: Asked) -> str:
    recall_placement(placement=asked.row, why=asked.values["why"], actor=asked.actor, now=asked.now)
    return "The account is recalled. The agency is told, and what is left is receivable again."


class RemittanceForm(ActForm):
    collected = amount_field("Collected, gross", "What the debtor paid the agency.", required=True)
    commission = amount_field("Commission kept by the agency", required=True, may_be_zero=True)
    reference = forms.CharField(label="The agency's reference", max_length=REFERENCE_LENGTH)
    on = forms.DateField(label="Day on which it came", widget=DayInput())
    rest_is_credit = forms.BooleanField(
        label="What is more than is with the agency becomes the customer's credit", required=False
    )


def _remit(asked: Asked) -> str:
    record = book_remittance(placement=asked.row, actor=asked.actor, now=asked.now, **asked.values)
    return f"Remittance over {format_money(record.amount, asked.row.currency)} is booked."


def _standing(placement: Placement) -> list[PlacementRecord]:
    """Remittances that were not reversed."""
    remitted = placement.records.filter(kind=PlacementRecord.Kind.REMITTANCE).order_by("pk")
    return [one for one in remitted if reversal_of(one) is None]


class ReversalForm(WhyForm):
    remittance = forms.ChoiceField(label="Which remittance")

    def prepare(self) -> None:
        self.choose("remittance", [
            (one.pk, f"{one.note}, {format_money(one.amount, self.row.currency)}, {one.on:%-d %b %Y}")
            for one in _standing(self.row)
        ])  # fmt: skip


def _reverse(asked: Asked) -> str:
    remittance = asked.row.records.get(pk=asked.values["remittance"])
    reverse_remittance(remittance=remittance, why=asked.values["why"], actor=asked.actor, now=asked.now)
    return f"Remittance {remittance.note} is reversed: what it settled is open again."


class WriteOffForm(WhyForm):
    invoice = forms.ChoiceField(label="Which invoice")
    amount = amount_field("Amount", "Empty: all that is open of it.")

    def prepare(self) -> None:
        account_id = getattr(self.row, "account_id", self.row.pk)
        self.choose("invoice", [
            (one.invoice_id, f"{one.number}, {format_money(one.open, one.currency)} open")
            for one in owing_of(account_id)
        ])  # fmt: skip


def _write_off(asked: Asked) -> str:
    invoice = Invoice.objects.get(pk=asked.values["invoice"])
    write_off(invoice=invoice, why=asked.values["why"], amount=asked.values["amount"], actor=asked.actor, now=asked.now)
    return f"Invoice {invoice.number} is given up, as far as was asked."


class RecoverForm(WhyForm):
    invoice = forms.ChoiceField(label="Which invoice")
    money = forms.ChoiceField(label="With which money", required=False)
    amount = amount_field("Amount", "Empty: as much as was written off and is there.")

    def prepare(self) -> None:
        given_up = written_off_of(self.row.pk)
        found = Invoice.objects.in_bulk(list(given_up))
        self.choose("invoice", [
            (pk, f"{found[pk]}, {format_money(amount, found[pk].currency)} written off")
            for pk, amount in given_up.items()
        ])  # fmt: skip
        payments = with_rest().filter(account_id=self.row.pk).order_by("-pk")[:50]
        self.choose("money", [
            *((one.pk, f"Payment {one.pk}, {one.on:%-d %b %Y}, {format_money(unallocated(one.pk), one.currency)} left")
              for one in payments),
            ("", "Credit that came from no payment"),
        ])  # fmt: skip


def _recover(asked: Asked) -> str:
    invoice = Invoice.objects.get(pk=asked.values["invoice"])
    payment = Payment.objects.get(pk=asked.values["money"]) if asked.values["money"] else None
    recover_debt(
        invoice=invoice, payment=payment, amount=asked.values["amount"], why=asked.values["why"], actor=asked.actor,
        now=asked.now,
    )  # fmt: skip
    return f"The money pays invoice {invoice.number}, which was written off: it is no bad debt by so much."


WRITE_OFF = "invoicing.write_off"
PLACEMENT_ACTS = (
    Act(
        "approve", "Hand over…", APPROVE, _approve, REFUSALS,
        "What was paid, credited, held or disputed since it was proposed stays out. Reminders and charges stop.",
        button="Hand it over", offered=lambda one: one.state == State.PROPOSED,
    ),
    Act(
        "decline", "Do not hand over…", APPROVE, _decline, REFUSALS, "", DeclineForm, "Do not hand it over",
        offered=lambda one: one.state == State.PROPOSED,
    ),
    Act(
        "recall", "Recall…", APPROVE, _recall, REFUSALS, "The account comes back from the agency.", RecallForm,
        "Recall it", danger=True, offered=lambda one: one.state == State.PLACED,
    ),
    Act(
        "remittance", "Book a remittance…", "invoicing.book_remittance", _remit, REFUSALS,
        "What the agency collected, gross: it pays the oldest invoice first, and the commission is our cost.",
        RemittanceForm, "Book the remittance", offered=lambda one: one.placed_on is not None,
    ),
    Act(
        "reverse-remittance", "Reverse a remittance…", "invoicing.book_remittance", _reverse, REFUSALS,
        "One that was booked by mistake: what it settled is open again, and its reference may be booked anew.",
        ReversalForm, "Reverse the remittance", danger=True, offered=lambda one: bool(_standing(one)),
    ),
    Act(
        "write-off", "Write off…", WRITE_OFF, _write_off, REFUSALS, "What is open is given up as a bad debt.",
        WriteOffForm, "Write it off", danger=True, offered=lambda one: one.state == State.PLACED,
    ),
)  # fmt: skip
PLACEMENT_LIST_ACTS = (
    Act(
        "approve-all", "Hand over all that are proposed…", APPROVE, _approve_all, REFUSALS,
        "Every proposal of the seller, as it stands at this moment; the files are written with it.", SellerForm,
        "Hand them all over",
    ),
)  # fmt: skip
WRITE_OFF_ACCOUNT_ACTS = (
    Act(
        "write-off-invoice", "Write off an invoice…", WRITE_OFF, _write_off, REFUSALS,
        "What is open of it is given up as a bad debt.", WriteOffForm, "Write it off", danger=True,
        offered=lambda account: bool(owing_of(account.pk)),
    ),
    Act(
        "recover", "Recover a written-off invoice…", WRITE_OFF, _recover, REFUSALS,
        "Money came for what was given up: book it first, then use it here. The bad debt is less by so much.",
        RecoverForm, "Recover it", offered=lambda account: bool(written_off_of(account.pk)),
    ),
)  # fmt: skip
