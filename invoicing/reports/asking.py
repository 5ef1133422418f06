"""From a page's address to the values of a report's filters."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from dateutil.relativedelta import relativedelta

from invoicing.catalog.models import BillingTerms, Price
from invoicing.reports.report import Asked, Filter, Report
from invoicing.sellers.models import Seller
from invoicing.subscriptions.models import BillingProfile

# No book is older; before it, a month has no months before it to show.
EARLIEST = date(1900, 1, 1)


def asked_of(given: Mapping[str, str], *, today: date) -> Asked:
    """
    What is not given or makes no sense is today, the last twelve months, the default seller's currency, and any.
    A `month` such as 2026-11 is its days.
    """
    on = _day(given.get(Filter.ON, ""), today)
    first = _day(f"{given.get('month', '')}-01", EARLIEST)
    last = first + relativedelta(months=1, days=-1) if first > EARLIEST else today
    to_on = _day(given.get(Filter.TO, ""), last)
    twelve_months = max(to_on, EARLIEST).replace(day=1) - relativedelta(months=11)
    from_on = _day(given.get(Filter.FROM, ""), first if first > EARLIEST else twelve_months)
    known = currencies()
    currency = given.get(Filter.CURRENCY, "")
    seller = given.get(Filter.SELLER, "")
    return Asked(
        on=on,
        from_on=min(from_on, to_on),
        to_on=to_on,
        currency=currency if currency in known else known[0],
        terms=given.get(Filter.TERMS, "").replace("\0", "")[:40],
        seller=int(seller) if seller.isascii() and seller.isdecimal() and len(seller) < 10 else None,
    )


def currencies() -> list[str]:
    """Every currency that something is sold or anybody is billed in, the default seller's first."""
    of_sellers = list(Seller.objects.order_by("-is_default", "pk").values_list("currency", flat=True)) or ["USD"]
    sold_in = Price.objects.order_by("currency").values_list("currency", flat=True).distinct()
    billed_in = BillingProfile.objects.order_by("currency").values_list("currency", flat=True).distinct()
    return list(dict.fromkeys([of_sellers[0], *sorted({*of_sellers, *sold_in, *billed_in})]))


def fields(report: Report, asked: Asked) -> list[dict[str, Any]]:
    """The form above a report: what may be chosen, and what is."""
    made = {
        Filter.ON: lambda: _field(Filter.ON, "As of", "date", asked.on.isoformat()),
        Filter.FROM: lambda: _field(Filter.FROM, "From", "date", asked.from_on.isoformat()),
        Filter.TO: lambda: _field(Filter.TO, "To", "date", asked.to_on.isoformat()),
        Filter.CURRENCY: lambda: _choice(
            Filter.CURRENCY, "Currency", asked.currency, [(one, one) for one in currencies()]
        ),
        Filter.TERMS: lambda: _choice(Filter.TERMS, "Terms", asked.terms, [("", "All terms"), *_terms()]),
        Filter.SELLER: lambda: _choice(Filter.SELLER, "Seller", str(asked.seller or ""), _sellers()),
    }
    shown = [made[one]() for one in report.filters]
    return [one for one in shown if one["type"] != "choice" or len(one["options"]) > 1]


def query_of(report: Report, asked: Asked) -> dict[str, str]:
    """The filters of this report as a page's address holds them."""
    values = {name: "" if value is None else str(value) for name, value in asked.as_json().items()}
    return {one.value: values[one.value] for one in report.filters if values[one.value]}


def _field(name: str, label: str, kind: str, value: str) -> dict[str, Any]:
    return {"name": str(name), "label": label, "type": kind, "value": value}


def _choice(name: str, label: str, value: str, options: list[tuple[str, str]]) -> dict[str, Any]:
    return {**_field(name, label, "choice", value), "options": options}


def _terms() -> list[tuple[str, str]]:
    return list(BillingTerms.objects.order_by("name").values_list("code", "name"))


def _sellers() -> list[tuple[str, str]]:
    known = [(str(pk), name) for pk, name in Seller.objects.order_by("name").values_list("pk", "name")]
    return [("", "All sellers"), *known] if len(known) > 1 else known


def _day(text: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return otherwise
