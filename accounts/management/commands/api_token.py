"""`manage.py api_token make NAME --scope usage:write`, `revoke NAME`, `list`: the keys of machines."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import command_line
from accounts.models import ApiToken
from accounts.refusals import BadValue
from accounts.tokens import SCOPES, make_token, revoke_token


class Command(BaseCommand):
    help = "Make, revoke and list API tokens. The key is shown once, when it is made."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["make", "revoke", "list"])
        parser.add_argument("name", nargs="?", default="", help="what uses it, such as “telephony platform”")
        parser.add_argument("--scope", action="append", choices=SCOPES, default=[], help="what it may do")
        parser.add_argument("--why", default="", help="why it is revoked")

    def handle(self, *args: Any, what: str, name: str, scope: list[str], why: str, **options: Any) -> None:
        if what == "list":
            for token in ApiToken.objects.order_by("name"):
                state = f"revoked {token.revoked_at:%Y-%m-%d}" if token.revoked_at else "in use"
                self.stdout.write(f"{token}: {', '.join(token.scopes)}; {state}")
        elif what == "make":
            self._make(name, scope)
        else:
            self._revoke(name, why)

    def _revoke(self, name: str, why: str) -> None:
        token = ApiToken.objects.filter(name=name).first()
        if token is None:
            raise CommandError(f"There is no token called {name!r}; `api_token list` names them.")
        revoke_token(token, actor=command_line(), now=timezone.now(), why=why)
        self.stdout.write(f"{token} is revoked.")

    def _make(self, name: str, scopes: list[str]) -> None:
        try:
            token, key = make_token(name, scopes, actor=command_line(), now=timezone.now())
        except BadValue as error:
            raise CommandError(error.sentence) from error
        self.stderr.write(f"{token}: {', '.join(token.scopes)}. Keep the key, it is not shown again:")
        self.stdout.write(key)
