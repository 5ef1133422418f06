"""So many rows of everything that the console lists, around one account and across many."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from accounts.actors import Channel, Role, command_line
from accounts.audit import record_change
from accounts.models import Account, Contact, Decision
from invoicing.catalog.models import Vendor
from invoicing.ledger.operations import Side, post
from invoicing.subscriptions.models import OneOffCharge, QuantityChange
from invoicing.tax.models import Exemption, TaxRate
from tests.accounts.factories import make_contact
from tests.invoicing import factories as make
from tests.invoicing.documents.factories import line, make_invoice, requested

AT = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)


def many_accounts(count: int) -> list[Account]:
    """Accounts with a Primary Contact, a service, an open invoice and a posting each; catalog and taxes beside them."""
    accounts = []
    for number in range(count):
        account = make.customer()
        make_contact(account, f"Pat Primary {number}", Role.PRIMARY)
        plan = make.plan(f"plan-{account.number.lower()}")
        make.subscription(account, plan, date(2026, 7, 1))
        make.one_off_charge(account, plan, date(2026, 10, 1))
        _records(account)
        _invoice(account, number)
        Vendor.objects.create(name=f"Vendor {account.number}")
        TaxRate.objects.create(
            name=f"Rate {account.number}", country="US", rate_percent=Decimal(4), valid_from_on=date(2020, 1, 1)
        )
        Exemption.objects.create(
            account=account, country="US", certificate=f"E-{account.number}", valid_from_on=date(2026, 1, 1)
        )
        accounts.append(account)
    return accounts


def busy_account(count: int) -> Account:
    """One partner with so many clients, contacts, services, invoices, postings and records."""
    partner, clients = make.partner_with_clients(*(f"Client {number}" for number in range(count)))
    make_contact(partner, "Pat Primary", Role.PRIMARY)
    plan = make.plan(f"plan-{partner.number.lower()}")
    for number, client in enumerate(clients):
        make_contact(partner, f"Sam Someone {number}", Role.TECHNICAL, Role.BILLING)
        held = make.subscription(client, plan, date(2026, 7, 1))
        QuantityChange.objects.create(subscription=held, from_on=date(2026, 8, 1), quantity=3)
        _records(partner)
        _invoice(partner, number)
        Exemption.objects.create(
            account=partner, country="US", state=f"S{number}", certificate="E-1", valid_from_on=date(2026, 1, 1)
        )
    return partner


def _records(account: Account) -> None:
    record_change("account.change", subject=f"account {account.number}", actor=command_line(), now=AT, account=account)
    Decision.objects.create(
        account=account, action="CHANGE_ACCOUNT", allowed=False, who="Eve", actor_kind="CONTACT", channel=Channel.EMAIL,
        clauses=["AUTH-2"], refusals=[{"clause": "AUTH-2", "sentence": "No.", "way_out": "Ask."}], at=AT,
    )  # fmt: skip


def _invoice(account: Account, number: int) -> None:
    invoice = make_invoice(account, [line("37.90")], issued_on=date(2026, 11, 1), due_on=date(2026, 11, 30))
    requested(invoice)
    post(
        account_id=account.pk, source=f"invoice:{invoice.pk}", kind="INVOICE", currency="USD", on=date(2026, 11, 1),
        now=AT + timedelta(minutes=number),
        sides=[Side("RECEIVABLE", invoice.total, invoice_id=invoice.pk), Side("REVENUE", -invoice.total)],
    )  # fmt: skip


def waiting_charge(account: Account) -> OneOffCharge:
    """AUTH-6: one that nobody has authorized."""
    plan = make.plan(f"work-{account.number.lower()}", charge="ONE_OFF")
    return make.one_off_charge(account, plan, date(2026, 11, 1), authorized_at=None, authorized_by="")


def person(account: Account, role: Role = Role.PRIMARY) -> Contact:
    return make_contact(account, f"Pat {role.value.title()}", role)
