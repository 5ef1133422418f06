"""What staff may do about prepaid balances: top up by hand (PRE-2), and credit who is moved to one (MIG-1)."""

from typing import Any

from django import forms

from accounts.decisions import Refused
from invoicing.money import ZERO, format_money
from invoicing.pages.acts import Act, ActForm, Asked, DayInput, Facts
from invoicing.payments.acts import amount_field
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.fees import fee_of_method
from invoicing.payments.gateways.registry import NoSuchGateway
from invoicing.payments.models import PaymentMethod
from invoicing.payments.queries import methods_of
from invoicing.prepaid.migration import MigrationRefused, grant_migration_credit, preview_migration_credit
from invoicing.prepaid.models import PrepaidBalance, TopUp
from invoicing.prepaid.queries import is_prepaid
from invoicing.prepaid.refunding import refund_top_up
from invoicing.prepaid.topping_up import top_up
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

REFUSALS = (MoneyRefused, NoSuchGateway, Refused, MigrationRefused)


class TopUpForm(ActForm):
    method = forms.ModelChoiceField(PaymentMethod.objects.none(), label="By which method", empty_label=None)
    amount = amount_field("Amount to be credited", "The card fee, where there is one, comes on top.", required=True)

    def prepare(self) -> None:
        usable = methods_of(self.row.pk).filter(state=PaymentMethod.State.ACTIVE)
        self.fields["method"].queryset = usable  # type: ignore[attr-defined]


def preview_top_up(asked: Asked) -> Facts:
    """FEE-3: looking charges nothing."""
    profile = BillingProfile.objects.select_related("seller", "terms", "account").get(account=asked.row)
    amount, method = asked.values["amount"], asked.values["method"]
    today = today_of(profile.seller, now=asked.now)
    fee = fee_of_method(profile, method, amount, currency=profile.currency, on=today)
    balance = PrepaidBalance.objects.filter(account=asked.row).first()
    now = balance.balance if balance else ZERO
    return [
        ("Charged together", format_money(amount + fee.amount, profile.currency)),
        (f"Of it, card service fee ({fee.clause})", format_money(fee.amount, profile.currency)),
        ("By", str(method)),
        ("Balance now", format_money(now, profile.currency)),
        ("Balance then", format_money(now + amount, profile.currency)),
    ]


def _top_up(asked: Asked) -> str:
    made = top_up(asked.row, asked.values["amount"], actor=asked.actor, now=asked.now, method=asked.values["method"])
    made.refresh_from_db()
    words = format_money(made.amount, made.currency)
    return f"Top-up {made.pk} of {words}: {made.get_state_display().lower()}. {made.why}".strip()


class CutOverForm(ActForm):
    cut_over_on = forms.DateField(
        label="Cut-over", widget=DayInput(), help_text="The first day that the prepaid balance pays for."
    )
    why = forms.CharField(label="Why", max_length=300, required=False)


def _preview_migration(asked: Asked) -> Facts:
    """MIG-1: the parts as they are, and their sum, rounded once."""
    credit = preview_migration_credit(asked.row, asked.values["cut_over_on"])
    facts: list[tuple[str, Any]] = [("Credited", format_money(credit.amount, credit.currency))]
    facts += [
        (
            f"{part.invoice}, {part.description}",
            f"{part.share:,.6f} of {format_money(part.amount, credit.currency)}, "
            f"{part.start:%-d %b} to {part.end:%-d %b %Y}",
        )
        for part in credit.parts[:PARTS_SHOWN]
    ]
    return facts


def _migrate(asked: Asked) -> str:
    cut_over_on, why = asked.values["cut_over_on"], asked.values["why"]
    grant_migration_credit(asked.row, cut_over_on, actor=asked.actor, now=asked.now, why=why)
    return "The migration credit is on the balance (MIG-1)."


PARTS_SHOWN = 50
BALANCE_ACCOUNT_ACTS = (
    Act(
        "top-up", "Top up the balance…", "invoicing.top_up", _top_up, REFUSALS,
        "PRE-2: charged at once, and credited when the payment has come.", TopUpForm, "Top up",
        offered=lambda account: is_prepaid(account.pk), preview=preview_top_up,
    ),
    Act(
        "migrate", "Grant a migration credit…", "invoicing.migrate_credit", _migrate, REFUSALS,
        "MIG-1: what was billed for days beyond the cut-over, in proportion to the days.", CutOverForm,
        "Grant the credit", offered=lambda account: is_prepaid(account.pk), preview=_preview_migration,
    ),
)  # fmt: skip


class RefundForm(ActForm):
    amount = amount_field("Amount", "Empty: all of it. What is used up is not given back.")
    reason = forms.CharField(label="Reason", max_length=300, help_text="It stands on the receipt.")


def _refund(asked: Asked) -> str:
    values = asked.values
    made = refund_top_up(asked.row, actor=asked.actor, now=asked.now, reason=values["reason"], amount=values["amount"])
    words = format_money(made.amount + made.fee, made.currency)
    return f"Refund {made.pk} of {words}: {made.get_state_display().lower()}. {made.failure}".strip()


TOP_UP_ACTS = (
    Act(
        "refund", "Refund…", "invoicing.refund_payment", _refund, REFUSALS,
        "What is still on the balance goes back to the method that it came from, with its part of the fee (FEE-3).",
        RefundForm, "Refund", danger=True, offered=lambda made: made.state == TopUp.State.CREDITED,
    ),
)  # fmt: skip
