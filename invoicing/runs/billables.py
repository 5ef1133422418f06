"""Reads a page of accounts with all that pricing needs: a constant number of queries, whatever the page's size."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from invoicing.bulk import array_of
from invoicing.invoices.holdings import (
    Billable,
    BilledKey,
    Holding,
    OneOff,
    PlanLeft,
    QuantityHeld,
    SeatInactive,
    Used,
)
from invoicing.periods import AnchorChange, BillingCalendar
from invoicing.runs.catalogs import Catalog
from invoicing.tax.policy import Address, Exempt

_TWO_MONTHS = timedelta(days=62)


class DueAccount(NamedTuple):
    """One account as the page query returns it, locked."""

    account_id: int
    terms_id: int
    currency: str
    billing_day: int | None
    bill_from_on: date | None
    billed_until_on: date | None
    revision: int
    kind: str
    number: str
    name: str
    address_line: str
    city: str
    county: str
    state: str
    postal_code: str
    country: str
    purchase_order: str
    next_billing_on: date | None

    @property
    def place(self) -> tuple[date, int]:
        """Where it stands in the order of the accounts that are due."""
        return self.next_billing_on or date.max, self.account_id

    @property
    def address(self) -> Address:
        return Address(self.country, self.state, self.county, self.city, self.postal_code)


DUE_COLUMNS = """
    p.account_id, p.terms_id, p.currency, p.billing_day, p.bill_from_on, p.billed_until_on, p.revision,
    a.kind, a.number, a.name, a.address_line, a.city, a.county, a.state, a.postal_code, a.country, a.purchase_order,
    p.next_billing_on
