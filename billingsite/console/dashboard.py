"""The opening page: what needs doing, how the business goes, what comes next."""

import json
import textwrap
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from billingsite.console import figures, work
from invoicing.money import ZERO, format_money
from invoicing.sellers.queries import books_today

# Each keeps 3 to 1 against white and against the dark ground, and differs from its neighbours in lightness too.
COLOURS = ("#2563eb", "#d97706", "#059669", "#a855f7", "#dc2626", "#64748b", "#0891b2", "#ca8a04")
# The ages of a debt run from calm to alarming.
AGE_COLOURS = ("#059669", "#ca8a04", "#d97706", "#ea580c", "#dc2626", "#64748b")
TICKS = {"color": "#6b7280"}


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """What its template shows, as far as this person may see."""
    now = timezone.now()
    today = books_today(now=now)
    context: dict[str, Any] = {"cards": work.cards(request, now), "today": today}
    if request.user.has_perm("invoicing.view_run"):
        context |= {"runs": figures.last_runs(), "coming": figures.coming(today), "sees_runs": True}
    if request.user.has_perm("invoicing.view_invoice"):
        context |= _money(today, request.GET.get("currency", ""))
    return context


def _money(today: date, asked: str) -> dict[str, Any]:
    billed, owed = figures.billed_by_month(today), figures.receivables_by_age(today)
    currencies = sorted({*billed, *owed})
    # Where nothing is chosen, the currency that most was billed in.
    largest = max(
        billed, key=lambda one: abs(sum(billed[one].totals, ZERO)), default=currencies[0] if currencies else ""
    )
    currency = asked if asked in currencies else largest
    return {
        "sees_money": True,
        "currencies": currencies,
        "currency": currency,
        "billed": _billed_part(billed.get(currency), currency),
        "owed": _owed_part(owed.get(currency), currency),
    }


def _billed_part(billed: figures.Billed | None, currency: str) -> dict[str, Any] | None:
    if billed is None:
        return None
    labels = [[f"{month:%b}", f"{month:%Y}"] for month in billed.months]
    datasets = [
        _dataset(terms, amounts, COLOURS[number % len(COLOURS)])
        for number, (terms, amounts) in enumerate(billed.by_terms.items())
    ]
    rows = [
        (" ".join(label), [format_money(amounts[number], currency) for amounts in billed.by_terms.values()], total)
        for number, (label, total) in enumerate(
            zip(labels, (format_money(total, currency) for total in billed.totals), strict=True)
        )
    ]
    return {
        "chart": json.dumps({"labels": labels, "datasets": datasets}),
        "options": _options(stacked=True, legend=True),
        "terms": list(billed.by_terms),
        "rows": rows[::-1],
    }


def _owed_part(ages: list[tuple[str, Decimal, int]] | None, currency: str) -> dict[str, Any] | None:
    if not ages:
        return None
    shown = [age for number, age in enumerate(ages) if number < len(ages) - 1 or age[2]]
    dataset = _dataset("Open", [amount for _, amount, _ in shown], list(AGE_COLOURS[: len(shown)]))
    return {
        "chart": json.dumps(
            {
                "labels": [_lines(label) for label, _, _ in shown],
                "datasets": [dataset],
            }
        ),
        "options": _options(stacked=False, legend=False),
        "rows": [(label, count, format_money(amount, currency)) for label, amount, count in shown],
        "total": format_money(sum((amount for _, amount, _ in shown), ZERO), currency),
    }


def _lines(label: str) -> list[str]:
    """As narrow as its longest word, so that six stand beside each other on a phone."""
    return textwrap.wrap(label, 7, break_long_words=False)


def _dataset(label: str, amounts: list[Decimal], colour: str | list[str]) -> dict[str, Any]:
    """A chart draws, it does not count: the amounts beside it in the table are the exact ones."""
    return {
        "label": label,
        "data": [float(amount) for amount in amounts],
        "backgroundColor": colour,
        "maxBarThickness": 48,
    }


def _options(*, stacked: bool, legend: bool) -> str:
    # Labels stand in lines and upright; where there is no room for all, every second month is left out.
    upright = {**TICKS, "maxRotation": 0, "autoSkip": stacked, "font": {"size": 11}}
    return json.dumps({
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "plugins": {"legend": {"display": legend, "position": "bottom", "labels": {"boxWidth": 12, **TICKS}}},
        "scales": {
            "x": {"stacked": stacked, "grid": {"display": False}, "ticks": upright},
            "y": {"stacked": stacked, "beginAtZero": True, "border": {"display": False}, "grid": {}, "ticks": TICKS},
        },
    })  # fmt: skip
