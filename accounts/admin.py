"""Contacts, and the records of who asked and who did what, to look at. An account's own page is the site's."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from accounts.browsing import ReadOnlyAdmin
from accounts.finding import contacts_beginning_with
from accounts.models import AuditEntry, Contact, Decision


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    """AUTH-2: contacts are changed on their account's page, as somebody has asked for it."""

    list_display = ("name", "email", "phone", "role_names", "account")
    list_select_related = ("account",)
    list_filter = (("roles__role", ChoicesDropdownFilter),)
    list_display_links = ("name",)
    search_fields = ("name",)
    search_help_text = "The beginning of a name or an e-mail address."
    ordering = ("pk",)
    fields = ("account", "name", "email", "phone", "role_names", "created_at")
    readonly_fields = ("role_names",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return super().get_queryset(request).prefetch_related("roles")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        words = search_term.strip()
        return (contacts_beginning_with(words, queryset) if words else queryset), False

    @display(description="roles")
    def role_names(self, contact: Contact) -> str:
        return ", ".join(sorted(role.get_role_display() for role in contact.roles.all())) or "none"


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """What the authority answered."""

    list_display = ("at", "answer", "action_words", "who", "channel", "clause_list", "account")
    list_select_related = ("account",)
    list_filter = (
        "allowed",
        ("channel", ChoicesDropdownFilter),
        ("actor_kind", ChoicesDropdownFilter),
        ("at", RangeDateTimeFilter),
    )
    ordering = ("-pk",)
    fields = (
        "account", "at", "answer", "action_words", "clause_list", "who", "actor_kind", "channel", "recorded_by",
        "in_words",
    )  # fmt: skip
    readonly_fields = ("answer", "action_words", "clause_list", "in_words")

    @display(description="answer", label={"allowed": "success", "refused": "danger"})
    def answer(self, decision: Decision) -> str:
        return "allowed" if decision.allowed else "refused"

    @display(description="asked for")
    def action_words(self, decision: Decision) -> str:
        return decision.action.replace("_", " ").capitalize()

    @display(description="clauses")
    def clause_list(self, decision: Decision) -> str:
        return ", ".join(decision.clauses)

    @display(description="what was answered")
    def in_words(self, decision: Decision) -> str:
        said = [f"{one['clause']}: {one['sentence']} {one['way_out']}" for one in decision.refusals]
        return "\n".join(said) or "Allowed."


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """P11: who changed what, when, through which door, and why."""

    list_display = ("at", "action", "subject", "who", "channel", "account")
    list_select_related = ("account",)
    list_filter = (("channel", ChoicesDropdownFilter), ("at", RangeDateTimeFilter))
    ordering = ("-at",)
    fields = ("account", "at", "action", "subject", "who", "channel", "why", "detail")

    def get_search_fields(self, request: HttpRequest) -> Any:
        return ()
