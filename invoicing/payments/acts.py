"""What staff may do about a payment: the pages that ask for it, and the operations behind them."""

from decimal import Decimal

from django import forms
from django.core.validators import MinValueValidator

from accounts.decisions import Refused
from invoicing.invoices.models import Invoice
from invoicing.money import ZERO, format_money
from invoicing.pages.acts import Act, ActForm, Asked, Facts, WhyForm
from invoicing.payments.booking import BY_HAND
from invoicing.payments.gateways.registry import NoSuchGateway
from invoicing.payments.models import Payment
from invoicing.payments.operations import (
    MoneyRefused,
    allocate,
    give_up,
    look_now,
    refund,
    refundable,
    take_back,
)
from invoicing.payments.policy import fee_part
from invoicing.payments.postings import MANUAL
from invoicing.payments.queries import owing_of, standing_of, unallocated
from invoicing.payments.queues import refund_failed

REFUSALS = (MoneyRefused, NoSuchGateway, Refused)


def amount_field(
    label: str, help_text: str = "", *, required: bool = False, may_be_zero: bool = False
) -> forms.DecimalField:
    least = Decimal(0) if may_be_zero else Decimal("0.000001")
    said = "An amount is not less than zero." if may_be_zero else "An amount is more than zero."
    return forms.DecimalField(
        label=label, max_digits=18, decimal_places=6, required=required, help_text=help_text,
        validators=[MinValueValidator(least, said)],
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip


def owing_choices(account_id: int, currency: str = "") -> list[tuple[str, str]]:
    owing = owing_of(account_id, currency=currency)
    return [
        (str(one.invoice_id), f"{one.number}, {format_money(one.open, one.currency)} open, due {one.due_on:%-d %b %Y}")
        for one in owing
    ]


def chosen_ids(values: list[str]) -> list[int] | None:
    return [int(one) for one in values] or None


class InvoicesField(forms.MultipleChoiceField):
    def __init__(self) -> None:
        super().__init__(
            label="For which invoices", required=False, widget=forms.CheckboxSelectMultiple,
            help_text="Oldest due first. With none ticked, all that are open.",
        )  # fmt: skip


class RefundForm(ActForm):
    amount = amount_field("Amount", "Without the card fee, which goes back with it (FEE-3). Empty: all that is left.")
    reason = forms.CharField(label="Reason", max_length=300, help_text="It stands on the receipt.")
    by_hand = forms.ChoiceField(
        label="How it goes back", required=False,
        choices=[("", "To the method it came from, once more"), *((one.value, one.label) for one in BY_HAND)],
    )  # fmt: skip
    reference = forms.CharField(
        label="Reference of the check or wire that gives it back", max_length=80, required=False
    )

    def prepare(self) -> None:
        has_failed = refund_failed().filter(pk=self.row.pk).exists()
        if self.row.gateway == MANUAL or not has_failed:
            del self.fields["by_hand"]
        if self.row.gateway != MANUAL and not has_failed:
            del self.fields["reference"]


def _preview_refund(asked: Asked) -> Facts:
    payment = asked.row
    left = refundable(payment)
    amount = asked.values["amount"] or left.amount
    fee = ZERO
    if ZERO < amount <= left.amount:
        fee = fee_part(fee_left=left.fee, amount=amount, amount_left=left.amount, currency=payment.currency)
    return [
        ("Goes back", format_money(amount, payment.currency)),
        ("With its part of the card fee", format_money(fee, payment.currency)),
        ("Together", format_money(amount + fee, payment.currency)),
        ("May be refunded at most", format_money(left.amount, payment.currency)),
        ("To", str(payment.method) if payment.method and not asked.values.get("by_hand") else "by hand"),
    ]


def _refund(asked: Asked) -> str:
    made = refund(
        asked.row, actor=asked.actor, now=asked.now, reason=asked.values["reason"], amount=asked.values["amount"],
        reference=asked.values.get("reference", ""), by_hand=asked.values.get("by_hand", ""),
    )  # fmt: skip
    words = format_money(made.amount + made.fee, made.currency)
    return f"Refund {made.pk} of {words}: {made.get_state_display().lower()}. {made.failure}".strip()


class AllocateForm(ActForm):
    invoices = InvoicesField()
    why = forms.CharField(label="Why", max_length=300, required=False)

    def prepare(self) -> None:
        self.choose("invoices", owing_choices(self.row.account_id, self.row.currency))


def _allocate(asked: Asked) -> str:
    invoices = chosen_ids(asked.values["invoices"])
    got = allocate(asked.row, actor=asked.actor, now=asked.now, invoices=invoices, why=asked.values["why"])
    whole = format_money(sum(got.values(), ZERO), asked.row.currency)
    return f"{whole} of it now pays {len(got)} invoice{'s' if len(got) != 1 else ''}."


class TakeBackForm(ActForm):
    invoice = forms.TypedChoiceField(label="Off which invoice", coerce=int, choices=())
    amount = amount_field("Amount", "Empty: all that stands there.")
    why = forms.CharField(label="Why", max_length=300)

    def prepare(self) -> None:
        numbers = {one.invoice_id: one.amount for one in standing_of(self.row.pk)}
        found = Invoice.objects.in_bulk(list(numbers))
        self.choose("invoice", [
            (pk, f"{found[pk]}, {format_money(amount, self.row.currency)} of this payment")
            for pk, amount in numbers.items()
        ])  # fmt: skip


def _take_back(asked: Asked) -> str:
    invoice = Invoice.objects.get(pk=asked.values["invoice"])
    taken = take_back(
        asked.row, invoice, asked.values["amount"], actor=asked.actor, now=asked.now, why=asked.values["why"]
    )
    return (
        f"{format_money(taken, asked.row.currency)} is off invoice {invoice.number}, and the customer's credit again."
    )


def _look(asked: Asked) -> str:
    payment = look_now(asked.row, actor=asked.actor, now=asked.now)
    return f"The gateway was asked: payment {payment.pk} is {payment.get_state_display().lower()}."


class GiveUpForm(WhyForm):
    why = forms.CharField(
        label="How you know that nothing was taken", max_length=300, help_text="It stands in the audit trail."
    )


def _give_up(asked: Asked) -> str:
    payment = give_up(asked.row, actor=asked.actor, now=asked.now, why=asked.values["why"])
    return f"Payment {payment.pk} is {payment.get_state_display().lower()}, and its invoices may be charged again."


PAYMENT_ACTS = (
    Act(
        "refund", "Refund…", "invoicing.refund_payment", _refund, REFUSALS,
        "The money goes back to the method it came from. What stands on no invoice goes first, then the latest "
        "invoice that it paid, which is open again.",
        RefundForm, "Refund", danger=True, preview=_preview_refund,
        offered=lambda payment: payment.state == Payment.State.SUCCEEDED and refundable(payment).amount > ZERO,
    ),
    Act(
        "allocate", "Allocate…", "invoicing.allocate_payment", _allocate, REFUSALS,
        "What of this payment is on no invoice pays open ones.", AllocateForm, "Allocate",
        offered=lambda payment: unallocated(payment.pk) > ZERO,
    ),
    Act(
        "take-back", "Take back from an invoice…", "invoicing.allocate_payment", _take_back, REFUSALS,
        "The invoice is open again by so much; the money becomes the customer's credit.", TakeBackForm, "Take back",
        danger=True, offered=lambda payment: bool(standing_of(payment.pk)),
    ),
    Act(
        "look", "Ask the gateway now…", "invoicing.take_payment", _look, REFUSALS,
        "The gateway is asked what became of it. Nothing is charged under another key.", button="Ask the gateway",
        offered=lambda payment: payment.gateway != MANUAL,
    ),
    Act(
        "give-up", "Nothing was taken…", "invoicing.resolve_event", _give_up, REFUSALS,
        "You have seen at the gateway that it took nothing. Should it have taken the money after all, that is recorded "
        "when it says so.", GiveUpForm, "Nothing was taken", danger=True,
        offered=lambda payment: payment.state in (Payment.State.CREATED, Payment.State.UNKNOWN),
    ),
)  # fmt: skip
