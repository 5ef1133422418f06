"""What all tests share: an empty cache, and the system's Chromium for those that need a browser."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from pytest_django import DjangoDbBlocker

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BROWSER_REQUIRED = os.environ.get("BROWSER_REQUIRED") == "1"

# Playwright runs an event loop in the thread of the tests, where Django would refuse to query.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Tests in a browser come last: their live server empties the tables, and with them the rows that migrations ship.

    pytest-django sorts so by itself, but the browser's name is a parameter of the session, which pytest moves forward.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") is None or CHROMIUM:
        return
    message = "There is no Chromium on this machine: install your system's package `chromium`."
    if BROWSER_REQUIRED:
        pytest.fail(f"{message} BROWSER_REQUIRED=1 makes this a failure.", pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {
        **browser_type_launch_args,
        "executable_path": CHROMIUM,
        "args": [*browser_type_launch_args.get("args", []), *quiet, "--disable-sync", *as_root],
    }


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Rate limits and sessions live in the cache."""
    cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _nobody_left_in_the_test_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A thread or a browser may still hold a session, and a database in use cannot be dropped."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
