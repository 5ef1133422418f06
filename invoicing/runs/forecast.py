"""What prepaid accounts will be charged on a coming billing date, priced as the run will price it."""

from collections.abc import Collection
from datetime import date

from django.db import transaction

from invoicing.bulk import keep_to_indexes
from invoicing.invoices.charges import USAGE
from invoicing.money import ZERO
from invoicing.prepaid.forecast import Coming, Part
from invoicing.runs.catalogs import Catalog
from invoicing.runs.due import lock_accounts
from invoicing.runs.proposals import proposals


def coming_charges(account_ids: Collection[int], on: date) -> dict[int, Coming]:
    """
    By account, what will leave its balance on that day, taxes included, and its parts.

    What was used left the balance before and is no part of it; its tax is. Accounts with nothing due are left out.
    """
    coming = {}
    with transaction.atomic():
        keep_to_indexes()
        for proposal in proposals(lock_accounts(list(account_ids)), Catalog(on=on), drafts_count=False):
            if proposal.draft is None:
                continue
            parts = [
                Part(line.charge.description, line.charge.amount + line.tax_amount)
                if line.charge.kind != USAGE
                else Part(f"Tax on {line.charge.description}", line.tax_amount)
                for line in proposal.draft.lines
            ]
            if proposal.deducted > ZERO:
                coming[proposal.account.account_id] = Coming(
                    proposal.deducted, tuple(part for part in parts if part.amount)
                )
    return coming
