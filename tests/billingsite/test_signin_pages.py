"""The sign-in pages as people meet them, in a browser and with a second factor required."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse
from playwright.sync_api import ConsoleMessage, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

PASSWORD = "correct horse battery"
OTHER_PASSWORD = "another staple entirely"


@pytest.fixture(autouse=True)
def _second_factor_required(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture
def staff(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", "ada@example.com", PASSWORD)


@pytest.fixture
def console_errors(page: Page) -> Iterator[list[str]]:
    """What the browser complains of on the pages of the test: blocked by the policy, not found, failed."""
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({page.url})")

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield errors
    assert errors == []


def code_of(secret: str, *, steps_ahead: int = 0) -> str:
    """The six digits of RFC 6238, worked out here so that they do not come from what they are to test."""
    counter = int(time.time()) // 30 + steps_ahead
    digest = hmac.new(base64.b32decode(secret), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


def sign_in(page: Page, *, password: str = PASSWORD) -> None:
    page.get_by_label("User name or e-mail address").fill("ada")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def set_up_second_factor(page: Page) -> str:
    secret = page.get_by_label("Key, if you cannot scan").input_value()
    page.get_by_label("Authenticator code").fill(code_of(secret))
    page.get_by_role("button", name="Activate").click()
    expect(page).to_have_title("Recovery codes | Clausebook")
    return secret


def assert_fit_to_be_seen(page: Page) -> None:
    """No serious finding by axe, in light and dark, and nothing wider than a phone."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        found = [
            f"{violation['id']}: {[node['html'] for node in violation['nodes']]}"
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in {"serious", "critical"}
        ]
        assert found == [], f"{page.title()} ({scheme})"
    wide = page.viewport_size
    assert wide is not None
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.title()
    page.set_viewport_size(wide)


@pytest.mark.browser
class TestStaffSigningIn:
    def test_leads_from_the_password_over_a_second_factor_into_the_console(
        self, page: Page, live_server: LiveServer, staff: User, console_errors: list[str]
    ) -> None:
        page.goto(f"{live_server.url}/admin/")
        assert_fit_to_be_seen(page)
        sign_in(page)
        expect(page).to_have_title("Set up your second factor | Clausebook")
        assert page.locator("img.qr").evaluate("picture => picture.naturalWidth") > 0
        assert_fit_to_be_seen(page)
        secret = set_up_second_factor(page)
        assert len(page.locator("#recovery_codes").input_value().split()) == 10
        assert_fit_to_be_seen(page)
        page.get_by_role("link", name="Go on").click()
        expect(page).to_have_url(f"{live_server.url}/admin/")
        expect(page.get_by_role("heading", name="Dashboard").first).to_be_visible()

        page.goto(f"{live_server.url}{reverse('account_logout')}")
        assert_fit_to_be_seen(page)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("You have signed out.")).to_be_visible()

        sign_in(page)
        expect(page).to_have_title("Your second factor | Clausebook")
        page.goto(f"{live_server.url}/admin/")
        expect(page).to_have_title("Your second factor | Clausebook")
        page.get_by_label("Code").fill("000000")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Incorrect code.")).to_be_visible()
        assert_fit_to_be_seen(page)
        # A code works once: the next one is a step on, which the clock's tolerance allows.
        page.get_by_label("Code").fill(code_of(secret, steps_ahead=1))
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{live_server.url}/admin/")

    def test_refuses_a_wrong_password_beside_the_form(
        self, page: Page, live_server: LiveServer, staff: User, console_errors: list[str]
    ) -> None:
        page.goto(f"{live_server.url}/accounts/login/")
        sign_in(page, password="wrong")
        expect(page.get_by_role("alert")).to_contain_text("not correct")
        assert_fit_to_be_seen(page)

    def test_sets_a_new_password_by_mail(
        self, page: Page, live_server: LiveServer, staff: User, console_errors: list[str], settings: Settings
    ) -> None:
        settings.SITE_URL = live_server.url
        page.goto(f"{live_server.url}/accounts/login/")
        page.get_by_role("link", name="Forgot your password?").click()
        assert_fit_to_be_seen(page)
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_role("button", name="Send me the link").click()
        expect(page).to_have_title("Look into your mail | Clausebook")
        assert_fit_to_be_seen(page)
        [message] = mail.outbox
        page.goto(next(word for word in message.body.split() if word.startswith("http")))
        assert_fit_to_be_seen(page)
        page.get_by_label("New password", exact=True).fill(OTHER_PASSWORD)
        page.get_by_label("New password (again)").fill(OTHER_PASSWORD)
        page.get_by_role("button", name="Set password").click()
        page.locator("main").get_by_role("link", name="Sign in").click()
        sign_in(page, password=OTHER_PASSWORD)
        expect(page).to_have_title("Set up your second factor | Clausebook")

    def test_adds_and_removes_a_security_key(
        self, page: Page, live_server: LiveServer, staff: User, console_errors: list[str]
    ) -> None:
        with_key = page.context.new_cdp_session(page)
        with_key.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
        with_key.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        site = live_server.url.replace("127.0.0.1", "localhost")
        page.goto(f"{site}/admin/")
        sign_in(page)
        page.get_by_role("link", name="Use a security key").click()
        assert_fit_to_be_seen(page)
        page.get_by_role("button", name="Add the key").click()
        expect(page).to_have_title("Recovery codes | Clausebook")

        page.goto(f"{site}{reverse('account_logout')}")
        page.get_by_role("button", name="Sign out").click()
        sign_in(page)
        assert_fit_to_be_seen(page)
        page.get_by_role("button", name="Use a security key").click()
        expect(page).to_have_url(f"{site}/admin/")

        page.goto(f"{site}{reverse('mfa_list_webauthn')}")
        assert_fit_to_be_seen(page)
        page.get_by_role("link", name="Remove").click()
        assert_fit_to_be_seen(page)
        page.get_by_role("button", name="Remove").click()
        expect(page).to_have_url(f"{site}{reverse('mfa_list_webauthn')}")
        assert not Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists()

    def test_says_why_a_security_key_is_not_to_be_had(
        self, page: Page, live_server: LiveServer, staff: User, console_errors: list[str]
    ) -> None:
        page.goto(live_server.url.replace("localhost", "127.0.0.1") + "/admin/")
        sign_in(page)
        page.get_by_role("link", name="Use a security key").click()
        page.get_by_role("button", name="Add the key").click()
        expect(page.get_by_role("alert")).to_contain_text("https")

    @pytest.mark.parametrize(
        "name", ["mfa_index", "account_change_password", "account_email", "mfa_deactivate_totp", "mfa_list_webauthn"]
    )
    def test_shows_what_belongs_to_ones_sign_in(
        self, page: Page, live_server: LiveServer, staff: User, console_errors: list[str], name: str
    ) -> None:
        page.goto(f"{live_server.url}/admin/")
        sign_in(page)
        set_up_second_factor(page)
        answer = page.goto(f"{live_server.url}{reverse(name)}")
        assert answer is not None
        assert answer.status == 200
        assert_fit_to_be_seen(page)


