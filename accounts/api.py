"""
How machines come in: a Bearer token with a scope, exact numbers, and every error as a sentence in JSON.

Requests are counted in the cache, a token a minute. Without the cache nobody is counted and everybody is let in: a
token is known by then, and a use that is not taken costs more than one too many.
"""

import json
import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from redis.exceptions import RedisError
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView, exception_handler

from accounts.models import ApiToken
from accounts.tokens import token_of

logger = logging.getLogger(__name__)

MOST_BYTES = 2 * 1024 * 1024
WHERE_TO_GET_ONE = "Send “Authorization: Bearer <token>” with a token that a billing manager made and nobody revoked."


@dataclass(frozen=True)
class Machine:
    """Whoever holds a token."""

    token: ApiToken
    is_authenticated: bool = True

    def __str__(self) -> str:
        return f"API token {self.token.name}"


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer <token>`."""

    def authenticate(self, request: Request) -> tuple[Machine, ApiToken] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _, key = header.partition(" ")
        token = token_of(key.strip()) if scheme.casefold() == "bearer" else None
        if token is None:
            raise AuthenticationFailed(f"This is no token of ours. {WHERE_TO_GET_ONE}")
        return Machine(token), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class BearerScheme(OpenApiAuthenticationExtension):
    """How the schema describes it."""

    target_class = "accounts.api.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": WHERE_TO_GET_ONE}


class HasScope(BasePermission):
    """The token has the scope that the view names as `scope_needed`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed = getattr(view, "scope_needed", "")
        self.message = f"This token may not do this: it needs the scope “{needed}”. Ask a billing manager for one."
        return isinstance(request.auth, ApiToken) and needed in request.auth.scopes


class TokenThrottle(SimpleRateThrottle):
    """So many requests a token; with a thousand events each, more than a platform has to send."""

    scope = "token"
    rate = "1200/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return f"throttle-token-{request.auth.pk}"

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return bool(super().allow_request(request, view))
        except RedisError:
            logger.warning("the cache does not answer: requests are not counted", exc_info=True)
            return True


class ExactJSONParser(BaseParser):
    """JSON whose numbers keep their digits: no floats, no NaN, no nesting without end."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request = (parser_context or {}).get("request")
        length = request.META.get("CONTENT_LENGTH") if request is not None else None
        if str(length or "0").isdigit() and int(length or 0) > MOST_BYTES:
            raise TooLarge(f"The request is larger than {MOST_BYTES:,} bytes. Send it in parts.")
        try:
            return json.loads(stream.read().decode(), parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"This is not JSON as we read it: {_sentence(error)}") from error


def in_sentences(error: Exception, context: dict[str, Any]) -> Response | None:
    """Each error of the API as `{"error": {"sentence": ...}}`."""
    response = exception_handler(error, context)
    if response is not None and isinstance(error, APIException):
        sentence = " ".join(str(part) for part in _parts(error.detail))
        response.data = {"error": {"code": error.get_codes(), "sentence": sentence}}
    elif response is not None:
        response.data = {"error": {"code": "not_found", "sentence": "There is nothing here for you."}}
    return response


def _parts(detail: Any) -> list[Any]:
    if isinstance(detail, dict):
        return [part for value in detail.values() for part in _parts(value)]
    return [part for value in detail for part in _parts(value)] if isinstance(detail, list) else [detail]


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number.")


def _sentence(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply."
    return "it is not UTF-8." if isinstance(error, UnicodeDecodeError) else f"{str(error).rstrip('.')}."
