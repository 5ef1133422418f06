"""What is stored of the things that a book speaks of, in the words of its sheets; a constant number of queries."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any, NamedTuple

from django.db import connection

from invoicing.catalog.models import BillingTerms
from invoicing.periods import AnchorChange


class Stored(NamedTuple):
    """A stored row: its key, its values by the columns of its sheet, and what else is to be known of it."""

    id: int
    values: dict[str, Any]
    facts: dict[str, Any]


def _rows(sql: str, *parameters: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _split(row: dict[str, Any], *facts: str) -> Stored:
    apart = {name: row.pop(name) for name in facts}
    return Stored(row.pop("id"), row, apart)


def lock_accounts(numbers: Collection[str]) -> None:
    """Let nobody else change these accounts, nor bill them, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM accounts_account WHERE number = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [list(numbers)]
        )
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "SELECT account_id FROM invoicing_billingprofile WHERE account_id = ANY(%s) OR account_id IN"
            " (SELECT parent_id FROM accounts_account WHERE id = ANY(%s)) ORDER BY account_id FOR NO KEY UPDATE",
            [ids, ids],
        )


def stored_subscriptions(references: Collection[str]) -> dict[str, Stored]:
    """Subscriptions by their references."""
    found = _rows(
        """
        SELECT s.id, s.reference, a.number AS account, s.label, p.code AS product, s.quantity, s.unit_price,
               s.started_on, s.ended_on,
               EXISTS (SELECT FROM invoicing_planchange c WHERE c.subscription_id = s.id) AS has_changed_plan
        FROM invoicing_subscription s
        JOIN accounts_account a ON a.id = s.account_id JOIN invoicing_plan p ON p.id = s.plan_id
        WHERE s.reference = ANY(%s)
        """,
        list(references),
    )
    return {row["reference"]: _split(row, "has_changed_plan") for row in found}


def stored_accounts(numbers: Collection[str]) -> dict[str, Stored]:
    """These accounts and their partners, by number, with how they are billed."""
    found = _rows(
        """
        WITH wanted AS (SELECT id, parent_id FROM accounts_account WHERE number = ANY(%s))
        SELECT a.id, a.number, a.name, a.kind, COALESCE(partner.number, '') AS parent, t.code AS terms, b.currency,
               a.address_line, a.city, a.county, a.state, a.postal_code, a.country, a.phone, a.signed_up_on,
               b.billing_day, a.invoice_emails, b.payment_method, b.bill_from_on, b.opening_balance,
               b.billed_until_on, b.account_id IS NOT NULL AS has_profile,
               EXISTS (SELECT FROM accounts_account c WHERE c.parent_id = a.id) AS has_clients,
               held.first_on
        FROM accounts_account a
        LEFT JOIN accounts_account partner ON partner.id = a.parent_id
        LEFT JOIN invoicing_billingprofile b ON b.account_id = a.id
        LEFT JOIN invoicing_billingterms t ON t.id = b.terms_id
        LEFT JOIN LATERAL (
            SELECT least(
                (SELECT min(started_on) FROM invoicing_subscription s WHERE s.account_id = ANY(family.ids)),
                (SELECT min("on") FROM invoicing_oneoffcharge o
                 WHERE o.account_id = ANY(family.ids) AND o.billed_on IS NULL)
            ) AS first_on
            FROM (SELECT ARRAY(SELECT c.id FROM accounts_account c WHERE c.parent_id = a.id) || a.id AS ids) family
        ) held ON true
        WHERE a.id IN (SELECT id FROM wanted UNION SELECT parent_id FROM wanted)
        """,
        list(numbers),
    )
    changes = _day_changes([row["id"] for row in found])
    for row in found:
        row["day_changes"] = changes.get(row["id"], ())
    facts = ("billed_until_on", "has_profile", "has_clients", "first_on", "day_changes")
    return {row["number"]: _split(row, *facts) for row in found}


def _day_changes(account_ids: list[int]) -> dict[int, tuple[AnchorChange, ...]]:
    found: dict[int, tuple[AnchorChange, ...]] = {}
    for row in _rows(
        "SELECT account_id, effective_on, day FROM invoicing_billingdaychange"
        " WHERE account_id = ANY(%s) ORDER BY account_id, effective_on",
        account_ids,
    ):
        found[row["account_id"]] = (*found.get(row["account_id"], ()), AnchorChange(row["effective_on"], row["day"]))
    return found


