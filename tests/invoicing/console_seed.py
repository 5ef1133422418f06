"""
A small provider with two months of history and a third that waits for review, to look at the pages with.

Fourteen accounts under all four terms, one partner with two clients, a vendor's product, tax, a parked account, a
mail that failed and one that may have arrived. The same figures each time.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from accounts.actors import schedule
from accounts.models import Account
from invoicing.catalog.models import Plan, Vendor
from invoicing.documents.models import Delivery
from invoicing.runs.models import Run
from invoicing.runs.operations import run_billing
from invoicing.tax.models import TaxRate
from tests.invoicing import factories as make

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
AT_ISSUE = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
NAMES = (
    "Harbor Dental Group", "Juniper Freight LLC", "Maple & Stone Architects", "Northfield Clinics",
    "Otter Creek Brewing", "Pinewood School District", "Quarry Hill Law", "Redbrick Realty",
)  # fmt: skip


class Seeded(NamedTuple):
    """The runs of the three months, the last of which waits for review, and the account that is parked in it."""

    runs: list[Run]
    parked: Account


def seed_console() -> Seeded:
    """Make the book and bill September, October and November."""
    make.seller(name="Northwind Telecom LLC", city="New York", state="NY", time_zone="America/New_York")
    _taxes()
    plans = _plans()
    parked = _accounts(plans)
    runs = [_bill(SEPTEMBER), _bill(OCTOBER)]
    _what_changed(plans)
    make.terms("hosted-direct", approval="REVIEW")
    runs.append(_bill(NOVEMBER))
    _mails_that_failed()
    return Seeded(runs, parked)


def _taxes() -> None:
    for name, county, percent in (("New York State", "", "4"), ("New York City", "", "4.5")):
        TaxRate.objects.create(
            name=name,
            country="US",
            state="NY",
            county=county,
            rate_percent=Decimal(percent),
            valid_from_on=date(2020, 1, 1),
        )


def _plans() -> dict[str, Plan]:
    plans = {
        "pbx": make.plan("hosted-pbx", "24.90"),
        "mail": make.plan("exchange-mailbox", "6.50", licensed=True),
        "seat": make.plan("desk-seat", "18", inactive_price="6", deposit="100", setup_fee="25"),
        "minutes": make.plan("minute-bundle", "49"),
        "backup": make.plan("cloud-backup", "12.75"),
        "unpriced": make.plan("legacy-fax", None),
    }
    vendor = Vendor.objects.create(name="Stratus Backup Inc.", share_percent=Decimal("62.5"))
    product = plans["backup"].product
    product.vendor = vendor
    product.save(update_fields=["vendor"])
    return plans


def _accounts(plans: dict[str, Plan]) -> Account:
    for place, name in enumerate(NAMES, start=1):
        account = make.customer(name=name)
        make.subscription(account, plans["pbx"], date(2026, 7, 15), quantity=str(place * 3))
        make.subscription(account, plans["backup" if place % 2 else "mail"], date(2026, 7, 20), quantity=str(place))
    partner, clients = make.partner_with_clients("Riverside Dental", "Summit Legal")
    Account.objects.filter(pk=partner.pk).update(name="Keystone IT Partners")
    for client in clients:
        make.subscription(client, plans["pbx"], date(2026, 8, 3), quantity="7", label="Main office")
        make.subscription(client, plans["backup"], date(2026, 8, 3), quantity="2")
    for day, name in ((1, "Tidewater Insurance"), (15, "Umbra Studios")):
        company = make.per_seat_company(day)
        Account.objects.filter(pk=company.pk).update(name=name)
        make.subscription(company, plans["seat"], date(2026, 8, day), quantity="11")
    prepaid = make.customer("prepaid", name="Vista Travel")
    make.subscription(prepaid, plans["minutes"], date(2026, 8, 1), quantity="2")
    idle = make.customer(name="Willow Bakery")
    make.subscription(idle, plans["mail"], date(2026, 11, 1))
    parked = make.customer(name="Yarrow Medical")
    make.subscription(parked, plans["unpriced"], date(2026, 10, 4), quantity="1")
    return parked


def _bill(on: date) -> Run:
    """Every day up to the 1st that an account is due on comes with it: the run catches up."""
    opened = datetime(on.year, on.month, on.day, 6, 0, tzinfo=UTC)
    history = on < NOVEMBER
    return run_billing(seller=make.seller(), on=on, actor=schedule(), now=opened, approve=history)


def _what_changed(plans: dict[str, Plan]) -> None:
    growing = Account.objects.get(name="Harbor Dental Group")
    make.subscription(growing, plans["pbx"], date(2026, 10, 9), quantity="12", label="New branch")
    make.subscription(make.customer(name="Zephyr Logistics"), plans["pbx"], date(2026, 10, 12), quantity="5")
    leaving = Account.objects.get(name="Quarry Hill Law").subscriptions.all()
    leaving.update(ended_on=date(2026, 10, 1))
    charged = Account.objects.get(name="Northfield Clinics")
    make.one_off_charge(charged, make.plan("migration", "250", charge="ONE_OFF"), date(2026, 10, 20))


def _mails_that_failed() -> None:
    mails = list(Delivery.objects.order_by("pk")[:6])
    for mail in mails[2:]:
        Delivery.objects.filter(pk=mail.pk).update(state="SENT", sent_at=AT_ISSUE, attempts=1)
    Delivery.objects.filter(pk=mails[0].pk).update(
        state="PARKED", attempts=1, error="550 5.1.1 The recipient's mailbox does not exist."
    )
    Delivery.objects.filter(pk=mails[1].pk).update(
        state="UNCERTAIN", attempts=1, error="The lease ran out during the sending."
    )
