"""
The demonstration provider's book, sheet by sheet, as `import_book` reads it.

Deterministic but for the month it is built in: dates are counted back from the current month.
"""

import csv
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dateutil.relativedelta import relativedelta

Rows = Sequence[Sequence[Any]]

PRODUCTS = [
    ["mailbox", "Business mailbox", "recurring", "USD", "6.50", "", "", "", "", "software", "yes", ""],
    ["crm", "CRM seat", "recurring", "USD", "24.00", "", "", "", "", "software", "yes", "Northwind Apps"],
    ["backup", "Cloud backup, 100 GB", "recurring", "USD", "4.125", "", "", "", "", "software", "no", ""],
    ["office", "Office licence", "recurring", "USD", "12.00", "", "", "", "", "software", "yes", "Contoso Software"],
    ["number", "Telephone number", "recurring", "USD", "1.00", "", "", "", "", "telecom", "no", ""],
    ["trunk", "SIP channel", "recurring", "USD", "15.00", "", "", "", "", "telecom", "no", ""],
    ["seat-evaluation", "Evaluation seat", "recurring", "USD", "18.00", "", "10.00", "6.00", "500.00", "", "no", ""],
    ["seat-value", "Value seat", "recurring", "USD", "32.00", "25.00", "10.00", "9.00", "500.00", "", "no", ""],
    ["minute", "Outbound minute", "per-use", "USD", "0.0125", "", "", "", "", "telecom", "no", ""],
    ["onboarding", "Onboarding of an office", "one-off", "USD", "480.00", "", "", "", "", "", "no", ""],
    ["migration", "Mail migration, an hour", "one-off", "USD", "95.00", "", "", "", "", "", "no", ""],
]
CUSTOMERS = [
    ("Aspen Dental Group", "Denver", "CO", "80202"), ("Bluebird Bakery", "Boulder", "CO", "80301"),
    ("Cascade Legal LLP", "Seattle", "WA", "98101"), ("Delta Freight", "Houston", "TX", "77002"),
    ("Evergreen School Fund", "Denver", "CO", "80203"), ("Foothill Clinics", "Golden", "CO", "80401"),
    ("Granite Insurance", "Hartford", "CT", "06103"), ("Harbor Boats", "Tampa", "FL", "33602"),
    ("Ironwood Carpentry", "Portland", "OR", "97204"), ("Juniper Travel", "Phoenix", "AZ", "85003"),
    ("Keystone Realty", "Philadelphia", "PA", "19103"), ("Larkspur Florists", "Denver", "CO", "80205"),
    ("Meadow Veterinary", "Topeka", "KS", "66603"), ("Nimbus Weather Labs", "Boulder", "CO", "80302"),
    ("Océane Chocolat SARL", "Portland", "ME", "04101"), ("Πλάτων Books", "Boston", "MA", "02108"),
]  # fmt: skip
PARTNERS = {
    "Summit IT Partners": ["Alpine Sports", "Birch Coffee", "Canyon Tours"],
    "Prairie Networks": ["Dakota Feed", "Elm Street Press", "Farmers Co-op"],
    "Coastal Cloud": ["Gull Marina", "Heron Yoga", "Inlet Seafood"],
    "Metro Managed Services": ["Jade Optics", "King Tailors", "Loft Studios"],
}
PREPAID = ["Quick Call Center", "Rural Telehealth", "Sunrise Taxi", "Tandem Support", "Union Dispatch"]
COMPANIES = [
    ("Verdant Robotics", 5),
    ("Willow Analytics", 15),
    ("Xylo Games", 29),
    ("Yarrow Pharma", 31),
    ("Zephyr Media", 12),
]


def write_book(folder: Path, *, today: date) -> None:
    """Write the sheets as CSV files, with history beginning three months before the month of `today`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (header, rows) in _sheets(today.replace(day=1)).items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])


def month(first: date, back: int, day: int = 1) -> date:
    """A day of the month that lies so many months before `first`; beyond a short month's end its last day."""
    return first - relativedelta(months=back) + relativedelta(day=day)


