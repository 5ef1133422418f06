"""Building the demonstration: each step safe to do twice, and timed."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import perf_counter

from allauth.account.models import EmailAddress
from dateutil.relativedelta import relativedelta
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db.models import Sum

from accounts.actors import command_line
from accounts.models import Account
from accounts.queries import actor_for_user
from billingsite.demo.book import write_book
from billingsite.demo.paying import evening, morning, prepare_payers
from billingsite.groups import AGENT, AUDITOR, MANAGER
from invoicing.book.operations import import_book, read_book
from invoicing.catalog.models import BillingTerms
from invoicing.collections.models import Placement, Suspension
from invoicing.documents.models import Letter
from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import send_pending
from invoicing.money import format_money
from invoicing.orders.models import Order
from invoicing.payments.gateways.demo import SetClock
from invoicing.payments.gateways.registry import demo_gateway
from invoicing.payments.models import Chargeback, Payment
from invoicing.prepaid.models import TopUp
from invoicing.runs.books import differences_in_books
from invoicing.runs.models import Run
from invoicing.runs.operations import advance, approve, run_billing
from invoicing.runs.queries import figures
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of
from invoicing.subscriptions.models import BillingProfile

PASSWORD = "demo"
CUSTOMERS = {"hosted": "robin@d1001.example.net", "prepaid": "robin@t5003.example.net"}
LIVED = "demo-lived-until"
PEOPLE = {"manager": MANAGER, "agent": AGENT, "auditor": AUDITOR}


@dataclass
class Building:
    """What was done and how long each step took."""

    tell: Callable[[str], None]
    took: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.tell(f"  {name} …")
        began = perf_counter()
        yield
        self.took[name] = perf_counter() - began


def build(building: Building, *, var_dir: Path, now: datetime) -> Run:
    """Build what is not there yet, bill what is due by today, and return this month's run."""
    with building.step("tables"):
        call_command("migrate", verbosity=0)
    _people()
    seller = _seller()
    today = today_of(seller, now=now)
    if not Account.objects.exists():
        with building.step("book of accounts"):
            write_book(var_dir / "demo-book", today=today)
            import_book(read_book(var_dir / "demo-book"), actor=command_line(), now=now)
    _customers()
    with building.step("who pays how"):
        prepare_payers(now=_early_on(today.replace(day=1) - relativedelta(months=3)))
    with building.step("three months, day by day: bills, payments, declines, reminders"):
        run = _live(seller, today=today, since=_lived_until(var_dir))
        (var_dir / LIVED).write_text(today.isoformat())
    with building.step("PDFs"):
        render_pending(limit=100_000, now=now, processes=2)
    with building.step("mails"):
        send_pending(limit=100_000, now=now)
    return run


def _people() -> None:
    users = get_user_model().objects
    if not users.filter(username="admin").exists():
        users.create_superuser("admin", "admin@clausebook.example", PASSWORD)
    for name, group in PEOPLE.items():
        user, is_new = users.get_or_create(
            username=name,
            defaults={"email": f"{name}@clausebook.example", "is_staff": True, "first_name": name.title()},
        )
        if is_new:
            user.set_password(PASSWORD)
            user.save()
            user.groups.add(Group.objects.get(name=group))


def _customers() -> None:
    """Two who see their own pages under /my/: a contact's sign-in is known by its verified address."""
    for name, email in CUSTOMERS.items():
        user, is_new = get_user_model().objects.get_or_create(username=name, defaults={"email": email})
        if is_new:
            user.set_password(PASSWORD)
            user.save()
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)


def _seller() -> Seller:
    seller = Seller.objects.get(is_default=True)
    if seller.email:
        return seller
    seller.name, seller.address_line, seller.city = "Meridian Hosting, Inc.", "1600 Glenarm Place", "Denver"
    seller.state, seller.postal_code, seller.country = "CO", "80202", "US"
    seller.email, seller.phone = "billing@meridian-hosting.example", "+1 303 555 0142"
    seller.tax_ids = ["EIN 84-5550142"]
    seller.time_zone = "America/Denver"
    seller.payment_instructions = (
        "By ACH or wire: First Bank of Denver, routing 102000000, account 5550142\n"
        "By check: Meridian Hosting, Inc., 1600 Glenarm Place, Denver, CO 80202\n"
        "Please give the invoice number with your payment."
    )
    seller.save()
    # So that the demonstration has a review to show; managers change it under Billing terms.
    BillingTerms.objects.filter(code="hosted-partner").update(approval=BillingTerms.Approval.REVIEW)
    return seller


