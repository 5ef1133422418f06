"""Documents and the agency's files go to a folder of the test's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def documents_root(settings, tmp_path) -> Path:
    settings.DOCUMENTS_ROOT = tmp_path / "documents"
    return settings.DOCUMENTS_ROOT
