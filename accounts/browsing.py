"""How staff look at rows: lists that never count a large table, rows that nobody edits, and what a row was before."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from unfold.admin import ModelAdmin, TabularInline

HISTORY_LENGTH = 100
# A form's change and its entry in the admin's log are written in one transaction.
TOGETHER = timedelta(seconds=5)


class BoundedPaginator(Paginator):
    """Counts to a bound and no further, so that a page of a table of millions costs what a small one does."""

    object_list: QuerySet[Any]
    bound = 10_000

    @cached_property
    def count(self) -> int:
        return min(self.object_list.order_by()[: self.bound + 1].count(), self.bound)

    @property
    def is_bounded(self) -> bool:
        """Whether there may be more than was counted."""
        return self.count == self.bound


@dataclass(frozen=True)
class FormerValue:
    """What one field said before a change, and after it."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class FormerVersion:
    """One change of a row: when, by whom as far as it is known, and what it changed."""

    at: datetime
    label: str
    who: str
    values: tuple[FormerValue, ...]


class ConsoleAdmin(ModelAdmin):
    """A list of the console, and a history page that shows what changed."""

    paginator: ClassVar[type] = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    empty_value_display = "–"
    actions: Any = None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {row}",
            "object": row,
            "opts": self.opts,
            "module_name": capfirst(str(self.opts.verbose_name_plural)),
            "versions": list(former_versions(row)),
            "length": HISTORY_LENGTH,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "console/history.html", context)


class ReadOnlyAdmin(ConsoleAdmin):
    """Rows that staff look at, and that change by operations only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):
    """The rows beneath a row, to look at."""

    extra = 0
    empty_value_display = "–"
    can_delete = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def former_versions(row: Model) -> Iterator[FormerVersion]:
    """The latest changes of a row, newest first, from the copies that the database keeps of its former values."""
    events = getattr(row, "events", None)
    # A model may call something else its events, as a payment does the notices of its gateway.
    if events is None or not hasattr(events.model, "pgh_created_at"):
        return
    log = list(_log_of(row))
    fields = [field for field in row._meta.concrete_fields if hasattr(events.model, field.attname)]
    after: Any = row
    for event in events.order_by("-pgh_id")[:HISTORY_LENGTH]:
        values = tuple(
            FormerValue(str(field.verbose_name), getattr(event, field.attname), getattr(after, field.attname))
            for field in fields
            if getattr(event, field.attname) != getattr(after, field.attname)
        )
        yield FormerVersion(event.pgh_created_at, event.pgh_label, _who(event.pgh_created_at, log), values)
        after = event


def _log_of(row: Model) -> Iterator[LogEntry]:
    of_row = LogEntry.objects.filter(content_type=get_content_type_for_model(row), object_id=str(row.pk))
    yield from of_row.select_related("user").order_by("-action_time")[:HISTORY_LENGTH]


def _who(at: datetime, log: list[LogEntry]) -> str:
    near = [entry for entry in log if abs(entry.action_time - at) <= TOGETHER]
    if not near:
        return ""
    return near[0].user.get_full_name() or near[0].user.get_username()