class TestASessionWithAPasswordAlone:
    """Staff who have a second factor and have not shown it, as from before it was set up."""

    @pytest.fixture
    def session(self, db: None) -> Client:
        staff = User.objects.create_superuser("ada", "ada@example.com", PASSWORD)
        client = Client()
        client.post(reverse("account_login"), {"login": "ada", "password": PASSWORD})
        Authenticator.objects.create(user=staff, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"})
        return client

    @pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
    @pytest.mark.parametrize(
        "path",
        [
            *("/admin/", "/admin/auth/user/", "/admin/auth/user/add/", "/admin/import-book/", "/admin/no/such/page/"),
            *("/admin/jsi18n/", "/admin/password_change/", "/admin/reports/vendors/", "/admin/search/"),
            *("/accounts/2fa/", "/accounts/2fa/totp/deactivate/", "/accounts/2fa/recovery-codes/"),
            *("/accounts/2fa/recovery-codes/download/", "/accounts/2fa/webauthn/add/"),
        ],
    )
    def test_is_sent_to_show_it_whatever_it_asks_for(self, session: Client, method: str, path: str) -> None:
        response = getattr(session, method)(path)
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/accounts/2fa/reauthenticate/?next=")

    def test_changes_nothing_by_a_post(self, session: Client) -> None:
        form = {"username": "eve", "password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}
        session.post("/admin/auth/user/add/", form)
        session.post("/accounts/2fa/totp/deactivate/")
        assert list(User.objects.values_list("username", flat=True)) == ["ada"]
        assert Authenticator.objects.count() == 1


@pytest.mark.django_db
class TestWhatIsSaidToStrangers:
    @pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password", "account_inactive"])
    def test_offers_no_sign_up(self, client: Client, name: str) -> None:
        assert reverse("account_signup") not in client.get(reverse(name)).content.decode()

    def test_mails_no_sign_up_either(self, client: Client) -> None:
        client.post(reverse("account_reset_password"), {"email": "nobody@example.com"})
        [message] = mail.outbox
        assert message.subject == "Clausebook: No sign-in with this address"
        assert "http" not in message.body

    def test_locks_the_form_after_too_many_passwords(self, client: Client) -> None:
        for _ in range(5):
            client.post(reverse("account_login"), {"login": "ada", "password": "wrong"})
        locked = client.post(reverse("account_login"), {"login": "ada", "password": "wrong"})
        assert b"Too many failed login attempts" in locked.content

    def test_says_so_after_too_many_requests(self, client: Client) -> None:
        for _ in range(31):
            answer = client.post(reverse("account_login"), {"login": "", "password": ""})
        assert answer.status_code == 429
        assert b"Too many attempts" in answer.content

    def test_says_that_a_link_is_used_up(self, client: Client) -> None:
        page = client.get(reverse("account_reset_password_from_key", kwargs={"uidb36": "1", "key": "set-password"}))
        assert b"This link no longer works" in page.content


@pytest.mark.django_db
class TestErrorPages:
    def test_look_like_the_rest_where_there_is_no_page(self, client: Client) -> None:
        answer = client.get("/no/such/page/")
        assert answer.status_code == 404
        assert b"There is no such page" in answer.content

    def test_look_so_in_the_console_too(self, admin_client: Client, settings: Settings) -> None:
        settings.STAFF_SECOND_FACTOR = False
        answer = admin_client.get("/admin/no/such/page/")
        assert answer.status_code == 404
        assert b"Signed in as admin" in answer.content

    def test_offer_another_sign_in_to_who_is_no_staff(self, client: Client) -> None:
        client.force_login(User.objects.create_user("guest"))
        answer = client.get("/admin/", follow=True)
        assert answer.status_code == 403
        assert reverse("account_logout") in answer.content.decode()

    def test_explain_a_form_that_is_out_of_date(self) -> None:
        answer = Client(enforce_csrf_checks=True).post(reverse("account_login"))
        assert answer.status_code == 403
        assert b"This form is out of date" in answer.content

    def test_need_nothing_that_may_have_broken(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*args: object, **options: object) -> None:
            raise RuntimeError("The database has gone.")

        client.raise_request_exception = False
        monkeypatch.setattr("billingsite.signin.StaffSecondFactor._lacks_second_factor", broken)
        answer = client.get("/admin/")
        assert answer.status_code == 500
        assert b"Something went wrong on our side" in answer.content
