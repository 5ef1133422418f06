"""
How the demonstration's customers pay, or do not: methods at the demo gateway, and who does what on which day.

Nothing here moves money by itself: every step calls the operation that staff, customers or the schedule would.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.db.models import Sum

from accounts.actors import Actor, Channel, Role, schedule
from accounts.models import Account, Contact
from accounts.queries import actor_for_contact, actor_for_user
from invoicing.catalog.models import Plan, Product
from invoicing.collections.operations import approve_placements, hand_off, promise_to_pay, remind, suspend
from invoicing.documents.rendering import render_pending
from invoicing.invoices.models import OpenInvoice
from invoicing.orders.operations import follow_orders, order_service, pay_order
from invoicing.payments.choosing import choose_automatic_charge
from invoicing.payments.events import work_off_events
from invoicing.payments.gateways.demo import DemoGateway
from invoicing.payments.gateways.faults import Fault, NoFaults, Step, Told
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.payments.operations import book_payment, charge_due, resolve_open
from invoicing.payments.receiving import take_in
from invoicing.prepaid.agreements import agree_to_top_ups
from invoicing.prepaid.topping_up import top_up, top_up_due
from invoicing.prepaid.usage import take_uses
from invoicing.prepaid.usage_reading import read_use
from invoicing.prepaid.warnings import warn_low_balances
from invoicing.runs.awaiting import post_what_waited
from invoicing.subscriptions.models import BillingProfile

# What the demo bank does with whose method; everybody else's is in order.
DOES = {"D1004": "ach-return.R10", "D1006": "ach-fail.R01", "D1007": "card-decline.expired_card"}
DECLINED_ONCE = "D1003"
CHARGED_BACK = "D1009"
NEVER_PAYS = "P3004"
PROMISES = "P3003"
TOPS_UP = {"T5001": ("50", "250"), "T5002": ("60", "400")}
TOPS_UP_BY_HAND = {"T5003": "150"}
MINUTES = {"T5001": 1900, "T5002": 2600, "T5003": 400}
DAYS_OF_USE = (3, 9, 15, 21, 27)


def prepare_payers(*, now: datetime) -> None:
    """Methods, agreements, and the product that is paid before it begins; once."""
    if PaymentMethod.objects.exists():
        return
    Product.objects.filter(code="onboarding").update(invoiced_at_once=True)
    for profile in BillingProfile.objects.select_related("account").order_by("account_id"):
        number = profile.account.number
        if profile.payment_method in ("CARD", "ACH"):
            _method(profile.account, profile.payment_method, DOES.get(number, ""), now=now)
            if number.startswith("D"):
                choose_automatic_charge(profile.account, wanted=True, actor=_billing(profile.account), now=now)
        if number in TOPS_UP or number in TOPS_UP_BY_HAND:
            _method(profile.account, "CARD", "", now=now)
        if number in TOPS_UP:
            threshold, amount = TOPS_UP[number]
            agree_to_top_ups(
                profile.account, threshold=Decimal(threshold), amount=Decimal(amount),
                actor=_billing(profile.account), now=now,
            )  # fmt: skip


def _method(account: Account, kind: str, does: str, *, now: datetime) -> PaymentMethod:
    is_card = kind == "CARD"
    token = f"pm_demo-{does or ('card-ok' if is_card else 'ach-ok')}-{account.pk}"
    return PaymentMethod.objects.create(
        account=account, kind=kind, gateway="demo", token=token, customer_token=f"cus_demo-{account.pk}",
        brand="Visa" if is_card else "First Bank of Denver", last_four="4242" if is_card else "6789",
        funding="CREDIT" if is_card else "UNKNOWN", is_default=True, added_at=now,
        expires_on=now.date().replace(month=12, day=31) + timedelta(days=365) if is_card else None,
    )  # fmt: skip


def morning(day: date, gateway: DemoGateway, *, now: datetime) -> None:
    """Before the month is billed: what was used, what the bank did, what is topped up and warned of."""
    if day.day in DAYS_OF_USE:
        _use(day, now=now)
    bank_works(gateway, now=now)
    if day.day == 4:
        for number, amount in TOPS_UP_BY_HAND.items():
            account = Account.objects.get(number=number)
            top_up(account, Decimal(amount), actor=_billing(account), now=now)
    top_up_due(actor=schedule(), now=now, on=day)
    warn_low_balances(now=now, on=day)


def evening(day: date, gateway: DemoGateway, *, now: datetime) -> None:
    """After it: charges and checks, orders, top-ups for what was short, and what becomes of what is not paid."""
    _charge(day, gateway, now=now)
    _checks(day, now=now)
    _order(day, now=now)
    top_up_due(actor=schedule(), now=now, on=day)
    post_what_waited(actor=schedule(), now=now)
    follow_orders(now=now)
    _dispute(day, gateway)
    remind(on=day, now=now)
    suspend(on=day, now=now, actor=schedule())
    hand_off(on=day, now=now, actor=schedule())
    if day.day == 10:
        # The agency gets the invoices as PDFs, beside its file.
        render_pending(limit=100_000, now=now)
        approve_placements(on=day, now=now, actor=_manager())
        hand_off(on=day, now=now, actor=schedule())


def bank_works(gateway: DemoGateway, *, now: datetime) -> None:
    """Debits settle or come back, and the gateway's notices are worked off."""
    gateway.pass_time()
    take_in(gateway)
    while work_off_events(now=now, limit=500).total():
        pass
    resolve_open(now=now)


