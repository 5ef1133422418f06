"""Documents go to a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from invoicing.documents.composers import register
from invoicing.documents.letter_composer import FOLDERS, LetterComposer
from invoicing.documents.models import Document
from invoicing.invoices.composing import InvoiceComposer
from tests.invoicing.documents.mail_server import MailServer


@pytest.fixture(autouse=True)
def documents_root(settings, tmp_path) -> Path:
    settings.DOCUMENTS_ROOT = tmp_path / "documents"
    for kind in Document.Kind.values:
        register(kind, LetterComposer(kind) if kind in FOLDERS else InvoiceComposer())
    return settings.DOCUMENTS_ROOT


@pytest.fixture
def mail_server(settings) -> Iterator[MailServer]:
    """A server of our own, to which the site sends its mail."""
    server = MailServer()
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 10
    yield server
    if server.server is not None:
        server.stop()
