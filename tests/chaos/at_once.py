"""Several at once: threads that start together, and commands as processes of their own."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

PATIENCE = 120


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each returns, or the exception that it raised, when they run in threads of their own, started together."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(index: int, work: Callable[[], Any]) -> None:
        start.wait(PATIENCE)
        try:
            results[index] = work()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "A thread waits for something that does not come."
    return results


def failures(results: Sequence[Any]) -> list[Exception]:
    return [result for result in results if isinstance(result, Exception)]


def environment(**values: str) -> dict[str, str]:
    """The environment of a process that works on this test's own database."""
    database = connection.settings_dict
    user, host, name, port = (database[key] or "" for key in ("USER", "HOST", "NAME", "PORT"))
    password = f":{database['PASSWORD']}" if database.get("PASSWORD") else ""
    if host.startswith("/"):
        url = f"postgres://{user}@/{host}/{name}"
    else:
        url = f"postgres://{user}{password}@{host}{f':{port}' if port else ''}/{name}"
    given = {
        "DATABASE_URL": url, "REDIS_URL": settings.REDIS_URL, "VAR_DIR": str(settings.VAR_DIR),
        "DJANGO_SETTINGS_MODULE": "billingsite.settings", "INSECURE_HTTP": "1", "LOG_LEVEL": "ERROR",
        "SECRET_KEY": "of-the-tests", "PYTHONPATH": str(settings.BASE_DIR),
    }  # fmt: skip
    return {**os.environ, **given, **values}


def manage(*arguments: str, **values: str) -> "subprocess.Popen[str]":
    """`manage.py` with these arguments, as a process of its own, on this test's database."""
    return subprocess.Popen(
        [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *arguments],
        env=environment(**values), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=settings.BASE_DIR,
    )  # fmt: skip


def finished(process: "subprocess.Popen[str]") -> str:
    """What it printed, once it has ended well."""
    printed, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return printed
