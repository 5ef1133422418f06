"""The pages about money as a person meets them, staff and customer: in Chromium, on a telephone, with axe's eyes."""

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from accounts.actors import Role
from accounts.models import Account
from invoicing import models as rooms
from tests.accounts.factories import make_contact
from tests.billingsite.console.test_browser import faults
from tests.invoicing.console_seed import seed_console
from tests.invoicing.money_seed import seed_money
from tests.invoicing.payments.factories import card

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LISTS = (
    "payment/", "payment/?queue=failed", "payment/?queue=returned", "payment/?queue=unallocated", "paymentmethod/",
    "chargeback/", "webhookevent/", "cardfeerate/", "prepaidbalance/", "topup/?queue=stuck", "topupagreement/", "hold/",
    "suspension/", "suspension/do/sweep/", "reminder/", "reminder/do/remind/", "platformnotice/", "platformendpoint/",
    "placement/", "placement/do/hand-off/", "placementbatch/", "order/", "letter/", "invoice/",
)  # fmt: skip
ROWS = (
    rooms.Payment, rooms.PaymentMethod, rooms.Chargeback, rooms.WebhookEvent, rooms.CardFeeRate, rooms.PrepaidBalance,
    rooms.TopUp, rooms.TopUpAgreement, rooms.Hold, rooms.Suspension, rooms.Reminder, rooms.PlatformNotice,
    rooms.PlatformEndpoint, rooms.Placement, rooms.PlacementBatch, rooms.Order, rooms.Letter, rooms.Invoice,
)  # fmt: skip


@pytest.fixture
def seeded():
    seed_console()
    seed_money()


@pytest.fixture
def look(page, live_server):
    """Opens pages as somebody at both widths; `said` is all that axe, the browser and the width complain of."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))

    def visit(user: User, addresses: list[str]) -> list[str]:
        client = Client()
        client.force_login(user)
        cookie = client.cookies["sessionid"].value
        page.context.clear_cookies()
        page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        wrong: list[str] = []
        for address in addresses:
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 844})
                page.goto(live_server.url + address)
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    said.append(f"runs over the edge of {width}")
            wrong += [f"{address}: {fault}" for fault in (*faults(page), *said)]
            said.clear()
        return wrong

    yield visit
    page.goto("about:blank")
    connection.close()


@pytest.mark.slow
class TestConsole:
    def test_is_accessible_breaks_no_policy_and_fits_a_telephone(self, seeded, look):
        harbor = Account.objects.get(name="Harbor Dental Group").pk
        vista = Account.objects.get(name="Vista Travel").pk
        first = rooms.Payment.objects.earliest("pk").pk
        rows = [
            f"/admin/invoicing/{model._meta.model_name}/{model.objects.order_by('pk').first().pk}/change/"
            for model in ROWS
        ]
        acts = [
            f"payment/{first}/refund/", f"payment/{first}/take-back/", f"payment/account/{harbor}/book/",
            f"payment/account/{vista}/charge/", f"prepaidbalance/account/{vista}/top-up/",
            f"hold/account/{harbor}/place/",
        ]  # fmt: skip
        pages = [f"/admin/invoicing/{address}" for address in (*LISTS, *acts)]
        more = ["/admin/", "/admin/accounts/apitoken/", "/admin/accounts/apitoken/do/new/", "/admin/search/?q=4711"]
        tabs = [f"/admin/accounts/account/{pk}/change/?tab=money" for pk in (harbor, vista)]
        ada = User.objects.create_superuser("ada")
        assert look(ada, [*pages, *rows, *more, *tabs]) == []


class TestPortal:
    def test_is_accessible_breaks_no_policy_and_fits_a_telephone(self, seeded, look):
        vista, redbrick = (Account.objects.get(name=name) for name in ("Vista Travel", "Redbrick Realty"))
        pat = User.objects.create_user("pat")
        for account in (vista, redbrick):
            contact = make_contact(account, "Pat Primary", Role.PRIMARY)
            EmailAddress.objects.create(user=pat, email=contact.email, verified=True)
        card(redbrick)
        prepaid = [f"/my/{vista.pk}/prepaid/?amount=50", f"/my/{vista.pk}/"]
        own = [f"/my/{redbrick.pk}/{page}" for page in ("", "pay/", "methods/")]
        assert look(pat, ["/my/", *prepaid, *own]) == []


class TestPreview:
    def test_comes_before_the_act_in_the_browser_too(self, seeded, look, page, live_server):
        look(User.objects.create_superuser("ada"), ["/admin/invoicing/suspension/do/sweep/"])
        assert page.get_by_role("button", name="Warn and suspend").count() == 0
        page.get_by_role("button", name="Show what it would come to").click()
        assert page.get_by_role("button", name="Warn and suspend").count() == 1