def stored_contacts(account_ids: list[int]) -> dict[tuple[int, str], Stored]:
    """The contacts of these accounts by account and address in capitals, with their roles."""
    found = _rows(
        """
        SELECT c.id, c.account_id, c.name, c.email, c.phone,
               ARRAY(SELECT r.role FROM accounts_contactrole r WHERE r.contact_id = c.id) AS roles
        FROM accounts_contact c WHERE c.account_id = ANY(%s)
        """,
        account_ids,
    )
    for row in found:
        row["roles"] = tuple(sorted(row["roles"]))
    return {(row["account_id"], row["email"].upper()): _split(row, "account_id") for row in found}


class StoredCatalog(NamedTuple):
    """
    The whole catalog: it is small beside the accounts.

    `products` by code, `plans` with their product's charge by code, `vendors` by name; `prices` in order of their
    days, by plan's code and currency; `terms` by code.
    """

    products: dict[str, Stored]
    plans: dict[str, Stored]
    vendors: dict[str, int]
    prices: dict[tuple[str, str], dict[date, Stored]]
    terms: dict[str, BillingTerms]


def stored_catalog() -> StoredCatalog:
    products = _rows(
        """
        SELECT p.id, p.code, p.name, p.charge, p.tax_category, p.licensed, COALESCE(v.name, '') AS vendor
        FROM invoicing_product p LEFT JOIN invoicing_vendor v ON v.id = p.vendor_id
        """
    )
    plans = _rows(
        """
        SELECT n.id, n.code, n.name, p.charge, p.code AS product,
               EXISTS (SELECT FROM invoicing_subscription s WHERE s.plan_id = n.id) AS has_subscriptions
        FROM invoicing_plan n JOIN invoicing_product p ON p.id = n.product_id
        """
    )
    prices: dict[tuple[str, str], dict[date, Stored]] = defaultdict(dict)
    for row in _rows(
        """
        SELECT r.id, n.code AS product, r.currency, r.valid_from_on, r.unit_price, r.setup_fee, r.change_fee,
               r.inactive_price, r.deposit
        FROM invoicing_price r JOIN invoicing_plan n ON n.id = r.plan_id ORDER BY r.valid_from_on
        """
    ):
        prices[row["product"], row["currency"]][row["valid_from_on"]] = _split(row)
    return StoredCatalog(
        {row["code"]: _split(row) for row in products},
        {row["code"]: _split(row, "charge", "product", "has_subscriptions") for row in plans},
        {row["name"]: row["id"] for row in _rows("SELECT id, name FROM invoicing_vendor")},
        dict(prices),
        {terms.code: terms for terms in BillingTerms.objects.all()},
    )


def stored_quantities(subscription_ids: list[int]) -> dict[tuple[int, date], Stored]:
    found = _rows(
        "SELECT id, subscription_id, from_on, quantity FROM invoicing_quantitychange WHERE subscription_id = ANY(%s)",
        subscription_ids,
    )
    return {(row["subscription_id"], row["from_on"]): _split(row, "subscription_id") for row in found}


def stored_inactivity(subscription_ids: list[int]) -> dict[tuple[int, date], Stored]:
    found = _rows(
        "SELECT id, subscription_id, period_start_on, kind FROM invoicing_inactivity WHERE subscription_id = ANY(%s)",
        subscription_ids,
    )
    return {(row["subscription_id"], row["period_start_on"]): _split(row, "subscription_id") for row in found}


def stored_one_offs(account_ids: list[int]) -> dict[tuple[int, str, date, str], list[Stored]]:
    """The authorized one-off charges of these accounts by account, plan, day and description, oldest first."""
    found: dict[tuple[int, str, date, str], list[Stored]] = defaultdict(list)
    for row in _rows(
        """
        SELECT o.id, o.account_id, p.code AS product, o.description, o.quantity, o.unit_price, o."on", o.billed_on
        FROM invoicing_oneoffcharge o JOIN invoicing_plan p ON p.id = o.plan_id
        WHERE o.account_id = ANY(%s) AND o.authorized_at IS NOT NULL ORDER BY o.id
        """,
        account_ids,
    ):
        found[row["account_id"], row["product"], row["on"], row["description"]].append(
            _split(row, "account_id", "billed_on")
        )
    return found


def stored_tax_rates() -> list[Stored]:
    return [
        _split(row)
        for row in _rows(
            "SELECT id, country, state, county, city, postal_code, tax_category, name, rate_percent, valid_from_on,"
            " valid_to_on FROM invoicing_taxrate"
        )
    ]


def stored_exemptions(account_ids: list[int]) -> list[Stored]:
    return [
        _split(row)
        for row in _rows(
            """
            SELECT e.id, a.number AS account, e.country, e.state, e.certificate, e.valid_from_on, e.valid_to_on
            FROM invoicing_exemption e JOIN accounts_account a ON a.id = e.account_id WHERE e.account_id = ANY(%s)
            """,
            account_ids,
        )
    ]
