"""Lists with acts: each has an address of its own, asks for its permission, shows its form and calls its operation."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from accounts.actors import NotPermitted
from accounts.models import Account
from accounts.refusals import BadValue
from invoicing.pages.acts import Act, Asked, Facts, ShownOnce
from invoicing.pages.cells import Table
from invoicing.pages.readonly import PagedAdmin
from invoicing.pages.requests import actor_of
from invoicing.states import NotPossibleNow

# What stands on the page of an act of the row that it is done to: the amount, whose it is, and a little more.
MOST_KNOWN = 5


class Button(NamedTuple):
    """An act that this person may do, and where."""

    act: Act
    address: str


class ActingAdmin(PagedAdmin):
    """
    A list of rows that nobody edits, with what may be done: to a row, to an account, or at all.

    `acts` stand on a row's page, `account_acts` on the page of an account, `list_acts` above the list.
    """

    acts: Sequence[Act] = ()
    account_acts: Sequence[Act] = ()
    list_acts: Sequence[Act] = ()
    badges: dict[str, str] = {}
    # The account's page begins with what is done most.
    place_on_account = 9
    list_fullwidth = True

    def get_urls(self) -> list[URLPattern]:
        own = [self._url("<int:row_id>", act, self.row_act_view) for act in self.acts]
        own += [self._url("account/<int:account_id>", act, self.account_act_view) for act in self.account_acts]
        own += [self._url("do", act, self.list_act_view) for act in self.list_acts]
        return [*own, *super().get_urls()]

    def _url(self, before: str, act: Act, view: Callable[..., HttpResponse]) -> URLPattern:
        wrapped = self.admin_site.admin_view(partial(view, act=act))
        return path(f"{before}/{act.name}/", wrapped, name=self._name(act))

    def _name(self, act: Act) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{act.name.replace('-', '_')}"

    # The pages of the acts

    def row_act_view(self, request: HttpRequest, row_id: int, *, act: Act) -> HttpResponse:
        self._permit(request, act)
        row = self.shown(request, row_id)
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
        return self._act(request, act, row, back=back, of=self.title_of(row), known=list(self.facts(row))[:MOST_KNOWN])

    def account_act_view(self, request: HttpRequest, account_id: int, *, act: Act) -> HttpResponse:
        self._permit(request, act)
        account = get_object_or_404(Account, pk=account_id)
        back = f"{reverse('admin:accounts_account_change', args=[account.pk])}?tab=money"
        return self._act(request, act, account, back=back, of=str(account))

    def list_act_view(self, request: HttpRequest, *, act: Act) -> HttpResponse:
        self._permit(request, act)
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return self._act(request, act, None, back=back, of="")

    def _permit(self, request: HttpRequest, act: Act) -> None:
        if not (self.has_view_permission(request) and request.user.has_perm(act.permission)):
            raise PermissionDenied

    def _act(self, request: HttpRequest, act: Act, row: Any, *, back: str, of: str, known: Facts = ()) -> HttpResponse:
        now = timezone.now()
        form = act.form(request.POST if request.method == "POST" else None, row=row, now=now)
        faults: list[str] = []
        expected: tuple[type[Exception], ...] = (NotPermitted, NotPossibleNow, *act.refusals)
        shown: Facts | None = None
        if request.method == "POST" and form.is_valid():
            asked = Asked(row, form.cleaned_data, actor_of(request), now)
            try:
                if act.preview and "do" not in request.POST:
                    shown = act.preview(asked)
                else:
                    return self._done(request, act, act.perform(asked), back=back)
            except BadValue as bad:
                form.add_error(bad.field if bad.field in form.fields else None, bad.sentence)
            except expected as refusal:
                faults = list(getattr(refusal, "sentences", None) or [str(refusal)])
        return self.page(
            request, "admin/invoicing/row/act.html", title=f"{act.heading}: {of}" if of else act.heading, act=act,
            form=form, faults=faults, preview=shown, back=back, of=of, known=known, object=row,
        )  # fmt: skip

    def _done(self, request: HttpRequest, act: Act, said: str | ShownOnce, *, back: str) -> HttpResponse:
        """Back with what was done; what is shown once is shown here, and kept by no browser on the way."""
        if isinstance(said, ShownOnce):
            page = self.page(request, "admin/invoicing/row/once.html", title=act.heading, once=said, back=back)
            add_never_cache_headers(page)
            return page
        messages.success(request, said)
        return HttpResponseRedirect(back)

    # Where they are offered

    def buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        """What this person may do to a row; last what harms."""
        return sorted(self._offered(request, self.acts, row, [row.pk]), key=lambda button: button.act.danger)

    def account_buttons(self, request: HttpRequest, account: Account) -> list[Button]:
        return list(self._offered(request, self.account_acts, account, [account.pk]))

    def list_buttons(self, request: HttpRequest) -> list[Button]:
        return list(self._offered(request, self.list_acts, None, []))

    def _offered(self, request: HttpRequest, acts: Sequence[Act], row: Any, args: list[int]) -> Iterator[Button]:
        if not self.has_view_permission(request):
            return
        for act in acts:
            if request.user.has_perm(act.permission) and act.offered(row):
                yield Button(act, reverse(f"admin:{self._name(act)}", args=args))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"list_buttons": self.list_buttons(request), **(extra_context or {})})

    # The page of a row

    def row_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.shown(request, object_id)
        state = self.state_of(row)
        return self.page(
            request, "admin/invoicing/row/page.html", title=self.title_of(row), row=row, object=row, state=state,
            tone=self.badges.get(state, ""), facts=list(self.facts(row)), notes=list(self.notes(row)),
            tables=[(f"table-{number}", table) for number, table in enumerate(self.tables(row))],
            buttons=self.buttons(request, row),
        )  # fmt: skip

    def title_of(self, row: Any) -> str:
        text = str(row)
        return text[:1].upper() + text[1:]

    def state_of(self, row: Any) -> str:
        return row.get_state_display() if hasattr(row, "get_state_display") else ""

    def facts(self, row: Any) -> Facts:
        """What is known of the row, in order."""
        return []

    def notes(self, row: Any) -> Sequence[tuple[str, str]]:
        """Sentences above the facts, each with its tone: bad, warn or good."""
        return []

    def tables(self, row: Any) -> Sequence[Table]:
        """What belongs to the row."""
        return []


def buttons_for_account(site: AdminSite, request: HttpRequest, account: Account) -> list[Button]:
    """All that this person may do to an account's money: first what is done most, last what harms."""
    lists = [one for one in site._registry.values() if isinstance(one, ActingAdmin)]
    lists.sort(key=lambda one: one.place_on_account)
    buttons = [button for one in lists for button in one.account_buttons(request, account)]
    return sorted(buttons, key=lambda button: button.act.danger)
