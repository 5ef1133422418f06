"""
A provider's book of accounts as the tests of billing need it: one function a state, the same figures each time.

What these make is on the book as if it had been imported: the run sees it. `bill` does the run of a day.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from itertools import count
from typing import Any

from accounts.actors import Actor, Channel, Role, command_line
from accounts.models import Account
from accounts.queries import actor_for_contact
from invoicing.catalog.models import BillingTerms, Plan, Price, Product
from invoicing.invoices.models import Invoice, InvoiceLine
from invoicing.runs.models import Run
from invoicing.runs.operations import run_billing
from invoicing.sellers.models import NumberSeries, Seller
from invoicing.subscriptions.models import BillingProfile, OneOffCharge, Subscription
from invoicing.subscriptions.operations import look_again
from tests.accounts.factories import make_contact

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PRESETS = {preset["code"]: preset for preset in import_module("invoicing.migrations.0003_presets").PRESETS}
PREFIXES = {"INVOICE": "INV-", "CREDIT_NOTE": "CN-"}

_numbers = count(1)
_references = count(1)


def seller(**values: Any) -> Seller:
    """The default seller with both its number series; made anew where a test before emptied the tables."""
    found, _ = Seller.objects.get_or_create(is_default=True, defaults={"name": "Your company"})
    for kind, prefix in PREFIXES.items():
        NumberSeries.objects.get_or_create(seller=found, kind=kind, defaults={"prefix": prefix})
    for name, value in values.items():
        setattr(found, name, value)
    if values:
        found.save(update_fields=list(values))
    return found


def terms(code: str, **values: Any) -> BillingTerms:
    """A preset as it ships; with `values`, its settings changed to these."""
    found, _ = BillingTerms.objects.get_or_create(code=code, defaults=PRESETS[code])
    for name, value in values.items():
        setattr(found, name, value)
    if values:
        found.save(update_fields=list(values))
    return found


def customer(code: str = "hosted-direct", *, profile: Mapping[str, Any] | None = None, **values: Any) -> Account:
    """A customer in New York who is billed in USD under the preset; `profile` holds values of how it is billed."""
    number = f"B-{next(_numbers):05d}"
    given = {
        "number": number,
        "name": f"Customer {number}",
        "signed_up_on": date(2025, 1, 15),
        "address_line": "48 Wall Street",
        "city": "New York",
        "state": "NY",
        "postal_code": "10005",
        "invoice_emails": [f"ap@{number.lower()}.example"],
    }
    account = Account.objects.create(**(given | values))
    billed_as = {"seller": seller(), "terms": terms(code), "currency": "USD"} | dict(profile or {})
    BillingProfile.objects.create(account=account, **billed_as)
    return account


def partner_with_clients(*names: str, profile: Mapping[str, Any] | None = None) -> tuple[Account, list[Account]]:
    """A partner under `hosted-partner`, and a client a name; the clients have no billing of their own."""
    partner = customer("hosted-partner", kind="PARTNER", profile=profile)
    clients = []
    for name in names or ("First client", "Second client"):
        number = f"B-{next(_numbers):05d}"
        given = {"number": number, "name": name, "kind": "CLIENT", "parent": partner, "state": "NY"}
        clients.append(Account.objects.create(**given, signed_up_on=date(2025, 1, 15)))
    return partner, clients


def per_seat_company(billing_day: int | None = None, *, profile: Mapping[str, Any] | None = None) -> Account:
    """A company under `per-seat`; without a billing day, its first subscription decides it (BILL-5)."""
    return customer("per-seat", profile={"billing_day": billing_day} | dict(profile or {}))


def plan(
    code: str,
    price: str | None = "10",
    *,
    currency: str = "USD",
    valid_from_on: date = date(2020, 1, 1),
    charge: str = "RECURRING",
    licensed: bool = False,
    tax_category: str = "",
    **amounts: str,
) -> Plan:
    """
    A plan of a product of its own at this price; None: on sale nowhere.

    `amounts` are `setup_fee`, `change_fee`, `inactive_price` and `deposit`.
    """
    name = code.replace("-", " ").capitalize()
    product = Product.objects.create(
        code=code, name=name, charge=charge, unit="seat", licensed=licensed, tax_category=tax_category
    )
    made = Plan.objects.create(product=product, code=code, name=name)
    if price is not None:
        add_price(made, price, currency=currency, valid_from_on=valid_from_on, **amounts)
    return made


def add_price(
    of_plan: Plan, price: str, *, valid_from_on: date = date(2020, 1, 1), currency: str = "USD", **amounts: str
) -> Price:
    """One more version of a plan's price."""
    given = {name: Decimal(amount) for name, amount in amounts.items()}
    return Price.objects.create(
        plan=of_plan, currency=currency, valid_from_on=valid_from_on, unit_price=Decimal(price), **given
    )


def subscription(account: Account, of_plan: Plan, started_on: date, quantity: str = "1", **values: Any) -> Subscription:
    """A subscription on the book, which the run sees."""
    given = {"reference": f"S-{next(_references):05d}", "quantity": Decimal(quantity)} | values
    made = Subscription.objects.create(account=account, plan=of_plan, started_on=started_on, **given)
    look_again({account.pk: started_on})
    return made


def one_off_charge(account: Account, of_plan: Plan, on: date, **values: Any) -> OneOffCharge:
    """A one-off charge on the book, authorized; with `authorized_at=None`, one that waits."""
    given = {"description": "Migration work", "authorized_by": "Ann Primary", "authorized_at": NOW} | values
    made = OneOffCharge.objects.create(account=account, plan=of_plan, on=on, **given)
    look_again({account.pk: on})
    return made


def contact_of(account: Account, *roles: Role, channel: Channel = Channel.PORTAL, recorded_by: str = "") -> Actor:
    """A contact of the account with these roles, who asks through this door."""
    name = " ".join(["Ann", *(role.value.title().replace("_", " ") for role in roles)])
    number = account.contacts.count() + 1
    return actor_for_contact(make_contact(account, f"{name} {number}", *roles), channel, recorded_by=recorded_by)


def bill(on: date, *, account: Account | None = None, approve: bool = True, now: datetime = NOW) -> Run:
    """The default seller's run of a day, issued without a review unless told."""
    return run_billing(seller=seller(), on=on, actor=command_line(), now=now, account=account, approve=approve)


def invoices_of(account: Account) -> list[Invoice]:
    """What was issued to an account, in order of its days."""
    return list(Invoice.objects.filter(account=account, status="ISSUED").order_by("issued_on", "pk"))


def lines_of(invoices: Sequence[Invoice] | Invoice) -> list[tuple[Any, ...]]:
    """Each line as (kind, plan, first day, day after, quantity, amount), in the order printed."""
    of = [invoices] if isinstance(invoices, Invoice) else invoices
    rows = InvoiceLine.objects.filter(invoice__in=of).order_by("invoice__issued_on", "invoice_id", "position")
    return list(rows.values_list("kind", "plan__code", "period_start", "period_end", "quantity", "amount"))
