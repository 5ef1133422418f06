"""The lists of money ask as often for many rows as for few."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.cache import cache

from accounts.actors import command_line
from accounts.models import ApiToken
from invoicing.collections.models import (
    Hold,
    Placement,
    PlacementBatch,
    PlatformEndpoint,
    PlatformNotice,
    Reminder,
    Suspension,
)
from invoicing.documents.models import Letter
from invoicing.orders.models import Order
from invoicing.payments.models import Chargeback, Payment
from invoicing.payments.notices import WebhookEvent
from invoicing.payments.operations import book_payment
from invoicing.prepaid.models import PrepaidBalance, TopUp, TopUpAgreement
from tests.billingsite.console.test_constant_queries import queries
from tests.invoicing import factories as make
from tests.invoicing.payments.factories import card, invoice

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ON = date(2026, 3, 2)
FEW, MANY = 3, 12
MODELS = (
    "payment", "payment/?queue=failed", "payment/?queue=returned", "payment/?queue=unallocated", "paymentmethod",
    "chargeback", "webhookevent", "cardfeerate", "prepaidbalance", "prepaidbalance/?low=threshold", "topup",
    "topup/?queue=stuck", "topupagreement", "hold", "suspension", "reminder", "platformnotice", "platformendpoint",
    "placement", "placementbatch", "order", "letter",
)  # fmt: skip
LISTS = [
    *(f"/admin/invoicing/{model}{'' if '?' in model else '/'}" for model in MODELS),
    "/admin/accounts/apitoken/",
    "/admin/",
]


def one_of_each(number: int) -> None:
    account = make.customer()
    due = invoice(account)
    paid = book_payment(
        account, kind="CHECK", amount=Decimal(150), currency="USD", reference=f"CHECK-{number}", received_on=ON,
        actor=command_line(), now=AT,
    )  # fmt: skip
    method = card(account)
    Chargeback.objects.create(
        payment=paid, account=account, gateway_reference=f"dp-{number}", currency="USD", amount=1, opened_at=AT
    )
    WebhookEvent.objects.create(
        gateway="demo", event_id=f"evt-{number}", type="charge", body="{}", state="PARKED", payment=paid, made_at=AT,
        received_at=AT,
    )  # fmt: skip
    PrepaidBalance.objects.create(account=account, currency="USD")
    TopUpAgreement.objects.create(account=account, method=method, threshold=10, amount=50)
    common = {"account": account, "made_by": "Mia", "made_at": AT}
    TopUp.objects.create(**common, on=ON, currency="USD", amount=50, state="FAILED")
    Hold.objects.create(account=account, invoice=due, kind="OTHER", why="So.", placed_by="Mia", placed_at=AT)
    Suspension.objects.create(**common, reason="OTHER", clause="SUSP-1", why="So.", state="ACTIVE", effective_on=ON)
    letter = Letter.objects.filter(account=account).earliest("pk")
    Reminder.objects.create(account=account, invoice=due, days=7, on=ON, amount=1, letter=letter)
    endpoint = PlatformEndpoint.objects.create(name=f"Hook {number}", url="https://hook.example", secret="s")
    PlatformNotice.objects.create(
        account=account, endpoint=endpoint, event="SUSPEND", key=f"n-{number}", payload={}, state="PARKED", made_at=AT
    )
    batch = PlacementBatch.objects.create(seller=make.seller(), on=ON, approved_by="Mia", approved_at=AT)
    Placement.objects.create(
        account=account, batch=batch, currency="USD", amount=1, proposed_on=ON, proposed_at=AT, state="PROPOSED"
    )
    Order.objects.create(
        account=account, kind="SERVICE", invoice=due, state="PAID", description="Work", asked_by="Ann", asked_at=AT
    )
    ApiToken.objects.create(name=f"Token {number}", digest=f"{number}", hint="cb_", scopes=[], created_at=AT)


@pytest.mark.django_db
class TestLists:
    def test_cost_as_many_queries_whatever_the_number_of_rows(self, auditor):
        for number in range(FEW):
            one_of_each(number)
        few = {address: queries(auditor, address) for address in LISTS}
        for number in range(FEW, MANY):
            one_of_each(number)
        assert {address: queries(auditor, address) for address in LISTS} == few
        assert max(few.values()) <= 25


@pytest.mark.django_db
class TestSearch:
    def test_finds_a_payment_by_its_reference(self, auditor):
        for number in range(2):
            one_of_each(number)
        paid = Payment.objects.get(reference="CHECK-1")
        answer = auditor.get("/admin/search/?q=CHECK-1")
        assert answer.headers["Location"] == f"/admin/invoicing/payment/{paid.pk}/change/"


class TestTheCards:
    """Of the opening page."""

    def test_say_how_many_there_are_in_the_lists_they_lead_to(self, manager):
        for number in range(FEW):
            one_of_each(number)
        common = {"account": make.customer(), "made_by": "Mia", "made_at": AT, "reason": "NON_PAYMENT", "why": "So."}
        for on in (ON, date(2099, 1, 1)):
            Suspension.objects.create(**common, clause="SUSP-1", state="WARNED", effective_on=on)
            common["account"] = make.customer()
        cache.clear()
        cards = {one.title: one for one in manager.get("/admin/").context["cards"]}
        assert {"Suspensions due", "Platform notices", "Hand-overs to approve", "Payments not all used"} <= set(cards)
        for title, one in cards.items():
            if title != "Work nobody takes":
                assert f"{manager.get(one.link).context['cl'].result_count}" == one.count, title
        assert cards["Suspensions due"].count == "1"