def _sheets(first: date) -> dict[str, tuple[list[str], Rows]]:
    return {
        "accounts": (
            ["number", "name", "kind", "parent", "terms", "currency",
             "address_line", "city", "state", "postal_code", "country", "phone",
             "signed_up_on", "billing_day", "invoice_emails", "payment_method", "bill_from_on", "opening_balance"],
            _accounts(first),
        ),
        "contacts": (["account", "name", "email", "phone", "roles"], _contacts()),
        "products": (
            ["code", "name", "charge", "currency", "unit_price", "setup_fee", "change_fee", "inactive_price", "deposit",
             "tax_category", "licensed", "vendor"],
            PRODUCTS,
        ),
        "prices": (
            ["product", "currency", "unit_price", "valid_from_on"],
            [["mailbox", "USD", "6.95", month(first, 1)]],
        ),
        "subscriptions": (
            ["reference", "account", "label", "product", "quantity", "unit_price", "started_on", "ended_on"],
            [*_hosted(first), *_of_clients(first), *_telephony(first), *_seats(first)],
        ),
        "quantities": (
            ["subscription", "quantity", "from_on"],
            [["D1003-mailbox", 14, month(first, 1, 12)],
             ["D1008-crm", 2, month(first, 2, 20)],
             ["S4001-ana", 2, month(first, 1, 20)]],
        ),
        "inactivity": (
            ["subscription", "period_start_on", "kind"],
            [["S4002-bo", month(first, 2, 15), "inactive"], ["S4002-cy", month(first, 2, 15), "deemed"]],
        ),
        "one_off_charges": (
            ["account", "product", "description", "quantity", "unit_price", "on"],
            [["D1001", "migration", "Migration of 12 mailboxes", "2.5", "", month(first, 1, 9)],
             ["C2002", "migration", "Domain transfer", 1, "40.00", month(first, 1, 17)]],
        ),
        "tax_rates": (
            ["country", "state", "county", "city", "postal_code",
             "tax_category", "name", "rate_percent", "valid_from_on", "valid_to_on"],
            [["US", "CO", "", "", "", "software", "Colorado state sales tax", "2.9", "2015-01-01", ""],
             ["US", "CO", "", "Denver", "", "software", "Denver city sales tax", "4.81", "2015-01-01", month(first, 1)],
             ["US", "CO", "", "Denver", "", "software", "Denver city sales tax", "5.15", month(first, 1), ""],
             ["US", "WA", "", "", "", "software", "Washington sales tax", "6.5", "2015-01-01", ""],
             ["US", "TX", "", "", "", "", "Texas sales tax on data processing", "6.25", "2015-01-01", ""]],
        ),
        "exemptions": (
            ["account", "country", "state", "certificate", "valid_from_on", "valid_to_on"],
            [["D1005", "US", "CO", "CO-98-0047113", "2020-01-01", ""]],
        ),
    }  # fmt: skip


def _address(number: str) -> str:
    return f"billing@{number.lower()}.example.net"


def _accounts(first: date) -> Rows:
    begin, signed_up_on = month(first, 3), month(first, 20, 14)
    rows: list[list[Any]] = [
        [f"D{1001 + n}", name, "customer", "", "hosted-direct", "USD",
         f"{100 + 7 * n} Main Street", city, state, code, "US", "",
         signed_up_on, "", _address(f"D{1001 + n}"), "ach" if n % 2 else "card", begin, "125.40" if n == 2 else ""]
        for n, (name, city, state, code) in enumerate(CUSTOMERS)
    ]  # fmt: skip
    # Its price list has no euros: this account is parked, and says why.
    rows[9][5] = "EUR"
    for n, (partner, clients) in enumerate(PARTNERS.items()):
        rows.append([f"P{3001 + n}", partner, "partner", "", "hosted-partner", "USD",
                     f"{20 + n} Market Square", "Omaha", "NE", "68102", "US", "",
                     signed_up_on, "", _address(f"P{3001 + n}"), "check", begin, ""])  # fmt: skip
        rows += [
            [f"C{2001 + 3 * n + k}", client, "client", f"P{3001 + n}", "", "",
             f"{5 + k} Elm Street", "Omaha", "NE", "68102", "US", "",
             signed_up_on, "", "", "", "", ""]
            for k, client in enumerate(clients)
        ]  # fmt: skip
    rows += [
        [f"T{5001 + n}", name, "customer", "", "prepaid", "USD",
         f"{n + 1} Switch Road", "Reno", "NV", "89501", "US", "",
         signed_up_on, "", _address(f"T{5001 + n}"), "balance", begin, ""]
        for n, name in enumerate(PREPAID)
    ]  # fmt: skip
    rows += [
        [f"S{4001 + n}", name, "customer", "", "per-seat", "USD",
         f"{n + 3} Campus Drive", *(("Austin", "TX", "78701") if n % 2 else ("Boise", "ID", "83702")), "US", "",
         month(first, 3, day), day, _address(f"S{4001 + n}"), "card", begin, ""]
        for n, (name, day) in enumerate(COMPANIES)
    ]  # fmt: skip
    return rows


