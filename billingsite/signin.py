"""Who may sign up (nobody) and what staff need besides a password (a second factor)."""

from collections.abc import Callable
from urllib.parse import urlencode

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse


class ClosedSignUp(DefaultAccountAdapter):
    """Sign-up is closed: staff are added, contacts are invited."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class StaffSecondFactor:
    """Let a staff session into /admin/ only once it has shown a second factor; help to set one up where none is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not self._lacks_second_factor(request):
            return self.get_response(request)
        authenticators = Authenticator.objects.filter(user_id=request.user.pk)
        page = "mfa_reauthenticate" if authenticators.exists() else "mfa_activate_totp"
        return redirect(f"{reverse(page)}?{urlencode({'next': request.get_full_path()})}")

    def _lacks_second_factor(self, request: HttpRequest) -> bool:
        if not settings.STAFF_SECOND_FACTOR or not request.path_info.startswith("/admin/"):
            return False
        if not (request.user.is_authenticated and request.user.is_staff):
            return False
        return all(record["method"] != "mfa" for record in get_authentication_records(request, request.user))
