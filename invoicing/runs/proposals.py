"""
What a run would do with an account, priced and with its reason; nothing is written.

The run, the dry run and a retry share it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from django.db import DatabaseError

from invoicing.invoices.charges import USAGE, Unbillable
from invoicing.invoices.drafts import Draft, draft_of
from invoicing.invoices.holdings import Billable
from invoicing.invoices.looks import look_from, next_look_on
from invoicing.invoices.pricing import charges_due
from invoicing.money import ZERO
from invoicing.periods import BillingCalendar
from invoicing.prepaid.settling import not_covered
from invoicing.runs.billables import DueAccount, Page, read_page
from invoicing.runs.catalogs import Catalog
from invoicing.runs.models import RunItem

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proposal:
    """What a run would do with one account, and why."""

    account: DueAccount
    outcome: str
    next_billing_on: date | None
    billed_until_on: date | None = None
    reason: str = ""
    draft: Draft | None = None
    client_names: dict[int, str] = field(default_factory=dict)
    awaited: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.draft.total if self.draft else ZERO

    @property
    def deducted(self) -> Decimal:
        """What leaves a prepaid balance when it is issued: all but what was used, which left it before."""
        if self.draft is None:
            return ZERO
        return self.total - sum((line.charge.amount for line in self.draft.lines if line.charge.kind == USAGE), ZERO)


def proposals(accounts: Sequence[DueAccount], catalog: Catalog, *, drafts_count: bool = True) -> list[Proposal]:
    """
    Price one page of accounts. The same for the run, the dry run and a retry; nothing is written.

    A run drops the drafts of what it prices anew; where they are left standing, they must not count as billed.
    """
    try:
        page = read_page(accounts, catalog, drafts_count=drafts_count)
    except DatabaseError:
        raise
    except Exception:
        logger.exception(
            "a page of %s accounts could not be read on %s, reading them one by one", len(accounts), catalog.on
        )
        # The catalog was read before the page: what was added to it since is no fault of the account.
        fresh = Catalog(on=catalog.on)
        return [_read_alone(account, fresh, drafts_count) for account in accounts]
    found = [
        _proposal(account, billable, page, catalog) for account, billable in zip(accounts, page.billables, strict=True)
    ]
    return _short_parked(found, catalog)


def _short_parked(found: list[Proposal], catalog: Catalog) -> list[Proposal]:
    """PRE-4: parked, with the reason, where the prepaid balance does not cover it; looked at again at issue."""
    charges = {
        one.account.account_id: one.deducted
        for one in found
        if one.outcome == RunItem.Outcome.PROPOSED and catalog.terms[one.account.terms_id].from_balance
    }
    short = not_covered(charges) if charges else {}
    if not short:
        return found
    return [
        replace(
            one,
            outcome=RunItem.Outcome.PARKED,
            billed_until_on=None,
            reason=short[one.account.account_id].reason,
            awaited=one.deducted,
        )
        if one.account.account_id in short
        else one
        for one in found
    ]


def _read_alone(account: DueAccount, catalog: Catalog, drafts_count: bool) -> Proposal:
    try:
        page = read_page([account], catalog, drafts_count=drafts_count)
    except DatabaseError:
        raise
    except Exception as error:
        logger.exception("account %s could not be read on %s", account.number, catalog.on)
        following = BillingCalendar().period_of(catalog.on).end
        return Proposal(account, RunItem.Outcome.PARKED, following, reason=internal_failure(account, error))
    return _proposal(account, page.billables[0], page, catalog)


def _proposal(account: DueAccount, billable: Billable, page: Page, catalog: Catalog) -> Proposal:
    """
    One account's proposal. Whatever goes wrong parks this account with a sentence and leaves the others alone.
    """
    try:
        return _priced(account, billable, page, catalog)
    except Unbillable as error:
        return _parked(account, billable, catalog.on, str(error))
    except Exception as error:
        logger.exception("account %s could not be priced on %s", account.number, catalog.on)
        return _parked(account, billable, catalog.on, internal_failure(account, error))


def internal_failure(account: DueAccount, error: Exception) -> str:
    return (
        f"Internal failure while billing account {account.number} "
        f"({type(error).__name__}: {str(error).strip()[:300]}). "
        "It is in the log under this account number; retry when it is mended."
    )


def _parked(account: DueAccount, billable: Billable, on: date, reason: str) -> Proposal:
    try:
        following = billable.calendar.period_of(on).end
    except (ValueError, TypeError):
        following = BillingCalendar().period_of(on).end
    return Proposal(account, RunItem.Outcome.PARKED, following, reason=reason)


def _priced(account: DueAccount, billable: Billable, page: Page, catalog: Catalog) -> Proposal:
    on = catalog.on
    charges = charges_due(billable, on=on)
    following = next_look_on(billable, on=on)
    begun = look_from(billable, on=on)
    until: date | None = begun
    draft = None
    if charges:
        rates = catalog.rates_for(account.address, page.exemptions.get(account.account_id, ()))
        draft = draft_of(
            charges, rates=rates, currency=account.currency, on=on, payment_due_days=billable.terms.payment_due_days
        )
    if draft is None or not draft.total:
        if draft is not None and any(line.charge.amount for line in draft.lines):
            # What cancels out is written nowhere, and so stays open to the next look.
            until = None
        still_held = (
            any(held.ended_on is None or held.ended_on > begun for held in billable.holdings) or billable.one_offs
        )
        return Proposal(account, RunItem.Outcome.NOTHING_DUE, following if still_held else None, until)
    return Proposal(account, RunItem.Outcome.PROPOSED, following, until, "", draft, page.client_names)
