"""Lists of rows that nobody edits, with pages of their own, read in as many queries however many rows."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from django.contrib.admin import AdminSite, ShowFacets
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from unfold.views import ChangeList

from accounts.browsing import ReadOnlyAdmin


class CompletedChangeList(ChangeList):
    """Lets the admin read what belongs to the rows of this page, in so many queries a page."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.opts = self.model_admin.opts

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: Sequence[Any] = list(self.result_list)
        self.model_admin.complete(self.result_list)


class PagedAdmin(ReadOnlyAdmin):
    """A list whose rows have pages of our own; what may be done to a row is an action that calls an operation."""

    show_facets = ShowFacets.NEVER
    list_fullwidth = True
    change_list_template = "admin/invoicing/read_only/change_list.html"
    called: tuple[str, str] | None = None
    # What a list is called that is narrowed to a heap of work, by the parameter and the value that narrow it.
    queues: Mapping[tuple[str, str], str] = {}
    when_empty = "There is nothing here yet."
    when_nothing_found = "Nothing matches. Search for the beginning of a number or name, or reset the filters."

    def __init__(self, model: type[Model], admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        if self.called:
            # The list shows some of the model's rows, and goes by the name of these.
            self.opts = copy(model._meta)
            self.opts.verbose_name, self.opts.verbose_name_plural = self.called

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CompletedChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        asked = request.GET
        title = next((title for (name, value), title in self.queues.items() if asked.get(name) == value), "")
        return super().changelist_view(request, {"queue_title": title, **(extra_context or {})})

    def complete(self, rows: Sequence[Any]) -> None:
        """Read for all rows of a page at once what the columns show besides."""

    def shown(self, request: HttpRequest, object_id: str | int) -> Any:
        """
        The row of a page, if this person may see such rows.

        :raises Http404: in the same words whether there is no such row or it is none of this list's
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return self.get_queryset(request).get(pk=int(object_id))
        except (ValueError, self.model.DoesNotExist):
            raise Http404("There is no such page.") from None

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A row's page is looked at; what changes a row has an address of its own."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return self.row_page(request, object_id)

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page of one row."""
        return super().change_view(request, object_id)

    def page(self, request: HttpRequest, template: str, *, title: str, **context: Any) -> TemplateResponse:
        """A page in the console's frame."""
        frame = self.admin_site.each_context(request)
        return TemplateResponse(request, template, {**frame, "opts": self.opts, "title": title, **context})
