"""The catalog as pricing takes it: plans with their prices, terms and tax rates, read once a run."""

from collections import defaultdict
from datetime import date

from invoicing.catalog.models import BillingTerms, Plan, Price
from invoicing.invoices.holdings import PlanSold, PriceVersion, Terms
from invoicing.tax.models import TaxRate
from invoicing.tax.policy import Address, Exempt, Rate, rates_at, without_exempt


class Catalog:
    """Plans, terms and tax rates, read once a run; they are few beside the accounts."""

    def __init__(self, *, on: date) -> None:
        self.on = on
        self.terms = {terms.pk: _terms(terms) for terms in BillingTerms.objects.all()}
        self.plans = _plans()
        self.rates = tuple(
            Rate(
                rate.pk,
                Address(rate.country, rate.state, rate.county, rate.city, rate.postal_code),
                rate.tax_category,
                rate.name,
                rate.rate_percent,
                rate.valid_from_on,
                rate.valid_to_on,
            )
            for rate in TaxRate.objects.all()
        )
        self._rates_at: dict[Address, tuple[Rate, ...]] = {}

    def rates_for(self, address: Address, exemptions: tuple[Exempt, ...]) -> tuple[Rate, ...]:
        """TAX-1: the rates at an address on the run's day, without those that a certificate lifts."""
        found = self._rates_at.get(address)
        if found is None:
            found = self._rates_at[address] = rates_at(address, self.rates, on=self.on)
        return without_exempt(found, exemptions, on=self.on) if exemptions and found else found


def _terms(terms: BillingTerms) -> Terms:
    return Terms(
        terms.pk,
        terms.code,
        terms.clause,
        terms.timing == BillingTerms.Timing.ARREARS,
        terms.anchor == BillingTerms.Anchor.ANNIVERSARY,
        terms.settlement == BillingTerms.Settlement.BALANCE,
        terms.late_start,
        terms.bridge,
        terms.payment_due_days,
    )


def _plans() -> dict[int, PlanSold]:
    versions: dict[int, dict[str, list[PriceVersion]]] = defaultdict(lambda: defaultdict(list))
    for price in Price.objects.order_by("plan_id", "currency", "valid_from_on"):
        versions[price.plan_id][price.currency].append(
            PriceVersion(
                price.pk,
                price.valid_from_on,
                price.unit_price,
                price.inactive_price,
                price.setup_fee,
                price.change_fee,
                price.deposit,
            )
        )
    return {
        plan.pk: PlanSold(
            plan.pk,
            plan.code,
            plan.name,
            plan.product.code,
            plan.product.tax_category,
            plan.product.licensed,
            {currency: tuple(of_currency) for currency, of_currency in versions[plan.pk].items()},
        )
        for plan in Plan.objects.select_related("product")
    }