def _contacts() -> Rows:
    rows: list[list[str]] = []
    for row in _accounts(date(2026, 6, 1)):
        number = row[0]
        rows.append(
            [number, f"Pat {row[1].split()[0]}", f"pat@{number.lower()}.example.net", "", "primary;administrator"]
        )
        if row[2] != "client":
            rows.append(
                [
                    number,
                    f"Robin {row[1].split()[0]}",
                    f"robin@{number.lower()}.example.net",
                    "",
                    "billing;primary-billing",
                ]
            )
            rows.append([number, f"Tech {row[1].split()[0]}", f"tech@{number.lower()}.example.net", "", "technical"])
    return rows


def _hosted(first: date) -> Rows:
    rows: list[list[Any]] = []
    for n in range(len(CUSTOMERS)):
        number = f"D{1001 + n}"
        rows.append(
            [f"{number}-mailbox", number, f"{number.lower()}.example.net", "mailbox", 4 + n, "", month(first, 18), ""]
        )
        if n % 2 == 0:
            rows.append([f"{number}-backup", number, "Server room", "backup", 2 + n % 5, "", month(first, 10, 11), ""])
        if n % 3 == 1:
            rows.append(
                [f"{number}-crm", number, "Sales", "crm", 1 + n % 4, "22.50" if n == 4 else "", month(first, 9, 3), ""]
            )
    # Left in the middle of last month: billed to its end, and with nothing due afterwards.
    rows.append(["D1012-office", "D1012", "Front desk", "office", 3, "", month(first, 6), month(first, 2, 18)])
    rows[-2][7] = ""
    return rows


def _of_clients(first: date) -> Rows:
    rows: list[list[Any]] = []
    for n in range(12):
        number = f"C{2001 + n}"
        rows.append([f"{number}-office", number, "Staff", "office", 3 + n, "", month(first, 12), ""])
        rows.append(
            [f"{number}-mailbox", number, "Mail", "mailbox", 5 + 2 * n, "6.00" if n < 3 else "", month(first, 12), ""]
        )
    # Added after the 1st: the next invoice carries it for the full month. Removed before the 1st: not billed.
    rows.append(["C2005-backup", "C2005", "Accounts server", "backup", 1, "", month(first, 1, 11), ""])
    rows.append(["C2009-crm", "C2009", "Trial team", "crm", 2, "", month(first, 3, 6), month(first, 1, 1)])
    return rows


def _telephony(first: date) -> Rows:
    rows: list[list[Any]] = []
    for n in range(len(PREPAID)):
        number = f"T{5001 + n}"
        rows.append([f"{number}-number", number, "Main numbers", "number", 10 + 5 * n, "", month(first, 8), ""])
        rows.append([f"{number}-trunk", number, "Channels", "trunk", 2 + n, "", month(first, 8), ""])
    return rows


def _seats(first: date) -> Rows:
    names = ["ana", "bo", "cy", "dee"]
    rows: list[list[Any]] = []
    for n, (_, day) in enumerate(COMPANIES):
        number = f"S{4001 + n}"
        plan = "seat-value" if n % 2 else "seat-evaluation"
        rows += [
            [f"{number}-{name}", number, name.title(), plan, 1, "", month(first, 3, day), ""]
            for name in names[: 2 + n % 3]
        ]
    # Bought in the middle of a billing month: set-up fee and the first month on that very day.
    rows.append(["S4002-eve", "S4002", "Eve", "seat-value", 1, "", month(first, 1, 21), ""])
    return rows
