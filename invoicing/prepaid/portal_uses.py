"""The customers' page of their uses: each one as it was rated and deducted (PRE-1), by day and product."""

from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from accounts.authority import Action
from accounts.portal import Visit, of_contact
from invoicing.catalog.models import Plan
from invoicing.payments.portal import page, profile_of
from invoicing.prepaid.portal import balance_of
from invoicing.subscriptions.models import UsageEvent, UsageTotal

A_PAGE = 50
LATEST_MONTHS = 24


@require_safe
@of_contact(Action.VIEW_BILLING)
def uses(visit: Visit) -> HttpResponse:
    """AUTH-4: by the account's own index, however many there are; `before` is where the next page goes on."""
    balance, zone = balance_of(visit), ZoneInfo(profile_of(visit).seller.time_zone)
    typed = visit.request.GET
    from_on, to_on = (_day(visit, typed.get(name, "")) for name in ("from", "to"))
    totals = UsageTotal.objects.filter(account=visit.account).order_by("-month_on")
    plans = Plan.objects.filter(pk__in=totals.values("plan")).order_by("name")
    plan = next((one for one in plans if str(one.pk) == typed.get("plan")), None)
    rows, older = _page(_asked(visit, from_on, to_on, plan, zone), typed.get("before", ""))
    kept = {"from": from_on or "", "to": to_on or "", "plan": plan.pk if plan else ""}
    shown: dict[str, Any] = {
        "balance": balance, "uses": [(one, one.at.astimezone(zone)) for one in rows], "plans": plans, "plan": plan,
        "from_on": from_on, "to_on": to_on, "zone": zone.key, "is_first": not typed.get("before"),
        "older": urlencode({**kept, "before": older}) if older else "",
        "months": totals.select_related("plan")[:LATEST_MONTHS],
    }  # fmt: skip
    return page(visit, "portal/uses.html", **shown)


def _asked(
    visit: Visit, from_on: date | None, to_on: date | None, plan: Plan | None, zone: ZoneInfo
) -> QuerySet[UsageEvent]:
    """Those of the days, both included, as the seller's calendar has them."""
    found = UsageEvent.objects.filter(account=visit.account).select_related("plan__product")
    if from_on:
        found = found.filter(at__gte=datetime.combine(from_on, time(), zone))
    if to_on and to_on < date.max:
        found = found.filter(at__lt=datetime.combine(to_on + timedelta(days=1), time(), zone))
    return found.filter(plan=plan) if plan else found


def _page(found: QuerySet[UsageEvent], before: str) -> tuple[list[UsageEvent], int | None]:
    if before.isdecimal() and len(before) < 19 and (last := found.filter(pk=int(before)).first()):
        found = found.filter(at__lte=last.at).filter(Q(at__lt=last.at) | Q(pk__lt=last.pk))
    rows = list(found.order_by("-at", "-pk")[: A_PAGE + 1])
    return rows[:A_PAGE], rows[A_PAGE - 1].pk if len(rows) > A_PAGE else None


def _day(visit: Visit, text: str) -> date | None:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if text and (day is None or day.year < 2000):
        messages.error(visit.request, "Write a day like 2026-03-01; that one is left out.")
        return None
    return day
