"""
Who may see and send what, over every page under /my/: role by role, their own things and everybody else's.

The cells are made from the URL configuration: a page that is new and has no cell fails here.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from django.contrib.auth.models import User
from django.test import Client

from accounts.actors import Role
from accounts.models import Account, ContactRole
from billingsite.my_urls import urlpatterns
from invoicing.documents.models import Document, Letter
from invoicing.invoices.models import Invoice
from invoicing.orders.following import order_of
from invoicing.orders.models import Order
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Payment, PaymentMethod
from invoicing.prepaid.models import TopUpAgreement
from invoicing.subscriptions.models import OneOffCharge
from tests.accounts.factories import make_contact
from tests.accounts.visitors import visitor
from tests.invoicing.factories import one_off_charge, plan, terms
from tests.invoicing.payments.factories import NOW, TODAY, card, invoice, ship_rates
from tests.invoicing.prepaid.factories import prepaid

pytestmark = pytest.mark.django_db

BILLING = {Role.PRIMARY, Role.PRIMARY_BILLING, Role.BILLING}
MAY_AUTHORIZE = {Role.PRIMARY, Role.PRIMARY_BILLING}
# Who may, and by which verb; POST changes something, and nothing else does. In the order in which they are tried.
CELLS: dict[str, tuple[str, set[Role]]] = {
    "my_account": ("get", BILLING),
    "my_invoice_pdf": ("get", BILLING),
    "my_pay": ("get post", BILLING),
    "my_methods": ("get", BILLING),
    "my_method_add": ("post", BILLING),
    "my_method_added": ("get", BILLING),
    "my_automatic": ("post", BILLING),
    "my_prepaid": ("get", BILLING),
    "my_uses": ("get", BILLING),
    "my_top_up": ("post", BILLING),
    "my_agreement": ("post", BILLING),
    "my_orders": ("get", BILLING),
    "my_ask": ("get post", BILLING),
    "my_order": ("get", BILLING),
    "my_order_authorize": ("post", MAY_AUTHORIZE),
    # While it waits for its authorization; tests/invoicing/orders/test_portal.py has the rest.
    "my_order_cancel": ("post", BILLING),
    "my_work_authorize": ("post", MAY_AUTHORIZE),
    "my_documents": ("get", BILLING),
    "my_letter": ("get", BILLING),
    "my_statement": ("get", BILLING),
    "my_method_default": ("post", BILLING),
    "my_method_remove": ("post", BILLING),
}
EVERYBODYS = {"my_accounts"}
ROUTES = {pattern.name: str(pattern.pattern) for pattern in urlpatterns}


class Things(NamedTuple):
    """An account and one of everything that a page of it names."""

    account: Account
    ids: dict[str, int]


def things() -> Things:
    account = prepaid("20")
    service, work = (plan(f"{name}-{account.pk}", "400", charge="ONE_OFF") for name in ("onboarding", "training"))
    service.product.invoiced_at_once = True
    service.product.save()
    order = order_of(one_off_charge(account, service, TODAY, authorized_at=None), now=NOW)
    letter = Letter.objects.create(
        account=account, kind="RECEIPT", key=f"receipt:{account.pk}", on=TODAY, details={"subject": "R"}, written_at=NOW
    )
    Document.objects.create(account=account, kind="RECEIPT", subject_id=letter.pk)
    ids = {
        "account_id": account.pk, "invoice_id": invoice(account, "10").pk, "method_id": card(account).pk,
        "order_id": order.pk, "charge_id": one_off_charge(account, work, TODAY, authorized_at=None).pk,
        "letter_id": letter.pk,
    }  # fmt: skip
    return Things(account, ids)


@pytest.fixture
def gateway() -> Iterator[DemoGateway]:
    """The demo gateway in the test's own process."""
    demo = DemoGateway(clock=SetClock(NOW))
    with installed(demo):
        yield demo


@pytest.fixture
def own(settings, gateway):
    settings.PAYMENT_GATEWAY = "demo"
    ship_rates()
    terms("prepaid")
    return things()


@pytest.fixture
def theirs(own):
    return things()


def address(name: str, ids: dict[str, int]) -> str:
    route = ROUTES[name]
    for argument, value in ids.items():
        route = route.replace(f"<int:{argument}>", str(value))
    assert "<" not in route, f"{name} names something that the matrix has none of: {route}"
    return f"/my/{route}"


def answer(client: Client, verb: str, where: str) -> str:
    response = getattr(client, verb)(where)
    if response.status_code == 302 and "/login/" in response.headers["Location"]:
        return "sign in"
    if verb == "get" and response.status_code in (200, 302, 403):
        assert "no-store" in response.headers["Cache-Control"], where
    return {403: "refused", 404: "nothing", 405: "wrong verb"}.get(response.status_code, "in")


def expected(name: str, verb: str, role: Role | None) -> str:
    verbs, roles = CELLS[name]
    if verb not in verbs.split():
        return "wrong verb"
    return "in" if role in roles else "refused"


def test_each_page_has_a_cell():
    assert set(ROUTES) - EVERYBODYS == set(CELLS)