"""


class Page(NamedTuple):
    """What was read for one page of due accounts."""

    billables: list[Billable]
    client_names: dict[int, str]
    exemptions: dict[int, tuple[Exempt, ...]]


def read_page(accounts: Sequence[DueAccount], catalog: Catalog, *, drafts_count: bool = True) -> Page:
    """
    Everything about these accounts that pricing needs, in nine queries.

    Each looks rows up by key: `keep_to_indexes` must hold in the transaction, so that stale statistics never
    make one of them read a table's history.
    """
    ids = [account.account_id for account in accounts]
    clients = _clients([account.account_id for account in accounts if account.kind == "PARTNER"])
    payer_of = {client: partner for client, (partner, _) in clients.items()}
    calendars = _calendars(accounts, catalog)
    look_from = {
        account.account_id: calendars[account.account_id].period_of(account.billed_until_on).start
        if account.billed_until_on
        else None
        for account in accounts
    }
    holdings = _holdings([*ids, *clients], payer_of, look_from, catalog)
    one_offs = _one_offs([*ids, *clients], payer_of, catalog)
    billed = _billed(holdings, look_from, drafts_count)
    deposits = _deposits_taken(ids, drafts_count)
    used = _used([one.account_id for one in accounts if catalog.terms[one.terms_id].from_balance], catalog)
    billables = [
        Billable(
            account.account_id,
            catalog.terms[account.terms_id],
            account.currency,
            calendars[account.account_id],
            account.bill_from_on,
            look_from[account.account_id],
            tuple(holdings.get(account.account_id, ())),
            tuple(one_offs.get(account.account_id, ())),
            billed.get(account.account_id, {}),
            account.account_id in deposits,
            tuple(used.get(account.account_id, ())),
        )
        for account in accounts
    ]
    return Page(billables, {client: name for client, (_, name) in clients.items()}, _exemptions(ids))


def _rows(sql: str, *arrays: Iterable[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [array_of(array) for array in arrays])
        return cursor.fetchall()


def _clients(partner_ids: list[int]) -> dict[int, tuple[int, str]]:
    if not partner_ids:
        return {}
    found = _rows(
        "SELECT id, parent_id, number || ' ' || name FROM accounts_account WHERE parent_id = ANY(%s::bigint[])",
        partner_ids,
    )
    return {client: (partner, name) for client, partner, name in found}


def _calendars(accounts: Sequence[DueAccount], catalog: Catalog) -> dict[int, BillingCalendar]:
    calendar_month = BillingCalendar()
    found = {}
    anniversaries = [account for account in accounts if catalog.terms[account.terms_id].anniversary]
    changes: dict[int, list[AnchorChange]] = defaultdict(list)
    if anniversaries:
        for account_id, effective_on, day in _rows(
            "SELECT account_id, effective_on, day FROM invoicing_billingdaychange"
            " WHERE account_id = ANY(%s::bigint[]) ORDER BY account_id, effective_on",
            [account.account_id for account in anniversaries],
        ):
            changes[account_id].append(AnchorChange(effective_on, day))
    for account in accounts:
        if catalog.terms[account.terms_id].anniversary:
            found[account.account_id] = BillingCalendar(account.billing_day or 1, tuple(changes[account.account_id]))
        else:
            found[account.account_id] = calendar_month
    return found


def _holdings(
    holder_ids: list[int], payer_of: dict[int, int], look_from: dict[int, date | None], catalog: Catalog
) -> dict[int, list[Holding]]:
    kept = []
    for row in _rows(
        "SELECT id, account_id, reference, label, plan_id, unit_price, started_on, ended_on, quantity"
        " FROM invoicing_subscription WHERE account_id = ANY(%s::bigint[])",
        holder_ids,
    ):
        low = look_from[payer_of.get(row[1], row[1])]
        if low is None or row[7] is None or row[7] >= low - _TWO_MONTHS:
            kept.append(row)
    changes = _changes_of([row[0] for row in kept], catalog)
    found: dict[int, list[Holding]] = defaultdict(list)
    for id_, account_id, reference, label, plan_id, unit_price, started_on, ended_on, quantity in kept:
        payer = payer_of.get(account_id)
        found[payer or account_id].append(
            Holding(
                id_,
                reference,
                label,
                account_id if payer else None,
                catalog.plans[plan_id],
                unit_price,
                started_on,
                ended_on,
                quantity,
                changes.quantities.get(id_, ()),
                changes.plans_left.get(id_, ()),
                changes.inactive.get(id_, ()),
            )
        )
    return found


class _Changes(NamedTuple):
    """What happened to subscriptions over time, by subscription, in the order of days."""

    quantities: dict[int, tuple[QuantityHeld, ...]]
    plans_left: dict[int, tuple[PlanLeft, ...]]
    inactive: dict[int, tuple[SeatInactive, ...]]


def _changes_of(ids: list[int], catalog: Catalog) -> _Changes:
    quantities = _grouped(
        "SELECT subscription_id, from_on, quantity FROM invoicing_quantitychange"
        " WHERE subscription_id = ANY(%s::bigint[]) ORDER BY subscription_id, from_on",
        ids,
    )
    plans_left = _grouped(
        'SELECT subscription_id, "on", from_plan_id, to_plan_id FROM invoicing_planchange'
        ' WHERE subscription_id = ANY(%s::bigint[]) ORDER BY subscription_id, "on"',
        ids,
    )
    inactive = _grouped(
        "SELECT subscription_id, period_start_on, kind = 'DEEMED' FROM invoicing_inactivity"
        " WHERE subscription_id = ANY(%s::bigint[]) ORDER BY subscription_id, period_start_on",
        ids,
    )
    plans = catalog.plans
    return _Changes(
        {id_: tuple(QuantityHeld(*row) for row in rows) for id_, rows in quantities.items()},
        {id_: tuple(PlanLeft(on, plans[left], plans[to]) for on, left, to in rows) for id_, rows in plans_left.items()},
        {id_: tuple(SeatInactive(*row) for row in rows) for id_, rows in inactive.items()},
    )


def _grouped(sql: str, ids: list[int]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for key, *values in _rows(sql, ids):
        found.setdefault(key, []).append(tuple(values))
    return found


def _one_offs(holder_ids: list[int], payer_of: dict[int, int], catalog: Catalog) -> dict[int, list[OneOff]]:
    found: dict[int, list[OneOff]] = defaultdict(list)
    for id_, account_id, plan_id, description, quantity, unit_price, on in _rows(
        'SELECT id, account_id, plan_id, description, quantity, unit_price, "on" FROM invoicing_oneoffcharge'
        " WHERE account_id = ANY(%s::bigint[]) AND billed_on IS NULL AND authorized_at IS NOT NULL",
        holder_ids,
    ):
        payer = payer_of.get(account_id)
        found[payer or account_id].append(
            OneOff(id_, account_id if payer else None, catalog.plans[plan_id], description, quantity, unit_price, on)
        )
    return found


_OF_ISSUED = " AND EXISTS (SELECT FROM invoicing_invoice v WHERE v.id = l.invoice_id AND v.status = 'ISSUED')"


def _billed(
    holdings: dict[int, list[Holding]], look_from: dict[int, date | None], drafts_count: bool
) -> dict[int, dict[BilledKey, Decimal]]:
    """What was billed of the periods that may still be open, never the history before them."""
    ids: list[int] = []
    lows: list[date] = []
    payer: dict[int, int] = {}
    for account_id, held in holdings.items():
        low = look_from[account_id]
        for holding in held:
            ids.append(holding.id)
            # A rebate is keyed by the period before the one that carries it.
            lows.append(date.min if low is None else low - _TWO_MONTHS if holding.inactive else low)
            payer[holding.id] = account_id
    found: dict[int, dict[BilledKey, Decimal]] = defaultdict(dict)
    for subscription_id, kind, period_start, quantity in _rows(
        "SELECT l.subscription_id, l.kind, l.period_start, max(l.quantity_from + l.quantity)"
        " FROM unnest(%s::bigint[], %s::date[]) AS held(id, low)"
        " JOIN invoicing_invoiceline l"
        " ON l.subscription_id = held.id AND l.period_start >= held.low AND l.kind <> 'CREDIT'"
        f"{'' if drafts_count else _OF_ISSUED} GROUP BY 1, 2, 3",
        ids,
        lows,
    ):
        found[payer[subscription_id]][BilledKey(subscription_id, kind, period_start)] = quantity
    return found


def _deposits_taken(ids: list[int], drafts_count: bool) -> set[int]:
    sql = (
        "SELECT l.account_id FROM invoicing_invoiceline l WHERE l.kind = 'DEPOSIT' AND l.account_id = ANY(%s::bigint[])"
    )
    return {row[0] for row in _rows(sql if drafts_count else sql + _OF_ISSUED, ids)}


def _used(ids: list[int], catalog: Catalog) -> dict[int, list[Used]]:
    """PRE-1: the use of months that ended before the run's month, as far as it is on no invoice."""
    found: dict[int, list[Used]] = {}
    if not ids:
        return found
    for account_id, total_id, plan_id, *values in _rows(
        "SELECT account_id, id, plan_id, month_on, quantity - invoiced_quantity, amount - invoiced_amount"
        " FROM invoicing_usagetotal WHERE account_id = ANY(%s::bigint[]) AND amount <> invoiced_amount"
        f" AND month_on < '{catalog.on.replace(day=1).isoformat()}' ORDER BY month_on, plan_id",
        ids,
    ):
        found.setdefault(account_id, []).append(Used(total_id, catalog.plans[plan_id], *values))
    return found


def _exemptions(ids: Iterable[int]) -> dict[int, tuple[Exempt, ...]]:
    found: dict[int, list[Exempt]] = defaultdict(list)
    for account_id, *values in _rows(
        "SELECT account_id, country, state, certificate, valid_from_on, valid_to_on"
        " FROM invoicing_exemption WHERE account_id = ANY(%s::bigint[])",
        list(ids),
    ):
        found[account_id].append(Exempt(*values))
    return {account_id: tuple(of_account) for account_id, of_account in found.items()}
