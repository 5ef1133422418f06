"""The tab of an account's page on money: what is owed and held, what was paid and how, holds, suspensions, letters."""

from datetime import date
from typing import Any

from accounts.models import Account
from billingsite.console.account_facts import shown_balances
from invoicing.collections.models import Hold, Suspension
from invoicing.collections.standing import standing_of
from invoicing.documents.models import Letter
from invoicing.money import format_money
from invoicing.pages.cells import NOTHING, Table, date_words, day, row_link
from invoicing.payments.queries import methods_of, payments_of
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement

SHOWN = 20


def money(account: Account, today: date) -> dict[str, Any]:
    """A set number of queries, each bounded."""
    tables = [
        _methods(account), _payments(account), _top_ups(account), _holds(account), _suspensions(account),
        _letters(account),
    ]  # fmt: skip
    return {
        "standing": standing_of(account.pk, on=today),
        "balances": shown_balances(account),
        "prepaid": _prepaid(account),
        "tables": [(f"money-{number}", table) for number, table in enumerate(tables) if table],
    }


def _prepaid(account: Account) -> list[tuple[str, str]]:
    """PRE-1, PRE-2, PRE-4: only of an account that has a balance."""
    balance = PrepaidBalance.objects.filter(account=account).first()
    if balance is None:
        return []
    agreement = TopUpAgreement.objects.filter(account=account, is_on=True).first()
    automatic = "off"
    if agreement:
        amount, below = (format_money(one, balance.currency) for one in (agreement.amount, agreement.threshold))
        automatic = f"{amount} when the balance is below {below}"
    return [
        # What is not zero stands among the balances above.
        *([] if balance.balance else [("Prepaid balance", format_money(balance.balance, balance.currency))]),
        ("It may fall to", format_money(balance.floor, balance.currency)),
        ("Waits for credit", format_money(balance.awaiting, balance.currency)),
        ("Automatic top-up", automatic),
    ]


def _methods(account: Account) -> Table:
    rows = [
        (
            row_link("paymentmethod", one.pk, one), one.get_kind_display(), one.get_funding_display(),
            date_words(one.expires_on), "default" if one.is_default else one.get_state_display().lower(),
        )
        for one in methods_of(account.pk)[:SHOWN]
    ]  # fmt: skip
    empty = "None on file. The customer adds one in the portal, on the gateway's own page (AUTH-5)."
    return Table("Payment methods", ("Method", "Kind", "Funding", "Expires", "State"), rows, empty)


def _payments(account: Account) -> Table:
    rows = [
        (
            row_link("payment", one.pk, one.pk), day(one.on), str(one.method or one.get_kind_display()),
            one.get_state_display(), one.failure or NOTHING, format_money(one.amount, one.currency),
            format_money(one.fee, one.currency) if one.fee else NOTHING,
        )
        for one in payments_of(account.pk)[:SHOWN]
    ]  # fmt: skip
    heads = ("Payment", "Day", "By", "State", "What went wrong", "Amount", "Card fee")
    return Table("Payments", heads, rows, "None yet.", right=("Amount", "Card fee"))


def _top_ups(account: Account) -> Table | None:
    rows = [
        (
            row_link("topup", one.pk, one.pk), day(one.on), "automatic" if one.automatic else "by hand",
            one.get_state_display(), one.why or NOTHING, format_money(one.amount, one.currency),
        )
        for one in TopUp.objects.filter(account=account).order_by("-on", "-pk")[:SHOWN]
    ]  # fmt: skip
    heads = ("Top-up", "Day", "How", "State", "Why", "Amount")
    return Table("Top-ups", heads, rows, "None yet.", right=("Amount",)) if rows else None


def _holds(account: Account) -> Table | None:
    found = Hold.objects.filter(account=account, lifted_at=None).select_related("invoice").order_by("-pk")[:SHOWN]
    rows = [
        (
            row_link("hold", one.pk, one.get_kind_display()), str(one.invoice or "the whole account"),
            day(one.until_on) if one.until_on else "it is lifted", one.why, one.placed_by,
        )
        for one in found
    ]  # fmt: skip
    return Table("Holds and promises", ("Hold", "Of", "Until", "Why", "By"), rows, "None.") if rows else None


def _suspensions(account: Account) -> Table | None:
    found = Suspension.objects.filter(account=account).order_by("-pk")[:SHOWN]
    rows = [
        (
            row_link("suspension", one.pk, one.get_reason_display()), one.get_state_display(), day(one.effective_on),
            one.why, one.lifted_because or NOTHING,
        )
        for one in found
    ]  # fmt: skip
    heads = ("Suspension", "State", "Takes effect", "Why", "Lifted because")
    return Table("Suspensions", heads, rows, "None.") if rows else None


def _letters(account: Account) -> Table:
    found = Letter.objects.filter(account=account).order_by("-on", "-pk")[:SHOWN]
    rows = [
        (row_link("letter", one.pk, one.details.get("subject", one.key)), one.get_kind_display(), day(one.on))
        for one in found
    ]
    return Table("Letters", ("Letter", "Kind", "Day"), rows, "None yet.")
