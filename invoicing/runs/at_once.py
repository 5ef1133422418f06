"""SVC-1: a one-off charge that is invoiced by itself and at once, priced and issued as a run would."""

from datetime import datetime

from django.db import connection, transaction

from invoicing.bulk import array_of, keep_to_indexes
from invoicing.invoices.drafts import draft_of
from invoicing.invoices.models import Invoice, InvoiceLine
from invoicing.invoices.operations import issue_drafts
from invoicing.invoices.pricing import charges_due
from invoicing.money import format_money
from invoicing.prepaid.balances import lock_balance
from invoicing.prepaid.settling import settle_from_balance, short_of_credit
from invoicing.runs.billables import read_page
from invoicing.runs.catalogs import Catalog
from invoicing.runs.drafting import save_drafts
from invoicing.runs.due import lock_accounts
from invoicing.runs.models import Run, RunItem
from invoicing.runs.proposals import Proposal
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.locking import lock_billing
from invoicing.subscriptions.models import OneOffCharge


class NotAtOnce(Exception):
    """Why a charge is not invoiced by itself now, in a sentence."""


@transaction.atomic
def invoice_at_once(charge: OneOffCharge, *, now: datetime) -> Invoice:
    """
    SVC-1: an invoice of this charge alone, dated today in the seller's time zone and due at once.

    The one that carries it already, where there is one.

    :raises NotAtOnce: if it is not authorized (AUTH-6), waits in a run's proposal, or the prepaid balance is short
    :raises invoicing.invoices.charges.Unbillable: if it has no price
    """
    payer_id = charge.account.parent_id or charge.account_id
    profile = lock_billing(payer_id)
    charge = OneOffCharge.objects.select_for_update(no_key=True, of=("self",)).get(pk=charge.pk)
    if standing := InvoiceLine.objects.exclude(kind="CREDIT").filter(one_off=charge).select_related("invoice").first():
        if standing.invoice.status == Invoice.Status.ISSUED:
            return standing.invoice
        raise NotAtOnce("The charge is part of a run that waits for review; it is invoiced with it.")
    if charge.authorized_at is None:
        raise NotAtOnce("The charge waits for an authorization by the Primary or Primary Billing Contact (AUTH-6).")
    run = Run(seller=profile.seller, on=today_of(profile.seller, now=now))
    proposal = _proposal(run, payer_id, charge)
    invoice_id = save_drafts(run, [proposal])[payer_id]
    is_prepaid = profile.terms.settlement == profile.terms.Settlement.BALANCE
    if is_prepaid:
        _check_covered(invoice_id, payer_id, run)
    settled = frozenset([invoice_id] if is_prepaid else [])
    issue_drafts([(invoice_id, payer_id, "INVOICE")], seller=run.seller, now=now, settled_elsewhere=settled)
    if is_prepaid:
        settle_from_balance([invoice_id], now=now)
    # Proposals of a run that waits were priced with the charge; they are priced anew before they are issued.
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE invoicing_billingprofile SET revision = revision + 1 WHERE account_id = ANY(%s::bigint[])",
            [array_of([payer_id])],
        )
    return Invoice.objects.get(pk=invoice_id)


def _check_covered(invoice_id: int, payer_id: int, run: Run) -> None:
    """
    PRE-4: the balance, locked, covers the invoice, and no monthly charges wait: those were first.

    :raises NotAtOnce: if it does not; nothing is kept as awaited, since all of it is undone
    """
    balance = lock_balance(payer_id)
    if balance.awaiting:
        waiting = format_money(balance.awaiting, balance.currency)
        raise NotAtOnce(f"PRE-4: monthly charges of {waiting} wait for credit, and are posted before this charge.")
    for short in short_of_credit([invoice_id], [payer_id], on=run.on):
        raise NotAtOnce(
            f"PRE-4: the charge comes to {format_money(short.charges, short.currency)} and the prepaid balance is "
            f"{format_money(short.balance, short.currency)}. It is invoiced when the balance covers it."
        )


def _proposal(run: Run, payer_id: int, charge: OneOffCharge) -> Proposal:
    """The charge priced by itself, on its own terms: due today, whatever the account's terms say of the month."""
    keep_to_indexes()
    catalog = Catalog(on=run.on)
    account = lock_accounts([payer_id])[0]
    page = read_page([account], catalog)
    billable = page.billables[0]
    terms = billable.terms._replace(arrears=False, payment_due_days=0)
    one_offs = tuple(one for one in billable.one_offs if one.id == charge.pk)
    alone = billable._replace(terms=terms, holdings=(), used=(), one_offs=one_offs)
    charges = [one._replace(clause="SVC-1") for one in charges_due(alone, on=run.on)]
    if not charges:
        raise NotAtOnce(f"The charge is for {charge.on}, which has not come yet; it is invoiced on that day.")
    rates = catalog.rates_for(account.address, page.exemptions.get(payer_id, ()))
    draft = draft_of(charges, rates=rates, currency=account.currency, on=run.on, payment_due_days=0)
    if draft.total <= 0:
        raise NotAtOnce("The charge comes to nothing, so there is nothing to invoice.")
    return Proposal(account, RunItem.Outcome.PROPOSED, None, draft=draft, client_names=page.client_names)
