"""Inviting a contact to sign in, from the account's page."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from accounts.invitations import GOOD_FOR, INVITE, InvitationRefused, invite_contact, signs_in
from accounts.models import Account, Contact
from invoicing.pages.requests import actor_of


def invite(request: HttpRequest, account: Account, contact_id: int, context: dict[str, Any]) -> HttpResponse:
    """What it does is said first; sent, the mail goes out."""
    if not request.user.has_perm(INVITE):
        raise PermissionDenied
    contact = get_object_or_404(Contact, account=account, pk=contact_id)
    fault = ""
    if request.method == "POST":
        try:
            invite_contact(contact, actor=actor_of(request), now=timezone.now())
        except InvitationRefused as refused:
            fault = str(refused)
        else:
            messages.success(request, f"{contact.email} is invited; the link works for {GOOD_FOR.days} days.")
            return redirect(f"{reverse('admin:accounts_account_change', args=[account.pk])}?tab=contacts")
    shown = {
        "title": f"Invite {contact.name}: {account.number}", "account": account, "contact": contact, "fault": fault,
        "days": GOOD_FOR.days, "signs_in": signs_in(contact.email),
        "latest": contact.invitations.order_by("-invited_at").first(),
    }  # fmt: skip
    return TemplateResponse(request, "console/account/invite.html", {**context, **shown})
