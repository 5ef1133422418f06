"""The reports' pages: figures with a chart, filters, and downloads."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Account
from invoicing.pages.requests import actor_of
from invoicing.pages.sheets import csv_download
from invoicing.prepaid.bell import UNREACHABLE
from invoicing.reports.asking import asked_of, fields, query_of
from invoicing.reports.catalog import REPORTS
from invoicing.reports.cells import exported, shown
from invoicing.reports.charts import drawn
from invoicing.reports.models import ReportExport
from invoicing.reports.operations import MAY_VIEW, request_export
from invoicing.reports.queries import MOST_ROWS, all_rows, heading, page_of
from invoicing.reports.report import Kind, Report, Row
from invoicing.reports.tasks import write_exports
from invoicing.sellers.queries import books_today

logger = logging.getLogger(__name__)

MOST_EXPORTS = 5
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def report_urls(admin_view: Callable[..., Any]) -> list[URLPattern]:
    """An address a report, so that each has its own place in the navigation."""
    pages = [
        path(f"admin/reports/{name}/", admin_view(report_page), {"name": name}, name=f"report_{name.replace('-', '_')}")
        for name in REPORTS
    ]
    return [
        path("admin/reports/", admin_view(report_list), name="reports"),
        path("admin/reports/exports/<int:export_id>/", admin_view(download), name="report_download"),
        path("admin/reports/<slug:report_name>/export/", admin_view(export), name="report_export"),
        *pages,
    ]


def _allowed(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_VIEW):  # type: ignore[union-attr]
        raise PermissionDenied


@require_GET
def report_list(request: HttpRequest) -> HttpResponse:
    """Every report, with what it says."""
    _allowed(request)
    entries = [(_address(report), report) for report in REPORTS.values()]
    return _page(request, "list.html", title="Reports", entries=entries)


@require_GET
def report_page(request: HttpRequest, name: str) -> HttpResponseBase:
    """`?on=2026-11-30&currency=USD`, and `&format=csv` for all rows as a sheet."""
    _allowed(request)
    report = REPORTS[name]
    asked = asked_of(request.GET.dict(), today=books_today(now=timezone.now()))
    query = query_of(report, asked)
    if request.GET.get("format") == "csv":
        rows = exported(report, all_rows(report, asked), asked.currency)
        return csv_download(_file_name(report, query), heading(report), rows)
    found = page_of(report, asked)
    return _page(
        request,
        "page.html",
        title=report.title,
        report=report,
        fields=fields(report, asked),
        rows=_rows(report, found.rows, asked.currency),
        totals=_cells(report, found.totals, asked.currency, is_total=True),
        currency=asked.currency,
        count=found.row_count,
        most=MOST_ROWS,
        chart=drawn(found.chart) if found.chart else None,
        csv=f"?{urlencode({**query, 'format': 'csv'})}",
        query=query,
        export_address=reverse("report_export", args=[name]),
        exports=_exports(request, name),
    )


@require_POST
def export(request: HttpRequest, report_name: str) -> HttpResponse:
    """Ask for the workbook; it is written in the background, and stands on the report's page when it is ready."""
    _allowed(request)
    if report_name not in REPORTS:
        raise Http404("There is no such report.")
    report = REPORTS[report_name]
    asked = asked_of(request.POST.dict(), today=books_today(now=timezone.now()))
    request_export(report_name, asked, actor=actor_of(request), now=timezone.now(), user_id=request.user.pk)
    transaction.on_commit(_ring)
    messages.success(request, "The workbook is being written. It stands below the report when it is ready.")
    return redirect(f"{_address(report)}?{urlencode(query_of(report, asked))}")


def _ring() -> None:
    """Have it written now. Without the broker the tick does so a little later: the row is what counts."""
    try:
        write_exports.apply_async(retry=False)
    except UNREACHABLE:
        logger.warning("the broker took no message about a workbook; the tick will find it", exc_info=True)


@require_GET
def download(request: HttpRequest, export_id: int) -> FileResponse:
    """A workbook that is ready, to who asked for it; another's is none of theirs, and not there."""
    _allowed(request)
    own = ReportExport.objects.filter(user_id=int(request.user.pk or 0), state=ReportExport.State.DONE)
    found = own.filter(pk=export_id).first()
    file = settings.DOCUMENTS_ROOT / found.path if found else None
    if found is None or file is None or not file.is_file():
        raise Http404("There is no such workbook; export the report again.")
    return FileResponse(
        file.open("rb"), as_attachment=True, filename=f"{found.name}-{found.pk}.xlsx", content_type=WORKBOOK
    )


def _exports(request: HttpRequest, name: str) -> list[ReportExport]:
    """The last ones that this person asked for."""
    return list(
        ReportExport.objects.filter(user_id=int(request.user.pk or 0), name=name).order_by("-made_at")[:MOST_EXPORTS]
    )


def _rows(report: Report, rows: list[Row], currency: str) -> list[list[dict[str, Any]]]:
    """The cells of the rows; an account's number leads to its page."""
    shown_rows = [_cells(report, row, currency) for row in rows]
    if report.columns[0].name == "number":
        known = dict(Account.objects.filter(number__in=[row[0] for row in rows]).values_list("number", "pk"))
        for row in shown_rows:
            row[0]["link"] = reverse("admin:accounts_account_change", args=[known[row[0]["text"]]])
    return shown_rows


def _cells(report: Report, row: Any, currency: str, *, is_total: bool = False) -> list[dict[str, Any]]:
    return [
        {
            "text": "" if is_total and value is None else shown(value, column, currency),
            "is_figure": column.is_figure,
            "is_short": place == 0 or column.kind == Kind.DATE,
        }
        for place, (column, value) in enumerate(zip(report.columns, row, strict=True))
    ]


def _file_name(report: Report, query: dict[str, str]) -> str:
    day = query.get("on") or "-to-".join(query[name] for name in ("from_on", "to_on") if name in query)
    return "-".join(part for part in (report.name, day, query["currency"]) if part) + ".csv"


def _address(report: Report) -> str:
    return reverse(f"report_{report.name.replace('-', '_')}")


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    frame = admin.site.each_context(request)
    return TemplateResponse(request, f"admin/invoicing/reports/{template}", {**frame, **context})
