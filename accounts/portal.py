"""
The customers' pages: who is signed in, for which accounts they speak, and what they may see.

Reading: a sign-in is a contact's where one of its verified e-mail addresses is the contact's; there is no other link.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

from allauth.account.models import EmailAddress
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, QuerySet
from django.db.models.functions import Upper
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.actors import Actor, Channel
from accounts.authority import Action
from accounts.decisions import Refused, decide, refusals_of
from accounts.models import Account, Contact
from accounts.queries import actor_for_contact
from accounts.refusals import Refusal


class Visit(NamedTuple):
    """A page of one account, looked at by one of its contacts."""

    request: HttpRequest
    account: Account
    actor: Actor


Page = Callable[..., HttpResponse]
# What the page does is an operation that asks the authority itself, so that the answer is on record once.
ASKED_BY_THE_OPERATION = None
A_PAGE = 25
# Digits: what is longer fits no key of the database.
LONGEST_KEY = 19
Row = TypeVar("Row", bound=Model)


def contacts_of_user(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Contact]:
    """The contacts that a sign-in is: by its verified addresses, and nothing else."""
    verified = EmailAddress.objects.filter(user_id=user.pk, verified=True).values_list(Upper("email"), flat=True)
    found = Contact.objects.annotate(upper=Upper("email")).filter(upper__in=list(verified))
    return found.select_related("account").order_by("account__number")


@never_cache
@login_required
def my_accounts(request: HttpRequest) -> HttpResponse:
    """The accounts that one speaks for; where there is one, it is opened."""
    contacts = list(contacts_of_user(request.user))
    if len(contacts) == 1:
        return redirect("my_account", account_id=contacts[0].account_id)
    return TemplateResponse(request, "portal/accounts.html", {"accounts": [one.account for one in contacts]})


def of_contact(action: Action | None) -> Callable[[Callable[..., HttpResponse]], Page]:
    """
    A page of an account for its contacts, once the authority has said that this one may (AUTH-4, AUTH-5).

    Another account's page is none, in the same words as a page that does not exist. What is refused is shown in the
    words that are on record.
    """

    def wrap(view: Callable[..., HttpResponse]) -> Page:
        @never_cache
        @login_required
        @wraps(view)
        def page(request: HttpRequest, account_id: int, **kwargs: Any) -> HttpResponse:
            contacts = contacts_of_user(request.user)
            contact = contacts.filter(account_id=account_id).first()
            if contact is None:
                raise Http404("There is no such page.")
            # For the menu, which asks when it is drawn.
            request.has_other_accounts = contacts.exclude(account_id=account_id).exists  # type: ignore[attr-defined]
            actor = actor_for_contact(contact, Channel.PORTAL)
            if action is not None:
                decision = decide(action, contact.account, actor=actor, now=timezone.now())
                if not decision.allowed:
                    return refused(request, contact.account, refusals_of(decision))
            try:
                return view(Visit(request, contact.account, actor), **kwargs)
            except Refused as refusal:
                return refused(request, contact.account, refusal.refusals)

        return page

    return wrap


def latest_of(visit: Visit, found: QuerySet[Row]) -> tuple[list[Row], int | None]:
    """A page of rows, the latest first, and before which key the next page goes on; `before` says it of this one."""
    asked = visit.request.GET.get("before", "")
    if asked.isdecimal() and len(asked) < LONGEST_KEY:
        found = found.filter(pk__lt=int(asked))
    rows = list(found.order_by("-pk")[: A_PAGE + 1])
    return rows[:A_PAGE], rows[A_PAGE - 1].pk if len(rows) > A_PAGE else None


def refused(request: HttpRequest, account: Account, refusals: tuple[Refusal, ...]) -> HttpResponse:
    back = reverse("my_account", args=[account.pk]) if request.method == "POST" else ""
    shown = {"account": account, "refusals": refusals, "back": back}
    return TemplateResponse(request, "portal/refused.html", shown, status=403)


def home(request: HttpRequest) -> HttpResponseRedirect:
    """Where the site opens: customers on their own pages, everybody else in the console."""
    customer = request.user.is_authenticated and not getattr(request.user, "is_staff", False)
    return redirect("my_accounts" if customer else "admin:index")
