"""The page of a run, its live parts, and what may be done to it."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from invoicing.pages.requests import actor_of, attempt
from invoicing.pages.sheets import csv_download
from invoicing.runs.items import ITEM_HEADER, item_rows
from invoicing.runs.models import Run, RunItem
from invoicing.runs.operations import RunRefused, advance, approve, discard, propose_again, retry_parked
from invoicing.runs.queries import differences_by_reason, open_parked
from invoicing.runs.retrying import what_became
from invoicing.runs.reviewing import (
    RUNNING,
    bars,
    changed_accounts,
    is_due_unproposed,
    progress,
    timeline,
    totals_by_terms,
)
from invoicing.runs.starting import NOT_HANDED_OVER
from invoicing.runs.workers import hand_over, worker_answers

if TYPE_CHECKING:
    from invoicing.pages.readonly import PagedAdmin

    Base = PagedAdmin
else:
    Base = object

PARKED_SHOWN = 50


class RunPages(Base):
    """Mixed into the admin of runs. Each change is a POST that calls one operation and tells what happened."""

    def run_urls(self) -> list[URLPattern]:
        pages: list[tuple[str, Any, str]] = [
            ("<int:run_id>/progress/", require_GET(self.progress_view), "progress"),
            ("<int:run_id>/differences/", require_GET(self.differences_view), "differences"),
            ("<int:run_id>/items.csv", require_GET(self.items_view), "items"),
            ("<int:run_id>/approve/", require_POST(self.approve_view), "approve"),
            ("<int:run_id>/discard/", self.discard_view, "discard"),
            ("<int:run_id>/retry/", require_POST(self.retry_view), "retry"),
            ("<int:run_id>/continue/", require_POST(self.continue_view), "continue"),
            ("<int:run_id>/propose-again/<int:account_id>/", require_POST(self.propose_again_view), "propose_again"),
        ]
        wrap = self.admin_site.admin_view
        return [path(route, wrap(view), name=f"invoicing_run_{name}") for route, view, name in pages]

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self.shown(request, object_id)
        parked = open_parked(run).select_related("account").order_by("account__number")[: PARKED_SHOWN + 1]
        return self.page(
            request,
            "admin/invoicing/run/page.html",
            title=f"Run of {run.on:%-d %B %Y}",
            run=run,
            object=run,
            progress=progress(run),
            by_terms=totals_by_terms(run),
            parked=list(parked)[:PARKED_SHOWN],
            has_more_parked=len(parked) > PARKED_SHOWN,
            timeline=timeline(run),
            **self._waiting(run),
        )

    def _waiting(self, run: Run) -> dict[str, Any]:
        """Whether the page has to ask again, whether anybody is there to do the work, and whether any is left out."""
        running = run.state in RUNNING
        return {
            "running": running,
            "worker_missing": running and not worker_answers(),
            "left_out": run.state in _SETTLED and is_due_unproposed(run.seller_id, run.on),
        }

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("seller")

    def progress_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """The live part. Once the state is another than the page shows, the whole page is read again."""
        run = self.shown(request, run_id)
        shown = {"run": run, "progress": progress(run), **self._waiting(run)}
        response = TemplateResponse(request, "admin/invoicing/run/progress.html", shown)
        if request.GET.get("state", run.state) != run.state:
            response["HX-Refresh"] = "true"
        return response

    def differences_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """The changes against the last period: by reason, and by account with a filter, a search and pages."""
        run = self.shown(request, run_id)
        reason, search = request.GET.get("reason", ""), request.GET.get("q", "").strip()
        number = _page_number(request.GET.get("page", ""))
        shown = {
            "run": run,
            "reasons": bars(differences_by_reason(run)),
            "changed": changed_accounts(run, page=number, reason=reason, search=search),
            "reason": reason,
            "search": search,
            "page_number": number,
        }
        return TemplateResponse(request, "admin/invoicing/run/differences.html", shown)

    def items_view(self, request: HttpRequest, run_id: int) -> HttpResponseBase:
        run = self.shown(request, run_id)
        return csv_download(f"run-{run.on}-{run.pk}.csv", ITEM_HEADER, item_rows(run))

    def approve_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        run = self.shown(request, run_id)

        def release() -> str:
            approve(run, actor=actor_of(request), now=timezone.now())
            return "Approved: the invoices are being issued. An issued invoice does not change any more (BILL-6)."

        if attempt(request, release, RunRefused) and not hand_over("continue_run", run.pk, request.user.pk):
            messages.warning(request, NOT_HANDED_OVER)
        return _to_page(run)

    @staticmethod
    def _discard_context(run: Run) -> dict[str, Any]:
        return {"run": run, "object": run, "progress": progress(run)}

    def discard_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """GET: the page that asks for a reason. POST with one: the drafts are dropped."""
        run = self.shown(request, run_id)
        if not request.user.has_perm("invoicing.approve_run"):
            raise PermissionDenied
        why = request.POST.get("why", "").strip()
        if request.method != "POST" or not why:
            return self.page(
                request, "admin/invoicing/run/discard.html", title="Discard the run",
                is_missing=request.method == "POST", **self._discard_context(run),
            )  # fmt: skip

        def drop() -> str:
            discard(run, actor=actor_of(request), now=timezone.now(), why=why)
            return "Discarded: the drafts are gone, and the accounts are due again as before."

        attempt(request, drop, RunRefused)
        return _to_page(run)

    def retry_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """All parked accounts of the run, or the one that `account` names."""
        run = self.shown(request, run_id)
        account = None
        if wanted := request.POST.get("account"):
            account = get_object_or_404(open_parked(run), account__number=wanted).account

        def retry() -> str:
            looked_at = retry_parked(run, actor=actor_of(request), now=timezone.now(), account=account)
            items = RunItem.objects.filter(run=run)
            return what_became(items.filter(account=account) if account else items, looked_at)

        attempt(request, retry, RunRefused)
        return _to_page(run)

    def continue_view(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """Without a worker: take the run as far as it goes within this request."""
        run = self.shown(request, run_id)

        def go_on() -> str:
            actor = actor_of(request)
            actor.require("invoicing.start_run")
            advance(run, actor=actor, now=timezone.now())
            return f"The run went on here and is now: {run.get_state_display().lower()}."

        attempt(request, go_on, RunRefused)
        return _to_page(run)

    def propose_again_view(self, request: HttpRequest, run_id: int, account_id: int) -> HttpResponse:
        run = self.shown(request, run_id)
        proposed = RunItem.objects.filter(run=run, outcome=RunItem.Outcome.PROPOSED, superseded_by=None)
        account = get_object_or_404(proposed.select_related("account"), account_id=account_id).account

        def propose() -> str:
            propose_again(run, account=account, actor=actor_of(request), now=timezone.now())
            return f"Account {account.number} is priced anew from what the book says now."

        attempt(request, propose, RunRefused)
        return _to_page(run)


_SETTLED = (Run.State.REVIEW, Run.State.DONE)


def _to_page(run: Run) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:invoicing_run_change", args=[run.pk]))


def _page_number(text: str) -> int:
    return min(int(text), 100_000) if text.isascii() and text.isdigit() and int(text[:9]) > 0 else 1