class TestMatrix:
    @pytest.mark.parametrize("role", [*Role, None], ids=lambda role: role.value.lower() if role else "no role")
    def test_of_ones_own_account(self, own, role):
        client = visitor(make_contact(own.account, "Ann Own", *([role] if role else [])))
        answers, wanted = {}, {}
        for name in CELLS:
            for verb in ("get", "post"):
                answers[name, verb] = answer(client, verb, address(name, own.ids))
                wanted[name, verb] = expected(name, verb, role)
        assert answers == wanted

    def test_a_role_in_another_account_opens_nothing_and_each_page_is_like_one_that_does_not_exist(self, own, theirs):
        client = visitor(make_contact(theirs.account, "Ann Other", *Role))
        none = dict.fromkeys(own.ids, 999999999)
        for name, (verbs, _) in CELLS.items():
            for verb in verbs.split():
                shut, missing = (getattr(client, verb)(address(name, ids)) for ids in (own.ids, none))
                assert (shut.status_code, shut.content) == (404, missing.content), name
        self.check_nothing_moved(own)

    def test_another_accounts_things_are_not_reached_through_ones_own_account(self, own, theirs):
        client = visitor(make_contact(theirs.account, "Ann Other", *Role))
        nested = {name for name in CELLS if ROUTES[name].count("<") > 1}
        for name in nested:
            for verb in CELLS[name][0].split():
                where = address(name, {**own.ids, "account_id": theirs.account.pk})
                assert answer(client, verb, where) == "nothing", where
        assert nested >= {"my_letter", "my_order_cancel", "my_invoice_pdf", "my_method_remove", "my_work_authorize"}
        self.check_nothing_moved(own)

    def check_nothing_moved(self, own):
        assert not Payment.objects.exists()
        assert not TopUpAgreement.objects.exists()
        assert set(Order.objects.filter(account=own.account).values_list("state", flat=True)) == {"REQUESTED"}
        assert PaymentMethod.objects.get(account=own.account).state == "ACTIVE"
        assert not OneOffCharge.objects.filter(account=own.account, authorized_at__isnull=False).exists()
        assert Invoice.objects.filter(account=own.account).count() == 1

    def test_a_visitor_signs_in_first(self, own):
        for name, (verbs, _) in CELLS.items():
            assert {answer(Client(), verb, address(name, own.ids)) for verb in verbs.split()} == {"sign in"}, name

    def test_nothing_is_taken_from_another_site(self, own):
        contact = make_contact(own.account, "Ann Own", *Role)
        user = visitor(contact) and User.objects.get(username=f"user-{contact.pk}")
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        posted = [name for name, (verbs, _) in CELLS.items() if "post" in verbs]
        assert {client.post(address(name, own.ids)).status_code for name in posted} == {403}
        assert not Payment.objects.exists()

    def test_no_page_runs_or_styles_inline_and_none_has_a_field_for_a_card_number(self, own):
        client = visitor(make_contact(own.account, "Ann Own", *Role))
        for name, (verbs, _) in CELLS.items():
            if "get" in verbs:
                page = client.get(address(name, own.ids))
                assert "unsafe" not in page.headers["Content-Security-Policy"], name
                for inline in ("<script", " style=", " onclick=", "cc-number", "cardnumber", "javascript:"):
                    assert inline not in page.content.decode(errors="ignore").lower(), (name, inline)

    @pytest.mark.parametrize("number", [0, 2**63, 10**40])
    def test_a_number_beyond_sense_is_none(self, own, number):
        client = visitor(make_contact(own.account, "Ann Own", *Role))
        for name, (verbs, _) in CELLS.items():
            for ids in (
                dict.fromkeys(own.ids, number),
                {**dict.fromkeys(own.ids, number), "account_id": own.account.pk},
            ):
                if ids["account_id"] == number or ROUTES[name].count("<") > 1:
                    assert answer(client, verbs.split()[0], address(name, ids)) == "nothing", name


class TestAccess:
    def test_is_lost_at_once_with_the_role_and_with_the_contact(self, own):
        contact = make_contact(own.account, "Ann Own", Role.BILLING)
        client = visitor(contact)
        where = address("my_account", own.ids)
        assert answer(client, "get", where) == "in"
        ContactRole.objects.filter(contact=contact).delete()
        assert answer(client, "get", where) == "refused"
        contact.delete()
        assert answer(client, "get", where) == "nothing"

    def test_is_lost_at_once_with_the_address_and_with_the_sign_in(self, own):
        contact = make_contact(own.account, "Ann Own", Role.BILLING)
        client = visitor(contact)
        where = address("my_account", own.ids)
        contact.email = "somebody.else@x.example"
        contact.save()
        assert answer(client, "get", where) == "nothing"
        User.objects.update(is_active=False)
        assert answer(client, "get", where) == "sign in"

    def test_who_speaks_for_two_accounts_chooses_which(self, own, theirs):
        contact = make_contact(own.account, "Ann Own", Role.PRIMARY)
        second = make_contact(theirs.account, "Ann Own", Role.TECHNICAL)
        second.email = contact.email
        second.save()
        client = visitor(contact)
        page = client.get("/my/")
        assert all(f'href="/my/{one.account.pk}/"' in page.text for one in (own, theirs))
        assert "Other accounts" in client.get(address("my_account", own.ids)).text
        assert answer(client, "get", address("my_account", theirs.ids)) == "refused"
