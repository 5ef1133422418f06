"""A folder to write books into, and the whole book imported."""

import pytest

from tests.invoicing.book.books import WHOLE_BOOK, import_sheets


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "book"


@pytest.fixture
def imported(db, folder):
    """The whole book, in the database."""
    return import_sheets(folder, WHOLE_BOOK)
