"""What accounts hold and what is charged once, to look at: the customer's own doors change it, not this one."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display

from accounts.browsing import ReadOnlyAdmin, ReadOnlyInline
from invoicing.subscriptions.models import Inactivity, OneOffCharge, PlanChange, QuantityChange, Subscription


class QuantityChangeInline(ReadOnlyInline):
    model = QuantityChange
    tab = True
    fields = ("from_on", "quantity")


class PlanChangeInline(ReadOnlyInline):
    model = PlanChange
    tab = True
    fields = ("on", "from_plan", "to_plan")


class InactivityInline(ReadOnlyInline):
    model = Inactivity
    tab = True
    fields = ("period_start_on", "kind")


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """AUTH-7: staff cannot add or remove a service."""

    list_display = ("reference", "label", "plan", "quantity_short", "started_on", "ended_on", "account")
    list_select_related = ("account", "plan")
    list_filter = (
        ("plan__product", RelatedDropdownFilter),
        ("started_on", RangeDateFilter),
        ("ended_on", RangeDateFilter),
    )
    search_fields = ("reference__startswith",)
    search_help_text = "The beginning of a reference."
    ordering = ("-pk",)
    fields = ("account", "reference", "label", "plan", "quantity_short", "price_override", ("started_on", "ended_on"))
    readonly_fields = ("quantity_short", "price_override")
    inlines = (QuantityChangeInline, PlanChangeInline, InactivityInline)
    list_before_template = change_form_before_template = "console/no_bare_change.html"

    @display(description="quantity at the start")
    def quantity_short(self, subscription: Subscription) -> str:
        return f"{subscription.quantity.normalize():f}"

    @display(description="agreed price of a unit")
    def price_override(self, subscription: Subscription) -> str:
        price = subscription.unit_price
        return "the plan's price" if price is None else f"{price.normalize():f}"


class WaitsFilter(admin.SimpleListFilter):
    """AUTH-6: what waits for an authorization, what for the next invoice, and what was billed."""

    title = "state"
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [
            ("authorization", "waits for an authorization"),
            ("invoice", "waits for the next invoice"),
            ("no", "billed"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OneOffCharge]) -> QuerySet[OneOffCharge]:
        conditions: dict[str, dict[str, Any]] = {
            "authorization": {"billed_on": None, "authorized_at": None},
            "invoice": {"billed_on": None, "authorized_at__isnull": False},
            "no": {"billed_on__isnull": False},
        }
        return queryset.filter(**conditions.get(self.value() or "", {}))


@admin.register(OneOffCharge)
class OneOffChargeAdmin(ReadOnlyAdmin):
    """AUTH-6: asked for by a Primary or Billing Contact, authorized by the Primary or the Primary Billing Contact."""

    list_display = ("on", "described", "quantity_short", "state", "requested_by", "authorized_by", "account")
    list_select_related = ("account", "plan")
    list_filter = (WaitsFilter, ("on", RangeDateFilter))
    list_display_links = ("described",)
    ordering = ("-pk",)
    fields = (
        "account", "plan", "description", "quantity_short", "unit_price", "on", "state", "requested_by",
        "authorized_by", "authorized_at", "billed_on",
    )  # fmt: skip
    readonly_fields = ("quantity_short", "state", "billed_on")

    @display(description="what for")
    def described(self, charge: OneOffCharge) -> str:
        return charge.description or charge.plan.name

    @display(description="quantity")
    def quantity_short(self, charge: OneOffCharge) -> str:
        return f"{charge.quantity.normalize():f}"

    @display(description="state", label={
        "waits for an authorization": "warning", "waits for the next invoice": "info", "billed": "success",
    })  # fmt: skip
    def state(self, charge: OneOffCharge) -> str:
        if charge.billed_on:
            return "billed"
        return "waits for the next invoice" if charge.authorized_at else "waits for an authorization"
