"""What the list of accounts and its export show beyond an account's own row."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList

from accounts.actors import Role
from accounts.models import Account, ContactRole
from invoicing.ledger.balances import owed_by
from invoicing.money import format_money, round_money

EXPORT_PAGE = 1000
COLUMNS = (
    "number", "name", "kind", "partner", "terms", "currency", "state", "country", "signed up on", "next billing on",
    "owed",
)  # fmt: skip


class AccountList(ChangeList):
    """A page of accounts with what each owes, read for the whole page at once."""

    result_list: Iterable[Account]

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = with_owed(self.result_list)


class NoPrimaryFilter(admin.SimpleListFilter):
    """AUTH-1: accounts for which nobody can speak."""

    title = "Primary Contact"
    parameter_name = "primary"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("none", "has none"), ("one", "has one")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        primary = Exists(ContactRole.objects.filter(account=OuterRef("pk"), role=Role.PRIMARY))
        if self.value() == "none":
            return queryset.filter(~primary)
        return queryset.filter(primary) if self.value() == "one" else queryset


def with_owed(accounts: Iterable[Account]) -> list[Account]:
    """The accounts as a list, each with `owed`: amounts by currency. One query for all."""
    listed = list(accounts)
    owed = owed_by([account.pk for account in listed])
    for account in listed:
        account.owed = owed.get(account.pk, {})  # type: ignore[attr-defined]
    return listed


def owed_in_words(account: Any) -> str:
    return ", ".join(format_money(amount, currency) for currency, amount in account.owed.items()) or "—"


def export_rows(accounts: QuerySet[Account]) -> Iterator[Iterable[Any]]:
    """A heading and a row for each account and currency owed, read page by page."""
    yield COLUMNS
    rows = accounts.iterator(chunk_size=EXPORT_PAGE)
    while page := with_owed(islice(rows, EXPORT_PAGE)):
        for account in page:
            yield from _rows_of(account)


def _rows_of(account: Any) -> Iterator[Iterable[Any]]:
    profile = getattr(account, "billing_profile", None)
    for currency, amount in account.owed.items() or [(profile.currency if profile else "", None)]:
        yield (
            account.number, account.name, account.get_kind_display(), account.parent.number if account.parent else "",
            profile.terms.code if profile else "", currency, account.state, account.country, account.signed_up_on,
            profile.next_billing_on if profile else "", "" if amount is None else round_money(amount, currency),
        )  # fmt: skip
