"""The one exception from the strict content security policy."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

FOR_ADMIN = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}


class AdminPolicy:
    """Add to the policy under /admin/ what the admin's theme cannot do without: it evaluates and styles inline."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith("/admin/"):
            response._csp_update = FOR_ADMIN  # type: ignore[attr-defined]
        return response
