"""Books for the tests of crashes and races: a small one with every kind of account, and large ones of one kind."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import count

from accounts.models import Account
from invoicing.catalog.models import Plan
from invoicing.subscriptions.models import BillingProfile, Inactivity, QuantityChange, Subscription
from invoicing.subscriptions.operations import look_again
from invoicing.tax.models import TaxRate
from tests.invoicing.factories import (
    customer,
    one_off_charge,
    partner_with_clients,
    per_seat_company,
    plan,
    seller,
    subscription,
    terms,
)

_books = count(1)


def small_book() -> dict[str, Account]:
    """
    Nine accounts that end in every way there is on 1 March 2026, by what is remarkable about them.

    Six are invoiced, one of them by a credit note; one has nothing due; two are parked. Sums to USD 1,081.42.
    """
    nth = next(_books)
    mail = plan(f"mail-{nth}", "4.50", tax_category="saas")
    work = plan(f"work-{nth}", "150", charge="ONE_OFF")
    seat = plan(f"seat-{nth}", "30", setup_fee="10", deposit="500", inactive_price="12.50")
    unpriced = plan(f"unpriced-{nth}", None)
    TaxRate.objects.get_or_create(
        country="US", state="CO", tax_category="saas", name="Colorado", valid_from_on=date(2020, 1, 1),
        defaults={"rate_percent": Decimal("2.9")},
    )  # fmt: skip

    plain = customer(name="Plain")
    subscription(plain, mail, date(2026, 2, 3), "2")

    taxed = customer(name="Taxed", state="CO", city="Denver")
    held = subscription(taxed, mail, date(2026, 2, 1), "25")
    QuantityChange.objects.create(subscription=held, from_on=date(2026, 2, 10), quantity=30)
    one_off_charge(taxed, work, date(2026, 2, 18), quantity=Decimal("2.5"))

    partner, clients = partner_with_clients("Kite Cafe", "Lime Bar", profile={"bill_from_on": date(2026, 3, 1)})
    for client in clients:
        subscription(client, mail, date(2026, 1, 10), "3")

    company = per_seat_company(1, profile={"bill_from_on": date(2026, 3, 1)})
    subscription(company, seat, date(2026, 3, 1))

    # Its last seat went in February, which was billed elsewhere: what is left is the rebate of February.
    gone = per_seat_company(1, profile={"bill_from_on": date(2026, 2, 2)})
    last_seat = subscription(gone, seat, date(2025, 12, 1), ended_on=date(2026, 2, 2))
    Inactivity.objects.create(subscription=last_seat, period_start_on=date(2026, 2, 1))

    prepaid = customer("prepaid", name="Prepaid")
    subscription(prepaid, mail, date(2026, 3, 1))

    free = customer(name="Free")
    subscription(free, mail, date(2026, 2, 1), unit_price=Decimal(0))

    poor = customer(name="No price")
    subscription(poor, unpriced, date(2026, 2, 1))
    late = customer(name="Two months")
    subscription(late, mail, date(2026, 1, 5))
    return {
        "plain": plain, "taxed": taxed, "partner": partner, "company": company, "gone": gone, "prepaid": prepaid,
        "free": free, "unpriced": poor, "late": late,
    }  # fmt: skip


def many_customers(number: int, of_plan: Plan, *, started_on: date, currency: str = "USD") -> list[Account]:
    """So many customers with one subscription each, written in a few statements."""
    nth = next(_books)
    accounts = Account.objects.bulk_create(
        Account(
            number=f"M{nth}-{index:05d}", name=f"Customer {index}", signed_up_on=started_on,
            invoice_emails=[f"ap@m{nth}-{index}.example"],
        )
        for index in range(number)
    )  # fmt: skip
    issuer, billed_under = seller(), terms("hosted-direct")
    BillingProfile.objects.bulk_create(
        BillingProfile(account=account, seller=issuer, terms=billed_under, currency=currency) for account in accounts
    )
    Subscription.objects.bulk_create(
        Subscription(account=account, plan=of_plan, reference=f"{account.number}/1", started_on=started_on)
        for account in accounts
    )
    look_again(dict.fromkeys((account.pk for account in accounts), started_on))
    return accounts


def numbers_of(accounts: Sequence[Account]) -> list[str]:
    return [account.number for account in accounts]
