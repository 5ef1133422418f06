"""Keys with which machines sign in to the API: made, shown once, revoked."""

from django import forms
from django.contrib import admin
from unfold.decorators import display

from accounts.models import ApiToken
from accounts.tokens import MANAGE, SCOPES, USAGE_WRITE, make_token, revoke_token
from invoicing.pages.acting import ActingAdmin
from invoicing.pages.acts import Act, ActForm, Asked, Facts, ShownOnce, WhyForm
from invoicing.pages.cells import link, moment

BADGES = {"In use": "success", "Revoked": ""}
SCOPE_WORDS = {USAGE_WRITE: "Send uses (usage:write)"}


class TokenForm(ActForm):
    name = forms.CharField(max_length=100, help_text="Such as the name of the machine that uses it.")
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope, SCOPE_WORDS[scope]) for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
    )


def _make(asked: Asked) -> ShownOnce:
    token, key = make_token(asked.values["name"], asked.values["scopes"], actor=asked.actor, now=asked.now)
    return ShownOnce(f"The token {token.name} is made.", "Its key", key)


def _revoke(asked: Asked) -> str:
    token = revoke_token(asked.row, actor=asked.actor, now=asked.now, why=asked.values["why"])
    return f"{token.name} lets nobody in any more."


@admin.register(ApiToken)
class ApiTokenAdmin(ActingAdmin):
    """Only the digest of a key is kept."""

    list_display = ("label", "badge", "hint", "scope_list", "made", "revoked")
    list_display_links = None
    search_fields = ("name__istartswith",)
    search_help_text = "The beginning of a name"
    ordering = ("name",)
    badges = BADGES
    called = ("API token", "API tokens")
    list_acts = (
        Act("new", "Make a token…", MANAGE, _make, (), "Its key is shown once, and never again.", TokenForm, "Make it"),
    )
    acts = (
        Act(
            "revoke", "Revoke…", MANAGE, _revoke, (), "It lets nobody in from now on.", WhyForm, "Revoke it",
            danger=True, offered=lambda token: token.revoked_at is None,
        ),
    )  # fmt: skip
    when_empty = "No token yet. The platform needs one to send its uses (PRE-1)."

    @display(description="Token", ordering="name")
    def label(self, token: ApiToken) -> str:
        return link(f"{token.pk}/change/", token.name)

    @display(description="State", label=BADGES)
    def badge(self, token: ApiToken) -> str:
        return self.state_of(token)

    @display(description="May")
    def scope_list(self, token: ApiToken) -> str:
        return ", ".join(SCOPE_WORDS.get(scope, scope) for scope in token.scopes)

    @display(description="Made", ordering="created_at")
    def made(self, token: ApiToken) -> str:
        return moment(token.created_at)

    @display(description="Revoked")
    def revoked(self, token: ApiToken) -> str:
        return moment(token.revoked_at)

    def state_of(self, row: ApiToken) -> str:
        return "Revoked" if row.revoked_at else "In use"

    def facts(self, row: ApiToken) -> Facts:
        return [
            ("Key begins with", row.hint), ("May", self.scope_list(row)), ("Made", moment(row.created_at)),
            ("Revoked", moment(row.revoked_at)),
        ]  # fmt: skip
