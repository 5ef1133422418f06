"""A drawn document's bytes, which are those that were drawn first or none."""

import logging

from django.conf import settings

from invoicing.documents.composers import composer_for
from invoicing.documents.files import sha256, write_whole
from invoicing.documents.models import Document

logger = logging.getLogger(__name__)


class NotDrawnYet(Exception):
    """The document waits to be drawn, or could not be."""

    def __init__(self, document: Document) -> None:
        reason = f": {document.error}" if document.error else ""
        super().__init__(f"Document {document.pk} is not drawn ({document.get_state_display().lower()}){reason}.")


class DocumentChanged(Exception):
    """The file is lost or damaged, and drawing it again gives other bytes than those that were sent."""

    def __init__(self, document: Document) -> None:
        super().__init__(
            f"The file {document.path} is missing or damaged, and drawn again it is not what it was. "
            "Take it from a backup of the documents' folder."
        )


def read_document(document: Document) -> bytes:
    """
    The PDF. A file that is missing or damaged is drawn again from the rows and put back.

    :raises NotDrawnYet: if it was never drawn
    :raises DocumentChanged: if it can no longer be had as it was
    """
    if document.state != Document.State.RENDERED:
        raise NotDrawnYet(document)
    path = settings.DOCUMENTS_ROOT / document.path
    content = path.read_bytes() if path.is_file() else None
    if content is not None and sha256(content) == document.sha256:
        return bytes(content)
    composer = composer_for(document.kind)
    plain = composer.pdf_inputs([document.subject_id]).get(document.subject_id)
    again = composer.draw(plain) if plain is not None else b""
    if sha256(again) != document.sha256:
        raise DocumentChanged(document)
    logger.warning("document %s was missing or damaged and is drawn again", document.pk)
    write_whole(path, again)
    return again
