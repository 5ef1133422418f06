"""
Money on the small provider's book, so that each page about it has something to show.

A check, a card charged with its fee, one declined, a debit under way, a method each, a refund, a chargeback, a notice
that waits, balances with top-ups, holds, a suspension, reminders, a proposal and a hand-over. The same each time.
"""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from accounts.actors import command_line
from accounts.models import Account, ApiToken
from accounts.tokens import make_token
from invoicing.collections.models import PlatformNotice
from invoicing.collections.operations import (
    add_endpoint,
    approve_placements,
    place_hold,
    propose,
    remind,
    suspend_account,
    write_batches,
)
from invoicing.orders.models import Order
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Chargeback
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import book_payment, charge, refund
from invoicing.prepaid.models import TopUp, TopUpAgreement
from invoicing.prepaid.topping_up import top_up
from tests.invoicing import factories as make
from tests.invoicing.payments.factories import bank_account, card, ship_rates

AT = datetime(2026, 11, 10, 15, 0, tzinfo=UTC)
LATE = date(2026, 12, 15)
STAFF = command_line()


def seed_money() -> None:
    """On top of `seed_console`, whose invoices it pays or leaves."""
    ship_rates()
    with installed(DemoGateway(clock=SetClock(AT))):
        _payments()
        _prepaid()
    _dunning()
    make_token("Voice platform", ["usage:write"], actor=STAFF, now=AT)
    assert ApiToken.objects.exists()
    _order()


def _of(name: str) -> Account:
    return Account.objects.get(name=name)


def _payments() -> None:
    booked = book_payment(
        _of("Harbor Dental Group"), kind="CHECK", amount=Decimal(500), currency="USD", reference="4711",
        received_on=AT.date(), actor=STAFF, now=AT,
    )  # fmt: skip
    refund(booked, actor=STAFF, now=AT, reason="Sent twice.", amount=Decimal(20), reference="W-9")
    juniper = _of("Juniper Freight LLC")
    paid = charge(juniper.pk, card(juniper), actor=STAFF, now=AT)
    declined = _of("Maple & Stone Architects")
    charge(declined.pk, card(declined, "decline.insufficient_funds"), actor=STAFF, now=AT)
    pending = _of("Northfield Clinics")
    charge(pending.pk, bank_account(pending), actor=STAFF, now=AT)
    Chargeback.objects.create(
        payment=paid, account=juniper, gateway_reference="dp_demo-1", currency="USD", amount=paid.amount + paid.fee,
        reason="fraudulent", opened_at=AT, answer_by_at=AT + timedelta(days=7),
    )  # fmt: skip
    body = json.dumps({"id": "evt_demo-1", "type": "charge.succeeded", "amount": 1250, "currency": "usd"})
    WebhookEvent.objects.create(
        gateway="demo", event_id="evt_demo-1", type="charge.succeeded", body=body, state="PARKED", attempts=1,
        error="A charge of USD 12.50 was settled that we know nothing of.", payment=paid, made_at=AT, received_at=AT,
    )  # fmt: skip


def _prepaid() -> None:
    vista = _of("Vista Travel")
    method = card(vista)
    top_up(vista, Decimal(150), actor=STAFF, now=AT, method=method)
    TopUpAgreement.objects.update_or_create(
        account=vista, defaults={"threshold": Decimal(40), "amount": Decimal(100), "method": method}
    )
    TopUp.objects.create(
        account=vista, automatic=True, on=AT.date(), number=1, currency="USD", amount=Decimal(100), state="FAILED",
        why="Your card has insufficient funds.", made_by="schedule", made_at=AT,
    )  # fmt: skip


def _dunning() -> None:
    for name, kind, until_on in (
        ("Otter Creek Brewing", "PROMISE", date(2027, 1, 15)),
        ("Redbrick Realty", "DISPUTE", None),
    ):
        place_hold(
            account=_of(name), kind=kind, why="They called about it.", until_on=until_on, actor=STAFF, now=AT,
            today=AT.date(),
        )  # fmt: skip
    add_endpoint(name="Voice platform", url="https://platform.example/hooks", actor=STAFF, now=AT)
    suspend_account(account=_of("Willow Bakery"), why="The line was abused.", actor=STAFF, now=AT)
    PlatformNotice.objects.update(state="PARKED", attempts=8, error="The platform answered 503.")
    remind(on=date(2026, 12, 2), now=AT)
    later = datetime(2026, 12, 15, 15, 0, tzinfo=UTC)
    propose(on=LATE, now=later, actor=STAFF)
    first = _of("Pinewood School District").placements.get()
    approve_placements(on=LATE, now=later, actor=STAFF, placements=[first.pk])
    write_batches(now=later)


def _order() -> None:
    account = _of("Harbor Dental Group")
    plan = make.plan("on-site-visit", "180", charge="ONE_OFF")
    charge_of = make.one_off_charge(account, plan, AT.date(), description="Visit on site")
    Order.objects.get_or_create(
        one_off=charge_of,
        defaults={
            "account": account, "kind": "SERVICE", "state": "PAID", "description": "Visit on site",
            "asked_by": "Ann Primary", "asked_at": AT, "paid_at": AT,
        },
    )  # fmt: skip
