"""The sheet `accounts`: who they are, and how they are billed."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from accounts.models import Account
from invoicing.book.cells import places_of, quoted, shown
from invoicing.book.changes import NOW, Id, NewId, OpeningBalance
from invoicing.book.desk import AccountAfter, Desk, merged
from invoicing.book.parsing import Row
from invoicing.book.queries import Stored
from invoicing.book.sheets import UNSAID
from invoicing.catalog.models import BillingTerms
from invoicing.money import ZERO, exponent
from invoicing.subscriptions.models import BillingProfile

SHEET = "accounts"
CLIENT, PARTNER = Account.Kind.CLIENT, Account.Kind.PARTNER
ANNIVERSARY = BillingTerms.Anchor.ANNIVERSARY
OWN = ("name", "kind", "address_line", "city", "county", "state", "postal_code", "country", "phone", "signed_up_on")
BILLING = ("currency", "billing_day", "payment_method", "bill_from_on", "opening_balance")
# Changes of these change what is due.
DECISIVE = frozenset({"parent", "terms", "currency", "billing_day", "bill_from_on"})
# A client is billed as its partner is.
AS_PARTNER = ("terms", "currency", "billing_day", "bill_from_on", "payment_method")


def plan_accounts(desk: Desk) -> None:
    for number, stored in desk.stored_accounts.items():
        values = stored.values
        terms = desk.catalog.terms.get(values["terms"])
        desk.accounts[number] = AccountAfter(
            stored.id, values["kind"], values["parent"], terms, values, stored.facts["day_changes"]
        )
    for row in desk.rows[SHEET]:
        if not row.sound and row["number"] is not UNSAID and row["number"] not in desk.accounts:
            desk.accounts[row["number"]] = _unknown()
    first_starts = _first_starts(desk)
    rows = list(desk.sound_rows(SHEET, key=lambda row: row["number"], column="number"))
    for row in rows:
        _settle(desk, row, first_starts.get(row["number"]))
    for row in rows:
        _check_partner(desk, row)
        if not row.sound:
            desk.accounts[row["number"]].sound = False
    for row in rows:
        if row.sound:
            _write(desk, row)


def _unknown() -> AccountAfter:
    return AccountAfter(NewId(), "", "", None, {}, sound=False)


def _first_starts(desk: Desk) -> dict[str, date]:
    """The day of each account's earliest subscription in the book."""
    found: dict[str, date] = {}
    for row in desk.rows["subscriptions"]:
        account, start = row["account"], row["started_on"]
        if start is not UNSAID and (account not in found or start < found[account]):
            found[account] = start
    return found


def _settle(desk: Desk, row: Row, first_start: date | None) -> None:
    """Fill in what the row leaves open, and enter the account as it will be."""
    stored = desk.stored_accounts.get(row["number"])
    if first_start is None and stored:
        first_start = stored.facts["first_on"]
    values = merged(row, stored, SHEET)
    if values["signed_up_on"] is None or values["signed_up_on"] is UNSAID:
        values["signed_up_on"] = first_start
        if first_start is None:
            right = "the day on which the account signed up, or a subscription that starts on it."
            desk.wrong(SHEET, row, "signed_up_on", "The cell is blank, and the account has no subscription.", right)
    if row["state"] is not UNSAID and values["country"] == "US" and len(values["state"]) not in (0, 2):
        desk.wrong(SHEET, row, "state", f"{quoted(values['state'])} is not a state code.", "two letters, such as CO.")
    _check_kind(desk, row, values, stored)
    terms = None if values["kind"] == CLIENT else _settle_billing(desk, row, values, stored, first_start)
    account_id: Id = stored.id if stored else NewId()
    changes = stored.facts["day_changes"] if stored else ()
    desk.accounts[row["number"]] = AccountAfter(account_id, values["kind"], values["parent"], terms, values, changes)


