"""The page behind the link of an invitation, where a contact sets the password of its sign-in."""

from allauth.account.forms import SetPasswordForm
from allauth.core.internal.ratelimit import consume, respond_429
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.invitations import LinkIsNoGood, accept_invitation, invitation_of

# The link's secret leaves the address bar for the session, so that it is in no history and goes to no other page.
IN_SESSION = "invitation"
HERE = "here"
RATE = {"invitation": "20/m/ip"}


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Looking at the link uses nothing up: mail programs do it too. Only a password that was set does."""
    if not consume(request, app="accounts", action="invitation", config=RATE, limit_get=True):
        return respond_429(request)
    if token != HERE:
        request.session[IN_SESSION] = token
        return redirect("invitation", token=HERE)
    return _page(request, request.session.get(IN_SESSION, ""))


def _page(request: HttpRequest, token: str) -> HttpResponse:
    template = "account/invitation.html"
    if request.user.is_authenticated:
        return TemplateResponse(request, template, {"signed_in": True})
    try:
        found = invitation_of(token, now=timezone.now())
        # What the password must not be like.
        person = User(username=found.email.partition("@")[0], email=found.email, first_name=found.contact.name[:150])
        form = SetPasswordForm(data=request.POST if request.method == "POST" else None, user=person)
        if request.method == "POST" and form.is_valid():
            accept_invitation(token, form.cleaned_data["password1"], now=timezone.now())
            request.session.pop(IN_SESSION, None)
            messages.success(request, f"Your password is set. Sign in with {found.email}.")
            return redirect("account_login")
    except LinkIsNoGood as no_good:
        request.session.pop(IN_SESSION, None)
        return TemplateResponse(request, template, {"no_good": str(no_good)}, status=404)
    return TemplateResponse(request, template, {"form": form, "invitation": found})
