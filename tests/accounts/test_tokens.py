"""API tokens: made once, kept as a digest, revoked for good."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import Actor, ActorKind, Channel, NotPermitted
from accounts.models import ApiToken, AuditEntry
from accounts.refusals import BadValue
from accounts.tokens import make_token, revoke_token, token_of
from tests.accounts.factories import NOW

pytestmark = pytest.mark.django_db

MIA = Actor(ActorKind.STAFF, "Mia", Channel.CONSOLE, permissions=frozenset({"accounts.manage_tokens"}))
NORA = Actor(ActorKind.STAFF, "Nora", Channel.CONSOLE)


def made(name="platform"):
    return make_token(name, ["usage:write"], actor=MIA, now=NOW)


class TestMakeToken:
    def test_keeps_only_the_digest_of_the_key(self):
        token, key = made()
        assert key.startswith("cb_")
        assert len(key) == 46
        assert key not in str(ApiToken.objects.values().get())
        assert token.hint == key[:8]
        assert token_of(key) == token

    def test_leaves_an_audit_entry_without_the_key(self):
        _, key = made()
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.who, entry.subject) == ("token.make", "Mia", "API token platform")
        assert key not in str(entry.detail)

    @pytest.mark.parametrize(("name", "scopes", "sentence"), [
        ("", ["usage:write"], "A token has a name"),
        ("x" * 101, ["usage:write"], "A token has a name"),
        ("platform", [], "A token without a scope may do nothing"),
        ("platform", ["usage:write", "all"], "There is no scope all"),
    ])  # fmt: skip
    def test_refuses_what_is_no_token(self, name, scopes, sentence):
        with pytest.raises(BadValue, match=sentence):
            make_token(name, scopes, actor=MIA, now=NOW)
        assert not ApiToken.objects.exists()

    def test_refuses_a_name_that_is_taken(self):
        made()
        with pytest.raises(BadValue, match="There is a token called platform"):
            made()

    def test_is_for_those_who_may(self):
        with pytest.raises(NotPermitted):
            make_token("platform", ["usage:write"], actor=NORA, now=NOW)


class TestRevokeToken:
    def test_lets_nobody_in_any_more(self):
        token, key = made()
        revoke_token(token, actor=MIA, now=NOW, why="Seen in a log.")
        assert token_of(key) is None
        assert AuditEntry.objects.get(action="token.revoke").why == "Seen in a log."

    def test_keeps_the_time_of_the_first(self):
        token, _ = made()
        revoke_token(token, actor=MIA, now=NOW)
        again = revoke_token(token, actor=MIA, now=NOW + timedelta(days=1))
        assert again.revoked_at == NOW
        assert AuditEntry.objects.filter(action="token.revoke").count() == 1

    def test_is_for_those_who_may(self):
        token, key = made()
        with pytest.raises(NotPermitted):
            revoke_token(token, actor=NORA, now=NOW)
        assert token_of(key)


class TestTokenOf:
    @pytest.mark.parametrize("key", ["", "cb_", "cb_wrong", "cb_\u00e9", "cb_" + "x" * 10_000, "x"])
    def test_knows_no_other_key(self, key):
        made()
        assert token_of(key) is None

    def test_does_not_take_the_digest_for_the_key(self):
        token, _ = made()
        assert token_of(token.digest) is None
        assert token_of("cb_" + token.digest) is None


class TestTheCommand:
    def test_makes_lists_and_revokes(self):
        out = StringIO()
        call_command("api_token", "make", "platform", "--scope", "usage:write", stdout=out, stderr=StringIO())
        key = out.getvalue().strip()
        assert token_of(key)
        listed = StringIO()
        call_command("api_token", "list", stdout=listed)
        assert listed.getvalue() == f"platform ({key[:8]}…): usage:write; in use\n"
        call_command("api_token", "revoke", "platform", "--why", "Test", stdout=StringIO())
        assert token_of(key) is None

    def test_says_what_it_does_not_know(self):
        with pytest.raises(CommandError, match="There is no token called 'nobody'"):
            call_command("api_token", "revoke", "nobody")
