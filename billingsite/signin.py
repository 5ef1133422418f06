"""Who may sign up (nobody) and what staff need besides a password (a second factor)."""

import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse

SECOND_FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
SET_UP_HERE = "second_factor_set_up_here"


class ClosedSignUp(DefaultAccountAdapter):
    """Sign-up is closed: staff are added, contacts are invited."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_reauthentication_required(self, *, app: str, **kwargs: object) -> bool:
        """Who has just signed in is not asked for the password again."""
        records = get_authentication_records(self.request, self.request.user)
        last = max((record["at"] for record in records), default=0)
        return time.time() - last > app_settings.REAUTHENTICATION_TIMEOUT

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """
        Only the sign-in that claims an address confirms it, and not whoever is sent the link.

        A confirmed address opens the pages of the contacts that have it: a stranger could else claim a contact's, and
        wait for the contact to press the button.
        """
        if request.user.pk != email_address.user_id:
            messages.error(request, f"Sign in as the one who added {email_address.email}, then open the link again.")
            return False
        return super().confirm_email(request, email_address)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Links that leave the site are built from its setting, never from what a request claims to have come to."""
        link = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return f"{settings.SITE_URL}{link.replace('UID-KEY', quote(key))}"

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: EmailConfirmationHMAC) -> str:
        return f"{settings.SITE_URL}{reverse('account_confirm_email', args=[emailconfirmation.key])}"

    def format_email_subject(self, subject: str) -> str:
        return f"Clausebook: {subject}"


class StaffSecondFactor:
    """
    Let a staff session into /admin/ only once it has shown a second factor; help to set one up where none is.

    Where there is one, such a session may not look after second factors either: it could put its own in their place.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not self._lacks_second_factor(request):
            return self.get_response(request)
        page = "mfa_reauthenticate" if second_factors(request.user).exists() else "mfa_activate_totp"
        return redirect(f"{reverse(page)}?{urlencode({'next': request.get_full_path()})}")

    def _lacks_second_factor(self, request: HttpRequest) -> bool:
        if not settings.STAFF_SECOND_FACTOR or not (request.user.is_authenticated and request.user.is_staff):
            return False
        if not request.path_info.startswith("/admin/") and not self._looks_after_second_factors(request):
            return False
        if request.session.get(SET_UP_HERE) == request.user.pk:
            return False
        return all(record["method"] != "mfa" for record in get_authentication_records(request, request.user))

    def _looks_after_second_factors(self, request: HttpRequest) -> bool:
        to_show_one = {reverse("mfa_reauthenticate"), reverse("mfa_reauthenticate_webauthn")}
        if not request.path.startswith(reverse("mfa_index")) or request.path in to_show_one:
            return False
        return second_factors(request.user).exists()


@receiver(authenticator_added)
def accept_first_factor_set_up(request: HttpRequest, user: AbstractBaseUser, **kwargs: object) -> None:
    """
    Setting up the first second factor shows it as well as signing in with it.

    A further one does not count: a session that knows the password alone could add one of its own.
    """
    if second_factors(user).count() == 1:
        request.session[SET_UP_HERE] = user.pk


def second_factors(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Authenticator]:
    return Authenticator.objects.filter(user_id=user.pk, type__in=SECOND_FACTORS)


def favicon(request: HttpRequest) -> str:
    """The mark of the console too, in its tab and beside its name."""
    return static("signin/favicon.svg")