def _early_on(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=UTC)


def _lived_until(var_dir: Path) -> date | None:
    """The last day that an earlier build came to."""
    kept = var_dir / LIVED
    return date.fromisoformat(kept.read_text()) if kept.exists() else None


def _live(seller: Seller, *, today: date, since: date | None) -> Run:
    """Every day up to today as the schedule, the customers and the staff would have lived it."""
    clock = SetClock(_early_on(today))
    gateway = demo_gateway()
    gateway.clock = clock
    first = today.replace(day=1)
    day = since + timedelta(days=1) if since else first - relativedelta(months=3)
    while day <= today:
        now = clock.at = _early_on(day)
        morning(day, gateway, now=now)
        if day == first:
            _this_month(seller, today=today)
        elif BillingProfile.objects.filter(seller=seller, next_billing_on__lte=day).exists():
            run_billing(seller=seller, on=day, actor=command_line(), now=now, approve=True)
        evening(day, gateway, now=now + timedelta(hours=2))
        day += timedelta(days=1)
    return Run.objects.filter(seller=seller, on=first).exclude(state=Run.State.DISCARDED).get()


def _this_month(seller: Seller, *, today: date) -> Run:
    """The run of the 1st, held for review as the partner's terms ask, and released by the manager."""
    first = today.replace(day=1)
    run = run_billing(seller=seller, on=first, actor=command_line(), now=_early_on(first))
    if run.state == Run.State.REVIEW:
        manager = actor_for_user(get_user_model().objects.get(username="manager"))
        approve(run, actor=manager, now=_early_on(first))
        advance(run, actor=manager, now=_early_on(first))
    return run


def summary(run: Run, building: Building) -> Iterator[str]:
    """What the demonstration came to, in some lines."""
    found = figures(run)
    total = ", ".join(format_money(amount, currency) for currency, amount in sorted(found.total.items()))
    yield (
        f"Run of {run.on}: {found.accounts} accounts = {found.invoiced} invoiced"
        f" + {found.nothing_due} with nothing due + {found.parked} parked"
    )
    yield f"Total {total}; numbers {found.first_number} to {found.last_number}; released by {run.approved_by}"
    for item in run.items.filter(outcome="PARKED").select_related("account")[:10]:
        yield f"  parked {item.account.number} {item.account.name}: {item.reason}"
    yield from _money_in()
    differences = list(differences_in_books())
    yield f"Books: {len(differences)} differences" if differences else "Books: in order"
    yield "Took " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in building.took.items())


def _money_in() -> Iterator[str]:
    """What was paid and what was not, as the console's queues show it."""
    states = Counter(Payment.objects.values_list("state", flat=True))
    paid = Payment.objects.filter(state=Payment.State.SUCCEEDED).aggregate(amount=Sum("amount"), fee=Sum("fee"))
    yield (
        f"Payments: {states['SUCCEEDED']} came to USD {paid['amount'] or 0:,.2f} and USD {paid['fee'] or 0:,.2f} of "
        f"card fees (FEE-1); {states['FAILED']} failed, {states['RETURNED']} returned by a bank, "
        f"{Payment.objects.filter(attempt__gt=1).count()} were retries; {Chargeback.objects.count()} chargebacks"
    )
    letters = Counter(key.split(":")[0] for key in Letter.objects.values_list("key", flat=True))
    yield (
        f"Top-ups: {TopUp.objects.filter(state='CREDITED').count()}; warnings of low balances: "
        f"{letters['low-balance']}; reminders: {letters['reminder']}; receipts: {letters['receipt']}"
    )
    yield (
        f"Suspended: {Suspension.objects.filter(state='ACTIVE').count()} accounts; with the agency: "
        f"{Placement.objects.filter(state='PLACED').count()}; orders paid and free to start: "
        f"{Order.objects.filter(state='PAID').count()}"
    )
