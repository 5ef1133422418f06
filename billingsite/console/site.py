"""The console: Django's admin site with our opening page, search and import."""

from time import perf_counter
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from billingsite.console import navigation
from billingsite.console.dashboard import dashboard
from billingsite.console.import_page import import_page
from billingsite.console.search import pages, search

MOST_OFFERED = 100


class ConsoleSite(UnfoldAdminSite):
    """Everything that staff see; a page of our own is wrapped in `admin_view`, so that only staff get to it."""

    site_title = site_header = "Clausebook"
    index_title = "Dashboard"
    index_template = "console/dashboard.html"
    enable_nav_sidebar = True

    def extra_urls(self) -> list[URLPattern]:
        return [path("import-book/", self.admin_view(self.import_book), name="import_book")]

    def import_book(self, request: HttpRequest) -> HttpResponse:
        return import_page(request, self.each_context(request))

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        return navigation.sidebar(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**dashboard(request), **(extra_context or {})})

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The page of the box at the top (`q`), or what the palette of Ctrl+K offers while one types (`s`)."""
        if "s" in request.GET:
            return self._palette(request, request.GET["s"])
        words = request.GET.get("q", "").strip()
        found = search(request, words)
        if [len(group.hits) for group in found] == [1]:
            return redirect(found[0].hits[0].link)
        context = {
            **self.each_context(request),
            "title": f"Search: {words}" if words else "Search",
            "search_for": words,
            "found": found,
        }
        return TemplateResponse(request, "console/search.html", context)

    def _palette(self, request: HttpRequest, words: str) -> HttpResponse:
        if not words.strip():
            return HttpResponse()
        began = perf_counter()
        hits = [hit for group in search(request, words) for hit in group.hits] + pages(request, words)
        offered = Paginator(hits, MOST_OFFERED)
        extended = "extended" in request.GET
        return TemplateResponse(
            request,
            f"unfold/helpers/{'command' if extended else 'search'}_results.html",
            {
                "page_obj": offered,
                "results": offered.page(1),
                "page_counter": 0,
                "execution_time": perf_counter() - began,
                "command_show_history": False,
            },
            headers={"HX-Trigger": "search"},
        )


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    """What stands in the menu under one's own name."""
    return [
        {"title": "Change password", "link": reverse("admin:password_change")},
        {"title": "Second factor", "link": reverse("mfa_index")},
    ]


def stylesheet(request: HttpRequest) -> str:
    return static("console/console.css")


def script(request: HttpRequest) -> str:
    return static("console/console.js")
