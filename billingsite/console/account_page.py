"""An account's page: facts in tabs, and the requests that may be recorded."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.invitations import INVITE
from accounts.models import Account
from billingsite.console import account_facts, account_money
from billingsite.console.request_kinds import KINDS
from billingsite.console.timeline import timeline
from invoicing.pages.acting import buttons_for_account

TABS = {
    "overview": account_facts.overview,
    "contacts": account_facts.contacts,
    "services": account_facts.services,
    "invoices": account_facts.invoices,
    "money": account_money.money,
    "ledger": account_facts.ledger,
    "decisions": account_facts.decisions,
}
TIMELINE = "timeline"


def account_page(request: HttpRequest, account: Account, context: dict[str, Any]) -> HttpResponse:
    """One tab of it; every other costs nothing."""
    tab = request.GET.get("tab", "overview")
    tab = tab if tab in TABS or tab == TIMELINE else "overview"
    today = timezone.localdate()
    facts = _timeline_of(request, account) if tab == TIMELINE else TABS[tab](account, today)
    return TemplateResponse(
        request,
        f"console/account/{tab}.html",
        {
            **context,
            **facts,
            "title": f"{account.number} {account.name}",
            "account": account,
            "has_primary": account.contact_roles.filter(role="PRIMARY").exists(),
            "tabs": [(name, name.capitalize(), name == tab) for name in (*TABS, TIMELINE)],
            "requests": [
                kind for kind in KINDS.values() if not kind.of_contact and request.user.has_perm(kind.permission)
            ],
            "money_buttons": buttons_for_account(admin.site, request, account) if tab == "money" else [],
            "may_change_contacts": request.user.has_perm("accounts.change_contact"),
            "may_invite": request.user.has_perm(INVITE),
            "today": today,
        },
    )


def _timeline_of(request: HttpRequest, account: Account) -> dict[str, Any]:
    asked = request.GET.get("page", "1")
    page = int(asked) if asked.isdecimal() and len(asked) < 4 else 1
    happenings, more = timeline(account, page=page)
    return {"happenings": happenings, "more_page": page + 1 if more else None, "newer_page": page - 1}