def _charge(day: date, gateway: DemoGateway, *, now: datetime) -> None:
    account = Account.objects.get(number=DECLINED_ONCE)
    if not Payment.objects.filter(account=account).exists():
        gateway.stripe.faults = Told([Step(Fault.DECLINE, "insufficient_funds")])
        charge_due(on=day, now=now, actor=schedule(), account_id=account.pk)
        gateway.stripe.faults = NoFaults()
    charge_due(on=day, now=now, actor=schedule())


def _checks(day: date, *, now: datetime) -> None:
    """The partners' checks come on the 12th; one never pays, and one has promised to."""
    if day.day != 12:
        return
    partners = Account.objects.filter(kind=Account.Kind.PARTNER).exclude(number=NEVER_PAYS).order_by("pk")
    for partner in partners:
        owing = OpenInvoice.objects.filter(account=partner).aggregate(total=Sum("amount"))["total"]
        if not owing:
            continue
        if partner.number == PROMISES and day > now.date() - timedelta(days=40):
            promise_to_pay(
                account=partner, until_on=day + timedelta(days=45), why="Promised by phone: paid with next month's.",
                actor=_manager(), now=now, today=day,
            )  # fmt: skip
            continue
        book_payment(
            partner, kind="CHECK", amount=owing, currency="USD", reference=f"Check {partner.pk}{day:%m%d}",
            received_on=day, actor=_manager(), now=now,
        )  # fmt: skip


def _order(day: date, *, now: datetime) -> None:
    """SVC-1: a service that is asked for, and one that is paid by card at once."""
    if day.day not in (6, 16):
        return
    account = Account.objects.get(number="D1002" if day.day == 6 else "D1011")
    plan = Plan.objects.get(code="onboarding")
    order = order_service(account, plan, "Onboarding of a new office", actor=_billing(account), now=now)
    method = PaymentMethod.objects.filter(account=account, is_default=True).first()
    if order.invoice and method:
        pay_order(order, method, actor=_manager(), now=now)


def _dispute(day: date, gateway: DemoGateway) -> None:
    """One cardholder's bank takes a payment back on the 20th; its notice comes the next day."""
    paid = Payment.objects.filter(account__number=CHARGED_BACK, state="SUCCEEDED", chargebacks=None).order_by("pk")
    if day.day == 20 and (payment := paid.first()) and payment.gateway_reference:
        gateway.open_dispute(payment.gateway_reference)


def _use(day: date, *, now: datetime) -> None:
    uses = [
        read_use(
            {
                "key": f"demo-{number}-{day}-{part}", "account": number, "product": "minute",
                "at": (now - timedelta(minutes=10 * part)).isoformat(), "quantity": str(minutes // 4 + 7 * part),
                "detail": "Outbound calls",
            },
            now=now,
            at_most_days_old=40,
        )
        for number, minutes in MINUTES.items()
        for part in range(1, 5)
    ]  # fmt: skip
    take_uses(uses, now=now)


def _manager() -> Actor:
    return actor_for_user(get_user_model().objects.get(username="manager"))


def _billing(account: Account) -> Actor:
    contact = Contact.objects.get(account=account, roles__role=Role.PRIMARY_BILLING)
    return actor_for_contact(contact, Channel.PORTAL)
