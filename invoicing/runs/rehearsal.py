"""The dry run: the same reading and pricing, and nothing written."""

from collections.abc import Sequence
from datetime import date

from accounts.models import Account
from invoicing.runs.billables import DueAccount
from invoicing.runs.catalogs import Catalog
from invoicing.runs.due import PAGE_SIZE, START, due_accounts
from invoicing.runs.lifecycle import Outcome
from invoicing.runs.models import RunItem
from invoicing.runs.proposals import proposals
from invoicing.runs.queries import Figures
from invoicing.sellers.models import NumberSeries, Seller


def dry_run(*, seller: Seller, on: date, account: Account | None = None) -> Figures:
    """
    What `run_billing` would come to, priced by the same code; nothing is written, and no number is taken.

    What waits in the day's own run counts as it was proposed; what waits in another day's run is not this one's.
    """
    found = Figures(on, "DRY_RUN")
    catalog = Catalog(on=on)
    after, invoices = START, 0
    while accounts := due_accounts(
        seller.pk, on, after=after, limit=PAGE_SIZE, account_id=account.pk if account else None, lock=""
    ):
        after = accounts[-1].place
        waiting = _waiting_of(accounts)
        for item in waiting.values():
            if item.run.on == on:
                found.count(item.outcome, 1, item.total, item.currency)
                invoices += item.total > 0
        fresh = [one for one in accounts if one.account_id not in waiting]
        for proposal in proposals(fresh, catalog, drafts_count=False):
            found.count(proposal.outcome, 1, proposal.total, proposal.account.currency)
            if proposal.outcome == Outcome.PROPOSED and proposal.draft and proposal.draft.kind == "INVOICE":
                invoices += 1
    if invoices:
        series = NumberSeries.objects.get(seller=seller, kind=NumberSeries.Kind.INVOICE)
        found.first_number = series.number(series.next_number)
        found.last_number = series.number(series.next_number + invoices - 1)
    return found


def _waiting_of(accounts: Sequence[DueAccount]) -> dict[int, RunItem]:
    """The proposals that wait for these accounts, by account."""
    items = RunItem.objects.filter(
        account_id__in=[one.account_id for one in accounts], outcome=Outcome.PROPOSED, superseded_by=None
    )
    return {item.account_id: item for item in items.select_related("run")}
