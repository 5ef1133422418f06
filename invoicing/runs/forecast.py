"""What prepaid accounts will be charged on a coming billing date, priced as the run will price it."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal

from django.db import transaction

from invoicing.bulk import keep_to_indexes
from invoicing.invoices.pricing import USAGE
from invoicing.money import ZERO
from invoicing.runs.billables import Catalog
from invoicing.runs.due import lock_accounts
from invoicing.runs.proposals import proposals


def coming_charges(account_ids: Collection[int], on: date) -> dict[int, tuple[Decimal, list[tuple[str, Decimal]]]]:
    """
    By account, what will leave its balance on that day, taxes included, and its parts in words with their amounts.

    What was used left the balance before and is no part of it; its tax is. Accounts with nothing due are left out.
    """
    coming: dict[int, tuple[Decimal, list[tuple[str, Decimal]]]] = {}
    with transaction.atomic():
        keep_to_indexes()
        for proposal in proposals(lock_accounts(list(account_ids)), Catalog(on=on), drafts_count=False):
            if proposal.draft is None:
                continue
            parts = [
                (line.charge.description, line.charge.amount + line.tax_amount)
                if line.charge.kind != USAGE
                else (f"Tax on {line.charge.description}", line.tax_amount)
                for line in proposal.draft.lines
            ]
            parts = [(words, amount) for words, amount in parts if amount]
            if total := sum((amount for _, amount in parts), ZERO):
                coming[proposal.account.account_id] = total, parts
    return coming
