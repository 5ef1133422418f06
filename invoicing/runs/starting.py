"""“Start a run”: a date, what it would come to, and the start itself."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget

from invoicing.pages.requests import actor_of, attempt
from invoicing.runs.models import Run
from invoicing.runs.operations import RunRefused, dry_run, open_run
from invoicing.runs.workers import hand_over
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of

if TYPE_CHECKING:
    from invoicing.pages.readonly import PagedAdmin

    Base = PagedAdmin
else:
    Base = object

NOT_HANDED_OVER = (
    "The work could not be handed to a worker, since the message broker did not answer. "
    "It stands in the database and goes on with the next tick, or by “Continue here”."
)


class StartForm(forms.Form):
    """Which seller's accounts, and on which day."""

    seller = forms.ModelChoiceField(Seller.objects.order_by("name"), widget=UnfoldAdminSelectWidget, empty_label=None)
    on = forms.DateField(
        label="Billing date", widget=UnfoldAdminSingleDateWidget,
        help_text="Every account whose billing date has come by this day is billed, missed periods included.",
    )  # fmt: skip


class StartPages(Base):
    """The form, its preview and the start."""

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """GET: the form. POST `preview`: the figures of a dry run. POST `start`: the run is opened and handed over."""
        if not request.user.has_perm("invoicing.start_run"):
            raise PermissionDenied
        form = StartForm(request.POST or None, initial=_today_of_the_default_seller())
        found = None
        if request.method == "POST" and form.is_valid():
            if "start" in request.POST:
                return self._start(request, form)
            found = dry_run(seller=form.cleaned_data["seller"], on=form.cleaned_data["on"])
        return self.page(
            request,
            "admin/invoicing/run/start.html",
            title="Start a run",
            form=form,
            figures=found,
            media=self.media + form.media,
        )

    def _start(self, request: HttpRequest, form: StartForm) -> HttpResponse:
        seller, on = form.cleaned_data["seller"], form.cleaned_data["on"]
        opened: list[Run] = []

        def start() -> str:
            actor = actor_of(request)
            actor.require("invoicing.start_run")
            opened.append(open_run(seller=seller, on=on, actor=actor, now=timezone.now()))
            return f"The run of {on} is open; what is due is being proposed."

        if not attempt(request, start, RunRefused):
            return HttpResponseRedirect(reverse("admin:invoicing_run_changelist"))
        if not hand_over("start_run_task", seller.pk, on.isoformat(), request.user.pk):
            messages.warning(request, NOT_HANDED_OVER)
        return HttpResponseRedirect(reverse("admin:invoicing_run_change", args=[opened[0].pk]))


def _today_of_the_default_seller() -> dict[str, object]:
    seller = Seller.objects.order_by("-is_default", "pk").first()
    return {"seller": seller, "on": today_of(seller, now=timezone.now())} if seller else {}
