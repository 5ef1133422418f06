"""Books for the tests: a whole one with every sheet, and how to write one as CSV files or as a workbook."""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from django.apps import apps
from django.db import connection

from accounts.actors import Actor, ActorKind, Channel
from invoicing.book.changes import ImportPlan
from invoicing.book.operations import import_book, read_book

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MANAGER = Actor(
    ActorKind.STAFF, "Mia Manager", Channel.CONSOLE, permissions=frozenset({"invoicing.import_book"}), user_id=1
)

# ruff: noqa: E501 a row of a sheet is one line
ACCOUNTS = """\
number,name,kind,parent,terms,currency,address_line,city,county,state,postal_code,country,phone,signed_up_on,billing_day,invoice_emails,payment_method,bill_from_on,opening_balance
C-1,"Acme, Inc.",customer,,hosted-direct,USD,1 Main Street,Denver,Denver,co,80202,us,303-555-0100,2026-01-15,,ap@acme.example;cfo@acme.example,ach,2026-11-01,120.50
P-1,Northern Partners,partner,,hosted-partner,USD,,Albany,,NY,,,,2025-05-01,,billing@northern.example,wire,2026-12-01,
K-1,Kite Cafe,client,P-1,,,,,,,,,,2026-02-01,,,,,
S-1,Seats Ltd,,,per-seat,,,,,,,,,,31,,card,,
"""
CONTACTS = """\
account,name,email,phone,roles
C-1,Ann Archer,ann@acme.example,303-555-0101,primary;administrator
C-1,Bob Binder,bob@acme.example,,billing;primary-billing
P-1,Nora North,nora@northern.example,,primary
"""
PRODUCTS = """\
code,name,charge,currency,unit_price,setup_fee,change_fee,inactive_price,deposit,tax_category,licensed,vendor
mail,Mailbox,recurring,,4.50,,,,,saas,no,
crm,CRM seat,recurring,USD,30,10,5,12.5,500,saas,yes,Contoso Apps
work,Hourly work,one-off,USD,150,,,,,,,
"""
PRICES = """\
product,currency,unit_price,valid_from_on
crm,USD,33,2027-01-01
mail,EUR,4.20,2026-01-01
"""
SUBSCRIPTIONS = """\
reference,account,label,product,quantity,unit_price,started_on,ended_on
M-1,C-1,acme.example,mail,25,,2026-01-15,
,K-1,,mail,3,3.999999,2026-02-01,2026-12-15
,S-1,Sam Seat,crm,,,2026-10-31,
,S-1,Sue Seat,crm,,,2026-10-31,
"""
QUANTITIES = "subscription,quantity,from_on\nM-1,30,2026-03-10\n"
INACTIVITY = "subscription,period_start_on,kind\nS-1/crm/2,2026-11-30,deemed\n"
ONE_OFF_CHARGES = """\
account,product,description,quantity,unit_price,on
C-1,work,Migration of mail,2.5,,2026-11-18
C-1,work,Migration of mail,2.5,,2026-11-18
"""
TAX_RATES = """\
country,state,county,city,postal_code,tax_category,name,rate_percent,valid_from_on,valid_to_on
US,CO,,,,saas,Colorado state sales tax,2.9,2020-01-01,2027-01-01
US,CO,,,,saas,Colorado state sales tax,3,2027-01-01,
"""
EXEMPTIONS = "account,country,state,certificate,valid_from_on,valid_to_on\nC-1,US,CO,CO-4711,2026-01-01,\n"

WHOLE_BOOK: Mapping[str, str] = {
    "accounts": ACCOUNTS,
    "contacts": CONTACTS,
    "products": PRODUCTS,
    "prices": PRICES,
    "subscriptions": SUBSCRIPTIONS,
    "quantities": QUANTITIES,
    "inactivity": INACTIVITY,
    "one_off_charges": ONE_OFF_CHARGES,
    "tax_rates": TAX_RATES,
    "exemptions": EXEMPTIONS,
}


def changed(text: str, before: str, after: str) -> str:
    """A sheet with one place of it replaced."""
    assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in the sheet"
    return text.replace(before, after)


def write_folder(folder: Path, sheets: Mapping[str, str], *, encoding: str = "utf-8") -> Path:
    """A folder with one CSV file a sheet, and nothing else."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, text in sheets.items():
        (folder / f"{name}.csv").write_text(text, encoding=encoding)
    return folder


def write_workbook(path: Path, sheets: Mapping[str, list[list[Any]]]) -> Path:
    """A workbook with cells of their own types: numbers, days, truths and text."""
    workbook = xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False})
    as_day = workbook.add_format({"num_format": "yyyy-mm-dd"})
    for name, rows in sheets.items():
        sheet = workbook.add_worksheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, date):
                    sheet.write_datetime(row, column, datetime(cell.year, cell.month, cell.day), as_day)  # noqa: DTZ001
                elif cell is not None:
                    sheet.write(row, column, cell)
    workbook.close()
    return path


def typed(text: str) -> list[list[Any]]:
    """A CSV sheet's cells as somebody would type them into a spreadsheet: numbers and days as such."""
    return [[_typed(cell) for cell in row] for row in csv.reader(io.StringIO(text))]


def _typed(cell: str) -> Any:
    if not cell:
        return None
    for as_type in (float, date.fromisoformat):
        try:
            return as_type(cell)
        except ValueError:
            continue
    return {"yes": True, "no": False}.get(cell, cell)


def import_sheets(folder: Path, sheets: Mapping[str, str], **options: Any) -> ImportPlan:
    return import_book(read_book(write_folder(folder, sheets)), actor=MANAGER, now=NOW, **options)


def row_hashes() -> dict[str, str]:
    """A hash of every row version of every table: it changes with any write, even one of the same values."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            if not table.startswith(("accounts_", "invoicing_")):
                continue
            cursor.execute(
                f"SELECT md5(string_agg(t.xmin || t.ctid::text || t::text, '' ORDER BY t.ctid)) FROM \"{table}\" t"
            )
            found[table] = cursor.fetchone()[0]
    return found
