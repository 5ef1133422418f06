"""What staff may do about payments: the pages that ask for it, and the operations behind them."""

from typing import Any

from django import forms

from accounts.decisions import Refused
from invoicing.invoices.deposits import DepositRefused, deposit_held, release_deposit
from invoicing.invoices.models import Invoice
from invoicing.money import ZERO, format_money
from invoicing.pages.acts import Act, ActForm, Asked, DayInput, Facts, WhyForm
from invoicing.payments.booking import BY_HAND
from invoicing.payments.fees import fee_of_method
from invoicing.payments.gateways.registry import NoSuchGateway
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.operations import (
    MoneyRefused,
    allocate,
    book_payment,
    charge,
    give_up,
    look_now,
    refund,
    refundable,
    take_back,
)
from invoicing.payments.policy import fee_part
from invoicing.payments.postings import MANUAL
from invoicing.payments.queries import methods_of, owing_of, standing_of, unallocated
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

REFUSALS = (MoneyRefused, NoSuchGateway, Refused)


def amount_field(label: str, help_text: str = "", *, required: bool = False) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, max_digits=18, decimal_places=6, required=required, help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip


def _owing_choices(account_id: int, currency: str = "") -> list[tuple[str, str]]:
    owing = owing_of(account_id, currency=currency)
    return [
        (str(one.invoice_id), f"{one.number}, {format_money(one.open, one.currency)} open, due {one.due_on:%-d %b %Y}")
        for one in owing
    ]


def _chosen(values: list[str]) -> list[int] | None:
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
    reference = forms.CharField(
        label="Reference of the check or wire that gives it back", max_length=80, required=False
    )

    def prepare(self) -> None:
        if self.row.gateway != MANUAL:
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
        ("To", str(payment.method) if payment.method else "by hand"),
    ]


def _refund(asked: Asked) -> str:
    made = refund(
        asked.row, actor=asked.actor, now=asked.now, reason=asked.values["reason"], amount=asked.values["amount"],
        reference=asked.values.get("reference", ""),
    )  # fmt: skip
    words = format_money(made.amount + made.fee, made.currency)
    return f"Refund {made.pk} of {words}: {made.get_state_display().lower()}. {made.failure}".strip()


class AllocateForm(ActForm):
    invoices = InvoicesField()
    why = forms.CharField(label="Why", max_length=300, required=False)

    def prepare(self) -> None:
        self.choose("invoices", _owing_choices(self.row.account_id, self.row.currency))


def _allocate(asked: Asked) -> str:
    invoices = _chosen(asked.values["invoices"])
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


class BookForm(ActForm):
    kind = forms.ChoiceField(label="What came", choices=[(one.value, one.label) for one in BY_HAND])
    amount = amount_field("Amount", required=True)
    currency = forms.CharField(max_length=3, min_length=3)
    reference = forms.CharField(
        label="Check number or wire reference", max_length=80, help_text="The same money is not booked twice by it."
    )
    received_on = forms.DateField(label="Day on which it came", widget=DayInput())
    invoices = InvoicesField()
    despite_open = forms.BooleanField(
        label="Book it although a payment for the same invoices is under way", required=False,
        help_text="What then comes twice is the customer's credit.",
    )  # fmt: skip

    def prepare(self) -> None:
        profile = BillingProfile.objects.select_related("seller").filter(account=self.row).first()
        self.choose("invoices", _owing_choices(self.row.pk))
        if profile:
            self.initial.update({"currency": profile.currency, "received_on": today_of(profile.seller, now=self.now)})


def _book(asked: Asked) -> str:
    values = dict(asked.values)
    invoices = _chosen(values.pop("invoices"))
    values["currency"] = values["currency"].upper()
    payment = book_payment(asked.row, actor=asked.actor, now=asked.now, invoices=invoices, **values)
    rest = unallocated(payment.pk)
    over = f" {format_money(rest, payment.currency)} of it is over, and is the customer's credit." if rest else ""
    return f"Payment {payment.pk} of {format_money(payment.amount, payment.currency)} is booked.{over}"


class ChargeForm(ActForm):
    method = forms.ModelChoiceField(PaymentMethod.objects.none(), label="By which method", empty_label=None)
    invoices = InvoicesField()
    amount = amount_field("Amount", "Empty: all that is open. Never more than that is taken.")

    def prepare(self) -> None:
        usable = methods_of(self.row.pk).filter(state=PaymentMethod.State.ACTIVE)
        self.fields["method"].queryset = usable  # type: ignore[attr-defined]
        self.choose("invoices", _owing_choices(self.row.pk))


def _preview_charge(asked: Asked) -> Facts:
    """FEE-3: looking charges nothing; what it would come to is shown before."""
    account, values = asked.row, asked.values
    profile = BillingProfile.objects.select_related("seller", "terms", "account").get(account=account)
    owing = owing_of(account.pk, invoice_ids=_chosen(values["invoices"]))
    whole = sum((one.open for one in owing if one.currency == profile.currency), ZERO)
    amount = min(values["amount"] or whole, whole)
    today = today_of(profile.seller, now=asked.now)
    fee = fee_of_method(profile, values["method"], amount, currency=profile.currency, on=today)
    return [
        ("For invoices", format_money(amount, profile.currency)),
        (f"Card service fee ({fee.clause})", format_money(fee.amount, profile.currency)),
        ("Charged together", format_money(amount + fee.amount, profile.currency)),
        ("By", str(values["method"])),
        ("Invoices", ", ".join(one.number for one in owing) or "none is open"),
    ]


def _charge(asked: Asked) -> str:
    values = asked.values
    payment = charge(
        asked.row.pk, values["method"], actor=asked.actor, now=asked.now, invoices=_chosen(values["invoices"]),
        amount=values["amount"],
    )  # fmt: skip
    words = format_money(payment.amount + payment.fee, payment.currency)
    return f"Payment {payment.pk} of {words}: {payment.get_state_display().lower()}. {payment.failure}".strip()


def _preview_deposit(asked: Asked) -> Facts:
    held = deposit_held(asked.row.pk)
    return [("Becomes the customer's credit", format_money(amount, currency)) for currency, amount in held.items()]


def _release_deposit(asked: Asked) -> str:
    release_deposit(account=asked.row, actor=asked.actor, now=asked.now, reason=asked.values["why"])
    return "What was left of the deposit is the customer's credit, and may be refunded from its payment (SEAT-1)."


def _is_billed(account: Any) -> bool:
    return account.parent_id is None


ACCOUNT_ACTS = (
    Act(
        "book", "Book a payment…", "invoicing.book_payment", _book, REFUSALS,
        "A check, wire or cash that came by hand. What is over stays as the customer's credit.", BookForm,
        "Book the payment", offered=_is_billed,
    ),
    Act(
        "charge", "Charge now…", "invoicing.take_payment", _charge, REFUSALS,
        "What is open is charged to a stored method, with its card fee (FEE-1).", ChargeForm, "Charge now",
        offered=lambda account: _is_billed(account) and default_is_there(account), preview=_preview_charge,
    ),
    Act(
        "deposit", "Give the deposit back…", "invoicing.refund_payment", _release_deposit, (DepositRefused,),
        "SEAT-1: the rest of a paid deposit is refundable. It becomes credit of the payment that brought it; refund it "
        "there.", WhyForm, "Give back", danger=True, offered=lambda account: bool(deposit_held(account.pk)),
        preview=_preview_deposit,
    ),
)  # fmt: skip


def default_is_there(account: Any) -> bool:
    return methods_of(account.pk).filter(state=PaymentMethod.State.ACTIVE).exists()
