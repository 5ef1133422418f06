"""Workers for the pages: eager ones that do the work within the request, or none at all."""

from collections.abc import Iterator

import pytest

import invoicing.tasks  # noqa: F401  registers the tasks
from billingsite.celery import app


@pytest.fixture
def eager_workers() -> Iterator[None]:
    """What is handed over is done at once."""
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager = app.conf.task_eager_propagates = False


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are left and nobody reads them."""
    monkeypatch.setattr("invoicing.runs.pages.worker_answers", lambda: False)
    monkeypatch.setattr("invoicing.runs.pages.hand_over", lambda *message: True)
    monkeypatch.setattr("invoicing.runs.starting.hand_over", lambda *message: True)
