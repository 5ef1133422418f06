"""Importing a book in two steps: what it would change, then the change."""

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.queries import actor_for_user
from billingsite.console import uploads
from invoicing.book.changes import ImportPlan
from invoicing.book.operations import BookRefused, import_book, plan_import, read_book
from invoicing.book.sheets import SHEET_NAMES
from invoicing.sellers.models import Seller

MOST_ERRORS = 500
MOST_CHANGES = 20


def import_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The form, the preview, and the import; an upload is its session's alone."""
    if not request.user.has_perm("invoicing.import_book"):
        raise PermissionDenied
    steps = {"preview": _preview, "confirm": _confirm, "cancel": _cancel}
    context |= {"title": "Import a book", "sheet_names": SHEET_NAMES, "most_mb": uploads.MOST_BYTES // 1024**2}
    if request.method == "POST" and (step := steps.get(request.POST.get("step", ""))):
        return step(request, context)
    return _page(request, context | {"has_seller": Seller.objects.filter(is_default=True).exists()})


def _preview(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    try:
        path = uploads.keep(request.FILES.getlist("files"), request.session)
    except uploads.UploadRefused as refused:
        messages.error(request, str(refused))
        return redirect("admin:import_book")
    return _page(request, context | _as_shown(plan_import(read_book(path)), path))


def _confirm(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    assert isinstance(request.user, AbstractUser)
    path = uploads.kept(request.session)
    if path is None:
        messages.error(request, "The uploaded book is gone. Upload it again.")
        return redirect("admin:import_book")
    try:
        plan = import_book(read_book(path), actor=actor_for_user(request.user), now=timezone.now())
    except BookRefused as refused:
        return _page(request, context | _as_shown(refused.plan, path))
    uploads.drop(request.session)
    messages.success(request, f"Imported: {_in_words(plan)}.")
    return redirect("admin:import_book")


def _cancel(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    uploads.drop(request.session)
    messages.info(request, "Nothing was imported, and the uploaded files are gone.")
    return redirect("admin:import_book")


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, "console/import.html", context)


def _as_shown(plan: ImportPlan, path: Path) -> dict[str, Any]:
    return {
        "plan": plan,
        "book": path.name if path.is_file() else "CSV files",
        "errors": plan.errors[:MOST_ERRORS],
        "more_errors": max(0, len(plan.errors) - MOST_ERRORS),
        "sheets": [
            {
                "name": name,
                "counts": sheet,
                "changes": [
                    (
                        change.row,
                        change.name,
                        [(column, change.before[column], change.after[column]) for column in change.after],
                    )
                    for change in sheet.changes[:MOST_CHANGES]
                ],
                "more_changes": max(0, sheet.changed - MOST_CHANGES),
            }
            for name, sheet in plan.sheets.items()
        ],
    }


def _in_words(plan: ImportPlan) -> str:
    parts = [
        f"{name.replace('_', ' ')} {sheet.new:,} new, {sheet.changed:,} changed"
        for name, sheet in plan.sheets.items()
        if sheet.new or sheet.changed
    ]
    return "; ".join(parts) or "everything was so already"
