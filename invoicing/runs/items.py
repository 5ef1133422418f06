"""A run's accounts as a sheet."""

from collections.abc import Iterator
from typing import Any

from invoicing.money import minor_unit
from invoicing.runs.models import Run, RunItem

ITEM_HEADER = (
    "account", "name", "terms", "outcome", "reason", "invoice", "currency", "total", "next billing date",
    "taken over by run of",
)  # fmt: skip
_COLUMNS = (
    "account__number", "account__name", "account__billing_profile__terms__code", "outcome", "reason", "invoice__number",
    "currency", "total", "next_billing_on", "superseded_by__on",
)  # fmt: skip


def item_rows(run: Run) -> Iterator[tuple[Any, ...]]:
    """One row an account, read while it is sent; amounts at their currency's places."""
    items = RunItem.objects.filter(run=run).order_by("account__number", "sequence").values_list(*_COLUMNS)
    for *who, currency, total, next_on, taken_over_on in items.iterator(chunk_size=2_000):
        yield *who, currency, total.quantize(minor_unit(currency)), next_on, taken_over_on
