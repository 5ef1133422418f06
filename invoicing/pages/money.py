"""Amounts as the pages show them."""

from collections.abc import Mapping
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from invoicing.money import format_money


def totals_in_words(totals: Mapping[str, Decimal]) -> SafeString | str:
    """`USD 1,234.50 · EUR 9.00`; a dash where there is nothing."""
    shown = ((format_money(amount, currency),) for currency, amount in sorted(totals.items()))
    return format_html_join(" · ", '<span class="bk-number">{}</span>', shown) or "–"


def amount_cell(amount: Decimal, currency: str) -> SafeString:
    """An amount that does not break, its digits aligned with those below it."""
    return format_html('<span class="bk-number">{}</span>', format_money(amount, currency))
