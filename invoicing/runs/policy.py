"""When a run waits for a person: safety bounds, and terms that ask for a review. Pure."""

from decimal import Decimal
from typing import NamedTuple

from invoicing.money import format_money


class Bounds(NamedTuple):
    """The settings of the billing terms that hold a run; a share is a percentage, zero times or amount means never."""

    code: str
    waits_for_review: bool
    total_share: Decimal
    count_share: Decimal
    account_factor: Decimal
    amount: Decimal


class Compared(NamedTuple):
    """What a run proposes under one set of terms in one currency, beside the same accounts' last period."""

    currency: str
    accounts: int
    invoices: int
    total: Decimal
    last_invoices: int
    last_total: Decimal


class Outlier(NamedTuple):
    """One account's proposal beside its last period."""

    account_number: str
    currency: str
    total: Decimal
    last_total: Decimal


def hold_reasons(bounds: Bounds, compared: Compared, outliers: list[Outlier]) -> list[str]:
    """Every reason for which these proposals wait for a billing manager."""
    reasons = []
    if bounds.waits_for_review:
        reasons.append(f"The terms “{bounds.code}” ask for a review of each run; {compared.invoices} invoices wait.")
    if compared.last_total > 0 and _beyond(compared.total, compared.last_total, bounds.total_share):
        reasons.append(
            f"{bounds.code}: the total is {format_money(compared.total, compared.currency)}, and was "
            f"{format_money(compared.last_total, compared.currency)} in the last period: a change of more "
            f"than {bounds.total_share.normalize():f} %."
        )
    if compared.last_invoices and _beyond(
        Decimal(compared.invoices), Decimal(compared.last_invoices), bounds.count_share
    ):
        reasons.append(
            f"{bounds.code}: {compared.invoices} invoices, and {compared.last_invoices} in the last period: "
            f"a change of more than {bounds.count_share.normalize():f} %."
        )
    if outliers:
        shown = ", ".join(
            f"{one.account_number} ({format_money(one.total, one.currency)} "
            f"after {format_money(one.last_total, one.currency)})"
            for one in outliers[:5]
        )
        more = f" and {len(outliers) - 5} more" if len(outliers) > 5 else ""
        reasons.append(f"{bounds.code}: out of the range of its account: {shown}{more}.")
    return reasons


def _beyond(value: Decimal, last: Decimal, share: Decimal) -> bool:
    return abs(value - last) * 100 > share * last
