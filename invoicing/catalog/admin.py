"""Products, plans with their dated prices, vendors and billing terms."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from accounts.browsing import ConsoleAdmin, ReadOnlyAdmin, ReadOnlyInline
from invoicing.catalog.models import BillingTerms, Plan, Price, Product, Vendor
from invoicing.catalog.queries import billed_until
from invoicing.money import format_quantity


class PriceForm(forms.ModelForm):
    """A version that a billed period was priced by is shown and no longer changed."""

    class Meta:
        model = Price
        fields = ("currency", "valid_from_on", "unit_price", "inactive_price", "setup_fee", "change_fee", "deposit")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        until = getattr(self.instance, "billed_until", None)
        for name, value in self.initial.items():
            if isinstance(value, Decimal):
                self.initial[name] = format_quantity(value).replace(",", "")
        self.is_billed = bool(self.instance.pk and until and self.instance.valid_from_on <= until)
        if self.is_billed:
            for field in self.fields.values():
                field.disabled = True


class PriceFormSet(forms.BaseInlineFormSet):
    """BILL-3: prices change by a new version; those that were billed stay as they are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("per_page", None)
        super().__init__(*args, **kwargs)

    def get_queryset(self) -> QuerySet[Price]:
        if not hasattr(self, "_versions"):
            self._versions = list(super().get_queryset().order_by("currency", "-valid_from_on"))
            until = billed_until(self.instance) if self.instance.pk else None
            for price in self._versions:
                price.billed_until = until
        return self._versions  # type: ignore[return-value]

    def clean(self) -> None:
        super().clean()
        if any(isinstance(form, PriceForm) and form.is_billed for form in self.deleted_forms):
            raise ValidationError("BILL-3: a price that was billed stays. Add a version from a later day instead.")


class PriceInline(TabularInline):
    model = Price
    form = PriceForm
    formset = PriceFormSet
    extra = 0
    hide_title = True
    verbose_name_plural = (
        "prices: one row a version, valid from its day until the next one's. "
        "A version that was billed is fixed; add a new one to change a price"
    )


class PlanInline(ReadOnlyInline):
    model = Plan
    fields = ("code", "name")
    show_change_link = True


@admin.register(Product)
class ProductAdmin(ConsoleAdmin):
    list_display = ("name", "code", "charge", "tax_category", "licensed", "vendor")
    list_select_related = ("vendor",)
    list_filter = (("charge", ChoicesDropdownFilter), "licensed", ("vendor", RelatedDropdownFilter))
    search_fields = ("code", "name")
    ordering = ("name", "pk")
    autocomplete_fields = ("vendor",)
    inlines = (PlanInline,)


@admin.register(Plan)
class PlanAdmin(ConsoleAdmin):
    list_display = ("name", "code", "product")
    list_select_related = ("product",)
    search_fields = ("code", "name", "product__name")
    ordering = ("name", "pk")
    autocomplete_fields = ("product",)
    inlines = (PriceInline,)


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin):
    """Every version of every price, to look at; they are added on their plan's page."""

    list_display = ("plan", "currency", "unit_price_short", "valid_from_on", "setup_fee_short", "change_fee_short")
    list_select_related = ("plan",)
    list_filter = (("plan__product", RelatedDropdownFilter),)
    search_fields = ("plan__code", "plan__name")
    ordering = ("plan__name", "currency", "-valid_from_on")

    @display(description="unit price", ordering="unit_price")
    def unit_price_short(self, price: Price) -> str:
        return f"{price.unit_price.normalize():f}"

    @display(description="set-up fee")
    def setup_fee_short(self, price: Price) -> str:
        return f"{price.setup_fee.normalize():f}"

    @display(description="change fee")
    def change_fee_short(self, price: Price) -> str:
        return f"{price.change_fee.normalize():f}"


@admin.register(Vendor)
class VendorAdmin(ConsoleAdmin):
    list_display = ("name", "share_percent", "terms_url")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    search_fields = ("name",)
    ordering = ("name",)


@admin.register(BillingTerms)
class BillingTermsAdmin(ConsoleAdmin):
    """The written policy's settings, as data."""

    list_display = ("name", "code", "clause", "timing", "anchor", "settlement", "approval")
    ordering = ("name", "pk")
    fieldsets = (
        (None, {"fields": (("name", "code"), "clause")}),
        ("When and for what", {
            "fields": (("timing", "anchor"), ("settlement", "payment_due_days"), "late_start", "bridge"),
            "description": "A change holds for periods that are proposed from now on; nothing that was issued changes.",
        }),
        ("When a run waits for a person", {
            "fields": ("approval", ("hold_total_share", "hold_count_share"), ("hold_account_factor", "hold_amount")),
        }),
        ("Charging and card fee", {
            "fields": (("auto_charge", "retry_days"), "order_lapses_after_days", "fee_on_debit"),
            "description": "Warning (FEE-4): card networks forbid a surcharge on debit and prepaid cards. "
            "The published terms say credit and debit; leave the switch on only if your acquirer agrees.",
        }),
        ("Prepaid balance", {"fields": (("topups_a_day", "low_balance_warning_days"), "credit_limit")}),
        ("Reminders, suspension, agency", {
            "fields": (
                ("reminder_days", "reminder_copy_to"), ("suspend_after_days", "suspension_warning_days"),
                ("collections_after_days", "collections_approval"),
            ),
        }),
        ("Refund and termination", {"fields": (("refund_window_days", "refund_ends_at_once"), "notice_days")}),
        ("Identity check", {"fields": ("number_and_date_identify",)}),
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: BillingTerms | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()
