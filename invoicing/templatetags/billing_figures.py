"""Amounts, quantities and whole numbers in templates."""

from decimal import Decimal

from django import template

from invoicing.money import format_money, format_quantity, format_rate

register = template.Library()


@register.filter
def money(amount: Decimal, currency: str) -> str:
    """`{{ invoice.total|money:invoice.currency }}`: USD 1,234.50."""
    return format_money(amount, currency)


@register.filter
def change(amount: Decimal, currency: str) -> str:
    """An amount with its sign, also where it grew."""
    return ("+" if amount > 0 else "") + format_money(amount, currency).replace(f"{currency} -", f"−{currency} ")


@register.filter
def rate(unit_price: Decimal, currency: str) -> str:
    """A unit price with as many places as it needs."""
    return format_rate(unit_price, currency)


@register.filter
def quantity(value: Decimal) -> str:
    """A quantity without trailing zeros."""
    return format_quantity(value)


@register.filter
def percent(value: Decimal) -> str:
    """`8.875 %`."""
    return f"{value.normalize():f} %"


@register.filter
def negated(amount: Decimal) -> Decimal:
    """A credit, which is stored negative, as the positive figure of its column."""
    return -amount


@register.filter
def plain(amount: Decimal) -> str:
    """An amount as a form takes it."""
    return f"{amount:f}"
