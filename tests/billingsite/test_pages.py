"""What holds for the pages as a whole: their security policy, and the page for load balancers."""

import pytest
from django.test import Client
from pytest_django import Settings


def policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path).headers["Content-Security-Policy"]
    return dict(directive.split(" ", 1) for directive in header.split("; "))


@pytest.mark.django_db
class TestSecurityPolicy:
    def test_allows_only_our_own_files(self, client: Client) -> None:
        directives = policy(client, "/accounts/login/")
        assert directives["default-src"] == directives["script-src"] == directives["style-src"] == "'self'"

    def test_is_relaxed_under_admin(self, admin_client: Client) -> None:
        directives = policy(admin_client, "/admin/")
        assert directives["script-src"] == "'self' 'unsafe-eval'"
        assert directives["style-src"] == "'self' 'unsafe-inline'"
        assert directives["default-src"] == "'self'"


@pytest.mark.django_db
class TestHealth:
    def test_is_well_when_both_services_answer(self, client: Client) -> None:
        response = client.get("/health/")
        assert (response.status_code, response.json()) == (200, {"database": True, "redis": True})

    def test_is_unwell_without_redis(self, client: Client, settings: Settings) -> None:
        settings.REDIS_URL = "unix:///nowhere/redis.sock"
        response = client.get("/health/")
        assert (response.status_code, response.json()) == (503, {"database": True, "redis": False})
