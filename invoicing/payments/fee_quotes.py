"""What an invoice keeps of the card fee as of its date, for many accounts at once (FEE-1, FEE-2)."""

from datetime import date

from invoicing.catalog.models import BillingTerms
from invoicing.money import ZERO
from invoicing.payments.fees import fee_rates
from invoicing.payments.policy import CREDIT, card_fee


class FeeQuotes:
    """
    The quotes of one day: two queries when made, none for an account.

    What is kept is the rate of a credit card, from which the page is drawn for ever; `invoices.fee_note` words it.
    """

    def __init__(self, *, on: date) -> None:
        self._on, self._rates = on, fee_rates(on)
        self._on_debit = dict(BillingTerms.objects.values_list("pk", "fee_on_debit"))
        self._known: dict[tuple[str, int], dict[str, str]] = {}

    def kept_for(self, *, country: str, state: str, terms_id: int) -> dict[str, str]:
        """FEE-4: `rate_percent`, `cap`, `clause`, `state` and whether debit cards carry it too."""
        billed_in = state.strip().upper() if country == "US" else ""
        key = (billed_in, terms_id)
        if key not in self._known:
            fee = card_fee(
                ZERO, "USD", state=billed_in, funding=CREDIT, rates=self._rates, on=self._on, fee_on_debit=True
            )
            why = fee.why()
            self._known[key] = {
                **{name: why[name] for name in ("rate_percent", "cap", "clause")},
                "state": billed_in,
                "debit": "yes" if self._on_debit.get(terms_id, True) else "no",
            }
        return self._known[key]
