"""Lists of rows that are an account's: found by the account, shown with it."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from accounts.finding import accounts_beginning_with
from invoicing.pages.acting import ActingAdmin
from invoicing.pages.cells import account_link
from invoicing.pages.money import amount_cell

ACCOUNTS_SEARCHED = 500


class OfAccountsAdmin(ActingAdmin):
    """Rows of accounts, found by the account's number or name, or by what `found_by` adds."""

    list_select_related: Sequence[str] = ("account",)
    search_fields: Sequence[str] = ("pk",)
    search_help_text = "Beginning of an account number or name"
    ordering: Sequence[str] = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        words = search_term.strip()
        if not words:
            return queryset, False
        accounts = list(accounts_beginning_with(words).values_list("pk", flat=True)[:ACCOUNTS_SEARCHED])
        return queryset.filter(Q(account_id__in=accounts) | self.found_by(words)), False

    def found_by(self, words: str) -> Q:
        return Q(pk=int(words)) if words.isascii() and words.isdecimal() and len(words) < 19 else Q(pk__in=[])

    @display(description="Account")
    def account_name(self, row: Any) -> str:
        return account_link(row.account)

    @display(description="Amount", ordering="amount")
    def amount_shown(self, row: Any) -> str:
        return amount_cell(row.amount, row.currency)
