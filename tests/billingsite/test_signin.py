import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.models import User
from django.core import mail
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _second_factor_required(settings: Settings) -> None:
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture(autouse=True)
def _commit_within_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is saved at the end of a request, so what is done on commit has to be done before."""
    monkeypatch.setattr(transaction, "on_commit", lambda function, **options: function())


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("ada", "ada@example.com", PASSWORD)


@pytest.fixture
def session(staff: User) -> Client:
    """Signed in with the password alone."""
    client = Client()
    signed_in = client.post(reverse("account_login"), {"login": "ada@example.com", "password": PASSWORD})
    assert signed_in.status_code == 302
    return client


def set_up_totp(client: Client) -> str:
    """As a person does from the page they were sent to."""
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    done = client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    assert done.status_code == 302
    return secret


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


class TestStaffSecondFactor:
    def test_sends_the_unknown_to_the_common_sign_in_page(self, client: Client, db: None) -> None:
        response = client.get("/admin/", follow=True)
        assert response.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2F"

    def test_sends_staff_without_one_to_set_one_up(self, session: Client) -> None:
        response = session.get("/admin/auth/user/?q=x")
        assert response.headers["Location"] == "/accounts/2fa/totp/activate/?next=%2Fadmin%2Fauth%2Fuser%2F%3Fq%3Dx"

    def test_lets_staff_in_who_have_just_set_one_up(self, session: Client) -> None:
        set_up_totp(session)
        assert session.get("/admin/").status_code == 200

    def test_asks_a_session_that_signed_in_before_it_was_set_up(self, session: Client, staff: User) -> None:
        other = Client()
        other.post(reverse("account_login"), {"login": "ada", "password": PASSWORD})
        secret = set_up_totp(session)
        response = other.get("/admin/")
        assert response.headers["Location"] == "/accounts/2fa/reauthenticate/?next=%2Fadmin%2F"
        other.post(response.headers["Location"], {"code": code_of(secret)})
        assert other.get("/admin/").status_code == 200

    def test_lets_no_such_session_add_a_further_one(self, session: Client, staff: User) -> None:
        Authenticator.objects.create(user=staff, type=Authenticator.Type.WEBAUTHN, data={})
        answer = session.get(reverse("mfa_activate_totp"))
        assert answer.headers["Location"].startswith(reverse("mfa_reauthenticate"))

    def test_is_no_concern_of_other_pages(self, session: Client) -> None:
        assert session.get("/health/").status_code == 200


class TestClosedSignUp:
    def test_offers_no_form(self, client: Client, db: None) -> None:
        assert b"By invitation only" in client.get(reverse("account_signup")).content

    def test_creates_nobody(self, client: Client, db: None) -> None:
        form = {"username": "eve", "email": "eve@example.com", "password1": PASSWORD, "password2": PASSWORD}
        client.post(reverse("account_signup"), form)
        assert not User.objects.exists()


@pytest.mark.django_db
class TestLinksInMails:
    @pytest.fixture(autouse=True)
    def site(self, settings: Settings) -> None:
        settings.SITE_URL, settings.ALLOWED_HOSTS = "https://pay.example", ["*"]

    @pytest.fixture
    def ann(self) -> User:
        user = User.objects.create_user("ann", "ann@x.example", PASSWORD)
        EmailAddress.objects.create(user=user, email="ann@x.example", verified=True, primary=True)
        return user

    def test_to_set_a_password_are_of_the_sites_setting_and_of_no_host_that_a_request_names(self, ann: User) -> None:
        Client().post("/accounts/password/reset/", {"email": ann.email}, headers={"host": "evil.example"})
        (sent,) = mail.outbox
        assert "https://pay.example/accounts/password/reset/key/" in sent.body
        assert "evil" not in str(sent.message())

    def test_to_confirm_an_address_likewise_and_only_who_claims_it_confirms_it(self, ann: User) -> None:
        """Else a stranger claims a contact's address, and waits for the contact to press the button."""
        session = Client()
        session.post("/accounts/login/", {"login": "ann", "password": PASSWORD})
        session.post(
            "/accounts/email/", {"action_add": "", "email": "pat@x.example"}, headers={"host": "evil.example"}
        )  # fmt: skip
        (sent,) = mail.outbox
        assert "evil" not in str(sent.message())
        (link,) = re.findall(r"https://pay\.example(/accounts/confirm-email/\S+)", str(sent.body))
        owner = Client()
        assert "Sign in first" in owner.get(link).text
        owner.post(link)
        assert not EmailAddress.objects.get(email="pat@x.example").verified
        session.post(link)
        assert EmailAddress.objects.get(email="pat@x.example").verified
