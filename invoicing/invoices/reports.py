"""SVC-2: the vendors' report, as a page and as a sheet."""

from datetime import date

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from invoicing.invoices.queries import vendor_sales
from invoicing.money import minor_unit
from invoicing.pages.sheets import csv_download

HEADER = ("month", "vendor", "currency", "invoiced", "credited", "net", "share percent", "owed")


@require_GET
def vendors_report(request: HttpRequest) -> HttpResponseBase:
    """`?month=2026-11`, and `&format=csv` for the sheet."""
    if not request.user.has_perms(["invoicing.view_vendor", "invoicing.view_invoice"]):  # type: ignore[union-attr]
        raise PermissionDenied
    month = month_of(request.GET.get("month", ""), otherwise=timezone.localdate())
    sales = vendor_sales(month)
    if request.GET.get("format") == "csv":
        rows = (
            (
                f"{month:%Y-%m}", one.vendor, one.currency,
                *_at_its_places(one.currency, one.invoiced, one.credited, one.net), one.share_percent,
                *_at_its_places(one.currency, one.owed),
            )
            for one in sales
        )  # fmt: skip
        return csv_download(f"vendors-{month:%Y-%m}.csv", HEADER, rows)
    frame = admin.site.each_context(request)
    context = {**frame, "title": "Vendors' report", "month": month, "sales": sales}
    return TemplateResponse(request, "admin/invoicing/vendor/report.html", context)


def _at_its_places(currency: str, *amounts: object) -> list[object]:
    return [amount.quantize(minor_unit(currency)) for amount in amounts]  # type: ignore[attr-defined]


def month_of(text: str, *, otherwise: date) -> date:
    """`2026-11` as the first of that month."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return otherwise.replace(day=1)
