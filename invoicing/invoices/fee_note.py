"""What paying an invoice by card would add, in a sentence: from the rate that was kept with the invoice. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from invoicing.money import ZERO, format_money, format_quantity, round_money

# Where drafting keeps the rate: in the invoice's `buyer`.
KEY = "card_fee"


def fee_note(kept: Mapping[str, str] | None, amount_due: Decimal, currency: str) -> str:
    """
    FEE-1, FEE-2: the note on an invoice of which `amount_due` is to be paid; none where nothing is or was kept.

    `kept` holds `rate_percent`, `cap` (or nothing), `clause` and `state` as they were on the invoice's date, and under
    `debit` whether debit cards carry it (FEE-4). It is a quote: only a payment by card is charged a fee (FEE-3).
    """
    if not kept or amount_due <= 0:
        return ""
    rate, clause = Decimal(kept["rate_percent"]), kept["clause"]
    if rate == ZERO:
        where = f" in {kept['state']}" if clause == "FEE-2" and kept.get("state") else ""
        return f"Paying by card adds no service fee{where} ({clause}). ACH and checks carry none either."
    fee = round_money(amount_due * rate / 100, currency)
    if kept.get("cap"):
        fee = min(fee, Decimal(kept["cap"]))
    cards, free = (
        ("card", "ACH and checks") if kept.get("debit") != "no" else ("credit card", "Debit cards, ACH and checks")
    )
    return (
        f"Paying by {cards} adds a service fee of {format_quantity(rate)} %: {format_money(fee, currency)} ({clause}). "
        f"{free} carry none."
    )
