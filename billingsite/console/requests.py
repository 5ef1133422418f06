"""Recording what a contact asked for by e-mail or by phone: one form, one operation, and the authority's answer."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor, Channel
from accounts.decisions import Refused
from accounts.models import Account, Contact
from accounts.queries import actor_for_contact, actor_for_sender
from accounts.refusals import BadValue, Refusal
from billingsite.console.request_forms import AskedForm
from billingsite.console.request_kinds import KINDS, Kind


def record_request(request: HttpRequest, account: Account, slug: str, context: dict[str, Any]) -> HttpResponse:
    """The form of one request; sent, it is asked of the authority, done or refused."""
    if slug not in KINDS:
        raise Http404("There is no such request.")
    kind = KINDS[slug]
    if not request.user.has_perm(kind.permission):
        raise PermissionDenied
    contact = get_object_or_404(account.contacts, pk=_number(request.GET.get("contact"))) if kind.of_contact else None
    form = kind.form(
        request.POST if request.method == "POST" else None,
        account=account,
        contact=contact,
        initial=kind.initial(account, contact),
    )
    refusals: tuple[Refusal, ...] = ()
    if request.method == "POST" and form.is_valid():
        refusals, said = _perform(request, kind, form)
        if not refusals and not form.errors:
            messages.success(request, f"{kind.label}: done, and on record. {said}".strip())
            return redirect(f"{reverse('admin:accounts_account_change', args=[account.pk])}?tab={kind.tab}")
    return TemplateResponse(
        request,
        "console/account/request.html",
        {
            **context,
            "title": f"{kind.label}: {account.number}",
            "account": account,
            "kind": kind,
            "contact": contact,
            "form": form,
            "refusals": refusals,
        },
    )


def _perform(request: HttpRequest, kind: Kind, form: AskedForm) -> tuple[tuple[Refusal, ...], str]:
    """Ask; gives what stands in the way, and what is said when nothing does. A bad value goes to its field."""
    given = {"contact": form.contact} if kind.of_contact else {}
    try:
        said = kind.perform(
            account=form.account, actor=_actor(request, form), now=timezone.now(), values=form.cleaned_data, **given
        )
        return (), said or ""
    except Refused as refused:
        return refused.refusals, ""
    except BadValue as bad:
        form.add_error(bad.field if bad.field in form.fields else None, bad.sentence)
        return (), ""


def _actor(request: HttpRequest, form: AskedForm) -> Actor:
    """The contact who asked, in the words of the member of staff who records it; or a stranger, to be refused."""
    assert isinstance(request.user, AbstractUser)
    values = form.cleaned_data
    common = {"recorded_by": request.user.get_username(), "on_behalf_of": values["on_behalf_of"]}
    channel = Channel(values["channel"])
    asker: Contact | None = form.asker
    if asker:
        return actor_for_contact(asker, channel, **common)
    return actor_for_sender(form.account, values["sender"], channel, **common)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 19 else 0