def _check_kind(desk: Desk, row: Row, values: dict[str, Any], stored: Stored | None) -> None:
    was, kind = stored.values["kind"] if stored else values["kind"], values["kind"]
    if was != kind and CLIENT in (was, kind):
        wrong = f"The account is a {was.lower()}, and that cannot become a {kind.lower()}."
        desk.wrong(SHEET, row, "kind", wrong, f"{was.lower()}; or another account number.")
    elif was == PARTNER and kind != PARTNER and stored and stored.facts["has_clients"]:
        desk.wrong(SHEET, row, "kind", "The account is the partner of stored clients.", "partner.")
    if kind == CLIENT and not values["parent"]:
        desk.wrong(
            SHEET, row, "parent", "The cell is blank, and a client has a partner.", "the partner's account number."
        )
    elif kind != CLIENT and values["parent"]:
        right = "a blank cell; or client in the column kind."
        desk.wrong(SHEET, row, "parent", f"A {kind.lower()} has no partner.", right)


def _settle_billing(
    desk: Desk, row: Row, values: dict[str, Any], stored: Stored | None, first_start: date | None
) -> BillingTerms | None:
    """Terms, currency and billing day of an account that is billed itself."""
    if values["currency"] in (None, UNSAID):
        values["currency"] = desk.seller.currency
    if values["payment_method"] is None:
        values["payment_method"] = ""
    if values["opening_balance"] is None:
        values["opening_balance"] = ZERO
    if places_of(values["opening_balance"] + ZERO) > exponent(values["currency"]):
        wrong = f"{shown(values['opening_balance'])} has more decimal places than {values['currency']} has."
        desk.wrong(SHEET, row, "opening_balance", wrong, f"at most {exponent(values['currency'])} decimal places.")
    presets = f"one of {', '.join(sorted(desk.catalog.terms))}."
    if values["terms"] in (None, UNSAID):
        desk.wrong(SHEET, row, "terms", "The cell is blank, and the account is billed.", presets)
        return None
    terms = desk.catalog.terms.get(values["terms"])
    if terms is None:
        desk.wrong(SHEET, row, "terms", f"There are no terms called {quoted(values['terms'])}.", presets)
        return None
    _settle_billing_day(desk, row, values, terms, first_start)
    if stored and stored.facts["has_profile"]:
        _check_billed(desk, row, values, terms, stored)
    return terms


def _settle_billing_day(
    desk: Desk, row: Row, values: dict[str, Any], terms: BillingTerms, first_start: date | None
) -> None:
    if terms.anchor != ANNIVERSARY:
        if row["billing_day"] not in (UNSAID, 1):
            wrong = f"Accounts under {terms.code} are billed on the 1st."
            desk.wrong(SHEET, row, "billing_day", wrong, "a blank cell.")
        values["billing_day"] = None
    elif values["billing_day"] in (None, UNSAID):
        begin = first_start or values["signed_up_on"]
        values["billing_day"] = begin.day if begin else 1


def _check_billed(desk: Desk, row: Row, values: dict[str, Any], terms: BillingTerms, stored: Stored) -> None:
    """What was billed was billed by periods of a calendar and in a currency: neither changes behind its back."""
    was = stored.values
    billed = stored.facts["billed_until_on"] is not None
    if values["currency"] != was["currency"] and (billed or was["opening_balance"]):
        wrong = f"The account has been billed, or owed money, in {was['currency']}."
        desk.wrong(SHEET, row, "currency", wrong, f"{was['currency']}; or another account.")
    if not billed and not stored.facts["day_changes"]:
        return
    if terms.anchor != desk.catalog.terms[was["terms"]].anchor:
        wrong = f"The account has been billed under {was['terms']}, whose billing dates are others."
        desk.wrong(SHEET, row, "terms", wrong, f"{was['terms']}; or another account.")
    elif values["billing_day"] != was["billing_day"]:
        wrong = f"The account has been billed on day {was['billing_day']} of the month."
        right = f"{was['billing_day']} or a blank cell; use “change billing day” in the console."
        desk.wrong(SHEET, row, "billing_day", wrong, right)


