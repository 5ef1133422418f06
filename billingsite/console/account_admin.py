"""Accounts: the list, its export, and the doors to an account's page and to the requests that are recorded there."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RelatedDropdownFilter
from unfold.decorators import display

from accounts.browsing import ReadOnlyAdmin
from accounts.finding import accounts_beginning_with
from accounts.models import Account
from billingsite.console.account_list import AccountList, NoPrimaryFilter, export_rows, owed_in_words
from billingsite.console.account_page import account_page
from billingsite.console.csv_export import csv_response
from billingsite.console.inviting import invite
from billingsite.console.requests import record_request


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """AUTH-2: an account changes as somebody asks for it, never by a bare form."""

    list_display = ("number", "name", "kind", "terms", "state", "owed")
    list_filter = (
        ("kind", ChoicesDropdownFilter),
        ("billing_profile__terms", RelatedDropdownFilter),
        ("state", FieldTextFilter),
        NoPrimaryFilter,
    )
    search_fields = ("number",)
    search_help_text = "The beginning of an account number or a name."
    ordering = ("number",)
    actions = ("export_selected",)
    list_before_template = "console/account/list_tools.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return super().get_queryset(request).select_related("parent", "billing_profile__terms")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        words = search_term.strip()
        return (accounts_beginning_with(words, queryset) if words else queryset), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[AccountList]:
        return AccountList

    def get_urls(self) -> list[URLPattern]:
        def door(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"accounts_account_{name}")

        return [
            door("export/", self.export_view, "export"),
            door("<int:account_id>/request/<slug:kind>/", self.request_view, "request"),
            door("<int:account_id>/contacts/<int:contact_id>/invite/", self.invite_view, "invite"),
            *super().get_urls(),
        ]

    @display(description="terms", ordering="billing_profile__terms__name")
    def terms(self, account: Account) -> str:
        profile = getattr(account, "billing_profile", None)
        if profile:
            return str(profile.terms)
        return f"billed through {account.parent.number}" if account.parent else "none"

    @display(description="owes")
    def owed(self, account: Account) -> str:
        return owed_in_words(account)

    @admin.action(description="Export the selected accounts as CSV", permissions=["view"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponseBase:
        return csv_response("accounts.csv", export_rows(queryset))

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Every account that the list's search and filters find."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return csv_response("accounts.csv", export_rows(self.get_changelist_instance(request).queryset))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return account_page(request, self._account(request, object_id), self.admin_site.each_context(request))

    def request_view(self, request: HttpRequest, account_id: int, kind: str) -> HttpResponse:
        account = self._account(request, str(account_id))
        return record_request(request, account, kind, self.admin_site.each_context(request))

    def invite_view(self, request: HttpRequest, account_id: int, contact_id: int) -> HttpResponse:
        account = self._account(request, str(account_id))
        return invite(request, account, contact_id, self.admin_site.each_context(request))

    def _account(self, request: HttpRequest, object_id: str) -> Account:
        if not self.has_view_permission(request):
            raise PermissionDenied
        account: Account | None = self.get_object(request, object_id)
        if account is None:
            raise Http404("There is no such account.")
        return account
