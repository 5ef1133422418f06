"""The console: Django's admin site with our opening page, search and import."""

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from billingsite.console import navigation


class ConsoleSite(UnfoldAdminSite):
    """Everything that staff see; a page of our own is wrapped in `admin_view`, so that only staff get to it."""

    site_title = site_header = "Clausebook"
    index_title = "Dashboard"
    enable_nav_sidebar = True

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        return navigation.sidebar(request)


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
