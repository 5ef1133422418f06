"""TAX-1: rates by place, category and date, and who is exempt."""

from django.contrib import admin
from unfold.contrib.filters.admin import FieldTextFilter, RangeDateFilter
from unfold.decorators import display

from accounts.browsing import ConsoleAdmin, ReadOnlyAdmin
from invoicing.tax.models import Exemption, TaxRate


@admin.register(TaxRate)
class TaxRateAdmin(ConsoleAdmin):
    list_display = ("name", "percent", "place", "tax_category", "valid_from_on", "valid_to_on")
    list_filter = (("country", FieldTextFilter), ("state", FieldTextFilter), ("valid_from_on", RangeDateFilter))
    search_fields = ("name__istartswith", "city__istartswith", "postal_code__startswith")
    ordering = ("country", "state", "county", "city", "name", "valid_from_on")
    fieldsets = (
        (None, {
            "fields": ("name", "rate_percent", ("valid_from_on", "valid_to_on"), "tax_category"),
            "description": "To change a rate, end this one on the first day of the new one and add that. "
            "What was issued keeps the rate that it was issued with.",
        }),
        ("Where", {
            "fields": (("country", "state"), ("county", "city"), "postal_code"),
            "description": "A field that is empty matches every address.",
        }),
    )  # fmt: skip

    @display(description="rate", ordering="rate_percent")
    def percent(self, rate: TaxRate) -> str:
        return f"{rate.rate_percent.normalize():f} %"

    @display(description="place")
    def place(self, rate: TaxRate) -> str:
        return ", ".join(filter(None, (rate.postal_code, rate.city, rate.county, rate.state, rate.country)))


@admin.register(Exemption)
class ExemptionAdmin(ReadOnlyAdmin):
    """AUTH-5: the Primary or a Billing Contact asks for an exemption; it is recorded on their account's page."""

    list_display = ("certificate", "country", "state", "valid_from_on", "valid_to_on", "account")
    list_select_related = ("account",)
    list_filter = (("country", FieldTextFilter), ("state", FieldTextFilter))
    search_fields = ("certificate__startswith",)
    ordering = ("-pk",)
