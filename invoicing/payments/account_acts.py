"""What staff may do about an account's money: book, charge, give a deposit back."""

from typing import Any

from django import forms

from invoicing.invoices.deposits import DepositRefused, deposit_held, release_deposit
from invoicing.money import ZERO, format_money
from invoicing.pages.acts import Act, ActForm, Asked, DayInput, Facts, WhyForm
from invoicing.payments.acts import REFUSALS, InvoicesField, amount_field, chosen_ids, owing_choices
from invoicing.payments.booking import BY_HAND
from invoicing.payments.fees import fee_of_method
from invoicing.payments.models import PaymentMethod
from invoicing.payments.operations import (
    book_payment,
    charge,
)
from invoicing.payments.queries import methods_of, owing_of, unallocated
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile


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
        self.choose("invoices", owing_choices(self.row.pk))
        if profile:
            self.initial.update({"currency": profile.currency, "received_on": today_of(profile.seller, now=self.now)})


def _book(asked: Asked) -> str:
    values = dict(asked.values)
    invoices = chosen_ids(values.pop("invoices"))
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
        self.choose("invoices", owing_choices(self.row.pk))


def _preview_charge(asked: Asked) -> Facts:
    """FEE-3: looking charges nothing; what it would come to is shown before."""
    account, values = asked.row, asked.values
    profile = BillingProfile.objects.select_related("seller", "terms", "account").get(account=account)
    owing = owing_of(account.pk, invoice_ids=chosen_ids(values["invoices"]))
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
        asked.row.pk, values["method"], actor=asked.actor, now=asked.now, invoices=chosen_ids(values["invoices"]),
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