def _check_partner(desk: Desk, row: Row) -> None:
    client = desk.accounts[row["number"]]
    if client.kind != CLIENT or not client.parent:
        return
    partner = desk.accounts.get(client.parent)
    if partner is None or (partner.sound and partner.kind != PARTNER):
        if "accounts" not in desk.book.unread:
            there = "is no partner" if partner else "is not there"
            wrong = f"The account {quoted(client.parent)} {there}."
            desk.wrong(SHEET, row, "parent", wrong, "the number of an account of kind partner.")
        return
    if not partner.sound:
        row.sound = False
        return
    for column in AS_PARTNER:
        said = row[column]
        if said not in (UNSAID, None, "") and said != partner.values[column]:
            wrong = "A client is billed through its partner, and has none of its own."
            desk.wrong(SHEET, row, column, wrong, " or ".join(["a blank cell", *_shown(partner.values[column])]) + ".")
    if row["opening_balance"] is not UNSAID and row["opening_balance"]:
        right = "a blank cell or 0; the partner's row holds what is owed."
        desk.wrong(SHEET, row, "opening_balance", "A client owes nothing itself.", right)


def _shown(value: Any) -> Iterator[str]:
    if shown(value):
        yield shown(value).lower() if isinstance(value, str) and value.isupper() and len(value) > 3 else shown(value)


def _write(desk: Desk, row: Row) -> None:
    account = desk.accounts[row["number"]]
    stored = desk.stored_accounts.get(row["number"])
    values = account.values
    compared = ["number", *OWN, "parent", "invoice_emails"]
    if account.kind != CLIENT:
        compared += ["terms", *BILLING]
    differing = desk.tally(
        SHEET, row, row["number"], stored.values if stored else None, {name: values[name] for name in compared}
    )
    if stored is None:
        _insert(desk, account)
    elif differing:
        _update(desk, account, stored, frozenset(differing))


def _own_columns(desk: Desk, account: AccountAfter) -> dict[str, Any]:
    values = {name: account.values[name] for name in (*OWN, "invoice_emails")}
    return {**values, "parent_id": desk.accounts[account.parent].id if account.parent else None}


def _billing_columns(account: AccountAfter) -> dict[str, Any]:
    return {"terms_id": account.terms.pk if account.terms else None, **{name: account.values[name] for name in BILLING}}


def _insert(desk: Desk, account: AccountAfter) -> None:
    values = account.values
    desk.writes.inserts[Account].append(
        (
            account.id if isinstance(account.id, NewId) else None,
            {"number": values["number"], **_own_columns(desk, account), "purchase_order": "", "created_at": NOW},
        )
    )
    if account.kind != CLIENT:
        _insert_profile(desk, account)


def _insert_profile(desk: Desk, account: AccountAfter) -> None:
    desk.writes.inserts[BillingProfile].append(
        (
            None,
            {
                "account_id": account.id,
                "seller_id": desk.seller.pk,
                **_billing_columns(account),
                "next_billing_on": None,
                "billed_until_on": None,
                "revision": 0,
            },
        )
    )
    _post_opening(desk, account, account.values["opening_balance"])


def _post_opening(desk: Desk, account: AccountAfter, difference: Any) -> None:
    if difference:
        desk.writes.openings.append(
            OpeningBalance(account.id, difference, account.values["currency"], account.values["bill_from_on"])
        )


def _update(desk: Desk, account: AccountAfter, stored: Stored, differing: frozenset[str]) -> None:
    if differing & {*OWN, "parent", "invoice_emails"}:
        desk.writes.update(Account, stored.id, **_own_columns(desk, account))
    if account.kind != CLIENT and not stored.facts["has_profile"]:
        _insert_profile(desk, account)
    elif differing & {"terms", *BILLING}:
        desk.writes.update(BillingProfile, stored.id, **_billing_columns(account))
        _post_opening(desk, account, account.values["opening_balance"] - stored.values["opening_balance"])
    first_on = stored.facts["first_on"]
    if first_on and differing & DECISIVE:
        desk.affects(account, first_on)
        if "parent" in differing and stored.values["parent"] in desk.stored_accounts:
            desk.writes.affects(desk.stored_accounts[stored.values["parent"]].id, first_on)
